"""What can go wrong for a user, said in one sentence with the remedy."""

from __future__ import annotations


class StalkflagError(Exception):
    """A mistake in input, arguments or files; its message is shown to the user as it stands."""


class InputError(StalkflagError):
    """A narrative or a file cannot be read."""


class RuleError(StalkflagError):
    """A rule pack breaks the schema or one of its examples fails."""


class ModelError(StalkflagError):
    """A model bundle is missing, incomplete or altered."""


class MissingExtra(StalkflagError):
    """A command needs an optional dependency that is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed: run "
            f"pip install 'stalkflag[{extra}]' and try again."
        )
