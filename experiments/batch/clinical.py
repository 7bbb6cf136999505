"""The rate of edsnlp over the narratives of a CSV file; for a Python that has edsnlp.

    python experiments/batch/clinical.py REPORTS.csv REGEXES.json

Regular expressions, negation, hypothesis and reported speech, as for clinical notes. Prints JSON.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import sys
import time
from pathlib import Path

import edsnlp


def main() -> None:
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as stream:
        texts = [row["narrative"] for row in csv.DictReader(stream)]
    regexes = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    nlp = edsnlp.blank("eds")
    nlp.add_pipe("eds.normalizer")
    nlp.add_pipe("eds.sentences")
    nlp.add_pipe("eds.matcher", config={"regex": regexes})
    for name in ("eds.negation", "eds.hypothesis", "eds.reported_speech"):
        nlp.add_pipe(name)
    for text in texts[:20]:
        nlp(text)
    began, used = time.perf_counter(), time.process_time()
    found = sum(len(nlp(text).ents) for text in texts)
    result = {
        "name": f"edsnlp: {len(regexes)} regular expressions, negation, hypothesis, reported speech",
        "rows": len(texts),
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "found": found,
        "versions": {name: importlib.metadata.version(name) for name in ("edsnlp", "spacy")},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
