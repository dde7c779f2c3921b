"""Building the spaCy pipeline, and running it over a table of notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language

COMPONENTS = (
    "clinnlp_sentences", "clinnlp_sections", "clinnlp_ner", "clinnlp_lexicon", "clinnlp_context",
    "clinnlp_medications", "clinnlp_measurements", "clinnlp_codes",
)  # fmt: skip
MAX_LENGTH = 20_000_000


def load(*, ner: str | None = None, exclude: Iterable[str] = (), conditions: str | None = None) -> Language:
    """Build the pipeline."""
    from clinnlp.tokenizer import blank

    nlp = blank()
    for name in COMPONENTS:
        if name not in set(exclude):
            nlp.add_pipe(name)
    return nlp
