"""What a dictionary says of each word, as an input of a model: the type of the word piece."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

LABELS = ("DISEASE", "SYMPTOM", "MEDICATION", "TEST", "PROCEDURE", "CHEMICAL")
TYPES = 1 + 2 * len(LABELS)  # 0 for none, then the first word and the others of each label


def word_types(text: str, words: Sequence[tuple[int, int]]) -> list[int]:
    """Give the type of each word: 0, or one that says which dictionary label it has, and if its term starts there.

    >>> word_types("no chest pain", [(0, 2), (3, 8), (9, 13)])
    [0, 3, 4]
    """
    from clinnlp.components.lexicon import find_terms
    from clinnlp.vocabulary import Vocabulary, load_vocabulary

    types = [0] * len(words)
    starts, ends = [start for start, _ in words], [end for _, end in words]
    vocabulary = load_vocabulary()
    for match in [*find_terms(text, vocabulary), *find_terms(text, vocabulary.chemicals or Vocabulary())]:
        first, last = bisect_right(ends, match.start), bisect_left(starts, match.end)
        if match.term.label in LABELS and not any(types[first:last]):
            inside = 2 + 2 * LABELS.index(match.term.label)
            types[first:last] = [inside] * (last - first)
            types[first] = inside - 1
    return types
