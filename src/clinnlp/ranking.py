"""Which sentences of a note its summary takes: what tells of each how much it says, and the best few together.

Two linear models foretell how much of a human one-line description a sentence covers (recall) and how much of the
sentence is in it (precision); `choose` then takes the sentences that together promise the highest F1. The weights come
from `benchmarks/fit_summary.py`.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain

import numpy as np
from spacy.tokens import Doc, Span

from clinnlp.components.extensions import text_of

AGE = re.compile(r"\b\d{1,3}[- ]?(?:year|month|week|day)s?[- ]old\b|\b\d{1,3} ?y/?o\b", re.IGNORECASE)
WORD = re.compile(r"[a-z]+|\d+")
LENGTHS = (60, 35, 20, 15, 10, 6, 3, 0)  # words; a sentence is in the first band that it reaches
TELLING = ("diagnosis", "procedure", "chief_complaint")  # sections whose words a description repeats
FINDINGS = ("DISEASE", "SYMPTOM")
PER_SENTENCE = 8  # words that a description has for each sentence of the summary
ALIKE = 0.6  # share of the shorter sentence's words from which two say the same
LOOKED_AT = 12  # best single sentences among which the best pair is sought


def features(doc: Doc, sentences: Sequence[Span]) -> Iterator[dict[str, float]]:
    """Give what tells of each sentence how much it says of its note, by name."""
    sections = doc._.sections
    starts = [s.start for s in sections]
    categories = [s._.section or "none" for s in sentences]
    texts = [s.text for s in sentences]
    words = [WORD.findall(text.lower()) for text in texts]
    counts = [Counter(w) for w in words]
    whole = Counter(chain.from_iterable(words))
    telling: defaultdict[str, set[str]] = defaultdict(set)
    for category, its in zip(categories, words, strict=True):
        telling[category].update(its)
    ents = _ents_of(doc, sentences)
    had = {s.category for s in sections}
    first_under: set[int] = set()
    place, previous = 0, ""
    for i, (sentence, category) in enumerate(zip(sentences, categories, strict=True)):
        place, previous = (place + 1 if category == previous else 0), category
        section = bisect_right(starts, sentence.start_char) - 1
        header = set(WORD.findall(sections[section].header.lower())) if section >= 0 else set()
        n = max(1, len(words[i]))
        band = next(k for k in LENGTHS if len(words[i]) >= k)
        found = {
            "any": 1.0, f"section {category}": 1.0, f"words {band}": 1.0, f"words {band} {category}": 1.0,
            "log words": float(np.log1p(len(words[i]))), "log sentences": float(np.log1p(len(sentences))),
            "place": 1 - sentence.start_char / len(text_of(doc)), "first section": float(section <= 0),
            f"sentence {min(i, 3)}": 1.0, f"place {min(place, 4)}": 1.0, f"place {min(place, 2)} {category}": 1.0,
            "age": float(AGE.search(texts[i]) is not None), "capitals": float(texts[i].isupper()),
            "full stop": float(texts[i].endswith(".")),
            "central": sum(min(whole[w] - counts[i][w], 3) for w in counts[i]) / n / 3,
            "alone": sum(whole[w] == counts[i][w] for w in counts[i]) / n,
            "like the first": float(i > 0) * sum(w in counts[0] for w in counts[i]) / n,
            **ents[i],
            **{f"header {word}": 1.0 for word in header},
            **{f"like {c}": sum(w in telling[c] for w in counts[i]) / n for c in TELLING if c != category},
            **{f"word {word}": 1.0 for word in counts[i]},
            **{f"start {k} {word}": 1.0 for k, word in enumerate(words[i][:3])},
            **{f"has {c} {category}": 0.5 for c in had},
        }  # fmt: skip
        if section not in first_under:
            found |= {f"first of {category}": 1.0, **{f"first under {word}": 1.0 for word in header}}
        first_under.add(section)
        yield found


def _ents_of(doc: Doc, sentences: Sequence[Span]) -> list[dict[str, float]]:
    """Count the findings, those denied, and the procedures of each sentence."""
    ents = doc.ents
    starts = [e.start for e in ents]
    found = []
    for sentence in sentences:
        inside = ents[bisect_right(starts, sentence.start - 1) : bisect_right(starts, sentence.end - 1)]
        denied = sum(e.label_ in FINDINGS and e._.assertion == "absent" for e in inside)
        named = sum(e.label_ in FINDINGS for e in inside) - denied
        procedures = sum(e.label_ == "PROCEDURE" for e in inside)
        found.append({"denied": min(4.0, denied), "findings": min(4.0, named), "procedures": min(3.0, procedures)})
    return found


@cache
def load_weights() -> dict[str, tuple[float, float]]:
    """Read the weights of recall and precision by feature."""
    text = files("clinnlp.resources").joinpath("summary_weights.csv").read_text(encoding="utf-8")
    return {name: (float(recall), float(precision)) for name, recall, precision in csv.reader(text.splitlines()[1:])}


def predict(doc: Doc, sentences: Sequence[Span]) -> np.ndarray:
    """Foretell recall and precision of each sentence: an array of shape (sentences, 2)."""
    weights = load_weights()
    scores = np.zeros((len(sentences), 2))
    for i, found in enumerate(features(doc, sentences)):
        recall = precision = 0.0
        for name, value in found.items():
            if weight := weights.get(name):
                recall += weight[0] * value
                precision += weight[1] * value
        scores[i] = recall, precision
    return scores


def count_words(text: str) -> Counter[str]:
    """Count the words of a text, in lower case."""
    return Counter(WORD.findall(text.lower()))


def choose(words: Sequence[Counter[str]], scores: np.ndarray, most: int) -> list[tuple[int, float]]:
    """Choose the sentences, at most `most`, that together promise the highest F1, the most telling first.

    Parameters
    ----------
    words
        The words of each sentence, counted.
    scores
        Foretold recall and precision, of shape (sentences, 2).
    most
        How many sentences at most; one that would add nothing is left out.

    Returns
    -------
    list of (int, float)
        The index of each sentence, and the F1 that it promises alone.
    """
    if not words or most < 1:
        return []
    wanted = PER_SENTENCE * most
    lengths = np.array([sum(w.values()) for w in words], dtype=float)
    hits = np.clip((scores[:, 0] * wanted + scores[:, 1] * lengths) / 2, 0, None)
    alone = 2 * hits / (lengths + wanted)
    order = [int(i) for i in np.argsort(-alone, kind="stable")]

    def alike(i: int, j: int) -> float:
        return float(sum((words[i] & words[j]).values()) / max(1.0, min(lengths[i], lengths[j])))

    def promise(chosen: Sequence[int]) -> float:
        new = [hits[i] * (1 - max((alike(i, j) for j in chosen[:k]), default=0.0)) for k, i in enumerate(chosen)]
        return float(2 * sum(new) / (lengths[list(chosen)].sum() + wanted))

    chosen, near = order[:1], order[:LOOKED_AT]
    pairs = [(i, j) for k, i in enumerate(near) for j in near[k + 1 :] if most > 1 and alike(i, j) < ALIKE]
    best = list(max(pairs, key=promise, default=chosen))
    while promise(best) > promise(chosen):
        chosen = best
        more = [[*chosen, i] for i in order[: LOOKED_AT + most] if all(alike(i, j) < ALIKE for j in chosen)]
        best = max(more, key=promise, default=chosen) if len(chosen) < most else chosen
    return [(i, round(float(alone[i]), 4)) for i in sorted(chosen, key=order.index)]
