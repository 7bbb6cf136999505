"""stalkflag reads police narratives for stalking and shows the words that show it.

It supports a person's decision and never makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stalkflag.assessment import Assessment
    from stalkflag.assessor import Assessor, load
    from stalkflag.errors import StalkflagError

__version__ = "0.1.0"
__all__ = ["Assessment", "Assessor", "StalkflagError", "__version__", "load"]

_WHERE = {
    "Assessment": "stalkflag.assessment",
    "Assessor": "stalkflag.assessor",
    "StalkflagError": "stalkflag.errors",
    "load": "stalkflag.assessor",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``stalkflag --help`` loads no spaCy."""
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'stalkflag' has no attribute {name!r}")
