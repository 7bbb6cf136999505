"""Processes that assess chunks of rows; one that dies is replaced and its chunk given again.

A worker gets texts and returns plain records, both as JSON. A row during which workers die again
and again is rejected, and so is one that raises an error; the rest of its chunk is assessed.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from stalkflag.batch.journal import pack
from stalkflag.batch.reading import Rejected, Row
from stalkflag.errors import StalkflagError

if TYPE_CHECKING:
    from stalkflag.assessor import Assessor

WAITING = 3
"""Chunks for each worker that are read ahead or wait for an earlier one to be written."""

MOST_DEATHS = 2
"""A row that has cost so many workers is rejected: one may have died of something else."""

MOST_FALSE_STARTS = 8
"""Workers that die in a row with nothing read: then something is amiss with the machine."""

READY, RESULT, FAILED, UNUSABLE = b"R", b"A", b"F", b"E"

BETWEEN_ROWS = -1


@dataclass(slots=True, eq=False)
class Chunk:
    """Rows that are handed over together, and what came back for those that are not rejected."""

    rows: list[Row | Rejected]
    results: bytes | None = None
    deaths: Counter[int] = field(default_factory=Counter)
    """Workers that died while they assessed a row, by its place."""

    def texts(self) -> list[tuple[int, str, str, str | None]]:
        """Place, narrative, id and day (ISO 8601) of each row that can be assessed."""
        return [
            (n, row.text, row.id, row.day.isoformat() if row.day else None)
            for n, row in enumerate(self.rows)
            if isinstance(row, Row)
        ]

    def reject(self, place: int, reason: str) -> None:
        """Give up on one row."""
        row = self.rows[place]
        self.rows[place] = Rejected(row.source, row.number, reason)


class _Worker:
    """One process, what it is busy with, and the pipe to it."""

    def __init__(self, model: str, law: str, nested: bool) -> None:
        # 'spawn' behaves alike on every system, and inherits no open file or lock.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.place = context.Value("i", BETWEEN_ROWS, lock=False)
        self.process = context.Process(
            target=_serve, args=(theirs, self.place, model, law, nested), daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.chunk: Chunk | None = None

    def give(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.place.value = BETWEEN_ROWS
        self.pipe.send_bytes(json.dumps(chunk.texts()).encode())

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Crew:
    """Up to ``workers`` processes; use it as a context manager.

    Parameters
    ----------
    model
        Reference of a model, see :func:`stalkflag.load`.
    law
        The law profile, see :func:`stalkflag.load`.
    nested
        Whether results hold the whole assessment beside the columns of flat output.
    """

    def __init__(self, workers: int, *, model: str, law: str, nested: bool) -> None:
        self._most = max(1, workers)
        self._model, self._law = model, law
        self._nested = nested
        self._workers: list[_Worker] = []
        self._false_starts = 0
        self._line: deque[Chunk] = deque()  # in input order, until they are done
        self._todo: deque[Chunk] = deque()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *problem: object) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def assess(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The chunks with their results, in order.

        Raises
        ------
        StalkflagError
            If the model cannot be loaded, or workers die whatever they are given.
        """
        more = True
        while more or self._line:
            while more and len(self._line) < WAITING * self._most:
                chunk = next(chunks, None)
                more = chunk is not None
                if chunk is not None:
                    self._line.append(chunk)
                    self._todo.append(chunk)
            while self._line and self._line[0].results is not None:
                yield self._line.popleft()
            self._hand_out()
            if self._line and self._line[0].results is None:
                self._collect()

    def _hand_out(self) -> None:
        while self._todo:
            if not self._todo[0].texts():
                self._todo.popleft().results = b""
                continue
            free = next((w for w in self._workers if w.ready and w.chunk is None), None)
            if free is None:
                break
            try:
                free.give(self._todo.popleft())
            except OSError:
                self._bury(free)
        starting = sum(not worker.ready for worker in self._workers)
        while len(self._workers) < self._most and starting < len(self._todo):
            self._workers.append(_Worker(self._model, self._law, self._nested))
            starting += 1

    def _collect(self) -> None:
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe)):
            assert isinstance(pipe, Connection)
            worker = by_pipe[pipe]
            try:
                answer = pipe.recv_bytes()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            kind, content = answer[:1], answer[1:]
            if kind == UNUSABLE:
                raise StalkflagError(content.decode())
            if kind == READY:
                worker.ready = True
            elif kind == FAILED and worker.chunk:
                place, why = json.loads(content)
                worker.chunk.reject(place, f"it could not be assessed ({why})")
            elif worker.chunk:
                self._false_starts = 0
                worker.chunk.results = content
                worker.chunk = None

    def _bury(self, worker: _Worker) -> None:
        """Take a dead worker off the crew, and give its chunk to another."""
        self._workers.remove(worker)
        worker.stop()
        place, chunk = worker.place.value, worker.chunk
        if chunk is not None:
            self._todo.appendleft(chunk)
            if place != BETWEEN_ROWS:
                chunk.deaths[place] += 1
                if chunk.deaths[place] >= MOST_DEATHS:
                    chunk.reject(place, "the process that read it died, perhaps for memory")
                return
        self._false_starts += 1
        if self._false_starts >= MOST_FALSE_STARTS:
            raise StalkflagError(
                "The processes that should assess die one after the other, perhaps for lack of "
                "memory: run with fewer --workers, and with --resume to go on from here."
            )


def _serve(pipe: Connection, place: Any, model: str, law: str, nested: bool) -> None:
    """What a worker does until its pipe is closed.

    Parameters
    ----------
    place
        Shared with the parent: the place of the row that is being assessed.
    """
    # Ctrl-C reaches the whole group of processes; the parent alone decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from stalkflag.assessor import load

    try:
        assessor = load(model, law=law)
    except StalkflagError as error:
        pipe.send_bytes(UNUSABLE + str(error).encode())
        return
    try:
        pipe.send_bytes(READY)
        while True:
            asked = json.loads(pipe.recv_bytes())
            found = _assess(assessor, asked, nested=nested, place=place, pipe=pipe)
            place.value = BETWEEN_ROWS
            pipe.send_bytes(RESULT + pack(found))
    except (EOFError, OSError):  # the parent has gone
        return


def _assess(
    assessor: Assessor, asked: list[Any], *, nested: bool, place: Any, pipe: Connection
) -> list[Any]:
    """Results for rows as :meth:`Chunk.texts` gives them; one that raises is told to the parent."""
    from stalkflag.batch.score import flatten

    def texts(rows: list[Any]) -> Iterator[str]:
        for at, text, *_ in rows:
            place.value = at
            yield text

    found: list[Any] = []
    done = 0
    while done < len(asked):
        rows = asked[done:]
        days = [date.fromisoformat(day) if day else None for *_, day in rows]
        try:
            for one in assessor.assess_many(texts(rows), ids=[row[2] for row in rows], on=days):
                found.append([flatten(one), one.to_json() if nested else None])
                done += 1
        except Exception as error:
            # The message may quote the narrative; the kind of error does not.
            failed = [asked[done][0], type(error).__name__]
            pipe.send_bytes(FAILED + json.dumps(failed).encode())
            done += 1
    return found
