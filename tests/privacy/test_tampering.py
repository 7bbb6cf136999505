"""A bundle or a rule file that is not what it says it is, is refused with the reason."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from privacy.conftest import MakeSandbox
from privacy.sandbox import STALKED
from stalkflag.bundle import BUNDLED
from stalkflag.errors import ModelError, RuleError
from stalkflag.model import _info_sha256, load_model
from stalkflag.rules.schema import load_packs


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED, tmp_path / "bundle"))


def one_bit(folder: Path) -> None:
    """A single changed bit of the weights."""
    content = bytearray((folder / "weights.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "weights.npz").write_bytes(content)


def other_rule(folder: Path) -> None:
    """A rule that no longer counts."""
    rules = folder / "rules.json"
    rules.write_text(
        rules.read_text(encoding="utf-8").replace("unwanted", "wanted"), encoding="utf-8"
    )


def cut_short(folder: Path) -> None:
    """A copy that broke off."""
    weights = folder / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-1000])


def pickled(folder: Path) -> None:
    """Weights of another kind: numpy would run code on loading them, were it let."""
    with np.load(folder / "weights.npz", allow_pickle=False) as found:
        arrays = dict(found)
    arrays["sentence_hashed"] = np.array([{"run": "me"}], dtype=object)
    np.savez(folder / "weights.npz", **arrays)


def no_rules(folder: Path) -> None:
    """A file too few."""
    (folder / "rules.json").unlink()


def no_hash(folder: Path) -> None:
    """A description without the hash that would tell."""
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    del about["sha256"]["weights.npz"]
    (folder / "bundle.json").write_text(json.dumps(about), encoding="utf-8")


def other_threshold(folder: Path) -> None:
    """A description after which hardly anything is suggested as stalking."""
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    about["thresholds"]["missed_costs"] = 0.05
    (folder / "bundle.json").write_text(json.dumps(about), encoding="utf-8")


def not_json(folder: Path) -> None:
    """A description that is none."""
    (folder / "bundle.json").write_text("[]", encoding="utf-8")


def other_format(folder: Path) -> None:
    """The format of a version to come."""
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    about["format"] = 99
    (folder / "bundle.json").write_text(json.dumps(about), encoding="utf-8")


TAMPERED: dict[Callable[[Path], None], str] = {
    one_bit: "hash differs",
    other_rule: "hash differs",
    cut_short: "hash differs",
    pickled: "hash differs",
    no_hash: "hash differs",
    other_threshold: r"bundle\.json is not the file this bundle was made with",
    no_rules: r"rules\.json is missing",
    not_json: "damaged",
    other_format: "another version",
}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
def test_a_tampered_bundle_is_refused(bundle: Path, tamper: Callable[[Path], None]) -> None:
    load_model(bundle)
    tamper(bundle)
    with pytest.raises(ModelError, match=TAMPERED[tamper]):
        load_model(bundle)


def lacking(folder: Path) -> None:
    """Weights of which one array is missing."""
    with np.load(folder / "weights.npz", allow_pickle=False) as found:
        arrays = dict(found)
    del arrays["label_bias"]
    np.savez(folder / "weights.npz", **arrays)


def whole_pickle(folder: Path) -> None:
    """A pickle in place of the archive of arrays."""
    (folder / "weights.npz").write_bytes(pickle.dumps({"run": "me"}))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (pickled, "pickled objects, which can run code"),
        (whole_pickle, "pickled objects, which can run code"),
        (cut_short, "is damaged"),
        (lacking, "is damaged"),
    ],
)
def test_bad_weights_are_refused_even_with_their_hash(
    bundle: Path, tamper: Callable[[Path], None], says: str
) -> None:
    """Whoever can write the hash as well cannot bring code in."""
    tamper(bundle)
    about = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((bundle / "weights.npz").read_bytes()).hexdigest()
    about["sha256"]["weights.npz"] = digest
    about["bundle_sha256"] = _info_sha256(about)
    (bundle / "bundle.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(ModelError, match=says):
        load_model(bundle)


def test_every_command_refuses_it(sandbox: MakeSandbox, bundle: Path) -> None:
    one_bit(bundle)
    place = sandbox()
    (place.work / "r.csv").write_text(f'text\n"{STALKED}"\n', encoding="utf-8")
    for arguments in (
        ("check", "--text", "x"),
        ("score", "r.csv", "-o", "scored.csv"),
        ("desk", "--port", "0"),
    ):
        done = place.run(*arguments, "--model", bundle)
        assert done.returncode == 2, arguments[0]
        assert b"hash differs" in done.stderr and b"Traceback" not in done.stderr
    assert not (place.work / "scored.csv").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("rules: !!python/object/apply:os.system ['true']\n", "not valid YAML|cannot be read"),
        (
            "rules:\n  - {id: a, says: b, match: [c], hit: [c], category: conduct, run: d}\n",
            "unknown key",
        ),
        ("rules:\n  - {id: a, says: b, match: [c], hit: [c], category: person}\n", "is not one of"),
        ("rules: [&a [*a]]\n", "mapping|YAML"),
        ("- only\n- a list\n", "a rule pack is a mapping"),
        ("\x00\x01", "YAML|cannot be read"),
    ],
)
def test_a_rule_file_that_is_none_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RuleError, match=says):
        load_packs(path)
