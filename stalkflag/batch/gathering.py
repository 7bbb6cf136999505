"""Gathering the rows of each linked set, in constant memory and in any order of the input.

Narratives wait in a temporary file beside the output that has no name, so that the system takes
its space back however this process ends. SQLite sorts an index of keyed hashes, dates and places
in that file.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from stalkflag.batch.dates import read_when
from stalkflag.batch.linking import (
    NO_DATE,
    Judge,
    Link,
    LinkTally,
    Sets,
    alone_columns,
    link_key,
    member_columns,
    set_name,
)
from stalkflag.batch.reading import Rejected, Row
from stalkflag.errors import InputError
from stalkflag.linked_set import SCHEMA, Report, too_large
from stalkflag.narrative import MAX_CHARACTERS


class LinkedRows(AbstractContextManager["LinkedRows"]):
    """The rows of an input linked: build it with :meth:`link`, then ask it for each row in order.

    Parameters
    ----------
    folder
        Where narratives wait, in a file without a name: the output's own folder.
    """

    def __init__(self, options: Link, folder: Path) -> None:
        self.options = options
        self.tally = LinkTally()
        self._folder = folder
        self._next: tuple[int, dict[str, Any]] | None = None

    def __enter__(self) -> LinkedRows:
        with ExitStack() as stack:
            try:
                self._narratives = stack.enter_context(_Spool(self._folder))
                self._sets = stack.enter_context(_Spool(self._folder))
            except OSError as error:
                raise InputError(f"{self._folder} cannot be written: {error.strerror}.") from None
            # An empty name is a database in a temporary file that is removed when it is closed.
            self._index = sqlite3.connect("", isolation_level=None)
            stack.callback(self._index.close)
            self._open = stack.pop_all()
        self._index.executescript(_TABLES)
        return self

    def __exit__(self, *problem: object) -> None:
        self._open.close()

    def link(
        self,
        rows: Iterable[Row | Rejected],
        judge: Judge,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Read all rows, gather the sets, and have each judged as a whole."""
        secret = secrets.token_bytes(32)
        self._index.execute("BEGIN")
        for position, row in enumerate(rows):
            if isinstance(row, Row):
                self._stage(position, row, secret)
        self._index.execute("COMMIT")
        self._index.execute("CREATE INDEX by_set ON report (name, happened, position)")
        self._index.execute(
            "INSERT INTO joined SELECT name, count(*), count(*) > ? OR sum(characters) > ?"
            " FROM report GROUP BY name HAVING count(*) > 1",
            (self.options.most, MAX_CHARACTERS),
        )
        (total,) = self._index.execute(
            "SELECT coalesce(sum(size), 0) FROM joined WHERE NOT large"
        ).fetchone()
        self._note_too_large()
        waiting: deque[list[dict[str, Any]]] = deque()
        self._index.execute("BEGIN")
        for plain in judge(self._gather(waiting)):
            self._keep(plain, waiting.popleft())
            progress(self.tally.reports, total)
        self._index.execute("COMMIT")
        self._narratives.close()
        self._following = self._index.execute(
            "SELECT position, record FROM linked ORDER BY position"
        )
        self._advance()

    def columns(self, position: int, flat: Mapping[str, Any]) -> dict[str, Any]:
        """What linking adds to the row at a place in the input; ask in the order of the rows.

        ``flat`` are the row's own columns of flat output.
        """
        found = alone_columns(flat)
        while self._next and self._next[0] < position:
            self._advance()
        if self._next and self._next[0] == position:
            found |= self._next[1]
        return found

    def records(self) -> Iterator[dict[str, Any]]:
        """The linked sets as nested plain data: first those in which a report is raised."""
        ranked = "SELECT place, length FROM judged ORDER BY raised DESC, stalking DESC, first"
        for place, length in self._index.execute(ranked):
            yield json.loads(self._sets.read(place, length))

    def _stage(self, position: int, row: Row, secret: bytes) -> None:
        key = link_key(row.values, self.options.columns)
        if key is None:
            self.tally.without_key += 1
            return
        when = row.when.isoformat() if row.when else None
        kept = {
            "position": position,
            "row": row.number,
            "file": row.source,
            "id": row.id,
            "key": key,
            "when": when,
            "text": row.text,
        }
        name = hashlib.blake2b(json.dumps(key).encode(), key=secret, digest_size=16).digest()
        place = self._narratives.append(json.dumps(kept).encode())
        self._index.execute(
            "INSERT INTO report VALUES (?, ?, ?, ?, ?, ?)",
            (name, when or NO_DATE, position, len(row.text), *place),
        )

    def _note_too_large(self) -> None:
        """Sets above the limit: noted in the links and the columns, not judged."""
        large = "SELECT name, size FROM joined WHERE large"
        for name, size in self._index.execute(large).fetchall():
            (place, length) = self._index.execute(
                "SELECT place, length FROM report WHERE name = ? ORDER BY position", (name,)
            ).fetchone()
            first = self._read(place, length)
            record = {"linked_set": set_name(first["key"]), "linked_reports": size}
            self._index.execute(
                "INSERT INTO linked SELECT position, ? FROM report WHERE name = ?",
                (json.dumps(record), name),
            )
            plain = {"size": size, "reports": [], "note": too_large(size, self.options.most)}
            self._keep_set(plain, first, raised=0, stalking=0.0)
            self.tally.too_large += 1

    def _gather(self, waiting: deque[list[dict[str, Any]]]) -> Sets:
        """The sets to judge; what else is known of their members is left in ``waiting``."""
        rows = self._index.cursor().execute(
            "SELECT name, place, length FROM report JOIN joined USING (name)"
            " WHERE NOT large ORDER BY name, happened, position"
        )
        for _, members in groupby(rows, key=lambda row: row[0]):
            kept = [self._read(place, length) for _, place, length in members]
            waiting.append([{k: v for k, v in one.items() if k != "text"} for one in kept])
            yield [Report(one["text"], one["id"], read_when(one["when"])) for one in kept]

    def _read(self, place: int, length: int) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self._narratives.read(place, length))
        return kept

    def _keep(self, plain: dict[str, Any], members: list[dict[str, Any]]) -> None:
        for report, member in zip(plain["reports"], members, strict=True):
            report |= {"row": member["row"], "file": member["file"]}
        first = min(members, key=lambda member: member["position"])
        columns = member_columns(plain, set_name(first["key"]))
        self._index.executemany(
            "INSERT INTO linked VALUES (?, ?)",
            [
                (member["position"], json.dumps(record))
                for member, record in zip(members, columns, strict=True)
            ],
        )
        raised = sum(report["raised"] for report in plain["reports"])
        stalking = plain["probabilities"]["stalking"] if "probabilities" in plain else 0.0
        self._keep_set({"size": len(members), **plain}, first, raised=raised, stalking=stalking)
        self.tally.sets += 1
        self.tally.reports += len(members)
        self.tally.raised += raised
        self.tally.too_large += plain["note"] is not None

    def _keep_set(
        self, plain: dict[str, Any], first: dict[str, Any], *, raised: int, stalking: float
    ) -> None:
        linked_on = dict(zip(self.options.columns, first["key"], strict=True))
        record = {
            "schema": SCHEMA,
            "id": set_name(first["key"]),
            "linked_on": linked_on,
            **plain,
        }
        place, length = self._sets.append(json.dumps(record).encode())
        self._index.execute(
            "INSERT INTO judged VALUES (?, ?, ?, ?, ?)",
            (raised > 0, stalking, first["position"], place, length),
        )

    def _advance(self) -> None:
        row = self._following.fetchone()
        self._next = (row[0], json.loads(row[1])) if row else None


_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -32000;
CREATE TABLE report
    (name BLOB, happened TEXT, position INTEGER, characters INTEGER, place INTEGER, length INTEGER);
CREATE TABLE joined (name BLOB PRIMARY KEY, size INTEGER, large INTEGER) WITHOUT ROWID;
CREATE TABLE linked (position INTEGER PRIMARY KEY, record TEXT);
CREATE TABLE judged (raised INTEGER, stalking REAL, first INTEGER, place INTEGER, length INTEGER);
"""


class _Spool(AbstractContextManager["_Spool"]):
    """Pieces of text put aside in a file without a name and read back from their places."""

    def __init__(self, folder: Path) -> None:
        self._stream: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=1 << 16)  # noqa: SIM115
        self._end = self._at = 0

    def append(self, piece: bytes) -> tuple[int, int]:
        """Put a piece aside; its place and length."""
        place = self._end
        if self._at != place:
            self._stream.seek(place)
        self._stream.write(piece)
        self._end = self._at = place + len(piece)
        return place, len(piece)

    def read(self, place: int, length: int) -> bytes:
        """The piece at a place."""
        self._stream.seek(place)
        self._at = place + length
        return self._stream.read(length)

    def close(self) -> None:
        """Give the space back."""
        self._stream.close()

    def __exit__(self, *problem: object) -> None:
        self.close()
