"""A Hugging Face token classifier that reads whole notes in overlapping windows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import MissingExtraError, ModelError
from clinnlp.resources import read_yaml

if TYPE_CHECKING:
    import numpy as np

WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[^\w\s]")
LONGEST = 512  # word pieces a window, where the tokenizer names no smaller limit


@dataclass(frozen=True, slots=True)
class Prediction:
    """An entity that a model found: characters `start` to `end`, our label, and the mean probability of its words."""

    start: int
    end: int
    label: str
    score: float


class TokenClassifier:
    """Runs a token-classification model of transformers on texts of any length.

    Parameters
    ----------
    model
        A local folder, or a hub id whose files are in the local cache.
    labels
        The model's labels, without B- and I-, by ours; added to the shipped table. Labels in neither are dropped.
    stride
        Word pieces that neighbouring windows share.
    batch_size
        Windows run at once.

    Raises
    ------
    MissingExtraError
        When torch is not installed.
    ModelError
        When the model is not there, has no fast tokenizer, or none of its labels is known.
    """

    def __init__(
        self, model: str, *, labels: Mapping[str, str] | None = None, stride: int = 64, batch_size: int = 8
    ) -> None:
        self.tokenizer, self.network = _load(model)
        self.stride, self.batch_size = stride, batch_size
        known = {k.lower(): v for k, v in (read_yaml("model_labels.yml") | dict(labels or {})).items()}
        self.tags = {int(i): _split_tag(tag) for i, tag in self.network.config.id2label.items()}
        self.labels = {name: known[name.lower()] for _, name in self.tags.values() if name.lower() in known}
        if not self.labels:
            names = sorted({name for _, name in self.tags.values() if name})
            raise ModelError(f"No label of {model} is known: {', '.join(names)}. Map them with labels={{...}}.")

    def predict(self, text: str) -> list[Prediction]:
        """Find the entities of a text; each has `text[start:end]` for its words.

        A word takes the tag of its first word piece, read in the window where that piece is farthest from an edge.
        """
        words = [m.span() for m in WORD.finditer(text)]
        if not words:
            return []
        probabilities = self._word_probabilities(text, words)
        return list(self._decode(words, probabilities))

    def _word_probabilities(self, text: str, words: list[tuple[int, int]]) -> np.ndarray:
        """Give the probability of each tag for each word, as an array of shape (words, tags)."""
        import numpy as np

        limit = min(self.tokenizer.model_max_length, LONGEST)
        encoded = self.tokenizer(
            text, truncation=True, max_length=limit, stride=min(self.stride, limit // 4), padding=True,
            return_overflowing_tokens=True, return_offsets_mapping=True, return_tensors="np",
        )  # fmt: skip
        offsets = encoded["offset_mapping"]
        found = np.zeros((len(words), len(self.tags)))
        outside = next((i for i, (prefix, _) in self.tags.items() if prefix == "O"), 0)
        found[:, outside] = 1.0  # of a word that the tokenizer leaves out
        distance = np.full(len(words), -1)
        word_of = np.full(len(text) + 1, -1)
        for w, (start, end) in enumerate(words):
            word_of[start:end] = w
        for window, probabilities in enumerate(self._run(encoded)):
            seen = -1
            pieces = [(i, a, b) for i, (a, b) in enumerate(offsets[window].tolist()) if b > a]
            for order, (i, a, b) in enumerate(pieces):
                a += len(text[a:b]) - len(text[a:b].lstrip())
                w = int(word_of[a])
                edge = min(order, len(pieces) - 1 - order)
                if w >= 0 and w != seen and edge > distance[w] and a <= words[w][0]:
                    found[w], distance[w] = probabilities[i], edge
                seen = w
        return found

    def _run(self, encoded: Mapping[str, Any]) -> Iterator[np.ndarray]:
        """Give the probabilities of each window, of shape (word pieces, tags)."""
        import torch

        names = [n for n in self.tokenizer.model_input_names if n in encoded]
        for first in range(0, len(encoded["input_ids"]), self.batch_size):
            batch = {n: torch.as_tensor(encoded[n][first : first + self.batch_size]) for n in names}
            with torch.inference_mode():
                yield from self.network(**batch).logits.softmax(-1).numpy()

    def _decode(self, words: list[tuple[int, int]], probabilities: np.ndarray) -> Iterator[Prediction]:
        """Join the words of an entity: a B- tag, or another label than before, starts a new one."""
        current: list[tuple[int, float]] = []
        name = ""
        for w, best in enumerate(probabilities.argmax(axis=1)):
            prefix, new = self.tags[int(best)]
            if current and (prefix == "B" or new != name or new not in self.labels):
                yield self._entity(words, current, name)
                current = []
            if new in self.labels:
                current.append((w, float(probabilities[w, best])))
            name = new
        if current:
            yield self._entity(words, current, name)

    def _entity(self, words: list[tuple[int, int]], parts: list[tuple[int, float]], name: str) -> Prediction:
        score = sum(p for _, p in parts) / len(parts)
        return Prediction(words[parts[0][0]][0], words[parts[-1][0]][1], self.labels[name], round(score, 4))


def _split_tag(tag: str) -> tuple[str, str]:
    """Split "B-Disease" into prefix and label; a tag without prefix gets "I", and "O" has no label."""
    if tag == "O":
        return "O", ""
    prefix, _, name = tag.partition("-")
    return (prefix, name) if prefix in ("B", "I") and name else ("I", tag)


def _load(model: str) -> tuple[Any, Any]:
    """Load tokenizer and network from the local disk."""
    try:
        import torch  # noqa: F401  (transformers needs it to run the model)
    except ImportError:
        raise MissingExtraError("torch", "torch") from None
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
        network = AutoModelForTokenClassification.from_pretrained(model, local_files_only=True)
    except (OSError, ValueError) as error:
        where = "that folder" if Path(model).is_dir() else "a local folder or the local model cache"
        raise ModelError(
            f"The model {model} could not be loaded from {where} ({type(error).__name__}). Give the folder of a "
            "token-classification model with config.json, tokenizer.json and model.safetensors; nothing is downloaded."
        ) from None
    if not tokenizer.is_fast:
        raise ModelError(f"The tokenizer of {model} gives no character offsets. Save it with a tokenizer.json.")
    return tokenizer, network.eval()
