"""Bytes and text of input and output files, compressed or not, and their encoding."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

from stalkflag.errors import InputError, MissingExtra
from stalkflag.narrative import KEEP_BYTES, utf8_share

COMPRESSIONS: tuple[str, ...] = (".gz", ".bz2", ".xz", ".zst")
"""Endings after the format's own, as in ``reports.csv.gz``."""

BLOCK = 1 << 20


def file_kind(path: Path | str) -> tuple[str, str]:
    """The format and the compression of a file by its ending, both in lower case.

    >>> file_kind("Reports 2019.CSV.gz"), file_kind("reports.xlsx")
    (('.csv', '.gz'), ('.xlsx', ''))
    """
    endings = [ending.lower() for ending in Path(path).suffixes[-2:]]
    if endings and endings[-1] in COMPRESSIONS:
        return (endings[0] if len(endings) == 2 else ""), endings[-1]
    return (endings[-1] if endings else ""), ""


def arrow(what: str) -> Any:
    """The ``pyarrow`` module, or the pip line that adds it."""
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra("files", what) from None
    return pyarrow


def open_bytes(path: Path) -> io.BufferedIOBase:
    """The bytes of a file, decompressed while they are read.

    Raises
    ------
    InputError
        If the file may not be read.
    """
    compression = file_kind(path)[1]
    try:
        if compression == ".gz":
            return gzip.GzipFile(path)
        if compression == ".bz2":
            return bz2.BZ2File(path)
        if compression == ".xz":
            return lzma.LZMAFile(path)
        if compression == ".zst":
            pa = arrow("A file ending in .zst")
            return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}.") from None


def compressing(stream: IO[bytes], path: Path) -> IO[bytes]:
    """A stream that compresses into another as the ending of ``path`` says; same in, same out."""
    compression = file_kind(path)[1]
    if compression == ".gz":
        zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=stream, mtime=0)
        return cast(IO[bytes], zipped)
    if compression == ".bz2":
        return bz2.BZ2File(stream, "wb")
    if compression == ".xz":
        return lzma.LZMAFile(stream, "wb", preset=1)
    if compression == ".zst":
        pa = arrow("A file ending in .zst")
        return cast(IO[bytes], pa.CompressedOutputStream(pa.PythonFile(stream, "w"), "zstd"))
    return stream


def shown_path(path: Path) -> str:
    """A path as it can be written to any file: bytes that are no UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def path_of(uri: str) -> str:
    """A file as a person calls it: the path of a file URI, any other URI as it is."""
    return unquote(urlsplit(uri).path) if uri.startswith("file:") else uri


def sha256(path: Path) -> str:
    """The hash of a file's bytes as they lie on disk."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file: where it is, its encoding, and about how many lines it has.

    ``data`` is what it holds, if it is in memory only.
    """

    path: Path
    encoding: str
    lines: int
    data: bytes | None = None

    def open(self) -> io.TextIOWrapper:
        """Its text from the start, line ends as they are."""
        errors = "replace" if self.encoding.startswith("utf-16") else KEEP_BYTES
        return io.TextIOWrapper(
            cast(IO[bytes], _bytes_of(self.path, self.data)),
            encoding=self.encoding,
            errors=errors,
            newline="",
        )


def _bytes_of(path: Path, data: bytes | None) -> io.BufferedIOBase:
    return open_bytes(path) if data is None else io.BytesIO(data)


def scan(path: Path, data: bytes | None = None) -> TextFile:
    """Find out a text file's encoding and number of lines, in one pass over its bytes.

    ``data`` are its bytes, if it is in memory only. A compressed file that ends early is scanned as
    far as it goes.

    Raises
    ------
    InputError
        If a compressed file is damaged.
    """
    whole = broken = lines = 0
    start = b""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with _bytes_of(path, data) as stream:
        while True:
            try:
                block = stream.read1(BLOCK)
            except DAMAGED as error:
                if not _is_truncated(error):
                    raise read_failure(path, error) from None
                break
            if not block:
                break
            start += block[: 4096 - len(start)]
            lines += block.count(b"\n")
            more, bad = utf8_share(block, decoder.decode(block))
            whole, broken = whole + more, broken + bad
    _refuse_other_kinds(path, start)
    return TextFile(path, _encoding(start, whole >= broken), lines, data)


_NOT_TEXT = {
    b"\x1f\x8b": "a file compressed with gzip: add .gz to its name",
    b"PK\x03\x04": "a workbook or an archive: call it .xlsx, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as .xlsx or .csv",
    b"PAR1": "a Parquet file: call it .parquet",
}
"""What files that only seem to hold text begin with."""


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    for mark, what in _NOT_TEXT.items():
        if start.startswith(mark):
            raise InputError(f"{path} is no text but {what}.")


DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What files and the decompressors of Python and Arrow raise."""


def _is_truncated(error: Exception) -> bool:
    return isinstance(error, EOFError) or str(error).startswith("Truncated")


def cut_off(path: Path, error: Exception) -> str:
    """Why there are no more rows, if a compressed file ends before its end.

    Raises
    ------
    InputError
        If the file cannot be read for another reason.
    """
    if not _is_truncated(error):
        raise read_failure(path, error) from None
    return "the compressed file is cut off here: what followed is lost, get the file again"


def read_failure(path: Path, error: Exception) -> InputError:
    """What to tell a person whose file cannot be read."""
    why = "it is cut off" if _is_truncated(error) else getattr(error, "strerror", None) or error
    return InputError(f"{path} cannot be read ({why}): get the file again.")


def _encoding(start: bytes, utf8: bool) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(start) >= 4 and start.count(0) > len(start) // 3:
        little = start[1::2].count(0) >= start[0::2].count(0)
        return "utf-16-le" if little else "utf-16-be"
    return "utf-8-sig" if utf8 else "cp1252"
