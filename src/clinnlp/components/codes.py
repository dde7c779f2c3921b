"""Give medications the codes of their drug entity.

Diseases, symptoms and drugs get their code from the dictionary that found them; a drug's attributes are read later, so
its code is carried over here.
"""

from __future__ import annotations

from dataclasses import replace

from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.components import extensions  # noqa: F401  (registers the extensions)
from clinnlp.schema import Medication


def find_codes(doc: Doc) -> tuple[Medication, ...]:
    """Give the medications of the doc with the code of the drug entity that starts where they do."""
    drugs = {e.start_char: e._ for e in doc.ents if e.label_ == "MEDICATION"}
    return tuple(
        replace(m, code_system=drug.code_system, code=drug.code, code_name=drug.code_name)
        if (drug := drugs.get(m.start))
        else m
        for m in doc._.medications
    )


@Language.factory("clinnlp_codes")
class Codes:
    """Store the medications with their codes in `doc._.medications`."""

    def __init__(self, nlp: Language, name: str = "clinnlp_codes") -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Add the codes."""
        doc._.medications = find_codes(doc)
        return doc
