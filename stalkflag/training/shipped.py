"""Where the labelled corpus and the behavioural suite are: in the package, or beside its source."""

from __future__ import annotations

from pathlib import Path

from stalkflag.errors import InputError

_PACKAGE = Path(__file__).parents[1]


def shipped_corpus() -> Path:
    """The folder of the labelled corpus, one file a split."""
    return _first("corpus", _PACKAGE / "shipped" / "corpus", _PACKAGE.parent / "data" / "corpus")


def shipped_pairs() -> Path:
    """The file of the behavioural suite's minimal pairs."""
    return _first(
        "behavioural suite",
        _PACKAGE / "shipped" / "pairs.yaml",
        _PACKAGE.parent / "tests" / "behaviour" / "pairs.yaml",
    )


def _first(what: str, *places: Path) -> Path:
    for place in places:
        if place.exists():
            return place
    raise InputError(f"This installation is without the {what}: install stalkflag again.")
