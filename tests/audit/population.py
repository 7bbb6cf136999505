"""A population of scored reports whose true labels are known."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEADER = (
    "id,occurred_on,station,narrative,suggestion,refer,p_stalking,p_harassment,p_neither,fixated,"
    "obsessive,unwanted,repeated,occasions,relationship,acts,reasons,recorded_as,disagrees"
).split(",")
WORDS = "words that nobody may see"


@dataclass(frozen=True)
class Population:
    """A scored file, and what is true of its reports."""

    path: Path
    truth: dict[str, str]
    recorded: dict[str, str]
    p: dict[str, float]

    @property
    def missed(self) -> int:
        return sum(
            label == "stalking" and self.recorded[id] != "stalking"
            for id, label in self.truth.items()
        )

    @property
    def accuracy(self) -> float:
        """Of stalking, the share recorded as such."""
        stalking = sum(label == "stalking" for label in self.truth.values())
        return 1 - self.missed / stalking


def make_population(path: Path, size: int, seed: int) -> Population:
    """Reports whose probability of stalking is right, a few in ten of them recorded as such."""
    draw = np.random.default_rng(seed)
    truth: dict[str, str] = {}
    recorded: dict[str, str] = {}
    ps: dict[str, float] = {}
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(HEADER)
        for n in range(size):
            kind = draw.choice(3, p=[0.85, 0.1, 0.05])
            p = round(float(draw.beta(*((0.3, 15), (1, 1.5), (6, 1.5))[kind])), 4)
            stalking = bool(draw.random() < p)
            as_stalking = draw.random() < (0.5 if stalking else 0.005)
            id = f"C{n}"
            truth[id] = "stalking" if stalking else "neither"
            recorded[id] = "stalking" if as_stalking else "neither"
            ps[id] = p
            offence = "8/66 Stalking" if as_stalking else ("No crime", "58D Damage")[n % 2]
            suggestion = "stalking" if p > 0.5 else "neither"
            table.writerow(
                [
                    *(id, f"{1 + n % 28}/03/{2019 + n % 4}", f"Station {n % 3}", f"{WORDS} {n}"),
                    *(suggestion, str(0.4 < p < 0.6).lower(), p, 0, round(1 - p, 4)),
                    *("true", "false", "true", "true", 2, "ex_intimate", "following; contacting"),
                    *("The words show attention.", offence, str(suggestion == "stalking").lower()),
                ]
            )
    return Population(path, truth, recorded, ps)


def add_unread(path: Path, number: int) -> None:
    """Add reports without a narrative, as ``stalkflag score`` writes them."""
    with path.open("a", encoding="utf-8", newline="") as stream:
        for n in range(number):
            csv.writer(stream).writerow(
                [
                    *(f"E{n}", "01/03/2020", "Station 0", "", "neither", "true"),
                    *(0.3333, 0.3333, 0.3333, "false", "false", "false", "false", 0, "unknown", ""),
                    *("There is no text.", "No crime", "false"),
                ]
            )
