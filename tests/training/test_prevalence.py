"""Probabilities for files with other shares of the labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stalkflag import Assessor
from stalkflag.assessment import LABELS
from stalkflag.errors import InputError
from stalkflag.training.prevalence import (
    estimate_shares,
    full_shares,
    model_shares,
    parse_prevalence,
    shift,
    shift_model,
)

THIRDS = np.array([0.34, 0.23, 0.43])
RARE = np.array([0.02, 0.05, 0.93])


def file_of(shares: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Calibrated probabilities, under ``THIRDS``, of narratives with other shares."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(3, number, p=shares)
    centres = np.eye(3) * 2.0
    x = centres[labels] + draw.normal(size=(number, 3))
    likelihood = np.exp(-0.5 * ((x[:, None, :] - centres[None]) ** 2).sum(axis=2))
    weighted = likelihood * THIRDS
    return weighted / weighted.sum(axis=1, keepdims=True)


def test_shares_are_read_and_filled_up_in_the_proportions_of_training() -> None:
    assert parse_prevalence("0.02") == {"stalking": 0.02}
    assert parse_prevalence("stalking=0.02, harassment=0.05") == {
        "stalking": 0.02,
        "harassment": 0.05,
    }
    filled = full_shares({"stalking": 0.02}, THIRDS)
    assert filled.sum() == pytest.approx(1)
    assert filled[1] / filled[2] == pytest.approx(THIRDS[1] / THIRDS[2])
    given = full_shares({"stalking": 0.02, "harassment": 0.05}, THIRDS)
    assert given.tolist() == pytest.approx(RARE.tolist())


@pytest.mark.parametrize(
    "given", ["much", "0", "1", "stalking=0.6,harassment=0.6", "theft=0.1", "stalking=x"]
)
def test_shares_that_cannot_be_are_refused(given: str) -> None:
    with pytest.raises(InputError):
        parse_prevalence(given)


def test_a_shift_there_and_back_changes_nothing() -> None:
    p = file_of(THIRDS, 50, 1)
    there = shift(p, old=THIRDS, new=RARE)
    assert there[:, 0].mean() < p[:, 0].mean()
    assert np.allclose(shift(there, old=RARE, new=THIRDS), p)


def test_shifted_probabilities_are_calibrated_in_the_new_file() -> None:
    p = shift(file_of(RARE, 20_000, 2), old=THIRDS, new=RARE)
    assert p[:, 0].mean() == pytest.approx(0.02, abs=0.004)


def test_shares_are_estimated_from_an_unlabelled_file() -> None:
    found = estimate_shares(file_of(np.array([0.1, 0.2, 0.7]), 5000, 3), THIRDS)
    assert found.tolist() == pytest.approx([0.1, 0.2, 0.7], abs=0.03)


def test_a_shifted_model_gives_shifted_probabilities(assessor: Assessor) -> None:
    texts = [
        "My ex sits outside my house every night. I told him to stop.",
        "Neighbour plays loud music again and swore at me about the hedge.",
    ]
    shifted = Assessor(shift_model(assessor.model, old=THIRDS, new=RARE))
    before = np.array([list(one.label.values()) for one in assessor.scores(texts)])
    after = np.array([list(one.label.values()) for one in shifted.scores(texts)])
    assert np.allclose(after, shift(before, old=THIRDS, new=RARE), atol=1e-5)
    assert shifted.model.info["prevalence"] == dict(zip(LABELS, RARE.tolist(), strict=True))
    assert model_shares(shifted.model.info).tolist() == RARE.tolist()
    bare = replace(shifted.model, info={"name": "old"})
    with pytest.raises(InputError, match="train it again"):
        model_shares(bare.info)
