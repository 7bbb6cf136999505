"""Anything at all as a narrative, a rule file, an input file or a bundle: read, or refused in words.

Cases that once failed stand beside as examples.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stalkflag.batch.reading import Rejected, find_inputs, open_sources
from stalkflag.bundle import BUNDLED
from stalkflag.errors import ModelError, StalkflagError
from stalkflag.model import load_model
from stalkflag.reading import Reader
from stalkflag.rules.schema import load_packs

BOUNDED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PIECES = st.sampled_from(
    [
        *("he rang her", "f o l l o w e d", "fol", "lowed", "again", "3 times", "said \"", "?", "//"),
        *("\u200b", "\u0301", "\u202e", "а", "\uff41", "𝐚", "\x00", "\r\n", "\t", "\ud800", "🙂\u200d"),
        *("Name:", "<b>", '"a":', "|", "x2", "o/s", "didn't", "...", "14/2", "مرحبا", "追", "From: me\n"),
    ]
)  # fmt: skip
NARRATIVES = st.one_of(
    st.text(max_size=80),
    st.lists(PIECES, max_size=25).map("".join),
    st.lists(PIECES, max_size=25).map(" ".join),
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_packs())


@given(NARRATIVES)
@example("\u0301")
@example("f o l l o w e d h o m e")
@example("\ud800 he rang")
@BOUNDED
def test_any_text_is_read_with_its_places(reader: Reader, text: str) -> None:
    reading = next(reader.read([text]))
    assert (text if reading.mended is None else reading.mended.text) == reading.text
    assert all(
        0 <= a <= b <= len(reading.text) for a, b in zip(reading.starts, reading.ends, strict=True)
    )
    for finding in reading.findings:
        start, end = reading.span(finding.start, finding.end)
        if reading.mended is not None:
            start, end = reading.mended.span(start, end)
        assert 0 <= start < end <= len(text)
    for basis in reading.conduct.basis:
        assert reading.text[basis.start : basis.end] == basis.text


PACK = (
    "rules:\n  - id: own.rule\n    says: Something.\n    shows: [unwanted]\n"
    "    phrases: [told him no]\n    hit: [She told him no.]\n    miss: [He went.]\n"
)


@given(
    st.one_of(
        st.text(max_size=60).map(lambda s: s.encode("utf-8", "replace")),
        st.binary(max_size=60),
        st.tuples(st.integers(0, len(PACK)), st.integers(0, 6), st.text("[]{}:-&*!|>\n %", max_size=3))
        .map(lambda cut: (PACK[: cut[0]] + cut[2] + PACK[cut[0] + cut[1] :]).encode()),
    )
)  # fmt: skip
@settings(BOUNDED, max_examples=15)
def test_any_rule_file_is_taken_or_refused_in_words(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.yaml"
        path.write_bytes(data)
        with suppress(StalkflagError):
            load_packs(path)


@given(
    suffix=st.sampled_from((".csv", ".tsv", ".jsonl")),
    body=st.one_of(
        st.binary(max_size=120),
        st.lists(
            st.sampled_from(
                [
                    *(b"text", b"id", b",", b"\t", b'"', b"\n", b"\r\n", b'{"text": "he rang"}', b"{}"),
                    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"[1]", b"null", b"\x93no\x94", b"he rang"),
                    *(b'{"text": {"a": [1]}}', b'{"text": NaN}', b"1e999", b'{"id": 1' + b"[" * 2000),
                ]
            ),
            max_size=20,
        ).map(b"".join),
    ),
)  # fmt: skip
@BOUNDED
def test_any_input_file_gives_rows_rejects_or_one_sentence(suffix: str, body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"reports{suffix}"
        path.write_bytes(body)
        try:
            (found,) = find_inputs([str(path)])
            (source,) = open_sources(found)
            rows = list(source.rows())
        except StalkflagError:
            return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(isinstance(row, Rejected) or isinstance(row.text, str) for row in rows)


DAMAGE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"[]", b"null", b"3", b'{"sha256": 3}', b"{", b'"x"']),
    st.sampled_from(["sha256", "inputs", "format", "encoder_sha256"]).flatmap(
        lambda key: st.sampled_from([None, 3, [], {}, "x", [[]]]).map(
            lambda value: json.dumps(
                {**json.loads((BUNDLED / "bundle.json").read_text()), key: value}
            ).encode()
        )
    ),
)


@given(name=st.sampled_from(["bundle.json", "weights.npz", "rules.json"]), data=DAMAGE)
@example(name="bundle.json", data=b'{"sha256": 3}')
@settings(BOUNDED, max_examples=25)
def test_any_damage_to_a_bundle_is_refused(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        shutil.copytree(BUNDLED, bundle)
        (bundle / name).write_bytes(data)
        with pytest.raises(ModelError):
            load_model(bundle)
