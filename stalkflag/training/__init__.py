"""Training, evaluation and tracking; needs the extra ``train``."""

from __future__ import annotations

from importlib.util import find_spec

from stalkflag.errors import MissingExtra


def needs_extra(what: str) -> None:
    """Say which extra is missing before anything of it is imported."""
    if not all(find_spec(name) for name in ("mlflow", "sklearn", "matplotlib")):
        raise MissingExtra("train", what)
