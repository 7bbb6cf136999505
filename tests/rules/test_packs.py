"""The shipped packs: every example executes; every mistake in a pack is told with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from stalkflag.bundle import BUNDLED
from stalkflag.errors import RuleError
from stalkflag.model import load_model
from stalkflag.rules import RuleSet, load_packs
from stalkflag.rules.examples import check_examples, explain

GOOD = """
rules:
  - id: mine.whistle
    says: Whistled at the victim's window.
    category: conduct
    shows: [fixated]
    act: loitering
    match: ["{whistle} ~3 window"]
    hit: ["He whistles under my window."]
    miss: ["The kettle whistled."]
"""


@pytest.fixture(scope="module")
def packs() -> RuleSet:
    return load_packs()


def test_every_example_does_what_the_pack_says(packs: RuleSet) -> None:
    assert [str(failure) for failure in check_examples(packs)] == []


def test_every_rule_says_something_and_has_an_example(packs: RuleSet) -> None:
    assert all(rule.says.endswith(".") and rule.hit for rule in packs.rules)


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("    shows: [fixated]", "    show: [fixated]"), 3, "unknown key 'show'"),
        (("[fixated]", "[fixed]"), 3, "'fixed' is not one of"),
        (("act: loitering", "act: no"), 3, "act has the wrong kind of value"),
        (('    hit: ["He whistles under my window."]\n', ""), 3, "has no hit"),
        (("    act: loitering", "    act: loitering\n    act: watching"), 8, "is given twice"),
        (("~3 window", "~3 $windows"), 3, "unknown list $windows"),
        (("  - id: mine.whistle", "  - id: [mine"), 4, "not valid YAML"),
    ],
)
def test_mistakes_name_file_and_line(
    tmp_path: Path, change: tuple[str, str], line: int, says: str
) -> None:
    pack = tmp_path / "mine.yaml"
    assert change[0] in GOOD
    pack.write_text(GOOD.replace(*change), encoding="utf-8")
    with pytest.raises(RuleError, match=r"mine\.yaml") as caught:
        list(check_examples(load_packs(pack)))
    assert f"mine.yaml:{line}:" in str(caught.value)
    assert says in str(caught.value)


def test_an_overlay_adds_replaces_and_disables(tmp_path: Path, packs: RuleSet) -> None:
    victim = packs.rules[0].id
    pack = tmp_path / "site.yaml"
    pack.write_text(f"{GOOD}  - id: {victim}\n    disable: true\n", encoding="utf-8")
    rules = load_packs(pack)
    ids = [rule.id for rule in rules.rules]
    assert "mine.whistle" in ids
    assert victim not in ids
    assert rules.sha256() != packs.sha256()
    assert any(
        item.rule.id == "mine.whistle" for item in explain(rules, "She whistled at his window")
    )


def test_rules_survive_a_bundle(packs: RuleSet) -> None:
    assert RuleSet.from_dict(packs.to_dict()).sha256() == packs.sha256()


def test_explain_names_what_set_words_aside(packs: RuleSet) -> None:
    outcomes = [item.outcome for item in explain(packs, "He has never followed her home.")]
    assert any(outcome.startswith("set aside") for outcome in outcomes)


def test_the_bundled_model_was_trained_with_the_shipped_packs(packs: RuleSet) -> None:
    assert load_model(BUNDLED).info["rules_sha256"] == packs.sha256()
