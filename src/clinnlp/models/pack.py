"""The model that ships with the package, and loading any other: by name, from a folder, or from a hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinnlp.errors import ModelError
from clinnlp.models.opening import opening
from clinnlp.models.token_classifier import TokenClassifier

PACKS = Path(__file__).parent / "packs"
ONNX, MANIFEST = "model.onnx", "manifest.json"


def load_classifier(
    model: str, *, labels: Mapping[str, str] | None = None, download: bool = False, threads: int | None = None
) -> TokenClassifier:
    """Load a token classifier.

    Parameters
    ----------
    model
        The name of a pack that ships ("mini"), with `/HEAD` to read one of its heads only ("mini/bc5cdr"); a local
        folder; or a hub id. A folder with a model.onnx runs without torch.
    labels
        The model's labels by ours, added to the shipped table.
    download
        Whether the files of a hub id may be fetched.
    threads
        Windows that an ONNX model runs at a time; as many as there are cores if None.

    Raises
    ------
    MissingExtraError
        When the model needs torch, and it is not installed.
    ModelError
        When the model cannot be loaded, or a file of a pack is not the one that was shipped.
    """
    from clinnlp.models.networks import OnnxNetwork, TorchNetwork

    name, _, head = model.partition("/")
    folder = find_pack(name)
    if folder is None:
        folder, head = Path(model), ""
    if folder.parent != PACKS and not (folder / ONNX).is_file():
        return TokenClassifier(TorchNetwork(model, download=download), labels=labels)
    manifest = read_manifest(folder)
    heads = {head: ()} if head else manifest.get("heads")
    return TokenClassifier(
        OnnxNetwork(folder, threads=threads), heads=heads, labels=labels, temperatures=manifest.get("temperatures")
    )


def find_pack(name: str) -> Path | None:
    """Give the folder of a pack that ships; None where none has that name."""
    folder = PACKS / name
    return folder if any((folder / file).is_file() for file in ("config.json", MANIFEST)) else None


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a pack, and check its files against it; empty for a folder of one's own without one.

    Raises
    ------
    ModelError
        When a file is missing or changed.
    """
    path = folder / MANIFEST
    if not path.is_file() and folder.parent != PACKS:
        return {}
    with opening(folder, MANIFEST):
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = dict(manifest["files"])
    for name, wanted in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != wanted:
            raise ModelError(f"The file {name} of the model {folder.name} is missing or changed. Reinstall clinnlp.")
    return manifest


def sha256(path: Path) -> str:
    """Give the checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
