"""Summaries made of the note's own words: each line is a span of the note."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from spacy.tokens import Doc, Span

from clinnlp.components.extensions import text_of
from clinnlp.components.sentences import find_sentences
from clinnlp.errors import InputError
from clinnlp.resources import read_yaml
from clinnlp.schema import SummaryLine

FINDINGS = ("DISEASE", "SYMPTOM")
AGE = re.compile(r"\b\d{1,3}[- ]?(?:year|month|week|day)s?[- ]old\b|\b\d{1,3} ?y/?o\b", re.IGNORECASE)
PLANNED = ("MEDICATION", "PROCEDURE", "TEST")


def summarise(doc: Doc, n_sentences: int = 2) -> list[SummaryLine]:
    """Summarise a note: its best sentences, then problems, medications, results and plans.

    Parameters
    ----------
    doc
        A doc that went through the pipeline.
    n_sentences
        How many lines of kind `sentence`; the other kinds have at most eight.

    Returns
    -------
    list of SummaryLine
        `rank` counts from 1 within a kind; `doc.text[start:end] == text`. Only sentences have a score: what the
        human description of a report would share with them (ROUGE-1), as `resources/summary.yml` foretells it.

    Raises
    ------
    InputError
        When `n_sentences` is negative.
    """
    if n_sentences < 0:
        raise InputError(f"A summary cannot have {n_sentences} sentences. Ask for 0 or more.")
    sentences = find_candidates(doc)
    weights = read_yaml("summary.yml")["weights"]
    scores = {
        s.start: round(sum(weights.get(name, 0.0) * value for name, value in found.items()), 4)
        for s, found in zip(sentences, features(doc, sentences), strict=True)
    }
    best = _different(sorted(sentences, key=lambda s: (-scores[s.start], s.start)), n_sentences)
    lines = [_line("sentence", rank, s, scores[s.start]) for rank, s in enumerate(best, 1)]
    most = read_yaml("summary.yml")["lines"]
    for kind, spans in (
        ("problem", _once((e.text, e) for e in _problems(doc))), ("medication", _once(_medications(doc))),
        ("result", _once(_results(doc))), ("plan", _once((s.text, s) for s in _plans(doc, sentences))),
    ):  # fmt: skip
        lines += [_line(kind, rank, s) for rank, s in enumerate(spans[:most], 1)]
    return lines


def _line(kind: str, rank: int, span: Span, score: float | None = None) -> SummaryLine:
    """Make a line of a span."""
    return SummaryLine(rank, kind, span.text, span.start_char, span.end_char, span._.section, score)


def _once(spans: Iterable[tuple[str, Span]]) -> list[Span]:
    """Keep the first span of each key, whatever its capitals and spaces."""
    kept: dict[str, Span] = {}
    for key, span in spans:
        kept.setdefault(" ".join(key.lower().split()), span)
    return list(kept.values())


def _different(spans: Iterable[Span], most: int) -> list[Span]:
    """Keep the first spans, but for those that repeat most words of one that is kept."""
    kept: list[tuple[Span, set[str]]] = []
    for span in spans:
        if len(kept) == most:
            break
        words = {t.lower_ for t in span if t.is_alpha}
        if all(len(words & other) < 0.6 * min(len(words), len(other)) for _, other in kept):
            kept.append((span, words))
    return [span for span, _ in kept]


def find_candidates(doc: Doc) -> list[Span]:
    """Give the sentences with a word in them, without headers, and without white space and marks at their ends."""
    headers = {s.start for s in doc._.sections}
    if doc.has_annotation("SENT_START"):
        sentences = list(doc.sents)
    else:
        spans = (doc.char_span(a, b, alignment_mode="expand") for a, b in find_sentences(text_of(doc)))
        sentences = [s for s in spans if s is not None]
    trimmed = (_trimmed(s) for s in sentences)
    return [s for s in trimmed if s.start_char not in headers and _says_something(s)]


def _says_something(sentence: Span) -> bool:
    """Say whether there are words enough: one, but in the dates, names and services of a form four in lower case.

    These stand before the first header or under one that says nothing.
    """
    if sentence._.section in ("other", None) and sentence.doc._.sections:
        return sum(t.is_alpha and t.is_lower for t in sentence) >= 4
    return any(t.is_alpha for t in sentence)


def _trimmed(span: Span) -> Span:
    """Leave out white space and list markers at the ends."""
    start, end = span.start, span.end
    while end > start and span.doc[end - 1].is_space:
        end -= 1
    while start < end and (span.doc[start].is_space or span.doc[start].is_punct):
        start += 1
    return span.doc[start:end]


def features(doc: Doc, sentences: list[Span]) -> Iterator[dict[str, float]]:
    """Give what tells of each sentence how much it says of its note, by name; the weights are in `summary.yml`."""
    sections = [s.start for s in doc._.sections]
    findings = list(doc.ents)
    starts = [e.start for e in findings]
    seen: set[int] = set()
    for i, sentence in enumerate(sentences):
        at = bisect_right(sections, sentence.start_char) - 1
        category = sentence._.section or "none"
        header = set(re.findall(r"[a-z]+", doc._.sections[at].header.lower())) if at >= 0 else set()
        inside = findings[bisect_right(starts, sentence.start - 1) : bisect_right(starts, sentence.end - 1)]
        denied = [e for e in inside if e.label_ in FINDINGS and e._.assertion == "absent"]
        named = [e for e in inside if e.label_ in FINDINGS and e._.assertion != "absent"]
        words = sum(t.is_alpha for t in sentence)
        found = {
            f"section {category}": 1.0, f"words {next(n for n in (60, 35, 20, 10, 6, 3, 0) if words >= n)}": 1.0,
            "place": 1 - sentence.start_char / len(text_of(doc)), "first section": float(at <= 0),
            "age": float(AGE.search(sentence.text) is not None), "denied": float(min(4, len(denied))),
            "findings": float(min(4, len(named))),
            "procedures": float(min(3, sum(e.label_ == "PROCEDURE" for e in inside))),
        }  # fmt: skip
        if i < 3:
            found[f"sentence {i + 1}"] = 1.0
        found |= {f"header {word}": 1.0 for word in header}
        if at not in seen:
            found[f"first of {category}"] = 1.0
            found |= {f"first under {word}": 1.0 for word in header}
        seen.add(at)
        yield found


def _problems(doc: Doc) -> list[Span]:
    """Give the findings that the patient has, diseases first, those of telling sections first."""
    weights = read_yaml("summary.yml")["weights"]
    present = [e for e in doc.ents if e.label_ in FINDINGS and e._.assertion == "present"]
    return sorted(
        present, key=lambda e: (e.label_ != "DISEASE", -weights.get(f"section {e._.section or 'none'}", 0.0), e.start)
    )


def _medications(doc: Doc) -> Iterator[tuple[str, Span]]:
    """Give the drugs taken or planned, by name, with what follows of dose and frequency on the line."""
    text = text_of(doc)
    for drug in doc._.medications:
        if drug.status in ("active", "planned"):
            line = text[drug.end : drug.end + 200].partition("\n")[0]
            ends = [line.find(p) + len(p) for p in (drug.dose, drug.route, drug.frequency) if p and p in line[:80]]
            span = doc.char_span(drug.start, drug.end + max(ends, default=0), alignment_mode="expand")
            if span is not None:
                yield drug.text, span


def _results(doc: Doc) -> Iterator[tuple[str, Span]]:
    """Give the values outside their range, from the name of the test where it is near."""
    text = text_of(doc)
    for value in doc._.measurements:
        if value.interpretation in ("low", "high"):
            name = text.rfind(value.test, max(0, value.start - 60), value.start)
            span = doc.char_span(name if name >= 0 else value.start, value.end, alignment_mode="expand")
            if span is not None:
                yield span.text, span


def _plans(doc: Doc, sentences: list[Span]) -> Iterator[Span]:
    """Give the sentences of the plan that say what is to be done: with a verb, a drug, a procedure or a test."""
    verb = re.compile(read_yaml("summary.yml")["plan"], re.IGNORECASE)
    for s in sentences:
        planned = s._.section in ("assessment_plan", "discharge_instructions")
        if planned and (verb.search(s.text) or any(e.label_ in PLANNED for e in s.ents)):
            yield s
