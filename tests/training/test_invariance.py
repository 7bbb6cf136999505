"""Swaps and rougher writing: the texts they make, and how what they change is counted."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from conftest import Run

from stalkflag.training.invariance import sample, wilson
from stalkflag.training.perturbations import PADDED_WORDS, perturbations
from stalkflag.training.records import read_records
from stalkflag.training.shipped import shipped_corpus
from stalkflag.training.swaps import swaps


def swapped(attribute: str, text: str, seed: int = 1) -> str:
    return swaps()[attribute](text, Random(seed))[1]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("He followed her home.", "She followed him home."),
        ("She told him to stop and he hit her.", "He told her to stop and she hit him."),
        ("His car was outside her home, near her flat.", "Her car was outside his home, near his flat."),
        ("He saw her leaving; her belongings are his.", "She saw him leaving; his belongings are hers."),
        ("HER EX-HUSBAND RANG HER AGAIN", "HIS EX-WIFE RANG HIM AGAIN"),
        ("An uncle of hers, and a nephew.", "An aunt of his, and a niece."),
        ("Mum's boyfriend (M, 34) texts her daily", "Dad's girlfriend (F, 34) texts him daily"),
        ("James rang Lee at the lee shore.", "Emma rang Janet at the lee shore."),
        ("The shepherd heard others here.", "The shepherd heard others here."),
        ("She is pregnant and he rang her.", "She is pregnant and he rang her."),
    ],
)  # fmt: skip
def test_sexes_are_exchanged_in_good_grammar(text: str, other: str) -> None:
    if "Janet" in other:
        other = swapped("sexes", text)
        assert other.startswith("Emma rang ") and other.endswith(" at the lee shore.")
    assert swapped("sexes", text) == other


def test_all_one_sex_leaves_the_other_alone() -> None:
    text = "His ex-wife rang him and he told her no."
    assert swapped("sexes, all female", text) == "Her ex-wife rang her and she told her no."
    assert swapped("sexes, all male", text) == "His ex-husband rang him and he told him no."


@pytest.mark.parametrize("seed", range(20))
def test_articles_and_case_follow_the_word(seed: int) -> None:
    job = swapped("occupation", "AN ELECTRICIAN and a nurse", seed)
    first, second = job.split(" and ")
    assert first.isupper() and first != "AN ELECTRICIAN"
    for article, word in (first.split(" ", 1), second.split(" ", 1)):
        assert (article.lower() == "an") == (word[0].lower() in "aeio")
    age = swapped("age", "An 18-year-old, a 34 year old and a 9 year old", seed)
    assert age.endswith("a 9 year old") and "18" not in age.split(",")[0]
    assert (age.split("-")[0].split()[0] == "An") == (age.split("-")[0].split()[1] in ("80", "18"))


def test_only_people_are_described() -> None:
    text = "White male in a white van, polish on his hands, went straight home."
    found = swapped("ethnicity", text)
    assert found.endswith(" male in a white van, polish on his hands, went straight home.")
    assert not found.startswith("White")
    assert swapped("sexuality", text) == text


def test_a_name_becomes_the_same_other_name_throughout() -> None:
    found = swapped("names by origin", "Ayesha's ex rang AYESHA. Imran did not.")
    name = found.split("'")[0]
    assert name != "Ayesha" and f"rang {name.upper()}." in found and "Imran" not in found


@pytest.mark.parametrize("kind", [*swaps(), *perturbations()])
def test_the_same_seed_gives_the_same_text_and_some_are_changed(kind: str) -> None:
    pair = {**swaps(), **perturbations()}[kind]
    texts = [r.text for r in read_records([shipped_corpus() / "test.jsonl"])][:150]
    texts.append("Gay man, 34 years old, a nurse at church, says a white man called James rang.")
    texts.append("0900 Male at door.\n0905 He left.\n0910 He is back.\n0915 He left again.")
    made = [pair(text, Random(7)) for text in texts]
    assert made == [pair(text, Random(7)) for text in texts]
    assert any(one != other for one, other in made)


def test_padding_keeps_the_narrative_whole() -> None:
    text = "He rang her again.\nShe blocked him."
    padded = perturbations()["padded to 5,000 words"](text, Random(1))[1]
    assert text in padded and PADDED_WORDS <= len(padded.split()) < PADDED_WORDS + 200


def test_only_lines_with_their_own_time_are_reordered() -> None:
    reorder = perturbations()["log lines or paragraphs reordered"]
    story = "He rang.\nThen he came.\nThen she left."
    assert reorder(story, Random(1)) == (story, story)


def test_wilson_interval_of_known_cases() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 15 of 148.
    assert [round(x, 4) for x in wilson(81, 263)] == [0.2553, 0.3662]
    assert [round(x, 4) for x in wilson(15, 148)] == [0.0624, 0.1605]


def test_a_sample_keeps_the_order() -> None:
    records = read_records([shipped_corpus() / "dev.jsonl"])
    drawn = sample(records, 20, seed=3)
    ids = [record.id for record in records]
    assert [ids.index(r.id) for r in drawn] == sorted(ids.index(r.id) for r in drawn)
    assert drawn == sample(records, 20, seed=3) != sample(records, 20, seed=4)


def test_one_command_gives_both_tables(tmp_path: Path, run: Run) -> None:
    data = shipped_corpus() / "dev.jsonl"
    arguments = ("evaluate", data, "--swaps", "--robustness", "--limit", 3, "--format", "json")
    done = run(*map(str, arguments), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["bundled"]
    assert {row["change"] for row in found["swaps"]} == set(swaps())
    assert {row["change"] for row in found["robustness"]} == set(perturbations())
    assert all(0 <= row["changed"] <= row["narratives"] <= 3 for row in found["swaps"])
    assert found["sexes_as_written"][-1]["value"] == "widest gap"


def test_a_limit_needs_something_to_limit(tmp_path: Path, run: Run) -> None:
    done = run("evaluate", str(shipped_corpus() / "dev.jsonl"), "--limit", "3", cwd=tmp_path)
    assert done.returncode == 2 and "--swaps" in done.stderr and not done.stdout
