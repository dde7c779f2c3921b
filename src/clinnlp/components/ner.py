"""Find entities with a transformer token classifier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import minibatch

from clinnlp.components.extensions import text_of

if TYPE_CHECKING:
    from clinnlp.models.token_classifier import Prediction

LIST_NUMBER = re.compile(r"^[ \t]*\(?(\d{1,2})[.)](?=\s)", re.MULTILINE)
DOCS = 32  # docs whose windows run together


@Language.factory("clinnlp_ner")
class Ner:
    """Add the entities that a model finds; entities that are there already are kept.

    Parameters
    ----------
    model, labels, download, threads
        What `clinnlp.models.load_classifier` takes.
    """

    def __init__(
        self,
        nlp: Language,
        name: str = "clinnlp_ner",
        model: str = "mini",
        labels: dict[str, str] | None = None,
        download: bool = False,
        threads: int | None = None,
    ) -> None:
        from clinnlp.models.pack import load_classifier

        self.name = name
        self.classifier = load_classifier(model, labels=labels, download=download, threads=threads)

    def __call__(self, doc: Doc) -> Doc:
        """Add the entities of the doc."""
        return _add(doc, self.classifier.predict(text_of(doc)))

    def pipe(self, stream: Iterable[Doc], batch_size: int = DOCS) -> Iterator[Doc]:
        """Add the entities of each doc; the windows of `batch_size` docs run together."""
        for docs in minibatch(stream, batch_size):
            batch = list(docs)
            found = self.classifier.predict_all([text_of(doc) for doc in batch])
            yield from map(_add, batch, found)


def _add(doc: Doc, found: Iterable[Prediction]) -> Doc:
    """Add entities where there are none."""
    taken = {i for e in doc.ents for i in range(e.start, e.end)}
    numbers = _list_numbers(doc)
    entities = list(doc.ents)
    for entity in found:
        span = _trimmed(doc.char_span(entity.start, entity.end, label=entity.label, alignment_mode="expand"), numbers)
        if span is not None and taken.isdisjoint(range(span.start, span.end)):
            span._.source, span._.score = "model", entity.score
            taken.update(range(span.start, span.end))
            entities.append(span)
    doc.ents = entities
    return doc


def _list_numbers(doc: Doc) -> set[int]:
    """Where the numbers of lists stand: at the start of a line, each after the one before it."""
    found: dict[int, set[int]] = {0: set()}
    for match in LIST_NUMBER.finditer(text_of(doc)):
        number = int(match[1])
        if number - 1 in found:
            found.setdefault(number, set()).add(match.start(1))
    return set().union(*found.values())


def _trimmed(span: Span | None, numbers: set[int]) -> Span | None:
    """Leave out signs and the number of a list at the ends; None where no number and no word but stop words is left."""
    if span is None:
        return None
    start, end = span.start, span.end
    while start < end and (
        span.doc[start].idx in numbers
        or (span.doc[start].is_punct and not (span.doc[start].text in "([" and ")" in span.text))
    ):
        start += 1
    while start < end and span.doc[end - 1].is_punct and not (span.doc[end - 1].text in ")]%" and "(" in span.text):
        end -= 1
    left = span.doc[start:end]
    says_something = any((t.is_alpha and not t.is_stop) or t.like_num for t in left)
    return Span(span.doc, start, end, label=span.label_) if says_something else None
