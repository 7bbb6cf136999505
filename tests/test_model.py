"""The trained half: what it is judged by, and that its parts add up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from conftest import ROOT

from stalkflag import Assessor
from stalkflag.assessment import INDICATORS
from stalkflag.encoder import WordPieces
from stalkflag.encoder.whole import (
    LONGEST,
    NarrativeEncoder,
    Whole,
    fitting,
    held_out_scores,
    text_key,
)
from stalkflag.model import MOST_SENTENCES, WHOLE_TARGETS, softmax, telling
from stalkflag.training.records import read_records


def test_short_texts_are_judged_whole_and_long_ones_by_their_most_telling_paragraphs() -> None:
    number = MOST_SENTENCES + 40
    scores = np.random.default_rng(7).normal(-4, 0.5, (number, 4)).astype(np.float32)
    # Paragraphs of four sentences; two of them telling, one said again word for word.
    paragraphs = [sentence // 4 for sentence in range(number)]
    scores[[9, 70], 1] = 5.0
    scores[[40, 50]] = scores[9]
    assert telling(scores, paragraphs) == [8, 9, 10, 11, 68, 69, 70, 71]
    # Without paragraphs, what stands around them.
    assert telling(scores, [0] * number) == [*range(7, 12), *range(68, 73)]
    assert telling(scores[:5], paragraphs) == [0, 1, 2, 3, 4]


def test_a_report_in_a_long_statement_is_read_like_the_report_alone(assessor: Assessor) -> None:
    report = (
        "My ex keeps sitting outside my work. I told him to stop and blocked him. He followed me "
        "home on Tuesday and again on Friday."
    )
    padding = "The weather at the depot was fine and the lorries were loaded by nine. " * 200
    alone = assessor.assess(report)
    for between in ("", "\n\n"):
        buried = assessor.assess(between.join((padding, report, padding)))
        assert alone.suggestion == buried.suggestion == "stalking"


def test_softmax_sums_to_one() -> None:
    assert np.allclose(softmax(np.array([[1000.0, 0.0, -1000.0]])).sum(), 1.0)


def test_of_a_long_narrative_the_most_telling_sentences_that_fit_are_read_in_order() -> None:
    importance = np.array([0.1, 0.9, 0.5, 0.8], dtype=np.float32)
    assert fitting([100, 100, 100, 18], importance) == [0, 1, 2, 3]
    assert fitting([100, 200, 150, 100], importance) == [1, 3]
    importance[2] = -np.inf
    assert fitting([100, 50, 10, 200], importance) == [1, 3]
    assert fitting([LONGEST + 1], np.array([0.5], dtype=np.float32)) == [0]
    assert fitting([], np.empty(0, dtype=np.float32)) == []


def test_the_narrative_encoder_reads_the_same_narrative_alike_and_shows_its_words() -> None:
    words, narratives = WordPieces(), NarrativeEncoder()

    def read(*sentences: str, importance: Sequence[float]) -> Whole:
        pieces = [[p for word in one.split() for p in words.of(word)] for one in sentences]
        return narratives.scores(pieces, np.array(importance, dtype=np.float32))

    story = ("my ex follows me home every night", "the bus was late")
    followed = read(*story, importance=(1, 0))
    assert followed.targets.shape == (len(WHOLE_TARGETS),)
    assert np.array_equal(followed.targets, read(*story, importance=(1, 0)).targets)
    assert [len(rows) for rows in followed.evidence] == [7, 4]
    column = INDICATORS.index("repeated")
    assert followed.evidence[0][:, column].max() > followed.evidence[1][:, column].max()
    most = WHOLE_TARGETS.index("words:repeated")
    assert followed.targets[most] == followed.evidence[0][:, column].max()
    bike = read("a bike was stolen", importance=(1,))
    stalking = WHOLE_TARGETS.index("label:stalking")
    assert followed.targets[stalking] > bike.targets[stalking]
    long = read("he waits by the gate " * 50, "he is here again " * 50, importance=(0, 1))
    assert len(long.evidence[0]) == 0 < len(long.evidence[1])


def test_training_takes_what_held_out_encoders_say_of_the_corpus() -> None:
    records = read_records([ROOT / "data" / "corpus" / "train.jsonl"])
    known = held_out_scores()
    share = sum(int(text_key(record.text)) in known for record in records) / len(records)
    assert share > 0.95
    assert all(scores.shape == (len(WHOLE_TARGETS),) for scores in known.values())
