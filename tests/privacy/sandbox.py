"""A place to run stalkflag in, and to search afterwards for words that must be nowhere."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT

WATCH = Path(__file__).with_name("watch")

PLANTED = "The zebrafinch quillwort was left on the step, ref QX-7719."
"""A sentence that stands in every narrative of these tests and that no program contains."""

NEEDLES: tuple[str, ...] = ("zebrafinch", "quillwort", "qx-7719")

STALKED = (
    "My ex sits outside my house every night and I have told him to stop. He followed me on "
    f"Friday and again on Sunday. {PLANTED}"
)


@dataclass(frozen=True, slots=True)
class Done:
    """A watched process that has ended."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Sandbox:
    """A home, a working folder and a folder for temporary files, watched.

    ``leak`` names one of the leaks of ``watch/sitecustomize.py`` to plant.
    """

    def __init__(self, root: Path, *, leak: str = "") -> None:
        self.root = root
        self.home, self.work, self.temporary = (root / n for n in ("home", "work", "temporary"))
        self.kept, self.notes = root / "kept", root / "notes"
        for folder in (self.home, self.work, self.temporary, self.kept):
            folder.mkdir()
        # Nothing of CI or pytest in the environment: some packages are quiet only there.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": os.pathsep.join((str(WATCH), str(ROOT))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WATCH_NOTES": str(self.notes),
            "WATCH_KEPT": str(self.kept),
            "PLANT_LEAK": leak,
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of a user of this sandbox."""
        return [sys.executable, "-m", "stalkflag", *map(str, arguments)]

    def run(self, *arguments: str | Path, input: bytes = b"", before: Sequence[str] = ()) -> Done:
        """Run ``stalkflag`` in the working folder, ``before`` before it on the command line."""
        done = subprocess.run(
            [*before, *self.command(*arguments)],
            cwd=self.work,
            env=self.environment,
            input=input,
            capture_output=True,
            timeout=900,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def noted(self, kind: str) -> list[str]:
        """What the watch noted: ``write`` or ``network``."""
        if not self.notes.exists():
            return []
        rows = (line.split("\t", 1) for line in self.notes.read_text("utf-8").splitlines())
        return [what for noted, what in rows if noted == kind]

    def leaks(self, *told: bytes, named: Sequence[Path] = ()) -> list[str]:
        """Where planted words were found, or could be going: empty is what each test wants.

        Parameters
        ----------
        told
            What was printed and must hold no words.
        named
            Files and folders that the user made, or named to hold the narratives; an output's
            ``.partial`` beside it, gone when it is complete, is part of it.
        """
        found = [f"printed, number {n}" for n, text in enumerate(told) if holds(text)]
        expected = {path.resolve() for path in named}
        deleted = {
            name: Path(where) for name, where in (one.split(" ", 1) for one in self.noted("kept"))
        }
        for path in sorted(self.root.rglob("*")):
            where = deleted.get(path.name, path.resolve())
            allowed = expected & {where, *where.parents, where.with_name(beside(where.name))}
            if path.is_file() and not allowed and holds(path.read_bytes()):
                found.append(f"file {where}")
            if holds(path.name.encode()):
                found.append("the name of a file")
        # Python keeps numbers that processes share in memory under /dev/shm/pym-.
        inside = (str(self.root.resolve()), "/dev/null", "/proc/", "/dev/shm/pym-")
        found += [f"write outside: {w}" for w in self.noted("write") if not w.startswith(inside)]
        found += [f"connection to {where}" for where in self.noted("network")]
        return found


def beside(name: str) -> str:
    """The output that a file written aside belongs to."""
    return name.split(".partial")[0].lstrip(".")


def holds(content: bytes) -> bool:
    """Whether planted words stand in some bytes, plain or packed, in any usual encoding."""
    return any(
        needle.encode(encoding) in part
        for part in map(bytes.lower, _unpacked(content))
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
        for needle in NEEDLES
    )


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            yield from (packed.read(name) for name in packed.namelist())
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
