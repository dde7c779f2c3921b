"""Find diseases, symptoms, drugs, tests and procedures by dictionary, and the terms of the conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

from clinnlp.abbreviations import find_abbreviations, label_of, senses_of
from clinnlp.components.extensions import CONDITIONS, find_named, text_of
from clinnlp.vocabulary import WORD, Term, Vocabulary, load_vocabulary

if TYPE_CHECKING:
    from clinnlp.conditions import Conditions

GAP = re.compile(r"[ \t'’-]?(?:\r?\n[ \t]*)?")  # what may stand between two words of one term
EXTENDED = ("DISEASE", "SYMPTOM")
MODEL = "model"
REMEMBERED = 64  # texts whose terms are kept: the model is told of them before the lexicon adds them
LIKELY = 0.7, 0.5  # the scores from which a model's problem, and another entity of it, count without a dictionary


@dataclass(frozen=True, slots=True)
class Match:
    """A dictionary term found in a text, from `start` to `end` in characters."""

    start: int
    end: int
    term: Term


@lru_cache(maxsize=REMEMBERED)
def find_terms(text: str, vocabulary: Vocabulary) -> tuple[Match, ...]:
    """Find the longest dictionary terms in a text, from left to right and without overlaps.

    A disease or symptom takes in the places, sides and kinds right before it ("left knee pain"); a word that is a
    finding only with one of these ("failure") is left out where none stands there.
    """
    places = [m.span() for m in WORD.finditer(text)]
    words = [text[start:end] for start, end in places]
    lower = [word.lower() for word in words]
    joined = [GAP.fullmatch(text, a[1], b[0]) is not None for a, b in pairwise(places)] + [False]
    modifiers = vocabulary.modifiers
    found: list[Match] = []
    first = 0  # the words before this one belong to an earlier match
    i = 0
    while i < len(words):
        run = 1  # words that could be one term
        most = vocabulary.most_words(lower[i], lower[i + 1] if joined[i] else "")
        while run < most and joined[i + run - 1]:
            run += 1
        n, term = _longest(words[i : i + run], vocabulary) if most else (1, None)
        if term is not None:
            start = i
            while term.label in EXTENDED and start > first and joined[start - 1] and lower[start - 1] in modifiers:
                start -= 1
            if start < i or n > 1 or lower[i] not in vocabulary.head_only:
                found.append(Match(places[start][0], places[i + n - 1][1], term))
                first = i + n
        i += n
    return tuple(found)


def _longest(words: list[str], vocabulary: Vocabulary) -> tuple[int, Term | None]:
    """Find the longest term that starts with the first word, and its number of words; 1 where there is none."""
    for n in range(len(words), 0, -1):
        if term := vocabulary.find(words[:n]):
            return n, term
    return 1, None


@Language.factory("clinnlp_lexicon")
class Lexicon:
    """Add dictionary terms to `doc.ents`, and condition terms to `doc.spans["conditions"]`.

    Entities that are there already are kept, and a term that overlaps one is left out; but a term takes the place of
    what a model found (`clinnlp_ner`), and where it found what no dictionary has, it must be sure. In the span group
    the label of a span is the condition and its id the rule that found it.

    Parameters
    ----------
    conditions
        Path of a YAML file with condition definitions that extend or replace the shipped ones.
    vocabulary
        Path of a CSV file with more terms; see `clinnlp.terminology.read_terms`.
    """

    def __init__(
        self,
        nlp: Language,
        name: str = "clinnlp_lexicon",
        conditions: str | None = None,
        vocabulary: str | None = None,
    ) -> None:
        from clinnlp.conditions import load as load_conditions

        self.name = name
        self.vocabulary = load_vocabulary()
        self.own: frozenset[str] = frozenset()  # terms of the user's file, whose meaning the file decides
        if vocabulary is not None:
            from clinnlp.terminology import extend, read_terms

            table = read_terms(vocabulary)
            self.vocabulary, self.own = extend(self.vocabulary, table), frozenset(table["term"])
        self.conditions: Conditions = load_conditions(conditions)

    def __call__(self, doc: Doc) -> Doc:
        """Add the terms of the doc."""
        named = find_named(text_of(doc))
        matches = [m for m in self.conditions.match(text_of(doc)) if named.isdisjoint(range(m[0], m[1]))]
        group = [_span(doc, start, end, condition, rule) for start, end, condition, rule in matches]
        doc.spans[CONDITIONS] = SpanGroup(doc, name=CONDITIONS, spans=[s for s in group if s is not None])
        kept = [e for e in doc.ents if e._.source != MODEL]
        terms = self._terms(doc, kept, named)
        taken = {i for term in terms for i in range(term.start, term.end)}
        guesses = [e for e in doc.ents if e._.source == MODEL and taken.isdisjoint(range(e.start, e.end))]
        guesses = [e for e in guesses if named.isdisjoint(range(e.start_char, e.end_char))]
        doc.ents = [*kept, *terms, *(e for e in guesses if self._is_likely(e))]
        return doc

    def _terms(self, doc: Doc, kept: list[Span], named: set[int]) -> list[Span]:
        """Give the dictionary terms that overlap no entity that is kept, and no name after a title."""
        taken = {i for e in kept for i in range(e.start, e.end)}
        spans: list[Span] = []
        for match in self._read_abbreviations(doc, find_terms(text_of(doc), self.vocabulary)):
            span = _span(doc, match.start, match.end, match.term.label)
            is_free = named.isdisjoint(range(match.start, match.end))
            if is_free and span is not None and taken.isdisjoint(range(span.start, span.end)):
                span._.source, span._.score = "lexicon", 1.0
                span._.code_system, span._.code = match.term.code_system, match.term.code
                span._.code_name = match.term.name if match.term.code else None
                spans.append(span)
        return filter_spans(spans)

    def _read_abbreviations(self, doc: Doc, matches: Iterable[Match]) -> Iterator[Match]:
        """Give the terms, those of ambiguous abbreviations as the note decides; where it does not, without a code."""
        found = (a for a in find_abbreviations(doc) if a.short not in self.own)
        open_ones = {a.end: a for a in found if len(senses_of(a.short)) > 1}
        for match in matches:
            short = open_ones.pop(match.end, None)
            if short is None or short.start < match.start:
                yield match
            elif short.long is None:
                yield replace(match, term=Term(match.term.label, match.term.name))
            elif label := label_of(short):
                yield replace(match, term=self._term(short.long, label))
        for short in open_ones.values():
            if short.long and (label := label_of(short)):
                yield Match(short.start, short.end, self._term(short.long, label))

    def _term(self, name: str, label: str) -> Term:
        """Give the dictionary term of a name, with a label."""
        known = self.vocabulary.find(WORD.findall(name))
        return replace(known, label=label) if known else Term(label, name)

    def _is_likely(self, entity: Span) -> bool:
        """Say whether a model's entity that no dictionary knows counts; a problem has a word of three letters."""
        is_problem = entity.label_ in EXTENDED
        if is_problem and not any(t.is_alpha and len(t) > 2 for t in entity):
            return False
        least = LIKELY[0 if is_problem else 1]
        return entity._.score >= least and entity.text.lower() not in self.vocabulary.ignored


def _span(doc: Doc, start: int, end: int, label: str, rule: str = "") -> Span | None:
    """Make a span of whole tokens; None where it would cover no token."""
    span: Span | None = doc.char_span(start, end, label=label, span_id=rule, alignment_mode="expand")
    return span
