"""Find entities with a transformer token classifier."""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.components import extensions  # noqa: F401  (registers the extensions)


@Language.factory("clinnlp_ner")
class Ner:
    """Add the entities that a model finds; entities that are there already are kept.

    Parameters
    ----------
    model
        A local folder, or a hub id whose files are in the local cache. Without one the component adds nothing: no
        trained model ships with the package yet.
    labels
        The model's labels by ours, added to the shipped table.
    stride
        Word pieces that neighbouring windows share.
    batch_size
        Windows run at once.
    """

    def __init__(
        self,
        nlp: Language,
        name: str = "clinnlp_ner",
        model: str | None = None,
        labels: dict[str, str] | None = None,
        stride: int = 64,
        batch_size: int = 8,
    ) -> None:
        self.name = name
        self.classifier = None
        if model is not None:
            from clinnlp.models.token_classifier import TokenClassifier

            self.classifier = TokenClassifier(model, labels=labels, stride=stride, batch_size=batch_size)

    def __call__(self, doc: Doc) -> Doc:
        """Add the entities of the doc."""
        if self.classifier is None:
            return doc
        taken = {i for e in doc.ents for i in range(e.start, e.end)}
        entities = list(doc.ents)
        for found in self.classifier.predict(doc.text):
            span = doc.char_span(found.start, found.end, label=found.label, alignment_mode="expand")
            if span is not None and taken.isdisjoint(range(span.start, span.end)):
                span._.source, span._.score = "model", found.score
                taken.update(range(span.start, span.end))
                entities.append(span)
        doc.ents = entities
        return doc
