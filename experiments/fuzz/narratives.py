"""Does any narrative break the reading? Coverage-guided, for as long as one likes.

    pip install atheris
    python experiments/fuzz/narratives.py -max_total_time=3600

A crash is written to a file of its own; put the text as an example into ``tests/test_fuzz.py``.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["stalkflag"]):
    from stalkflag.reading import Reader
    from stalkflag.rules.schema import load_packs

READER = Reader(load_packs())


def read(data: bytes) -> None:
    """One narrative from the bytes, lone surrogates included; its places must be its own."""
    text = atheris.FuzzedDataProvider(data).ConsumeUnicode(4096)
    reading = next(READER.read([text]))
    assert (text if reading.mended is None else reading.mended.text) == reading.text
    for finding in reading.findings:
        start, end = reading.span(finding.start, finding.end)
        assert 0 <= start < end <= len(reading.text)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
