"""Where the bundle of a model lies. Needs no spaCy: also for processes that only read and write."""

from __future__ import annotations

from pathlib import Path

from stalkflag.errors import ModelError

BUNDLED = Path(__file__).parent / "bundled"
"""The model that is shipped with the package."""


def bundle_folder(ref: str) -> Path:
    """The folder in which the bundle of a model reference lies; see :func:`stalkflag.load`."""
    if ref == "bundled":
        return BUNDLED
    if ":/" in ref and not Path(ref).exists():
        from stalkflag.training.store import bundle_from_uri

        return bundle_from_uri(ref)
    folder = Path(ref)
    if not folder.is_dir():
        raise ModelError(
            f"There is no model at {ref}: give 'bundled', a bundle folder, "
            "or an MLflow URI such as models:/stalkflag@champion."
        )
    return folder
