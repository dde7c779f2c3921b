"""Find where sentences start."""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.components import extensions  # noqa: F401  (registers the extensions)


@Language.factory("clinnlp_sentences")
class Sentences:
    """Find where sentences start."""

    def __init__(self, nlp: Language, name: str = "clinnlp_sentences") -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Add what is found to the doc."""
        return doc
