"""Let document classifiers vote on the conditions of a note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from clinnlp.components.extensions import text_of
from clinnlp.components.ner import DOCS


@Language.factory("clinnlp_classifiers")
class Classifiers:
    """Store the votes of document classifiers in `doc._.votes`; what the text states is never changed by them.

    Parameters
    ----------
    classifiers
        Mappings with the keys of `clinnlp.models.document_classifier.Spec`.
    conditions
        Path of a YAML file with condition definitions that extend or replace the shipped ones.
    download
        Whether the files of a hub id may be fetched; otherwise they must be on this machine.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        classifiers: list[dict[str, Any]],
        conditions: str | None = None,
        download: bool = False,
    ) -> None:
        from clinnlp.conditions import load as load_conditions
        from clinnlp.models.document_classifier import (
            DocumentClassifier,
            SequenceNetwork,
            find_questions,
            read_spec,
        )

        self.name = name
        known = load_conditions(conditions)
        specs = [read_spec(entry, known) for entry in classifiers]
        networks = {model: SequenceNetwork(model, download=download) for model in {spec.model: 0 for spec in specs}}
        self.classifiers = [
            DocumentClassifier(
                networks[spec.model], find_questions(spec, networks[spec.model], known), threshold=spec.threshold
            )
            for spec in specs
        ]

    def __call__(self, doc: Doc) -> Doc:
        """Store the votes on the doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], batch_size: int = DOCS) -> Iterator[Doc]:
        """Store the votes on each doc; the windows of `batch_size` docs run together."""
        for docs in minibatch(stream, batch_size):
            batch = list(docs)
            texts = [text_of(doc) for doc in batch]
            found = [classifier.predict_all(texts) for classifier in self.classifiers]
            for doc, *votes in zip(batch, *found, strict=True):
                doc._.votes = tuple(sorted(chain(*votes), key=lambda v: (v.start, v.end, v.condition, v.model)))
                yield doc
