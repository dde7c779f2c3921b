"""Bring the words of a text to one spelling, so that terms are found in British, American and mistyped forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SHORTEST = 8  # shorter words have too many real neighbours
REMEMBERED = 50_000


class Spelling:
    """Maps a word to lower case and American spelling, and a mistyped long word to the known word it stands for.

    A word is mistyped if it is one letter off (missing, extra, other, or swapped with the next) from exactly one known
    word of eight letters or more with the same first letter. What is tried is small: the word and the known words
    with one letter left out (the method of SymSpell, Garbe 2012).

    Parameters
    ----------
    known
        The words that mistyped words are brought back to.
    real
        Words that look mistyped and are not ("infection" beside "infarction" would be one).

    >>> spelling = Spelling(["anemia", "pneumonia"])
    >>> spelling.fix("Anaemia"), spelling.fix("pneumona"), spelling.fix("ammonia")
    ('anemia', 'pneumonia', 'ammonia')
    """

    def __init__(self, known: Iterable[str], real: Iterable[str] = ()) -> None:
        self._known = {normalise(w) for w in known}
        self._real = {normalise(w) for w in real}
        self._near: dict[str, set[str]] = {}
        for word in sorted(self._known):
            if len(word) >= SHORTEST:
                for short in (word, *_one_less(word)):
                    self._near.setdefault(short, set()).add(word)
        self._fixed: dict[str, str] = {}

    def fix(self, word: str) -> str:
        """Give the known word that `word` stands for, or `word` in lower case and American spelling."""
        fixed = self._fixed.get(word)
        if fixed is None:
            if len(self._fixed) >= REMEMBERED:
                self._fixed.clear()
            fixed = self._fixed[word] = self._correct(normalise(word))
        return fixed

    def _correct(self, word: str) -> str:
        if word in self._known or word in self._real or not SHORTEST - 1 <= len(word) <= 25:
            return word
        near = {k for short in (word, *_one_less(word)) for k in self._near.get(short, ())}
        near = {k for k in near if k[0] == word[0] and _is_one_off(word, k)}
        return near.pop() if len(near) == 1 else word


def normalise(word: str) -> str:
    """Give the word in lower case and American spelling."""
    return word.lower().replace("ae", "e").replace("oe", "e").replace("our", "or")


def _one_less(word: str) -> Iterator[str]:
    """Give the word with each of its letters but the first left out."""
    return (word[:i] + word[i + 1 :] for i in range(1, len(word)))


def _is_one_off(word: str, known: str) -> bool:
    """Say whether one slip turns `known` into `word`; a lost or added ending (plurals, adjectives) is no slip."""
    if len(word) != len(known):
        short, long = sorted((word, known), key=len)
        return len(long) - len(short) == 1 and not long.startswith(short) and short in _one_less(long)
    differ = [i for i, (a, b) in enumerate(zip(word, known, strict=True)) if a != b]
    if len(differ) == 1:
        return differ[0] < len(word) - 2  # the last letters tell word forms apart ("metastasis", "metastases")
    i = differ[0]
    return len(differ) == 2 and differ[1] == i + 1 and (word[i], word[i + 1]) == (known[i + 1], known[i])
