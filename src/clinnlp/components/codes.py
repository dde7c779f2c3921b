"""Give diseases and symptoms the ICD-10-CM code that their name supports."""

from __future__ import annotations

from collections.abc import Iterator

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinnlp.components.extensions import section_at  # noqa: F401  (registers the extensions)
from clinnlp.icd10 import SYSTEM, find_code, names_of

CODED = ("DISEASE", "SYMPTOM")


def find_codes(doc: Doc) -> Iterator[tuple[Span, tuple[str, str]]]:
    """Give each disease and symptom that has one code with that code and its description.

    It has one if its own words name exactly one, or else the dictionary term that they are; a name that stands for
    several ("diabetes") gets none. Codes of drugs, and of a user's own vocabulary, are those of the dictionary.
    """
    for ent in doc.ents:
        if ent.label_ in CODED and ent._.code_system in (None, "MeSH"):
            names = [name for name, _ in names_of(ent.text)]
            if ent._.code_name:
                names.append(ent._.code_name)
            if code := find_code(*names):
                yield ent, code


@Language.factory("clinnlp_codes")
class Codes:
    """Store the code of a disease or symptom in its span; a code of another vocabulary is kept where there is none."""

    def __init__(self, nlp: Language, name: str = "clinnlp_codes") -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Add the codes."""
        for ent, (code, description) in find_codes(doc):
            ent._.code_system, ent._.code, ent._.code_name = SYSTEM, code, description
        return doc
