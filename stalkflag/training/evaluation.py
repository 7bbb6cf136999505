"""Any number of models on the same labelled narratives, written as tables and pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stalkflag.assessor import load
from stalkflag.training.compare import compare
from stalkflag.training.metrics import worst_errors
from stalkflag.training.outcome import Measured
from stalkflag.training.pictures import pictures
from stalkflag.training.records import Record
from stalkflag.training.run import measure_on
from stalkflag.training.tracking import csv_text

Progress = Callable[[str], None]


def evaluate(
    records: Sequence[Record],
    refs: Sequence[str],
    *,
    stalking_share: float | None = None,
    progress: Progress = lambda step: None,
) -> dict[str, Measured]:
    """Each model on the records, by its reference, in the order given.

    All are loaded before the first is measured: one that is missing is told at once.
    """
    models = {ref: load(ref) for ref in dict.fromkeys(refs)}
    return {
        ref: measure_on(model, records, name=ref, share=stalking_share, progress=progress)
        for ref, model in models.items()
    }


def differences(results: Mapping[str, Measured]) -> dict[str, list[dict[str, Any]]]:
    """Each model but the first against the first, figure by figure."""
    (_, first), *others = results.items()
    return {
        ref: [one.to_dict() for one in compare(first.predictions, found.predictions)]
        for ref, found in others
    }


def write_folder(results: Mapping[str, Measured], folder: Path) -> None:
    """Write tables (CSV), pictures (PNG) and all figures (JSON); errors by id, never a text."""
    named = {_file_name(ref, number): found for number, (ref, found) in enumerate(results.items())}
    plain = {ref: found.measures for ref, found in results.items()}
    _write(folder / "measures.json", json.dumps(plain, indent=1) + "\n")
    _write(folder / "models.csv", csv_text([_row(ref, m) for ref, m in plain.items()]))
    _write(folder / "slices.csv", csv_text(list(_slice_rows(plain))))
    against = [{"model": ref, **row} for ref, rows in differences(results).items() for row in rows]
    if against:
        _write(folder / "differences.csv", csv_text(against))
    for name, found in named.items():
        _write(folder / f"coverage-{name}.csv", csv_text(found.coverage))
        _write(folder / f"errors-{name}.csv", csv_text(worst_errors(found.predictions)))
        for picture, figure in pictures(
            found.predictions, found.measures["confusion"], coverage=found.coverage, title=name
        ):
            figure.savefig(folder / f"{picture}-{name}.png", dpi=120)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _file_name(ref: str, number: int) -> str:
    return f"{number + 1}-{re.sub(r'[^A-Za-z0-9]+', '-', ref).strip('-')[-60:]}"


def _row(ref: str, measures: dict[str, Any]) -> dict[str, Any]:
    """One line of the table of models."""
    intervals = {
        f"{name}_{end}": measures[f"{name}_interval"][at]
        for name in ("macro_f1", "accuracy", "stalking_recall")
        for at, end in enumerate(("low", "high"))
    }
    of_labels = {
        f"{label}_{figure}": row[figure]
        for label, row in measures["labels"].items()
        for figure in ("f1", "precision", "recall")
    }
    plain = {k: v for k, v in measures.items() if isinstance(v, (int, float)) or v is None}
    return {"model": ref, **plain, **intervals, **of_labels}


def _slice_rows(plain: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for ref, measures in plain.items():
        for kind, slices in measures["slices"].items():
            for value, row in slices.items():
                low, high = row["accuracy_interval"]
                yield {
                    **{"model": ref, "slice": kind, "value": value},
                    **{"narratives": row["narratives"], "accuracy": row["accuracy"]},
                    **{"low": low, "high": high},
                }
