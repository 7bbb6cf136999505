"""Referral with a promise: the bound holds as often as is promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stalkflag import Assessor
from stalkflag.errors import InputError
from stalkflag.training.predictions import Predictions
from stalkflag.training.referral import (
    binomial_lower,
    binomial_upper,
    choose_thresholds,
    coverage_table,
    one_a_case,
    refer_by,
    share_limit,
)


def narratives(number: int, seed: int, *, cases: int | None = None) -> Predictions:
    """Calibrated predictions: a narrative is stalking as often as its probability says."""
    draw = np.random.default_rng(seed)
    p = draw.beta(0.5, 0.8, number)
    stalking = draw.random(number) < p
    other = np.where(draw.random(number) < 0.5, 1, 2)
    true = np.where(stalking, 0, other)
    probabilities = np.stack([p, (1 - p) * 0.4, (1 - p) * 0.6], axis=1)
    groups = np.arange(number) % (cases or number)
    return Predictions(
        ids=tuple(map(str, range(number))),
        groups=np.array([f"g{group}" for group in groups]),
        true=true,
        suggested=probabilities.argmax(axis=1),
        probabilities=probabilities,
        referred=np.zeros(number, dtype=bool),
        slices={},
    )


def missed(kept: Predictions) -> float:
    rows = ~kept.referred & (kept.suggested != 0)
    return float((kept.true[rows] == 0).mean()) if rows.any() else 0.0


def false(kept: Predictions) -> float:
    rows = ~kept.referred & (kept.suggested == 0)
    return float((kept.true[rows] != 0).mean()) if rows.any() else 0.0


def test_the_exact_limits_are_those_of_the_tables() -> None:
    assert binomial_upper(0, 10, 0.95) == pytest.approx(1 - 0.05**0.1)
    assert binomial_upper(10, 10, 0.95) == 1.0
    assert binomial_upper(0, 0, 0.95) == 1.0
    assert binomial_lower(10, 10, 0.95) == pytest.approx(0.05**0.1)
    # Clopper and Pearson's two-sided 95 % interval of 4 of 20.
    assert binomial_upper(4, 20, 0.975) == pytest.approx(0.4366, abs=1e-4)
    assert binomial_lower(4, 20, 0.975) == pytest.approx(0.0573, abs=1e-4)


def test_the_promise_is_kept_on_new_narratives_at_least_95_times_in_100() -> None:
    new = narratives(200_000, 999)
    kept = 0
    for seed in range(100):
        thresholds = choose_thresholds(narratives(1500, seed), most_missed=0.12, most_false=0.2)
        judged = refer_by(new, thresholds)
        kept += missed(judged) <= 0.12 and false(judged) <= 0.2
        assert 0 < judged.referred.mean() < 0.9
    assert kept >= 95


def test_the_promise_is_kept_where_stalking_is_rarer() -> None:
    pool = narratives(200_000, 999)
    # Thin the stalking out to one in twenty, as if the shares of the labels had shifted.
    draw = np.random.default_rng(1)
    share = (pool.true == 0).mean()
    odds = (0.05 / 0.95) / (share / (1 - share))
    new = pool.chosen((pool.true != 0) | (draw.random(len(pool.true)) < odds))
    assert (new.true == 0).mean() == pytest.approx(0.05, abs=0.003)
    kept = 0
    for seed in range(100):
        thresholds = choose_thresholds(narratives(600, seed), most_missed=0.02, stalking_share=0.05)
        kept += missed(refer_by(new, thresholds)) <= 0.02
    assert kept >= 95


def test_narratives_of_one_case_count_once() -> None:
    many, few = narratives(600, 1), narratives(600, 1, cases=30)
    assert len(one_a_case(few.groups)) == 30
    choose_thresholds(many, most_missed=0.1)
    with pytest.raises(InputError, match="30 held-out cases"):
        choose_thresholds(few, most_missed=0.05)


def test_a_stricter_bound_refers_more() -> None:
    held_out = narratives(2000, 5)
    shares = [
        refer_by(held_out, choose_thresholds(held_out, most_missed=bound)).referred.mean()
        for bound in (0.2, 0.1, 0.05)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


def test_no_bound_asked_for_changes_nothing() -> None:
    held_out = narratives(300, 5)
    assert choose_thresholds(held_out) == {}
    assert not refer_by(held_out, {}).referred.any()


@given(
    kept_bad=st.integers(0, 30),
    bad=st.integers(30, 60),
    kept_good=st.integers(1, 200),
    good=st.integers(200, 300),
    share=st.floats(0.01, 0.5),
)
def test_a_limit_is_above_the_share_it_limits(
    kept_bad: int, bad: int, kept_good: int, good: int, share: float
) -> None:
    is_bad = np.array([True] * bad + [False] * good)
    kept = np.array(
        [k < kept_bad for k in range(bad)] + [k < kept_good for k in range(good)], dtype=bool
    )
    assert share_limit(kept, is_bad, confidence=0.95) >= kept_bad / (kept_bad + kept_good)
    a, b = share * kept_bad / bad, (1 - share) * kept_good / good
    assert share_limit(kept, is_bad, confidence=0.95, bad_share=share) >= a / (a + b)


def test_the_coverage_table_refers_more_row_by_row_and_keeps_fewer_errors() -> None:
    table = coverage_table(narratives(3000, 7))
    referred = [row["referred"] for row in table]
    assert referred == sorted(referred)
    assert table[-1]["missed_share"] < table[0]["missed_share"]
    for row in table:
        assert row["missed_share"] <= row["missed_at_most"]
        assert row["missed_share"] == pytest.approx(
            row["missed"] / max(row["kept_as_other"], 1), abs=1e-4
        )


def test_the_assessor_refers_by_the_thresholds_and_says_why(assessor: Assessor) -> None:
    text = "Bike stolen from outside the library between 2pm and 4pm, no suspect seen."
    stalked = (
        "My ex sits outside my house every night and I have told him to stop. He followed me home "
        "on Friday and put a tracker on my car."
    )
    for one, thresholds, says in (
        (text, {"refer_stalking_from": 0.0}, "cannot be set aside"),
        (stalked, {"refer_stalking_to": 1.0}, "less than the certainty asked for"),
    ):
        info = {
            **assessor.model.info,
            "thresholds": {**assessor.model.thresholds, **thresholds},
        }
        strict = Assessor(replace(assessor.model, info=info)).assess(one)
        plain = assessor.assess(one)
        assert strict.refer
        assert any(says in reason for reason in strict.refer_reasons)
        assert not any(says in reason for reason in plain.refer_reasons)
        assert strict.probabilities == plain.probabilities
