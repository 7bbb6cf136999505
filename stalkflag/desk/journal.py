"""Files that are only ever added to: decisions, and the chained log of consultations."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stalkflag.errors import InputError

FIRST = "0" * 64
"""What the first line of a chained log gives as the hash of the line before it."""

LAST_LINE = 1 << 16
"""Bytes at the end of a chained log in which its last line is looked for."""

_BINARY = getattr(os, "O_BINARY", 0)


class JournalError(Exception):
    """A line could not be written; nothing that depends on it may go on."""


class Journal:
    """A file of JSON lines to which lines are added and nothing else.

    A line is written in one piece under a lock that other processes respect, and is on the disk
    when ``append`` returns. A line cut short by a crash stays as it is, and the next one begins on
    a line of its own. With ``chained``, each line holds the hash of the line before it.

    Beside the file lie ``FILE.key``, with which texts are hashed and which only its owner may
    read, and ``FILE.lock``.

    Raises
    ------
    InputError
        If the file cannot be written, its key is missing or readable by others, or a chained
        log has been changed.
    """

    def __init__(self, path: Path, *, chained: bool = False) -> None:
        self.path = path
        self._chained = chained
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
        self._threads = threading.Lock()
        self._lock = FileLock(f"{path}.lock", timeout=10, mode=0o600)
        try:
            with self._locked():
                if chained:
                    _check_chain(path)
                self._key = _key(path)
                os.close(self._open())
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}): choose another file."
            ) from None

    def text_hash(self, text: str) -> str:
        """HMAC-SHA256 of a narrative under this file's key: the same text, the same hash."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def append(self, record: dict[str, Any]) -> None:
        """Add one line and wait until it is on the disk.

        Raises
        ------
        JournalError
            If it cannot be written; the file is then as it was.
        """
        try:
            with self._locked():
                self._append(record)
        except OSError as error:
            raise JournalError(f"{self.path.name} cannot be written: {error.strerror}.") from None

    def _append(self, record: dict[str, Any]) -> None:
        if self._chained:
            record = {**record, "previous": _line_hash(_last_line(self.path))}
        line = json.dumps(record).encode() + b"\n"
        file = self._open()
        try:
            size = os.fstat(file).st_size
            if _is_cut_short(self.path, size):
                line = b"\n" + line
            try:
                written = 0
                while written < len(line):
                    written += os.write(file, line[written:])
                os.fsync(file)
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            os.close(file)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._threads, self._lock:
                yield
        except Timeout:
            raise OSError(11, "another program has held its lock for 10 seconds") from None


def _key(path: Path) -> bytes:
    """The key beside a file, made when the file is new."""
    place = path.with_name(f"{path.name}.key")
    if not place.exists():
        if path.exists() and path.stat().st_size:
            raise InputError(
                f"{place} is missing, so that the hashes in {path} could no longer be matched: "
                "put it back, or name a new file."
            )
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        try:
            os.write(file, secrets.token_hex(32).encode() + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
    if sys.platform != "win32" and place.stat().st_mode & 0o077:
        raise InputError(f"{place} can be read by others: run chmod 600 {place}.")
    try:
        key = bytes.fromhex(place.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise InputError(f"{place} is damaged: restore it from a copy, or name a new file.")
    return key


def _is_cut_short(path: Path, size: int) -> bool:
    if not size:
        return False
    with path.open("rb") as stream:
        stream.seek(size - 1)
        return stream.read(1) != b"\n"


def _last_line(path: Path) -> bytes | None:
    size = path.stat().st_size if path.exists() else 0
    if not size:
        return None
    with path.open("rb") as stream:
        stream.seek(max(0, size - LAST_LINE))
        return stream.read().removesuffix(b"\n").rsplit(b"\n", 1)[-1]


def _line_hash(line: bytes | None) -> str:
    return FIRST if line is None else hashlib.sha256(line).hexdigest()


@dataclass(frozen=True, slots=True)
class Chain:
    """What was found in a chained log.

    ``cut_short`` counts lines that a crash left unfinished; ``broken_at`` is the number of the
    first line that does not fit the one before it; ``head`` is the hash of the last line, which
    the line to come will hold.
    """

    lines: int
    cut_short: int
    broken_at: int | None
    head: str


def verify_chain(path: Path) -> Chain:
    """Read a chained log from its start and check that each line fits the one before it.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    lines = cut_short = 0
    before: bytes | None = None
    broken_at: int | None = None
    try:
        with path.open("rb") as stream:
            for lines, raw in enumerate(stream, start=1):
                line = raw.removesuffix(b"\n")
                try:
                    fits = json.loads(line)["previous"] == _line_hash(before)
                except (ValueError, TypeError, KeyError):
                    cut_short += 1
                else:
                    if not fits and broken_at is None:
                        broken_at = lines
                before = line
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    return Chain(lines, cut_short, broken_at, _line_hash(before))


def _check_chain(path: Path) -> None:
    if path.exists():
        found = verify_chain(path)
        if found.broken_at is not None:
            raise InputError(
                f"{path} was changed at or before line {found.broken_at}: keep it for whoever "
                "answers for it, and start with a new file."
            )
