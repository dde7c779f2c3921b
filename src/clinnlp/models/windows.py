"""Cutting a text of any length into overlapping windows of word pieces, each tied to its word."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORD = re.compile(r"\w+(?:[.,]\d+)*|[^\w\s]")
BREAK = re.compile(r"(?<!\s)\s*\n\s*|(?<=[.?!;])\s+(?=[A-Z0-9(\[])")  # after which a sentence, or a line, starts
LANDMARK = 8  # pieces that a place is known by
LONGEST_UNIT = 32  # pieces of a word that stay together; a longer word goes on in the next unit


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text in word pieces.

    `words` are the characters of each word, `first` its first piece (-1 where the tokenizer leaves the word out),
    `ids` and `word_of` the vocabulary id and the first word of each piece, `units` the first piece of each stretch that
    is never cut, with the number of pieces at the end.
    """

    words: list[tuple[int, int]]
    first: list[int]
    ids: list[int]
    word_of: list[int]
    units: list[int]


def split_words(text: str) -> list[tuple[int, int]]:
    """Give the characters of each word, number and sign.

    >>> split_words("B12 5,000.5 mg.")
    [(0, 3), (4, 11), (12, 14), (14, 15)]
    """
    return [m.span() for m in WORD.finditer(text)]


def split_pieces(text: str, tokenizer: Tokenizer) -> Pieces:
    """Split a text into word pieces with a tokenizer that neither truncates nor pads.

    A piece belongs to the first word that it has a character of, and is the first piece of all words that start in
    it; pieces of white space are left out.
    """
    words = split_words(text)
    encoded = tokenizer.encode(text, add_special_tokens=False)
    ids: list[int] = []
    word_of: list[int] = []
    units: list[int] = []
    first = [-1] * len(words)
    word = 0
    for piece, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
        while word < len(words) and words[word][1] <= start:
            word += 1
        if word == len(words) or words[word][0] >= end:
            continue
        if not units or word != word_of[-1] or len(ids) - units[-1] == LONGEST_UNIT:
            units.append(len(ids))
        for started in range(word, len(words)):
            if words[started][0] >= end:
                break
            if first[started] < 0:
                first[started] = len(ids)
        ids.append(piece)
        word_of.append(word)
    return Pieces(words, first, ids, word_of, [*units, len(ids)])


def cut(text: str, pieces: Pieces, limit: int, overlap: int) -> list[tuple[int, int]]:
    """Cut into windows of at most `limit` pieces, at the ends of sentences and lines where there are any.

    Neighbouring windows share whole sentences of up to `overlap` pieces, or else as many words. A window ends where the
    words after its end say so: text that was copied from another note is soon cut as it was there. Gives the first
    piece of each window and the one after its last.
    """
    units = pieces.units
    last_unit = len(units) - 1
    starts = [0] * (last_unit + 1)  # 1 where a sentence starts
    for gap in BREAK.finditer(text):
        word = bisect_left(pieces.words, (gap.end(), 0))
        unit = bisect_left(units, bisect_left(pieces.word_of, word))
        starts[min(unit, last_unit)] = 1
    breaks = [i for i, is_start in enumerate(starts) if is_start]
    windows = []
    first = 0
    while first < last_unit:
        last = min(bisect_right(units, units[first] + limit) - 1, last_unit)
        if last < last_unit:
            low = bisect_left(units, units[first] + limit // 2)
            last = _landmark(breaks, low, last, lambda i: pieces.ids[units[i] : units[i] + LANDMARK])
        windows.append((units[first], units[last]))
        if last == last_unit:
            break
        nearest = max(bisect_left(units, units[last] - overlap), first + 1)
        following = bisect_left(breaks, nearest)
        first = breaks[following] if following < len(breaks) and breaks[following] <= last else nearest
    return windows


def _landmark(breaks: Sequence[int], low: int, high: int, after: Callable[[int], list[int]]) -> int:
    """Give the break after `low`, up to `high`, whose pieces after it have the least checksum; `high` without any."""
    some = breaks[bisect_right(breaks, low) : bisect_right(breaks, high)]
    return min(some, key=lambda i: crc32(repr(after(i)).encode()), default=high)


def special_ends(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Give the ids of the special tokens that a tokenizer puts before and after a text.

    From here on the tokenizer neither truncates nor pads.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoded = tokenizer.encode("a")
    inside = [i for i, (start, end) in enumerate(encoded.offsets) if end > start and not encoded.special_tokens_mask[i]]
    return encoded.ids[: inside[0]], encoded.ids[inside[-1] + 1 :]
