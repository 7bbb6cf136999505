"""The rows assessed so far, kept beside the output until all are: what ``--resume`` continues.

The file begins with a line that names it and a frame that says what the run was asked (inputs and
their hashes, options, model). Then comes a frame for each chunk of rows, in input order::

    rows, bytes of the rows, bytes of the results, check sum | rows | results

both compressed JSON. A frame that was not written whole, as after a power cut, is not counted: the
file is cut before it. A frame of no rows ends the file when all rows are assessed.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import json
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stalkflag.batch.reading import Rejected, Row, Source, narrative_of, when_of
from stalkflag.errors import InputError

TITLE = b"stalkflag: rows of an unfinished run; it holds narratives\n"
HEAD = struct.Struct("<IIII")
SYNC_SECONDS = 2.0
"""How much work a power cut may cost."""

LEVEL = 1
"""Of compression: the fastest halves the size."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One chunk: how many rows, and its rows and results as they lie in the file."""

    count: int
    rows: bytes
    results: bytes


class Journal:
    """An unfinished run beside ``output``; use it as a context manager.

    Attributes
    ----------
    rows
        How many rows it holds.
    complete
        Whether that is all of them.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        self._about = json.dumps(about, sort_keys=True)
        self._resume = resume
        self._synced = time.monotonic()
        self.rows = 0
        self.complete = False

    def __enter__(self) -> Journal:
        """Take up the run that the file holds, or begin one.

        Raises
        ------
        InputError
            If the file cannot be written, is in use, or holds a run that is not to be continued,
            or not like this.
        """
        try:
            self._stream: BinaryIO = os.fdopen(
                os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666),
                "r+b",
            )
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}.") from None
        try:
            _lock(self._stream, self.path)
            self._take_up()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, kind: object, *problem: object) -> None:
        # A run may be stopped after its first rows were written and before they were counted.
        holds = bool(self.rows)
        with contextlib.suppress(OSError):
            if not holds:
                self._stream.seek(self._start)
                holds = self._read_frame() is not None
        # What a full disk keeps from being written is assessed again on --resume.
        with contextlib.suppress(OSError):
            self._stream.close()
        if kind is not None and not holds:
            self.path.unlink(missing_ok=True)

    def _take_up(self) -> None:
        self._start = 0
        before = self._read_about()
        if before is not None:
            end = self._stream.tell()
            self._start = end
            for frame in self._frames():
                self.rows += frame.count
                self.complete = frame.count == 0
                end = self._stream.tell()
            same = before == self._about
            if self.rows and not self.complete and not self._resume:
                raise InputError(
                    f"{self.path} holds {self.rows:,} rows of an unfinished run: continue it "
                    "with --resume, or delete that file to begin again."
                )
            if self._resume and self.rows and not same:
                raise InputError(
                    f"--resume: {_difference(json.loads(before), json.loads(self._about))} since "
                    f"{self.path} was begun; run it as then, or delete that file to begin again."
                )
            if same:
                self._stream.seek(end)
                self._stream.truncate()
                return
        self.rows, self.complete = 0, False
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(TITLE)
        self._write_frame(Frame(0, self._about.encode(), b""))
        self._start = self._stream.tell()

    def _read_about(self) -> str | None:
        self._stream.seek(0)
        if self._stream.read(len(TITLE)) != TITLE:
            return None
        frame = self._read_frame()
        return None if frame is None else frame.rows.decode()

    def _read_frame(self) -> Frame | None:
        head = self._stream.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        count, size, more, check = HEAD.unpack(head)
        if size + more > os.fstat(self._stream.fileno()).st_size - self._stream.tell():
            return None
        rows, results = self._stream.read(size), self._stream.read(more)
        if len(results) < more or check != _check(count, rows, results):
            return None
        return Frame(count, rows, results)

    def _frames(self) -> Iterator[Frame]:
        while (frame := self._read_frame()) is not None:
            yield frame
            if not frame.count:
                return

    def _write_frame(self, frame: Frame) -> None:
        check = _check(frame.count, frame.rows, frame.results)
        head = HEAD.pack(frame.count, len(frame.rows), len(frame.results), check)
        self._stream.write(head + frame.rows + frame.results)
        self._stream.flush()
        if time.monotonic() - self._synced > SYNC_SECONDS or not frame.count:
            os.fsync(self._stream.fileno())
            self._synced = time.monotonic()

    def append(self, rows: Sequence[Row | Rejected], results: bytes) -> None:
        """Keep a chunk of rows with the results for those that are not rejected.

        Raises
        ------
        OSError
            If the disk is full; what was kept before stays.
        """
        plain = [
            [row.source, row.number, row.reason]
            if isinstance(row, Rejected)
            else [row.source, row.number, row.id, row.values]
            for row in rows
        ]
        self._write_frame(Frame(len(rows), pack(plain), results))
        self.rows += len(rows)

    def finish(self) -> None:
        """Note that all rows are assessed."""
        if not self.complete:
            self._write_frame(Frame(0, b"", b""))
            self.complete = True

    def records(self, sources: Sequence[Source]) -> Iterator[tuple[Row, Any] | Rejected]:
        """Every row in input order, with its result as the worker gave it."""
        by_name = {source.table.name: source for source in sources}
        self._stream.seek(self._start)
        for frame in self._frames():
            if not frame.count:
                return
            results = iter(unpack(frame.results) if frame.results else [])
            for plain in unpack(frame.rows):
                if len(plain) == 3:
                    yield Rejected(*plain)
                else:
                    name, number, id, values = plain
                    source = by_name[name]
                    text = narrative_of(values, source.text_column) or ""
                    when = when_of(values, source.date_column)
                    yield Row(name, number, values, text, id, when), next(results)


def _check(count: int, rows: bytes, results: bytes) -> int:
    return zlib.crc32(results, zlib.crc32(rows, count))


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    for name in now:
        if before.get(name) != now[name]:
            return f"the {name} changed"
    return "something changed"


def _lock(stream: BinaryIO, path: Path) -> None:
    """Keep a second run off the same output, on systems that have such locks."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            f"{path} is being written by another run: wait for it or choose another output."
        ) from None


def pack(plain: Any) -> bytes:
    """Compressed JSON; dates, times, decimal numbers and bytes are kept as what they are."""
    return zlib.compress(json.dumps(plain, ensure_ascii=False, default=_tag).encode(), LEVEL)


def unpack(packed: bytes) -> Any:
    """What was packed."""
    return json.loads(zlib.decompress(packed), object_hook=_untag)


_TAGS: dict[type, str] = {
    datetime.datetime: "datetime",
    datetime.date: "date",
    datetime.time: "time",
    decimal.Decimal: "decimal",
    bytes: "bytes",
}
_READ: dict[str, Callable[[str], Any]] = {
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "decimal": decimal.Decimal,
    "bytes": base64.b64decode,
}
_MARK = "\x00type"
"""A key that no column is called."""


def _tag(value: Any) -> Any:
    for kind, name in _TAGS.items():
        if isinstance(value, kind):
            if isinstance(value, bytes):
                return {_MARK: name, "": base64.b64encode(value).decode()}
            return {
                _MARK: name,
                "": value.isoformat() if hasattr(value, "isoformat") else str(value),
            }
    return str(value)


def _untag(plain: dict[str, Any]) -> Any:
    if _MARK not in plain:
        return plain
    try:
        return _READ[plain[_MARK]](plain[""])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return plain  # an object of the input that looks like a tag
