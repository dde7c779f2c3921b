"""Give diseases and symptoms the ICD-10-CM code that their name supports."""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.components.extensions import CODED


@Language.factory("clinnlp_codes")
class Codes:
    """Let `code_system`, `code` and `code_name` of a disease or symptom be those of ICD-10-CM where its name has one.

    A name that stands for several codes ("diabetes") keeps the MeSH code of the dictionary. Codes of drugs, and of a
    user's own vocabulary, stay as they are.
    """

    def __init__(self, nlp: Language, name: str = "clinnlp_codes") -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Mark the doc, whose codes are looked up when they are read."""
        doc.user_data[CODED] = True
        return doc
