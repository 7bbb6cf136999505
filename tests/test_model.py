"""The trained half: what it is judged by, and that its parts add up."""

from __future__ import annotations

import numpy as np

from stalkflag import Assessor
from stalkflag.encoder import SIZE, SentenceEncoder
from stalkflag.model import MOST_SENTENCES, TELLING, softmax, telling


def test_short_texts_are_judged_whole_and_long_ones_by_their_most_telling_sentences() -> None:
    scores = np.zeros((MOST_SENTENCES + 50, 4), dtype=np.float32)
    scores[[3, 70], 1] = 5.0
    kept = telling(scores)
    assert len(kept) == TELLING
    assert kept == sorted(kept)
    assert {3, 70} <= set(kept)
    assert telling(scores[:5]) == [0, 1, 2, 3, 4]


def test_a_report_in_a_long_statement_is_read_like_the_report_alone(assessor: Assessor) -> None:
    report = (
        "My ex keeps sitting outside my work. I told him to stop and blocked him. He followed me "
        "home on Tuesday and again on Friday."
    )
    padding = "The weather at the depot was fine and the lorries were loaded by nine. " * 200
    alone, buried = assessor.assess(report), assessor.assess(padding + report + padding)
    assert alone.suggestion == buried.suggestion == "stalking"


def test_a_sentence_has_the_same_vector_whatever_is_read_before_it() -> None:
    first, second = ["he", "followed", "me"], ["a", "bike", "was", "stolen"]
    fresh, used = SentenceEncoder(), SentenceEncoder()
    used.encode([["anything", "else", "at", "all"]])
    assert np.array_equal(fresh.encode([first, second]), used.encode([first, second]))
    assert fresh.encode([]).shape == (0, SIZE)
    near = fresh.encode([first, ["she", "trailed", "behind", "us"], second])
    assert near[0] @ near[1] > near[0] @ near[2]


def test_softmax_sums_to_one() -> None:
    assert np.allclose(softmax(np.array([[1000.0, 0.0, -1000.0]])).sum(), 1.0)
