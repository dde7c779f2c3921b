"""The tokenizer: a token is a run of letters, a number, or any other single character.

Clinical shorthand glues what other text keeps apart ("T2DM", "10mg", "HTN.Denies", "fever(-)"). With these tokens any
term that a reader would see as a word starts and ends at a token boundary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import spacy
from spacy.language import Language
from spacy.tokenizer import Tokenizer

MAX_LENGTH = 20_000_000  # characters; spaCy's own limit protects parsers that this pipeline does not have
SPLIT = re.compile(r"\d+(?:[.,]\d+)*|[^\w\s]|_")
EMPTY = re.compile("")


class Splitter:
    """Finds where to split what stands between spaces.

    spaCy takes prefixes off one by one, each time with a copy of the rest, which never ends for a million full stops;
    infixes it finds at once, but for one at the beginning: a split without characters behind it takes its place.
    """

    pattern = SPLIT.pattern

    def finditer(self, text: str) -> Iterator[re.Match[str] | None]:
        """Find the places, in order."""
        return (match if match.start() else EMPTY.match(text, match.end()) for match in SPLIT.finditer(text))


def blank() -> Language:
    """Make an empty English pipeline with the clinical tokenizer; it splits, and never changes, the text.

    >>> [token.text for token in blank()("T2DM,HTN. Cr 1.4->2.1")]
    ['T', '2', 'DM', ',', 'HTN', '.', 'Cr', '1.4', '-', '>', '2.1']
    """
    nlp = spacy.blank("en")
    nlp.tokenizer = Tokenizer(nlp.vocab, infix_finditer=Splitter().finditer)
    nlp.max_length = MAX_LENGTH
    return nlp
