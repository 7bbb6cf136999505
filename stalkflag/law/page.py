"""The legal basis as a page to read: what a profile file holds, with sources and dates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from stalkflag.law.profile import InForce, Profile


def legal_basis(profiles: list[Profile]) -> str:
    """Everything that profiles hold of law and recording rules, as Markdown."""
    lines = [
        "# Legal basis",
        "",
        "What stalkflag takes the law and the recording rules to be, and where each comes from. "
        "Printed from the profile files in `stalkflag/law/profiles/` by "
        f"`stalkflag law show {' '.join(profile.id for profile in profiles)}`; change those, not "
        "this page.",
        "",
        "Nothing here is legal advice: before use, a force's legal adviser and its crime registrar "
        "should confirm the profile that it uses. The words of a report are only ever said to bear on a point "
        "to prove; whether it is proved, and what is recorded or charged, is for a person. FOUR "
        "(fixated, obsessive, unwanted, repeated) is police guidance of England and Wales and not "
        "an element of any offence, and the acts that the law lists are examples: they are shown "
        "as two things and never as a legal test met. There is no risk score, and no label on a "
        "person.",
    ]
    for profile in profiles:
        lines += _profile(profile)
    return "\n".join(lines) + "\n"


def _profile(profile: Profile) -> Iterator[str]:
    yield from (
        "",
        f"## {profile.name}",
        "",
        f"Profile `{profile.id}`, for conduct from {_day(profile.valid_from)}; last compared with "
        f"its sources on {_day(profile.checked)}. {profile.note.strip()}",
    )
    yield from _table(
        "Offences",
        ("offence", "", "in force", "maximum", "defence", "source"),
        (
            (o.id, o.name, _dates(o), o.maximum, o.defence, _cited(profile, o.source))
            for o in profile.offences
        ),
    )
    yield from _table(
        "Points to prove",
        ("what must be proved", "for", "source", "note"),
        (
            (p.prove, ", ".join(p.offences), _cited(profile, p.source), p.note)
            for p in profile.points
        ),
    )
    yield from _table(
        "Acts that the law lists",
        ("act", "in the Act's words", "provision"),
        ((a.id, a.says, a.provision) for a in profile.acts),
    )
    yield from _table(
        "Neighbouring offences",
        ("offence", "in force", "why", "source"),
        ((n.name, _dates(n), n.why, _cited(profile, n.source)) for n in profile.neighbours),
    )
    yield from _table(
        "Recording rules",
        ("rule", "in force", "source"),
        ((r.says, _dates(r), _cited(profile, r.source)) for r in profile.recording),
    )
    yield from _table(
        "Prompts",
        ("what the user is told", "in force", "source"),
        ((p.say, _dates(p), _cited(profile, p.source)) for p in profile.prompts),
    )
    yield from _table(
        "Risk topics asked about, unless the text covers them",
        ("topic", "question", "source"),
        ((t.says, profile.questions[t.ask], _cited(profile, t.source)) for t in profile.topics),
    )


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield from ("", f"### {title}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|")
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _cited(profile: Profile, sources: tuple[str, ...]) -> str:
    cited = []
    for name in sources:
        source = profile.sources[name]
        cited.append(f"[{source.cite}]({source.url})" if source.url else source.cite)
    return "; ".join(cited)


def _dates(item: InForce) -> str:
    if item.valid_from is None:
        return f"until {_day(item.valid_to)}" if item.valid_to else ""
    if item.valid_to is None:
        return f"from {_day(item.valid_from)}"
    return f"{_day(item.valid_from)} to {_day(item.valid_to)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
