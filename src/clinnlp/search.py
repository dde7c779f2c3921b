"""Search the text of all notes: by words, and by what they mean.

Words are looked up in an index of all places. A sentence means what a query means when both name the same concepts
("heart attack" and "MI"), by the tables of a result, or when their words are alike, by the vectors of word pieces of
the model that ships. For thirty queries among sixty sentences, of which one fits and one only shares its words, the
mean reciprocal rank is 0.49; of concepts alone 0.28, of word vectors alone 0.28, of the mean of the model's best layer
0.30, of letters in common 0.07. What combines them was chosen on these queries.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from spacy.language import Language

    from clinnlp.annotations import Annotations

WORD = re.compile(r"[^\W_]+")
TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')  # a phrase, whose closing quote may not have been typed yet, or a word
LAST = "\U0010ffff"  # sorts after all that a word can go on with
NEAR = 12  # words; places farther apart are not shown as one
ALIKE = 0.5  # what like words weigh beside concepts in common
COMMON, WIDTH = 3, 128  # components of the word vectors that are left out, and that are kept
COMMONEST = 0.1  # the weight of words that stand everywhere
BLOCK = 20_000  # sentences that are computed at a time
COLUMNS = {"note_id": "str", "start": "int64", "end": "int64", "score": "float64", "text": "str"}
Span = tuple[int, int]


class TextIndex:
    """Finds notes by their words, and sentences by their meaning.

    Parameters
    ----------
    notes
        A result, or a table of notes, which is then annotated when the first meaning is searched.
    nlp
        The pipeline that reads notes and queries; one without a model where none is given.

    Examples
    --------
    >>> import pandas as pd
    >>> notes = pd.DataFrame({"note_id": ["a", "b"], "text": ["Anterior MI in 2012.", "Mild cough, no attacks."]})
    >>> index = TextIndex(notes)
    >>> index.words("attack cough")[["note_id", "start", "text"]].values.tolist()
    [['b', 5, 'cough, no attacks']]
    >>> index.meaning("heart attack")["text"].tolist()
    ['Anterior MI in 2012.', 'Mild cough, no attacks.']
    """

    def __init__(self, notes: Annotations | pd.DataFrame, nlp: Language | None = None) -> None:
        self._source, self._nlp = notes, nlp
        table: Any = notes.notes if hasattr(notes, "entities") else notes
        self._ids: list[str] = table["note_id"].astype(str).tolist()
        self._texts: list[str] = table["text"].fillna("").tolist()
        self._first = np.cumsum([0, *(len(text) + 1 for text in self._texts)])  # of each note in all the text
        self._all = "\n".join(self._texts)
        self._words = _index_words(self._all)
        self._note_of = np.searchsorted(self._first, self._words.starts, "right") - 1

    def words(self, query: str) -> pd.DataFrame:
        """Find the notes that have all words of a query, in any order.

        A word finds all that begin with it; a phrase in quotes stands as it is. Capitals do not count.

        Returns
        -------
        DataFrame
            note_id, start, end, text: the place in the note where the words stand closest; score: how often they stand
            in the note. The highest score comes first.
        """
        terms = [self._hits(*term) for term in _terms(query)]
        counts = [np.bincount(self._note_of[hits.first], minlength=len(self._ids)) for hits in terms]
        if not terms or not (found := np.flatnonzero(np.all(counts, axis=0))).size:
            return self._rows(*np.zeros((3, 0), dtype=int))
        often = np.sum(counts, axis=0)[found]
        first, last = self._closest([hits.within(np.isin(self._note_of[hits.first], found)) for hits in terms])
        starts, ends = self._words.starts[first], self._words.ends[last]
        order = np.argsort(-often, kind="stable")
        return self._rows(starts[order], ends[order], often[order])

    def meaning(self, query: str, n: int = 20) -> pd.DataFrame:
        """Find the sentences that are most like a query in meaning, whether they assert it or deny it.

        The first search reads all sentences, and annotates the notes where there is no result: it takes a while.

        Returns
        -------
        DataFrame
            note_id, start, end, text: the sentence; score: from 0 to 1, the best first. At most n; of sentences with
            the same text, the first.
        """
        named, most = self._named(query)
        scores = (named + ALIKE * self._alike(query)) / (most + ALIKE)
        best: dict[str, int] = {}  # by text
        for i in np.argsort(-scores, kind="stable").tolist():
            if scores[i] <= 0 or len(best) == n:
                break
            best.setdefault(self._all[self._sentences.starts[i] : self._sentences.ends[i]], i)
        chosen = np.array(list(best.values()), dtype=int)
        return self._rows(self._sentences.starts[chosen], self._sentences.ends[chosen], scores[chosen])

    def _hits(self, words: list[str], whole: bool) -> _Hits:
        """Find where words stand one after another, the last of them maybe going on."""
        index = self._words
        low, high = index.range(words[-1], whole)
        if len(words) == 1:
            places = np.sort(index.order[index.bounds[low] : index.bounds[high]])
            return _Hits(places, places)
        last = len(words) - 1
        first = np.sort(index.order[slice(*index.bounds[list(index.range(words[0], True))])])
        first = first[first + last < len(index.ids)]
        kept = self._note_of[first] == self._note_of[first + last]
        for step, word in enumerate(words[1:], 1):
            a, b = index.range(word, True) if step < last else (low, high)
            kept &= (index.ids[first + step] >= a) & (index.ids[first + step] < b)
        return _Hits(first[kept], first[kept] + last)

    def _closest(self, terms: list[_Hits]) -> tuple[np.ndarray, np.ndarray]:
        """Give the first and the last word of the place in each note where the terms stand closest.

        Each note has all terms. Where they stand far apart, the place is that of the rarest.
        """
        rarest = min(terms, key=lambda hits: len(hits.first))
        notes = self._note_of[rarest.first]
        low, high = rarest.first, rarest.last
        for hits in terms:
            if hits is not rarest:
                near = hits.nearest(rarest.first, notes, self._note_of)
                low, high = np.minimum(low, hits.first[near]), np.maximum(high, hits.last[near])
        order = np.lexsort((high - low, notes))
        best = order[np.unique(notes[order], return_index=True)[1]]
        apart = (high - low)[best] > NEAR
        return np.where(apart, rarest.first[best], low[best]), np.where(apart, rarest.last[best], high[best])

    def _named(self, query: str) -> tuple[np.ndarray, float]:
        """Give the share of a query whose concepts each sentence names, and the share that has any."""
        named, most, total = np.zeros(len(self._sentences.starts), dtype=np.float32), 0.0, COMMONEST
        for words, concepts in self._parts(query):
            weight = sum(map(self._rarity, words))
            total += weight
            most += weight * bool(concepts)
            for concept in concepts:
                named[self._concepts.get(concept, [])] += weight / len(concepts)
        return named / total, most / total

    def _alike(self, query: str) -> np.ndarray:
        """Give the cosine of the vectors of a query and each sentence; 0 where it is less."""
        words = [match.casefold() for match in WORD.findall(query)]
        if not words:
            return np.zeros(len(self._sentences.starts), dtype=np.float32)
        wanted = _unit(np.array([[self._rarity(word)] for word in words]).T @ self._model.vectors(words))[0]
        blocks = np.array_split(self._vectors, 1 + len(self._vectors) // BLOCK)
        return np.concatenate([block.astype(np.float32) @ wanted for block in blocks]).clip(0)

    def _parts(self, query: str) -> Iterator[tuple[list[str], set[str]]]:
        """Cut a query into its concepts, which may have several names, and the words between them."""
        from clinnlp.pipeline import annotate

        notes = pd.DataFrame({"note_id": ["query"], "text": [query]})
        rows = _concepts(annotate(notes, self._reader)).sort_values("start")
        groups: list[tuple[int, int, set[str]]] = []
        for start, end, concept in rows[["start", "end", "concept"]].itertuples(index=False):
            if groups and start < groups[-1][1]:
                first, last, known = groups.pop()
                groups.append((first, max(last, end), known | {concept}))
            else:
                groups.append((start, end, {concept}))
        words = [(match.start(), match[0].casefold()) for match in WORD.finditer(query)]
        for start, end, concepts in groups:
            yield [word for place, word in words if start <= place < end], concepts
        for place, word in words:
            if not any(start <= place < end for start, end, _ in groups):
                yield [word], set()

    def _rarity(self, word: str) -> float:
        """Weigh a word by how few sentences have it (its inverse document frequency)."""
        low, high = self._words.range(word, True)
        return self._sentences.rarity(int(self._words.bounds[high] - self._words.bounds[low]))

    @cached_property
    def _reader(self) -> Language:
        from clinnlp.pipeline import load

        return self._nlp or load(exclude=["clinnlp_ner"])

    @cached_property
    def _model(self) -> _WordVectors:
        return _WordVectors()

    @cached_property
    def _sentences(self) -> _Sentences:
        from clinnlp.components.sentences import find_sentences

        found = [
            (first + start, first + end)
            for first, text in zip(self._first.tolist(), self._texts, strict=False)
            for start, end in find_sentences(text)
        ]
        return _Sentences(*np.array(found, dtype=np.int64).reshape(-1, 2).T)

    @cached_property
    def _vectors(self) -> np.ndarray:
        """The vector of each sentence, the mean of its words weighted by their rarity; of shape (sentences, WIDTH)."""
        index = self._words
        weights = [self._sentences.rarity(count) for count in np.diff(index.bounds).tolist()]
        words = self._model.vectors(index.vocabulary) * np.array(weights, dtype=np.float32)[:, None]
        of = self._sentences.at(index.starts)
        vectors = np.zeros((len(self._sentences.starts), WIDTH), dtype=np.float16)
        for first in range(0, len(vectors), BLOCK):
            part = slice(*np.searchsorted(of, [first, first + BLOCK]))
            if part.start < part.stop:
                sentences, begins = np.unique(of[part], return_index=True)
                vectors[sentences] = _unit(np.add.reduceat(words[index.ids[part]], begins))
        return vectors

    @cached_property
    def _concepts(self) -> dict[str, np.ndarray]:
        """The sentences that name a concept."""
        from clinnlp.pipeline import annotate

        source: Any = self._source
        rows = _concepts(source if hasattr(source, "entities") else annotate(source, self._reader))
        places = self._first[pd.Index(self._ids).get_indexer(pd.Index(rows["note_id"]))] + rows["start"]
        sentences = self._sentences.at(places.to_numpy())
        return {str(name): np.unique(sentences[found]) for name, found in rows.groupby("concept").indices.items()}

    def _rows(self, starts: np.ndarray, ends: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
        """Make the table of what was found, from places in all the text."""
        notes = np.searchsorted(self._first, starts, "right") - 1
        columns = {
            "note_id": [self._ids[note] for note in notes],
            "start": starts - self._first[notes],
            "end": ends - self._first[notes],
            "score": scores,
            "text": [self._all[start:end] for start, end in zip(starts, ends, strict=True)],
        }
        return pd.DataFrame(columns).astype(COLUMNS)


@dataclass(frozen=True)
class _Hits:
    """Places of a term, in order: the numbers of their first and last words."""

    first: np.ndarray
    last: np.ndarray

    def within(self, kept: np.ndarray) -> _Hits:
        return _Hits(self.first[kept], self.last[kept])

    def nearest(self, places: np.ndarray, notes: np.ndarray, note_of: np.ndarray) -> np.ndarray:
        """Give the hit nearest to each place in the same note, which has one."""
        after = np.searchsorted(self.first, places)
        around = np.clip(np.stack([after - 1, after]), 0, len(self.first) - 1)
        distance = np.abs(self.first[around] - places)
        distance[note_of[self.first[around]] != notes] = np.iinfo(distance.dtype).max
        chosen: np.ndarray = np.take_along_axis(around, distance.argmin(axis=0)[None], 0)[0]
        return chosen


@dataclass(frozen=True)
class _Words:
    """Each word of a text: its start, its end, and its number in the sorted vocabulary.

    `order` has the words sorted by these numbers; those of the number i stand from `bounds[i]` to `bounds[i + 1]`.
    """

    vocabulary: list[str]
    starts: np.ndarray
    ends: np.ndarray
    ids: np.ndarray
    order: np.ndarray
    bounds: np.ndarray

    def range(self, word: str, whole: bool) -> Span:
        """Give the numbers of a word, or of all that begin with it: the first and the one after the last."""
        low = bisect_left(self.vocabulary, word)
        if whole:
            return low, low + (low < len(self.vocabulary) and self.vocabulary[low] == word)
        return low, bisect_left(self.vocabulary, word + LAST)


@dataclass(frozen=True)
class _Sentences:
    """Where the sentences of a text start and end."""

    starts: np.ndarray
    ends: np.ndarray

    def at(self, places: np.ndarray) -> np.ndarray:
        """Give the number of the sentence at each place."""
        return np.searchsorted(self.starts, places, "right") - 1

    def rarity(self, count: int) -> float:
        """Weigh what stands in the text so many times."""
        return max(log((len(self.starts) + 1) / (count + 1)), COMMONEST)


def _index_words(text: str) -> _Words:
    letters = np.zeros(0x110000, dtype=bool)
    letters[[ord(sign) for sign in set(text) if sign.isalnum()]] = True
    inside = letters[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")]
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    codes, written = pd.factorize(np.array(WORD.findall(text), dtype=object))
    folded = [word.casefold() for word in written]
    vocabulary = sorted(set(folded))
    number = {word: i for i, word in enumerate(vocabulary)}
    ids = np.array([number[word] for word in folded], dtype=np.int32)[codes]
    bounds = np.concatenate([[0], np.bincount(ids, minlength=len(vocabulary)).cumsum()])
    return _Words(vocabulary, edges[::2], edges[1::2], ids, np.argsort(ids, kind="stable"), bounds)


class _WordVectors:
    """The vectors of the word pieces that the model of the shipped pack starts from.

    The first principal components of its vocabulary, which say how common a word is rather than what it means, are left
    out, and so are those after WIDTH more, which carry little.
    """

    def __init__(self) -> None:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        from clinnlp.models.pack import PACKS

        folder = PACKS / "mini"
        with safe_open(folder / "model.safetensors", "numpy") as file:
            table = file.get_tensor("bert.embeddings.word_embeddings.weight").astype(np.float32)
        table -= table.mean(axis=0)
        components = np.linalg.eigh(table.T @ table)[1][:, ::-1]
        self._table = table @ components[:, COMMON : COMMON + WIDTH]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()

    def vectors(self, words: list[str]) -> np.ndarray:
        """Give the mean of the pieces of each word, of shape (words, WIDTH)."""
        found = np.zeros((len(words), WIDTH), dtype=np.float32)
        for row, pieces in zip(found, self._tokenizer.encode_batch(words, add_special_tokens=False), strict=True):
            if pieces.ids:
                row[:] = self._table[pieces.ids].mean(axis=0)
        return found


def _terms(query: str) -> Iterator[tuple[list[str], bool]]:
    """Give the words of each term of a query, and whether the last is whole."""
    for phrase, chunk in TERM.findall(query):
        if words := WORD.findall((phrase or chunk).casefold()):
            yield words, bool(phrase)


def _concepts(result: Annotations) -> pd.DataFrame:
    """List what names a concept: note_id, start, end, concept, which is the name of a code or a condition."""
    coded = result.entities.dropna(subset="code_name").rename(columns={"code_name": "concept"})
    stated = result.evidence.rename(columns={"condition": "concept"})
    return pd.concat([table[["note_id", "start", "end", "concept"]] for table in (coded, stated)])


def _unit(rows: np.ndarray) -> np.ndarray:
    """Give rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
