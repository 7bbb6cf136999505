"""An assessment laid out for a person at a terminal: marks and labels, not colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from stalkflag.assessment import INDICATORS, Assessment, Evidence
from stalkflag.narrative import visible

_WORDS = {
    "stalking": "Suggests review as STALKING",
    "harassment": "Suggests review as HARASSMENT, not stalking",
    "neither": "Suggests NEITHER stalking nor harassment",
}
_RELATIONSHIPS = {
    "ex_intimate": "former partner",
    "current_partner": "current partner",
}
_BY = {
    "suspect": "By the suspect",
    "reporting person": "By the reporting person, or alleged of them",
    "both": "Both",
}
_STATUS = {"shown": "shown", "not_shown": "not shown", "to_ask": "to ask"}
LETTERS = dict(zip(INDICATORS, "FOUR", strict=True))


def print_assessment(text: str, assessment: Assessment, console: Console | None = None) -> None:
    """Print everything in an assessment, most urgent first."""
    console = console or Console(highlight=False)
    if assessment.danger:
        console.print(Text(f"!! {assessment.danger.says}", style="bold red"))
        _quotes(console, assessment.danger.evidence)
    console.print(_marked(text, assessment))
    console.print()
    console.print(Text(_WORDS[assessment.suggestion], style="bold"))
    chances = ", ".join(f"{label} {share:.0%}" for label, share in assessment.probabilities.items())
    console.print(f"  How sure: {chances}.")
    if assessment.refer:
        console.print(Text("Refer to a person:", style="bold"))
        _list(console, assessment.refer_reasons)
    _section(console, "Why", assessment.reasons)
    _section(console, "Looked for and not found", assessment.not_found)
    if assessment.directions:
        console.print(Text("Conduct in each direction, to be established", style="bold"))
        for direction in assessment.directions:
            console.print(f"  {_BY[direction.by]}:", markup=False)
            _quotes(console, direction.evidence)
    console.print(Text("Indicators (police guidance, not an element of the offence)", style="bold"))
    for name in INDICATORS:
        indicator = assessment.indicators[name]
        found = "found" if indicator.present else "not found"
        console.print(
            f"  [{LETTERS[name]}] {name}: {found} ({indicator.probability:.0%})", markup=False
        )
        if indicator.present:
            _quotes(console, indicator.evidence)
    conduct = assessment.course_of_conduct
    span = "" if conduct.span_days is None else f", over about {conduct.span_days} days"
    console.print(Text("Course of conduct", style="bold"))
    console.print(f"  At least {conduct.occasions} occasion(s){span}.")
    for basis in conduct.basis:
        console.print(f'    "{visible(basis.text)}": {basis.counts}', markup=False)
    relationship = assessment.relationship.value
    console.print(
        f"  Suspect to victim: {_RELATIONSHIPS.get(relationship, relationship)}.", markup=False
    )
    if assessment.acts:
        console.print(
            Text("Acts that the words show (examples in the law, not a test met)", style="bold")
        )
        for act in assessment.acts:
            console.print(f'  {act.provision} {act.act}: "{_short(act.text)}"', markup=False)
    _points(console, assessment)
    for title, items in (
        ("Effect on the victim", assessment.impact),
        ("Orders and police responses", assessment.orders),
        ("Risk cues, quoted (not a risk score)", assessment.risk_cues),
    ):
        if items:
            console.print(Text(title, style="bold"))
            _quotes(console, items)
    if assessment.counter_evidence:
        console.print(Text("Set aside", style="bold"))
        for item in assessment.counter_evidence:
            console.print(
                f'  "{_short(item.text)}": {item.because} ("{_short(item.cue)}")', markup=False
            )
    if assessment.neighbouring_offences:
        console.print(Text("Consider besides", style="bold"))
        for offence in assessment.neighbouring_offences:
            console.print(f"  {offence.name} ({offence.source})", markup=False)
            _quotes(console, offence.evidence)
            console.print(f"    {offence.why}", markup=False)
    _section(console, "Ask", assessment.missing)
    said = assessment.danger.says if assessment.danger else None
    _section(console, "Do", [prompt for prompt in assessment.prompts if prompt != said])
    console.print(Text("stalkflag supports your decision; it does not make it.", style="italic"))


def _points(console: Console, assessment: Assessment) -> None:
    """What must be proved, where the text gives cause to ask for it."""
    points = assessment.points_to_prove
    if assessment.suggestion == "neither" and not any(p.status == "shown" for p in points):
        return
    law = assessment.law
    heading = "Points to prove: which words bear on them, not whether they are proved"
    if law:
        heading += f" ({law.name}, law on {law.on})" if law.on else f" ({law.name})"
    console.print(Text(heading, style="bold"))
    for point in points:
        console.print(
            f"  {_STATUS[point.status]}: {point.prove} [{', '.join(point.offences)}; "
            f"{point.source}]",
            markup=False,
        )
        for evidence, word in ((point.evidence, ""), (point.against, "against: ")):
            quoted = ", ".join(f'"{_short(item.text)}"' for item in evidence[:MOST_QUOTES])
            more = f" and {len(evidence) - MOST_QUOTES} more" if len(evidence) > MOST_QUOTES else ""
            if quoted:
                console.print(f"    {word}{quoted}{more}", markup=False)


def _marked(text: str, assessment: Assessment) -> Text:
    """The narrative with evidence underlined and followed by its indicator's letter."""
    letters: list[set[str]] = [set() for _ in text]
    for name in INDICATORS:
        if assessment.indicators[name].present:
            for evidence in assessment.indicators[name].evidence:
                for index in range(evidence.start, evidence.end):
                    letters[index].add(LETTERS[name])
    shown = Text()
    start = 0
    for index in range(1, len(text) + 1):
        if index < len(text) and letters[index] == letters[start]:
            continue
        if letters[start]:
            shown.append(visible(text[start:index]), style="underline bold")
            shown.append(f"[{''.join(x for x in 'FOUR' if x in letters[start])}]", style="cyan")
        else:
            shown.append(visible(text[start:index]))
        start = index
    return shown


def _section(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(Text(title, style="bold"))
        _list(console, lines)


def _list(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"  - {line}", markup=False)


MOST_QUOTES = 4
"""Pieces of evidence shown for one thing; ``--format json`` has them all."""


def _quotes(console: Console, items: Sequence[Evidence]) -> None:
    for item in items[:MOST_QUOTES]:
        console.print(f'    "{_short(item.text)}": {item.says}', markup=False)
    if len(items) > MOST_QUOTES:
        console.print(f"    and {len(items) - MOST_QUOTES} more", markup=False)


def _short(words: str, most: int = 120) -> str:
    words = visible(" ".join(words.split()))
    return words if len(words) <= most else words[: most - 1] + "…"
