"""Law profiles: every text that the decision asks for is there, with sources."""

from __future__ import annotations

import pytest

from stalkflag.assessment import ACTS, INDICATORS
from stalkflag.errors import InputError
from stalkflag.law import load_profile


def test_the_profile_names_every_act_and_indicator() -> None:
    profile = load_profile()
    assert set(profile.acts) == set(ACTS)
    assert set(INDICATORS) <= set(profile.reasons)
    assert profile.least_occasions == 2
    assert {"acts", "ex_intimate", "orders", "warning"} <= set(profile.sources)


def test_an_unknown_profile_is_told_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="england-wales"):
        load_profile("atlantis")
