"""Votes on conditions: from sequence classifiers, and from zero-shot models trained on natural language inference.

A vote is what a model makes of a window of a note, never what the note states: the scores are not calibrated, and the
highest of many windows is higher by chance alone in a long note.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from clinnlp.errors import InputError, MissingExtraError, ModelError
from clinnlp.models.networks import TOKENS, Window, _longest, make_batches
from clinnlp.models.opening import could_not_load, refuse_missing, refuse_pickle
from clinnlp.models.token_classifier import OVERLAP
from clinnlp.models.windows import LONGEST_UNIT, Pieces, cut, split_words

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

    from clinnlp.conditions import Conditions

HYPOTHESIS = "The patient has {}."
THRESHOLD = 0.5
POSITIVE = frozenset({"label_1", "1", "yes", "true", "positive", "present"})  # of two labels, the one for a condition
TASKS = ("condition", "labels", "zero_shot")

Kind: TypeAlias = Literal["classifier", "zero-shot"]
Cut: TypeAlias = dict[str | None, list[tuple[int, int, Window]]]  # hypothesis -> start and end in the text, and window


@dataclass(frozen=True, slots=True)
class Vote:
    """A model's vote on a condition: characters `start` to `end` are the window with the highest score, 0 to 1."""

    condition: str
    label: str
    score: float
    model: str
    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Spec:
    """A classifier as a user names it, with exactly one of `condition`, `labels` and `zero_shot`.

    `condition` is what the positive label of the model means; `labels` gives the condition of each label to read;
    `zero_shot` are conditions whose name takes the place of {} in the hypothesis. From the score `threshold` on the
    model votes.
    """

    model: str
    condition: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    zero_shot: Sequence[str] = ()
    hypothesis: str = HYPOTHESIS
    threshold: float = THRESHOLD


@dataclass(frozen=True, slots=True)
class Question:
    """A label of a model that means a condition; for a zero-shot model, where it is given the hypothesis."""

    condition: str
    label: str
    hypothesis: str | None = None


class SequenceNetwork:
    """Any sequence-classification model of transformers. Windows of like length run together.

    Parameters
    ----------
    model
        A local folder or a hub id.
    download
        Whether the files of a hub id may be fetched; otherwise they must be on this machine.

    Raises
    ------
    MissingExtraError
        When torch is not installed.
    ModelError
        When the model is not there, is of another kind or a regression, has no safetensors weights, or its tokenizer
        gives no offsets.
    """

    def __init__(self, model: str, *, download: bool = False) -> None:
        network, tokenizer = _open(model, download)
        config = network.config
        if config.problem_type == "regression":
            raise ModelError(f"{model} is a regression, whose numbers are no votes. Give a model with labels.")
        if config.pad_token_id is None:  # by which GPT-2 and its kind find the end of a text
            config.pad_token_id = tokenizer.pad_token_id
        self.name = Path(model).resolve().name if Path(model).is_dir() else model
        self.network = network.eval()
        self.pad = tokenizer.pad
        self.pads = tokenizer.pad_token_id is not None
        self.types = "token_type_ids" in tokenizer.model_input_names
        self.tokenizer: Tokenizer = tokenizer.backend_tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.labels = [config.id2label[i] for i in range(config.num_labels)]
        self.longest = min(_longest(config.to_dict()), tokenizer.model_max_length)
        self.exclusive = config.problem_type != "multi_label_classification" and config.num_labels > 1

    def probabilities(self, windows: Sequence[Window]) -> list[np.ndarray]:
        """Give the probability of each label for each window; they sum up to 1 where labels exclude each other."""
        found: dict[int, np.ndarray] = {}
        for batch in make_batches([len(ids) for ids, _ in windows], TOKENS if self.pads else 1):
            found.update(zip(batch, self._run([windows[i] for i in batch]), strict=True))
        return [found[i] for i in range(len(windows))]

    def _run(self, windows: Sequence[Window]) -> np.ndarray:
        import torch

        feed = {"input_ids": [list(ids) for ids, _ in windows]}
        if self.types:
            feed["token_type_ids"] = [list(types) for _, types in windows]
        padded = self.pad(feed, padding=self.pads, return_attention_mask=True, return_tensors="pt")
        with torch.inference_mode():
            logits = self.network(**padded).logits.float()
            found: np.ndarray = (logits.softmax(-1) if self.exclusive else logits.sigmoid()).numpy()
        return found


def _open(model: str, download: bool) -> tuple[Any, Any]:
    """Load a sequence-classification model with all its weights, and its tokenizer."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "torch") from None
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    refuse_pickle(model)
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=not download)
        network, report = AutoModelForSequenceClassification.from_pretrained(
            model, local_files_only=not download, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # each library has its own kinds
        raise could_not_load(model, error, "a sequence-classification model") from None
    refuse_missing(model, report["missing_keys"], "for sequence classification")
    if not tokenizer.is_fast:
        raise ModelError(f"The tokenizer of {model} gives no character offsets. Save it with a tokenizer.json.")
    return network, tokenizer


class DocumentClassifier:
    """Votes on conditions in texts of any length; the window with the highest score speaks for its text.

    Parameters
    ----------
    network
        Gives windows the probabilities of its labels.
    questions
        The labels to read and the conditions they mean; of several labels of a condition the highest counts.
    threshold
        The score from which there is a vote.

    Raises
    ------
    ModelError
        When a hypothesis leaves no room for the text.
    """

    def __init__(
        self, network: SequenceNetwork, questions: Sequence[Question], *, threshold: float = THRESHOLD
    ) -> None:
        self.network, self.threshold = network, threshold
        self.questions: dict[str, list[Question]] = {}
        for question in questions:
            self.questions.setdefault(question.condition, []).append(question)
        self.ends = {q.hypothesis: _ends(network.tokenizer, q.hypothesis) for q in questions}
        taken = max(len(before[0]) + len(after[0]) for before, _, after in self.ends.values())
        self.limit = network.longest - taken
        if self.limit < 1:
            raise ModelError(f"A hypothesis is too long for {network.name}, which reads {network.longest} word pieces.")

    def predict(self, text: str) -> list[Vote]:
        """Give the votes on a text."""
        return self.predict_all([text])[0]

    def predict_all(self, texts: Sequence[str]) -> list[list[Vote]]:
        """Give the votes on each text; a window that stands in several texts runs once."""
        cuts = [self._cut(text) for text in texts]
        windows = list(dict.fromkeys(w for found in cuts for part in found.values() for *_, w in part))
        scores = dict(zip(windows, self.network.probabilities(windows), strict=True))
        return [list(self._votes(found, scores)) for found in cuts]

    def _cut(self, text: str) -> Cut:
        """Cut a text into windows, each put together with each hypothesis."""
        pieces = _split(text, self.network.tokenizer)
        found: Cut = {hypothesis: [] for hypothesis in self.ends}
        for first, last in cut(text, pieces, self.limit, min(OVERLAP, self.limit // 4)):
            ids = tuple(pieces.ids[first:last])
            start, end = pieces.words[pieces.word_of[first]][0], pieces.words[pieces.word_of[last - 1]][1]
            for hypothesis, (before, kind, after) in self.ends.items():
                types = (*before[1], *(kind,) * len(ids), *after[1])
                found[hypothesis].append((start, end, ((*before[0], *ids, *after[0]), types)))
        return found

    def _votes(self, found: Cut, scores: Mapping[Window, np.ndarray]) -> Iterator[Vote]:
        """Give the vote on each condition whose highest score reaches the threshold; of equals, the first window's."""
        for condition, questions in self.questions.items():
            candidates = [
                (round(float(scores[window][self.network.labels.index(q.label)]), 4), q, start, end)
                for q in questions
                for start, end, window in found[q.hypothesis]
            ]
            score, q, start, end = max(candidates, key=itemgetter(0), default=(-1.0, questions[0], 0, 0))
            if score >= self.threshold:
                kind: Kind = "classifier" if q.hypothesis is None else "zero-shot"
                yield Vote(condition, q.label, score, self.network.name, kind, start, end)


def _split(text: str, tokenizer: Tokenizer) -> Pieces:
    """Split a text into all its pieces; those of white space belong to the word that follows, or to the last."""
    words = split_words(text)
    ends = [end for _, end in words]
    encoded = tokenizer.encode(text if words else "", add_special_tokens=False)
    word_of = [min(bisect_right(ends, start), len(words) - 1) for start, _ in encoded.offsets]
    units: list[int] = []
    for i, word in enumerate(word_of):
        if not units or word != word_of[i - 1] or i - units[-1] == LONGEST_UNIT:
            units.append(i)
    return Pieces(words, [], encoded.ids, word_of, [*units, len(word_of)])


def _ends(tokenizer: Tokenizer, hypothesis: str | None) -> tuple[Window, int, Window]:
    """Give what a tokenizer puts before a text, the type of its pieces, and what comes after, with the hypothesis."""
    encoded = tokenizer.encode("a", hypothesis)
    inside = [i for i, part in enumerate(encoded.sequence_ids) if part == 0]
    ids, types = tuple(encoded.ids), tuple(encoded.type_ids)
    first, last = inside[0], inside[-1] + 1
    return (ids[:first], types[:first]), types[first], (ids[last:], types[last:])


def find_questions(spec: Spec, network: SequenceNetwork, conditions: Conditions) -> list[Question]:
    """Find the labels of a model that a user's classifier reads.

    Raises
    ------
    ModelError
        When the model lacks a label, or has none for entailment, or its positive label cannot be told.
    """
    has = f"It has: {', '.join(network.labels)}."
    if spec.zero_shot:
        entailment = next((label for label in network.labels if label.lower().startswith("entail")), None)
        if entailment is None:
            raise ModelError(
                f"{spec.model} has no label for entailment, so it cannot judge a hypothesis. {has} Give a model that "
                "was trained on natural language inference, or labels= for what it was trained for."
            )
        return [Question(c, entailment, spec.hypothesis.replace("{}", conditions[c].name)) for c in spec.zero_shot]
    labels = spec.labels
    if spec.condition:
        positive = _positive(network.labels, spec.condition)
        if positive is None:
            raise ModelError(
                f"Which label of {spec.model} means {spec.condition}? {has} Say it: "
                f'{{"model": ..., "labels": {{LABEL: "{spec.condition}"}}}}.'
            )
        labels = {positive: spec.condition}
    if unknown := [label for label in labels if label not in network.labels]:
        raise ModelError(f"{spec.model} has no label {', '.join(unknown)}. {has}")
    return [Question(condition, label) for label, condition in labels.items()]


def _positive(labels: Sequence[str], condition: str) -> str | None:
    """Find the label that means a condition: its only one, the one of that name, or of two the positive one.

    >>> [_positive(labels, "gout") for labels in (["LABEL_0", "LABEL_1"], ["Asthma", "Gout"], ["A", "B"])]
    ['LABEL_1', 'Gout', None]
    """
    named = [x for x in labels if x.lower().replace(" ", "_") == condition]
    positive = [x for x in labels if x.lower() in POSITIVE] if len(labels) == 2 else []
    found = labels if len(labels) == 1 else named or positive
    return found[0] if len(found) == 1 else None


def as_list(classifiers: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write classifiers as a list of plain mappings with the keys of `Spec`, as the config of a pipeline holds them.

    Parameters
    ----------
    classifiers
        Models by condition, one such mapping, or several.

    Raises
    ------
    InputError
        When it is none of these.

    Examples
    --------
    >>> as_list({"heart_failure": "models/hf"})
    [{'model': 'models/hf', 'condition': 'heart_failure'}]
    """
    entries: Any = classifiers
    if isinstance(classifiers, Mapping):
        is_one = "model" in classifiers
        entries = [classifiers] if is_one else [{"model": m, "condition": c} for c, m in classifiers.items()]
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InputError('Give classifiers as {"heart_failure": MODEL}, or as a list of mappings with a "model".')
    return [{key: str(v) if isinstance(v, Path) else v for key, v in entry.items()} for entry in entries]


def read_spec(entry: Mapping[str, Any], conditions: Conditions) -> Spec:
    """Check a classifier as a user gave it.

    Raises
    ------
    InputError
        When a key is missing, unknown or of another type, or there is no such condition.
    """
    known = {f.name: f for f in fields(Spec)}
    where = f"The classifier {entry.get('model')!r}"
    if unknown := [key for key in entry if key not in known]:
        raise InputError(f"{where} has the unknown key {unknown[0]!r}. Known keys: {', '.join(known)}.")
    types: dict[str, tuple[type, ...]] = {"labels": (dict,), "zero_shot": (list, tuple), "threshold": (int, float)}
    if wrong := [key for key in {"model", *entry} if not isinstance(entry.get(key), types.get(key, (str,)))]:
        raise InputError(f"{where} has no valid {min(wrong)!r}: got {type(entry.get(min(wrong))).__name__}.")
    if len(tasks := [key for key in TASKS if entry.get(key)]) != 1:
        raise InputError(f"{where} has {' and '.join(tasks) or 'no task'}. Give one of {', '.join(TASKS)}.")
    spec = Spec(**entry)
    asked = [spec.condition] if spec.condition else [*spec.labels.values(), *spec.zero_shot]
    if strange := [c for c in asked if str(c) not in conditions]:
        raise InputError(f"{where}: there is no condition {strange[0]!r}. Known conditions: {', '.join(conditions)}.")
    if not 0 <= spec.threshold <= 1:
        raise InputError(f"{where} has the threshold {spec.threshold:g}. Give one from 0 to 1.")
    if len(spec.zero_shot) > 1 and "{}" not in spec.hypothesis:
        raise InputError(f"{where} has a hypothesis without {{}}, where the names of the conditions go. Add it.")
    return spec
