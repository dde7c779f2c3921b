"""Write a trained model as a pack: weights to train on from, a network that runs without torch, and a manifest."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.evaluate import calibration_error, score_entities
from clinnlp.models.documents import Document
from clinnlp.models.networks import OnnxNetwork
from clinnlp.models.pack import ONNX, sha256
from clinnlp.models.token_classifier import Prediction, TokenClassifier

if TYPE_CHECKING:
    from clinnlp.models.training import Recipe

TEMPERATURES = [t / 10 for t in range(5, 31)]


def write_weights(model: Any, tokenizer: Any, window: int, out: Path) -> None:
    """Write half-precision weights, model.onnx and the tokenizer.

    Parameters
    ----------
    model, tokenizer
        Of transformers, on the CPU.
    window
        The word pieces of a window.
    out
        The folder of the pack.
    """
    model.config.longest_window = window
    export_onnx(model, out / ONNX)
    model.half().save_pretrained(out)
    tokenizer.save_pretrained(out)


def score_pack(out: Path, development: Mapping[str, Sequence[Document]]) -> dict[str, tuple[float, dict[str, Any]]]:
    """Fit the temperature of each head that has documents, and score it on them; gives both by head."""
    network = OnnxNetwork(out)
    return {head: _score(network, head, documents) for head, documents in development.items() if documents}


def write_manifest(out: Path, recipe: Recipe, found: Mapping[str, tuple[float, dict[str, Any]]]) -> None:
    """Write what `load_classifier` needs to know of a pack, what `score_pack` found, and the checksums."""
    manifest = {
        "recipe": asdict(recipe),
        "heads": recipe.default_heads or dict.fromkeys(recipe.corpora, ()),
        "temperatures": {head: temperature for head, (temperature, _) in found.items()},
        "scores": {head: scores for head, (_, scores) in found.items()},
        "files": {f.name: sha256(f) for f in sorted(out.iterdir()) if f.is_file() and f.name != "manifest.json"},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _score(network: OnnxNetwork, head: str, documents: Sequence[Document]) -> tuple[float, dict[str, Any]]:
    """Fit the temperature of a head, and score it."""
    labels = [name for name in network.labels if name.startswith(f"{head}/")]
    own = {name.rpartition("-")[2]: name.rpartition("-")[2] for name in labels}
    gold = [{(e["start"], e["end"], e["label"]) for e in d["entities"] if e["label"] in own} for d in documents]

    classifier = TokenClassifier(network, heads={head: ()}, labels=own)
    texts = classifier.read([d["text"] for d in documents])

    def run(temperature: float) -> tuple[float, list[list[Prediction]]]:
        classifier.set_temperature(head, temperature)
        found = classifier.decode(texts)
        pairs = [(p.score, (p.start, p.end, p.label) in g) for ps, g in zip(found, gold, strict=True) for p in ps]
        return calibration_error([s for s, _ in pairs], [r for _, r in pairs]), found

    before, found = run(1.0)
    after, temperature = min((run(t)[0], t) for t in TEMPERATURES)
    table = score_entities(gold, [[(p.start, p.end, p.label) for p in ps] for ps in found])
    scores = {
        "documents": len(documents), "calibration_error": {"before": before, "after": after},
        "entities": json.loads(table.to_json(orient="records")),
    }  # fmt: skip
    return temperature, scores


def export_onnx(model: Any, path: Path, *, quantise: bool = True) -> None:
    """Write a BERT token classifier as ONNX, its layers fused.

    Parameters
    ----------
    model
        A model of transformers, on the CPU.
    path
        The file to write.
    quantise
        Whether the weights of the matrix products become 8-bit integers.
    """
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = {name: torch.ones((2, 16), dtype=torch.long) for name in names}
    length = {0: "windows", 1: "pieces"}
    model.eval().set_attn_implementation("eager")  # the form of attention that the optimiser knows how to fuse
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _without_advice():
        warnings.simplefilter("ignore")  # torch prefers its other exporter, whose graphs the optimiser fuses less
        plain, fused = Path(folder) / "plain.onnx", Path(folder) / "fused.onnx"
        torch.onnx.export(
            model, (), str(plain), kwargs=example, input_names=names, output_names=["logits"],
            dynamic_axes=dict.fromkeys([*names, "logits"], length), opset_version=17, dynamo=False,
        )  # fmt: skip
        optimised = optimizer.optimize_model(
            str(plain), model_type="bert", num_heads=model.config.num_attention_heads,
            hidden_size=model.config.hidden_size, opt_level=1,
        )  # fmt: skip
        optimised.save_model_to_file(str(fused))
        if quantise:
            quantize_dynamic(
                fused, path, weight_type=QuantType.QInt8, per_channel=True,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )  # fmt: skip
        else:
            path.write_bytes(fused.read_bytes())


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep the exporters from logging advice that nobody can follow here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
