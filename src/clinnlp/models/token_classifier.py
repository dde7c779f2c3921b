"""Entities of texts of any length, from a network that tags word pieces."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from clinnlp.errors import ModelError
from clinnlp.models.gazetteer import word_types
from clinnlp.models.networks import Network, Window, make_batches
from clinnlp.models.windows import Pieces, cut, special_ends, split_pieces
from clinnlp.overlaps import Overlaps
from clinnlp.resources import read_yaml

if TYPE_CHECKING:
    import numpy as np

OVERLAP = 32  # word pieces that neighbouring windows share at most
OUTSIDE = ("O", "")
APART = re.compile(r"\n|\t| {3}")  # between two lines, or two columns of a table
TINY = 1e-30  # keeps the logarithm of a probability finite
STARTS, ENDS = "BSU", "ELSU"  # prefixes of the first and the last word of an entity, in all schemes in use
TOGETHER = 65_536  # words whose tags are found together, padding included
REMEMBERED = 2000  # windows whose results are kept: notes are full of copied text


@dataclass(frozen=True, slots=True)
class Prediction:
    """An entity that a model found: characters `start` to `end`, our label, and the mean probability of its words."""

    start: int
    end: int
    label: str
    score: float


Reading: TypeAlias = "tuple[str, Pieces, np.ndarray]"  # a text, its word pieces and the logits of its words


@dataclass(frozen=True, slots=True)
class Head:
    """Labels that exclude each other: their columns, tags (prefix and label), temperature, and the labels to keep.

    `blocked` is 0 where a tag may follow another and minus infinity elsewhere, of shape (1 + tags, tags): the first row
    is for the first word.
    """

    columns: list[int]
    tags: list[tuple[str, str]]
    blocked: np.ndarray
    temperature: float
    kept: frozenset[str]


class TokenClassifier:
    """Finds entities in texts of any length.

    Parameters
    ----------
    network
        Tags word pieces. Labels may be named `HEAD/B-Label`: labels of one head exclude each other.
    heads
        The heads to read, and of each the labels (ours) that are kept, all if there are none; the first has the word
        where entities overlap. All heads if None.
    labels
        The model's labels, without B- and I-, by ours; added to the shipped table. Others keep their names.
    temperatures
        What the logits of a head are divided by, to make its probabilities right.
    overlap
        Word pieces that neighbouring windows share at most.

    Raises
    ------
    ModelError
        When the model has no head of that name.
    """

    def __init__(
        self,
        network: Network,
        *,
        heads: Mapping[str, Sequence[str]] | None = None,
        labels: Mapping[str, str] | None = None,
        temperatures: Mapping[str, float] | None = None,
        overlap: int = OVERLAP,
    ) -> None:
        self.network = network
        self.before, self.after = special_ends(network.tokenizer)
        self.limit = network.longest - len(self.before) - len(self.after)
        self.overlap = min(overlap, self.limit // 4)
        own = {k.lower(): v for k, v in (read_yaml("model_labels.yml") | dict(labels or {})).items()}
        found: dict[str, tuple[list[int], list[tuple[str, str]]]] = {}
        for column, label in enumerate(network.labels):
            head, _, tag = label.rpartition("/")
            prefix, name = split_tag(tag)
            columns, tags = found.setdefault(head, ([], []))
            columns.append(column)
            tags.append((prefix, own.get(name.lower(), name)))
        if unknown := set(heads or ()) - set(found):
            raise ModelError(f"The model has no head {', '.join(sorted(unknown))}. It has: {', '.join(found)}.")
        chosen = dict.fromkeys(found, ()) if heads is None else heads
        self.heads = {
            h: Head(*found[h], _blocked(found[h][1]), (temperatures or {}).get(h, 1.0), frozenset(kept))
            for h, kept in chosen.items()
        }
        self._known: OrderedDict[Window, np.ndarray] = OrderedDict()

    def predict(self, text: str) -> list[Prediction]:
        """Find the entities of a text; each has `text[start:end]` for its words."""
        return self.predict_all([text])[0]

    def predict_all(self, texts: Sequence[str]) -> list[list[Prediction]]:
        """Find the entities of each text; a window that stands in several texts runs once."""
        return self.decode(self.read(texts))

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Give each text with its word pieces, and the logits of its words, of shape (words, labels).

        A word has those of its first word piece, read in the window where that piece is farthest from an edge.
        """
        cuts = []
        for text in texts:
            pieces = split_pieces(text, self.network.tokenizer)
            spans = cut(text, pieces, self.limit, self.overlap)
            types = word_types(text, pieces.words) if self.network.types and spans else None
            cuts.append((text, pieces, spans, [self._window(pieces, span, types) for span in spans]))
        results = self._run([window for *_, windows in cuts for window in windows])
        return [
            (text, pieces, self._merge(pieces, spans, [results[w] for w in windows]))
            for text, pieces, spans, windows in cuts
        ]

    def set_temperature(self, head: str, temperature: float) -> None:
        """Divide the logits of a head by another temperature."""
        self.heads[head] = replace(self.heads[head], temperature=temperature)

    def unseen(self, text: str) -> list[tuple[int, int]]:
        """Give the words that no window shows to the network: none, but for words that its tokenizer leaves out."""
        pieces = split_pieces(text, self.network.tokenizer)
        seen = {p for a, b in cut(text, pieces, self.limit, self.overlap) for p in range(a, b)}
        return [span for span, p in zip(pieces.words, pieces.first, strict=True) if p not in seen]

    def _window(self, pieces: Pieces, span: tuple[int, int], types: list[int] | None) -> Window:
        ids = (*self.before, *pieces.ids[slice(*span)], *self.after)
        if types is None:
            return ids, (0,) * len(ids)
        inside = (types[word] for word in pieces.word_of[slice(*span)])
        return ids, (*(0,) * len(self.before), *inside, *(0,) * len(self.after))

    def _run(self, windows: list[Window]) -> dict[Window, np.ndarray]:
        """Give the logits of each window, without its special tokens."""
        new = [w for w in dict.fromkeys(windows) if w not in self._known]
        stop = len(self.after)
        for window, logits in zip(new, self.network.logits(new), strict=True):
            self._known[window] = logits[len(self.before) : len(logits) - stop]
        found = {window: self._known[window] for window in windows}
        for window in found:
            self._known.move_to_end(window)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _merge(self, pieces: Pieces, spans: list[tuple[int, int]], results: list[np.ndarray]) -> np.ndarray:
        """Give the logits of each word, of shape (words, labels); those of a word without a piece are not numbers."""
        import numpy as np

        found = np.full((len(pieces.words), len(self.network.labels)), np.nan, dtype=np.float32)
        distance = [-1] * len(pieces.words)
        for (first, last), logits in zip(spans, results, strict=True):
            word = pieces.word_of[first]
            while word < len(pieces.words) and pieces.first[word] < last:
                p = pieces.first[word]
                if p >= first and (edge := min(p - first, last - 1 - p)) > distance[word]:
                    distance[word], found[word] = edge, logits[p - first]
                word += 1
        return found

    def decode(self, readings: Sequence[Reading]) -> list[list[Prediction]]:
        """Read the entities of each text off the logits of its words, head by head."""
        import numpy as np

        found: list[list[Prediction]] = [[] for _ in readings]
        for head in self.heads.values():
            chances = [_probabilities(head, logits[:, head.columns]) for *_, logits in readings]
            paths = _best_paths([np.log(some + TINY) for some in chances], head.blocked)
            for own, (text, pieces, _), some, path in zip(found, readings, chances, paths, strict=True):
                taken = Overlaps((e.start, e.end) for e in own)
                new = (e for e in _entities(text, pieces.words, head, some, path) if not taken.of(e.start, e.end))
                own += [e for e in new if not head.kept or e.label in head.kept]
        return [sorted(own, key=lambda e: (e.start, e.end)) for own in found]


def _probabilities(head: Head, logits: np.ndarray) -> np.ndarray:
    """Give the probability of each tag of a head, of the shape of its logits; a word that was not seen is outside."""
    import numpy as np

    unseen = np.isnan(logits[:, 0])
    scaled = np.where(unseen[:, None], 0.0, logits / head.temperature)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    probabilities[unseen] = [float(not label) for _, label in head.tags]
    return probabilities


def _entities(
    text: str, words: list[tuple[int, int]], head: Head, probabilities: np.ndarray, path: Sequence[int]
) -> Iterator[Prediction]:
    """Join the words of an entity: a new one starts with its tag, with another label, and on a new line or column."""
    same = {label: [i for i, (_, other) in enumerate(head.tags) if other == label] for _, label in head.tags}
    current: list[tuple[int, float]] = []
    before = OUTSIDE
    for w, best in enumerate(path):
        tag = head.tags[best]
        starts = tag[0] in STARTS or before[0] in ENDS or tag[1] != before[1]
        if current and (starts or APART.search(text, words[w - 1][1], words[w][0])):
            yield _entity(words, current, before[1])
            current = []
        if tag[1]:
            current.append((w, float(probabilities[w, same[tag[1]]].sum())))
        before = tag
    if current:
        yield _entity(words, current, before[1])


def _best_paths(scores: Sequence[np.ndarray], blocked: np.ndarray) -> list[list[int]]:
    """Find the most probable tags of all words in which no entity goes on that has not begun (Viterbi's algorithm).

    `scores` are log probabilities, of shape (words, tags) for each text; `blocked` is that of the head. Texts of like
    length take their steps together.
    """
    import numpy as np

    paths: list[list[int]] = [[] for _ in scores]
    may_follow = np.isfinite(blocked[1:]).T
    bound = np.flatnonzero(~may_follow.all(axis=1))  # tags that go on, and what each may follow
    width = may_follow[bound].sum(axis=1).max(initial=1)
    before = np.array([np.resize(np.flatnonzero(r), width) for r in may_follow[bound]], dtype=int).reshape(-1, width)
    for batch in make_batches([len(some) for some in scores], TOGETHER):
        most_words = max(1, len(scores[batch[0]]))
        rows = np.zeros((most_words, len(batch), blocked.shape[1]))  # beyond a text all tags are as good
        for place, i in enumerate(batch):
            rows[: len(scores[i]), place] = scores[i]
        texts = np.arange(len(batch))
        best, steps = rows[0] + blocked[0], []
        for row in rows[1:]:
            step = np.repeat(best.argmax(axis=1)[:, None], best.shape[1], axis=1)
            step[:, bound] = before[np.arange(len(bound)), best[:, before].argmax(axis=2)]
            best = best[texts[:, None], step] + row
            steps.append(step)
        back = [best.argmax(axis=1)]
        for step in reversed(steps):
            back.append(step[texts, back[-1]])
        for i, path in zip(batch, np.array(back[::-1]).T.tolist(), strict=True):
            paths[i] = path[: len(scores[i])]
    return paths


def _blocked(tags: list[tuple[str, str]]) -> np.ndarray:
    """Give what a head has as `blocked`."""
    import numpy as np

    allowed = np.array([[_may_follow(a, b, tags) for b in tags] for a in [OUTSIDE, *tags]])
    return np.where(allowed, 0.0, -np.inf)


def _may_follow(before: tuple[str, str], tag: tuple[str, str], tags: list[tuple[str, str]]) -> bool:
    """Say whether a tag may follow another: one that goes on needs a beginning, where the scheme has one for it."""
    begins = any(prefix in STARTS and label == tag[1] for prefix, label in tags)
    if not begins or tag[0] in STARTS or not tag[1]:
        return True
    return before[1] == tag[1] and before[0] not in ENDS


def _entity(words: list[tuple[int, int]], parts: list[tuple[int, float]], label: str) -> Prediction:
    score = sum(p for _, p in parts) / len(parts)
    return Prediction(words[parts[0][0]][0], words[parts[-1][0]][1], label, round(score, 4))


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into prefix and label; one without prefix gets "I", and "O" has no label.

    >>> split_tag("B-Disease"), split_tag("DRUG"), split_tag("O")
    (('B', 'Disease'), ('I', 'DRUG'), ('O', ''))
    """
    if tag in ("O", "0"):
        return "O", ""
    prefix, _, name = tag.partition("-")
    return (prefix, name) if prefix in set(STARTS + ENDS + "IM") and name else ("I", tag)
