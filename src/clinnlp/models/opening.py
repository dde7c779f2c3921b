"""What every loader of a transformers model refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clinnlp.errors import ModelError


def refuse_pickle(model: str) -> None:
    """Refuse a folder whose weights are pickled alone."""
    folder = Path(model)
    if folder.is_dir() and not any(folder.glob("*.safetensors")) and any(folder.glob("*.bin")):
        raise ModelError(
            f"{model} has its weights in a pickle (*.bin), which can run code when it is opened. Convert it to "
            "safetensors: load it where you trust it and call save_pretrained."
        )


@contextmanager
def opening(folder: Path, name: str) -> Iterator[None]:
    """Say of anything that goes wrong that a file of a model is missing or damaged; each library has its own errors."""
    try:
        yield
    except Exception as error:
        raise ModelError(
            f"The file {name} of the model {folder.name} is missing or damaged ({type(error).__name__}). Fetch or "
            "export the model again; if it came with clinnlp, reinstall clinnlp."
        ) from None


def could_not_load(model: str, error: Exception, kind: str) -> ModelError:
    """Say that a model of some kind, such as "a token-classification model", was not there or not readable."""
    where = "that folder" if Path(model).is_dir() else "a local folder or the local model cache"
    return ModelError(
        f"The model {model} could not be loaded from {where} ({type(error).__name__}). Give the folder of {kind} with "
        "config.json, tokenizer.json and model.safetensors, or a hub id with download=True."
    )


def refuse_missing(model: str, missing: Iterable[str], purpose: str) -> None:
    """Refuse a model that lacks some of its weights; `purpose` is what it was to be trained for."""
    if names := sorted(missing):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ModelError(
            f"{model} lacks the weights {', '.join(names[:3])}{more}, which would be random. Give a model that was "
            f"trained {purpose}."
        )
