"""Narratives are read in processes of their own, so that the page answers while they are read.

An assessor is bound to the processor and is not safe to share between threads; here each process
has one and reads one narrative at a time, so requests cannot mix.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack, contextmanager
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from stalkflag.assessment import Assessment, ModelInfo
from stalkflag.errors import ModelError, StalkflagError
from stalkflag.law import DEFAULT

if TYPE_CHECKING:
    from stalkflag.assessor import Assessor

LONG = 20_000
"""Characters above which a narrative takes so long that only one such is read at a time."""

MOST_WAITING = 200
"""Narratives waiting to be read, beyond which a request is turned away at once."""


class Busy(Exception):
    """More narratives are waiting than can be read in a reasonable time."""


class AssessorPool:
    """Processes that each hold an assessor for the same model.

    Parameters
    ----------
    model, law
        A model reference and a law profile, as for :func:`stalkflag.load`.
    workers
        How many processes; each takes about 200 MB.
    """

    def __init__(self, model: str, *, law: str = DEFAULT, workers: int = 2) -> None:
        self._load = (model, law)
        self._workers = workers
        self._executor = self._new()
        self._waiting = 0
        self._one_long = asyncio.Semaphore(1)

    def start(self) -> ModelInfo:
        """Load the model in every process and say which it is.

        Raises
        ------
        StalkflagError
            If the model or the law profile cannot be loaded.
        """
        ready = [self._executor.submit(_load, *self._load) for _ in range(self._workers)]
        try:
            found = [future.result() for future in ready]
        except BrokenProcessPool:
            raise ModelError(
                "The model could not be loaded: there may be too little memory; "
                "try --workers 1 or close other programs."
            ) from None
        if isinstance(found[0], str):
            raise StalkflagError(found[0])
        return found[0]

    async def assess(
        self, text: str, *, id: str | None = None, on: date | None = None
    ) -> Assessment:
        """Assess one narrative, by the law of a day; many may be awaited at once.

        Raises
        ------
        Busy
            If too many narratives are waiting already.
        """
        with self._place():
            async with AsyncExitStack() as stack:
                if len(text) > LONG:
                    await stack.enter_async_context(self._one_long)
                try:
                    return await asyncio.wrap_future(self._submit(text, id, on))
                except BrokenProcessPool:
                    # A process was ended from outside, by the system's memory guard for one.
                    return await asyncio.wrap_future(self._submit(text, id, on))

    def close(self) -> None:
        """End the processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _submit(self, text: str, id: str | None, on: date | None) -> Future[Assessment]:
        try:
            return self._executor.submit(_assess, self._load, text, id, on)
        except BrokenProcessPool:
            self._executor.shutdown(wait=False)
            self._executor = self._new()
            return self._executor.submit(_assess, self._load, text, id, on)

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_follow_parent,
        )


def _follow_parent() -> None:
    """Leave Ctrl+C to the server, and end when the server has ended, however it did."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


@cache
def _assessor(model: str, law: str) -> Assessor:
    from stalkflag.assessor import load

    return load(model, law=law)


def _load(model: str, law: str) -> ModelInfo | str:
    """Load and try out the model; an error comes back as its message."""
    try:
        return _assessor(model, law).assess("He rang her again and again after she said no.").model
    except StalkflagError as error:
        return str(error)


def _assess(load: tuple[str, str], text: str, id: str | None, on: date | None) -> Assessment:
    return _assessor(*load).assess(text, id=id, on=on)
