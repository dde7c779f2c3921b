"""Speed of the entity model, against the pipeline of transformers on the same weights and the same notes.

    python benchmarks/ner_speed.py NOTES.jsonl [--notes 60] [--pack mini]

Fresh notes, and a copied-forward corpus in which half of the text of each note stands in all of them. Prints notes a
second, the best of three runs, and the share of this machine's own matrix-multiply rate that is reached.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from clinnlp.models.export import export_onnx
from clinnlp.models.networks import OnnxNetwork, count_cores
from clinnlp.models.pack import find_pack
from clinnlp.models.token_classifier import TokenClassifier

warnings.simplefilter("ignore")
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
HEAD = "bc5cdr"


def rate(run: Callable[[], object], notes: int, times: int = 3) -> float:
    """Give notes a second, the best of some runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return notes / best


def matrix_rate() -> float:
    """Give the billions of multiply-adds a second of a product of the size that the model has most."""
    import torch

    a, b = torch.randn(1536, 384), torch.randn(384, 1536)
    return 1536 * 384 * 1536 / 1e9 * rate(lambda: [a @ b for _ in range(50)], 50)


def multiplications(config: dict, tokens: int) -> float:
    """Give the billions of multiply-adds of the matrix products for some word pieces, attention scores left out."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    return tokens * config["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner) / 1e9


def pipeline_rate(folder: Path, texts: list[str], batch_size: int) -> float:
    """Give the rate of transformers' own pipeline with windows."""
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=512)
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    run = pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=64,
        batch_size=batch_size,
    )  # fmt: skip
    return rate(lambda: run(texts), len(texts), times=1)


def float_network(folder: Path) -> OnnxNetwork:
    """Write the weights of a pack as ONNX without quantising them, and load that."""
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(folder, dtype="float32")
    with tempfile.TemporaryDirectory() as name:
        for file in ("config.json", "tokenizer.json"):
            shutil.copy2(folder / file, name)
        export_onnx(model, Path(name) / "model.onnx", quantise=False)
        return OnnxNetwork(Path(name))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("notes", type=Path)
    parser.add_argument("--notes", dest="count", type=int, default=60)
    parser.add_argument("--pack", default="mini")
    arguments = parser.parse_args()
    folder = find_pack(arguments.pack) or Path(arguments.pack)
    lines = arguments.notes.read_text(encoding="utf-8").splitlines()[: arguments.count]
    texts = [json.loads(line)["text"] for line in lines]
    shared = texts[0][: sum(map(len, texts)) // len(texts)]
    corpora = {"fresh": texts, "copied forward": [f"{shared}\n\n{text[: len(shared)]}" for text in texts]}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    print(f"cores {count_cores()}, notes {len(texts)}, pack {arguments.pack}")
    peak = matrix_rate()
    networks = {"8-bit integers": OnnxNetwork(folder), "float": float_network(folder)}
    for name, corpus in corpora.items():
        own = max(pipeline_rate(folder, corpus, size) for size in (1, 8))
        print(f"{name}: transformers pipeline {own:.2f} notes/s")
        for kind, network in networks.items():

            def run(network=network, corpus=corpus):
                return TokenClassifier(network, heads={HEAD: ()}).predict_all(corpus)

            mine = rate(run, len(corpus))
            tokens = np.sum([len(network.tokenizer.encode(t, add_special_tokens=False).ids) for t in corpus])
            share = multiplications(config, tokens) / len(corpus) * mine / peak
            print(f"{name}: {kind} {mine:.2f} notes/s, {mine / own:.2f} times; {share:.0%} of the matrix rate")


if __name__ == "__main__":
    main()
