"""Folders of results that appear only when they are complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stalkflag.errors import InputError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which appears under its name only when all is written.

    Raises
    ------
    InputError
        If it holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} holds something already: choose a new folder.")
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    if folder.exists():
        folder.rmdir()
    aside.rename(folder)
