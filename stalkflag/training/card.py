"""The model card: what a model was trained on, how good it is, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stalkflag.assessment import INDICATORS
from stalkflag.training.outcome import Outcome

WEAKEST = 8
"""Slices named in the card: those where the model is right least often."""


HEAD: tuple[str, ...] = (
    *("narratives of", "number", "macro-F1", "stalking precision", "stalking recall"),
    *("calibration error", "referred", "right of the others"),
)


def model_card(outcome: Outcome) -> str:
    """The card as Markdown; figures and hashes only, never a narrative."""
    return "\n".join(_lines(outcome)) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    info = outcome.model.info
    yield f"# {info['name']} {info['version']}"
    yield ""
    yield (
        "Reads police narratives in English (England and Wales) and suggests stalking, harassment "
        "or neither with the words that show it, or refers to a person. It supports a person's "
        "decision and never makes it; it is no measure of risk and says nothing about a person "
        "outside the text."
    )
    yield ""
    yield "## Trained on"
    yield ""
    yield f"- {info['records']:,} labelled narratives (start: {outcome.config['start']})"
    if shares := info.get("label_shares"):
        yield "- shares of the labels: " + ", ".join(f"{k} {v:.1%}" for k, v in shares.items())
    if recalibrated := info.get("recalibrated"):
        yield (
            f"- recalibrated by {recalibrated['method']} on {recalibrated['cases']} cases, from "
            f"{recalibrated['from']}"
        )
    if prevalence := info.get("prevalence"):
        yield "- probabilities are for files with " + ", ".join(
            f"{v:.1%} {k}" for k, v in prevalence.items()
        )
    yield f"- data `{info['data_sha256']}`"
    yield f"- rules `{info['rules_sha256']}`"
    yield from (f"- {note}" for note in outcome.notes)
    yield ""
    yield "## How good it is"
    yield ""
    yield "95 % bootstrap intervals over cases."
    yield ""
    measured = {name: found.measures for name, found in outcome.measured.items()}
    yield from measured_lines(measured)
    yield ""
    yield (
        f"Behavioural suite: {sum(outcome.behaviour.right.values())} of "
        f"{len(outcome.behaviour.right)} pairs right."
    )
    for name, measures in measured.items():
        yield ""
        yield f"### Where it is right least often ({name})"
        yield ""
        yield from _table(("slice", "narratives", "accuracy", "95 % interval"), _weakest(measures))
    if outcome.invariance:
        yield ""
        yield "### What must not matter"
        yield ""
        yield "Suggestions that changed on narratives changed in one thing, with 95 % intervals."
        yield ""
        yield from _table(
            ("changed", "narratives", "suggestions changed", "shift of P(stalking)", "target", ""),
            (
                (
                    row.change,
                    str(row.narratives),
                    f"{row.share:.1%} ({row.changed_low:.1%} to {row.changed_high:.1%})",
                    f"{row.shift:+.3f} ({row.shift_low:+.3f} to {row.shift_high:+.3f})",
                    f"{row.target:.0%}",
                    row.verdict,
                )
                for row in outcome.invariance
                if row.narratives
            ),
        )
    yield ""
    yield "## Referral"
    yield ""
    yield from _referral(outcome)
    yield ""
    yield "## Not for"
    yield ""
    yield (
        "Deciding about a person, estimating risk or how common stalking is, or texts in other "
        "languages. Measure it on your own force's cases before use."
    )


def measured_lines(measured: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """The table of figures, a line a set of narratives, and the indicators' F1."""
    yield from _table(HEAD, (_figures(name, measures) for name, measures in measured.items()))
    for name, measures in measured.items():
        if "indicators" in measures:
            yield ""
            yield f"Indicators, F1 ({name}): " + ", ".join(
                f"{i} {measures['indicators'][i]['f1']:.3f}" for i in INDICATORS
            )


def _figures(name: str, m: dict[str, Any]) -> tuple[str, ...]:
    kept = m["accuracy_not_referred"]
    return (
        name.replace("_", " "),
        f"{m['narratives']:,}",
        f"{m['macro_f1']:.3f} ({_interval(m['macro_f1_interval'])})",
        f"{m['labels']['stalking']['precision']:.3f}",
        f"{m['labels']['stalking']['recall']:.3f} ({_interval(m['stalking_recall_interval'])})",
        f"{m['calibration_error']:.3f}",
        f"{m['referred']:.1%}",
        "" if kept is None else f"{kept:.3f}",
    )


def _weakest(measures: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [
        (row["accuracy"], f"{kind}: {value}", row)
        for kind, slices in measures["slices"].items()
        for value, row in slices.items()
    ]
    return [
        (name, str(row["narratives"]), f"{right:.3f}", _interval(row["accuracy_interval"]))
        for right, name, row in sorted(rows, key=lambda item: item[:2])[:WEAKEST]
    ]


def _referral(outcome: Outcome) -> Iterator[str]:
    promises = outcome.model.info.get("promises", {})
    thresholds = outcome.model.thresholds
    if not promises:
        yield (
            f"A suggestion less probable than {thresholds['refer_below']:g} is referred, beside "
            "other reasons; no bound is promised."
        )
    costs = thresholds["missed_costs"]
    if costs != 1:
        yield (
            f"A missed stalking counts {costs:g} times another wrong suggestion: stalking is "
            "suggested from so much less probability than the likeliest label's, and referred then."
        )
    if promises:
        yield ""
    if "most_missed" in promises:
        yield (
            f"- With 95 % confidence at most {promises['most_missed']:.1%} of the narratives "
            "neither referred nor suggested as stalking are stalking: referred from a probability "
            f"of {thresholds['refer_stalking_from']:.3f} on."
        )
    if "most_false" in promises:
        yield (
            f"- With 95 % confidence at most {promises['most_false']:.1%} of those suggested as "
            "stalking and not referred are not: referred below a probability of "
            f"{thresholds['refer_stalking_to']:.3f}."
        )
    if promises:
        yield ""
        yield (
            "This holds for narratives like those it was chosen on "
            f"({', '.join(name for name, m in outcome.measured.items() if m.held_out)}); check it "
            "on your own."
        )


def _interval(pair: Sequence[float]) -> str:
    return f"{pair[0]:.3f} to {pair[1]:.3f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
