"""What a long command is doing, on standard error: a live line, or plain lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A function to call with each step; ``what: 200 of 3,000`` is one step that goes on."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        said = ""

        def say(step: str) -> None:
            nonlocal said
            what = step.split(":")[0] if " of " in step else step
            if what != said:
                console.print(what, markup=False)
                said = what

        yield say
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda step: shown.update(task, description=step)
