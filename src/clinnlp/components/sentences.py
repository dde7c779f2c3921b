"""Find where sentences start.

A section header is a sentence of its own, and so is a list item with its marker; the lines of a hard-wrapped paragraph
belong together; full stops of abbreviations, numbers and list markers end nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from spacy.attrs import IDX, LENGTH, SENT_START
from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.components.extensions import text_of
from clinnlp.components.sections import find_sections
from clinnlp.resources import read_yaml

LINE = re.compile(r"[^\r\n]+")
ITEM = re.compile(r"[ \t]*(?:[-*•·>+o][ \t]|\[[ xX]?\]|☐|☒|\d{1,2}[.)][ \t]|[a-zA-Z][.)][ \t]|#)")
END = re.compile(r"(?<![.!?])[.!?]++[\"'”’)\]]*+(?=\s|[A-Z])")
BEFORE = re.compile(r"[^\s,;:(\[]+$")
OPENER = re.compile(r"\s*(?:[A-Z][a-z]|I\b|A\b)")
KEY = re.compile(r"[ \t]*[A-Za-z][\w /&-]{0,30}:")
WRAP = (48, 110)  # a hard-wrapped paragraph is so many characters wide
WIDE = 0.7  # share of the widest line nearby that a line must reach to have been wrapped


@lru_cache(maxsize=1)
def _abbreviations() -> tuple[frozenset[str], frozenset[str]]:
    data = read_yaml("sentences.yml")
    return frozenset(map(str, data["never_end"])), frozenset(map(str, data["may_end"]))


def find_sentences(text: str) -> list[tuple[int, int]]:
    """Give start and end of each sentence, without the white space around it.

    >>> text = "HPI: Seen by Dr. A today. No fever\\n- cough\\n- SOB"
    >>> [text[a:b] for a, b in find_sentences(text)]
    ['HPI:', 'Seen by Dr. A today.', 'No fever', '- cough', '- SOB']
    """
    found: list[tuple[int, int]] = []
    position = 0
    for section in find_sections(text):
        found += _body(text, position, section.start)
        found.append((section.start, section.body_start))
        position = section.body_start
    found += _body(text, position, len(text))
    return [(start, end) for a, b in found for start, end in [_strip(text, a, b)] if start < end]


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out the white space at both ends."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _body(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Give the sentences between two headers."""
    for a, b in _paragraphs(text, start, end):
        yield from _split(text, a, b)


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Give runs of lines that belong together."""
    lines = [m.span() for m in LINE.finditer(text, start, end)]
    first = 0
    for i in range(len(lines)):
        if i + 1 == len(lines) or not _wrapped(text, lines, i):
            yield lines[first][0], lines[i][1]
            first = i + 1


def _wrapped(text: str, lines: list[tuple[int, int]], i: int) -> bool:
    """Say whether line `i` goes on in the next line."""
    (a, b), (c, d) = lines[i], lines[i + 1]
    if text.count("\n", b, c) > 1 or text.count("\r", b, c) > 1:
        return False
    line, following = text[a:b].rstrip(), text[c:d]
    if not following.strip() or not line.strip() or ITEM.match(following) or KEY.match(following):
        return False
    if following.lstrip()[0].islower() and line[-1] not in ".!?:" and not line.isupper():
        return True
    widest = max(y - x for x, y in lines[max(0, i - 3) : i + 4])
    return WRAP[0] <= widest <= WRAP[1] and len(line) >= WIDE * widest and line[-1] not in ":"


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Split a run of lines at the ends of its sentences."""
    item = ITEM.match(text, start, end)
    first = start
    for match in END.finditer(text, item.end() if item else start, end):
        if match.end() < end and _ends(text, first, match, end):
            yield first, match.end()
            first = match.end()
    yield first, end


def _ends(text: str, first: int, match: re.Match[str], end: int) -> bool:
    """Say whether a full stop, question mark or exclamation mark ends the sentence that starts at `first`."""
    if match[0][0] != ".":
        return text[match.end()].isspace()
    never, may = _abbreviations()
    before = BEFORE.search(text, max(first, match.start() - 30), match.start())
    word = before[0].lower() if before else ""
    rest = text[match.end() : match.end() + 20]
    if not rest[:1].isspace():  # "HTN.Denies": a capital right after the full stop
        return len(word) > 1 and word[-1].isalpha() and "." not in word and bool(OPENER.match(rest))
    if rest.lstrip()[:1].islower() and "\n" not in rest[:2]:
        return word[-1:].isalpha() and word not in never and word not in may and len(word) > 3 and "." not in word
    if word in never or (word.isdigit() and match.start() - first < 4) or (len(word) == 1 and word.isalpha()):
        return word in may and bool(OPENER.match(rest))
    return bool(OPENER.match(rest)) or not (word in may or word.count(".") > 1)


@Language.factory("clinnlp_sentences")
class Sentences:
    """Set the sentence starts of the doc."""

    def __init__(self, nlp: Language, name: str = "clinnlp_sentences") -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Mark the first token of each sentence."""
        if not len(doc):
            return doc
        ends = doc.to_array([IDX, LENGTH]).sum(axis=1)
        starts = [start for start, _ in find_sentences(text_of(doc))]
        is_start = np.full(len(doc), -1, dtype="int64")
        first = np.searchsorted(ends, starts, side="right")  # the first token that ends after the start
        is_start[first[first < len(doc)]] = 1
        is_start[0] = 1
        values: Any = is_start.astype("uint64")  # spaCy takes one column flat, which its stubs do not know
        return doc.from_array([SENT_START], values)
