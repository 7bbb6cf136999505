"""Recorded offences mapped to labels, with a force's own additions."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from stalkflag.batch.dates import read_when
from stalkflag.batch.recorded import load_offences, recorded_label
from stalkflag.errors import InputError


@pytest.mark.parametrize(
    ("recorded", "label"),
    [
        ("Breach of a stalking protection order", "neither"),
        ("Breach of SPO; 8/65 stalking involving fear of violence", "stalking"),
        ("Causing intentional harassment, alarm or distress (s.4A POA 1986)", "neither"),
        ("8M Racially or religiously aggravated harassment", "harassment"),
    ],
)
def test_look_alikes_are_passed_over(recorded: str, label: str) -> None:
    assert recorded_label(recorded) == label


def test_a_force_adds_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[stalking]\nwords = ["op ditton"]\nexcept = ["stalking advice"]\n'
        '[harassment]\ncodes = ["H-17"]\n[recorded]\n"Harassment of a  debtor" = "neither"\n',
        encoding="utf-8",
    )
    offences = load_offences(own)
    assert offences.label("OP DITTON category 2") == "stalking"
    assert offences.label("Stalking advice given") == "neither"
    assert offences.label("code h-17") == "harassment"
    assert offences.label("harassment of a debtor") == "neither"
    assert offences.label("8/66") == "stalking"
    assert recorded_label("OP DITTON category 2") == "neither"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[stalking\n", "not a TOML file"),
        ('[burglary]\ncodes = ["30"]\n', r"\[burglary\] is not one of"),
        ('[stalking]\ncode = ["8/65"]\n', "no part 'code'"),
        ('[stalking]\ncodes = "8/65"\n', "must be a list"),
        ('[stalking]\nwords = [""]\n', "must be a list"),
        ('[recorded]\n"x" = "burglary"\n', "give one of stalking"),
    ],
)
def test_a_slip_in_the_file_is_told(tmp_path: Path, content: str, says: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        load_offences(own)


@pytest.mark.parametrize(
    ("cell", "when"),
    [
        ("03/04/2024", datetime(2024, 4, 3)),
        ("3/4/24 21:15", datetime(2024, 4, 3, 21, 15)),
        ("2024-04-03T10:00:00Z", datetime(2024, 4, 3, 10)),
        ("12 Mar 2024", datetime(2024, 3, 12)),
        (datetime(2024, 4, 3, 9), datetime(2024, 4, 3, 9)),
        ("31/02/2024", None),
        ("in spring", None),
        ("2024", None),
        (None, None),
        (7, None),
    ],
)
def test_dates_are_read_with_the_day_first(cell: object, when: datetime | None) -> None:
    assert read_when(cell) == when
