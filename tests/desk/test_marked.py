"""Marked words: the whole narrative, character by character, with the right letters."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from desk.conftest import STALKED
from stalkflag import Assessor
from stalkflag.assessment import INDICATORS
from stalkflag.desk.marked import ASIDE, anchor, pieces, segments
from stalkflag.narrative import visible

words = st.sampled_from(
    "he she my ex followed never kept again outside house . \n told stop blocked times 3 \u200b "
    "<b> {{7*7}} \u202e 😀 since May".split(" ")
)


@given(st.one_of(st.text(max_size=200), st.lists(words, max_size=60).map(" ".join)))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_and_each_character_has_its_marks(assessor: Assessor, text: str) -> None:
    assessment = assessor.assess(text)
    found = segments(text, assessment)
    assert "".join(one.text for one in found) == text
    shown = [one for one in found for _ in one.text]
    for place, one in enumerate(shown):
        for name in INDICATORS:
            indicator = assessment.indicators[name]
            covered = indicator.present and any(
                e.start <= place < e.end for e in indicator.evidence
            )
            assert (name in one.indicators) == covered
        set_aside = any(e.start <= place < e.end for e in assessment.counter_evidence)
        assert (one.paint == ASIDE) == (set_aside and not one.indicators)
        assert bool(one.paint) == (bool(one.indicators) or set_aside)


def test_every_quotation_can_be_found_in_the_text(assessor: Assessor) -> None:
    assessment = assessor.assess(STALKED)
    found = segments(STALKED, assessment)
    for evidence in [
        *(e for name in INDICATORS for e in assessment.indicators[name].evidence),
        *assessment.acts,
        *assessment.course_of_conduct.basis,
        *assessment.relationship.evidence,
    ]:
        name = anchor(evidence)
        assert sum(name in one.anchors for one in found) == 1
        assert "".join(one.text for one in found if name in one.within) == evidence.text


def test_each_letter_stands_once_where_its_words_end(assessor: Assessor) -> None:
    found = segments(STALKED, assessor.assess(STALKED))
    for one, then in zip(found, [*found[1:], None], strict=True):
        for name in one.indicators:
            assert (name in one.ends) == (then is None or name not in then.indicators)


def test_hidden_characters_are_shown_and_emoji_stay_whole() -> None:
    text = "foll\u200bowed \u202egnp\u202c \x1b[2J 👩\u200d👧 a\r\nb\tc"
    shown = list(pieces(text))
    assert "".join(piece.shown for piece in shown) == visible(text)
    assert [piece.shown for piece in shown if piece.hidden] == [
        *("[U+200B]", "[U+202E]", "[U+202C]", "[U+001B]"),
    ]
    assert "👩\u200d👧 a\r\nb\tc" in visible(text)
