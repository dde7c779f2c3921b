"""Summaries made of the note's own words: each line is a span of the note."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable

from spacy.tokens import Doc, Span

from clinnlp.resources import read_yaml
from clinnlp.schema import SummaryLine

FINDINGS = ("DISEASE", "SYMPTOM")


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
        `rank` counts from 1 within a kind; `doc.text[start:end] == text`.
    """
    sentences = _sentences(doc)
    length = max(1, len(doc.text))
    findings = [e for e in doc.ents if e.label_ in FINDINGS]
    starts = [e.start for e in findings]

    def score(i: int) -> float:
        inside = findings[bisect_left(starts, sentences[i].start) : bisect_left(starts, sentences[i].end)]
        return _score(sentences, i, inside, length)

    scored = sorted(((score(i), -i) for i in range(len(sentences))), reverse=True)
    best = _distinct((sentences[-i] for _, i in scored), n_sentences)
    scores = {sentences[-i].start: score for score, i in scored}
    lines = [_line("sentence", rank, s, scores[s.start]) for rank, s in enumerate(best, 1)]
    most = read_yaml("summary.yml")["lines"]
    kinds: dict[str, Callable[[Doc], Iterable[Span]]] = {
        "problem": _problems, "medication": _medications, "result": _results, "plan": lambda d: _plans(d, sentences),
    }  # fmt: skip
    for kind, find in kinds.items():
        lines += [_line(kind, rank, s) for rank, s in enumerate(_distinct(find(doc), most), 1)]
    return lines


def _line(kind: str, rank: int, span: Span, score: float | None = None) -> SummaryLine:
    """Make a line of a span."""
    return SummaryLine(rank, kind, span.text, span.start_char, span.end_char, span._.section, score)


def _distinct(spans: Iterable[Span], most: int) -> list[Span]:
    """Keep the first of the spans with the same words, up to a number."""
    kept: dict[str, Span] = {}
    for span in spans:
        if len(kept) == most:
            break
        kept.setdefault(" ".join(span.text.lower().split()), span)
    return list(kept.values())


def _sentences(doc: Doc) -> list[Span]:
    """Give the sentences that say something, without headers and white space."""
    headers = {s.start for s in doc._.sections}
    spans = (_trimmed(s) for s in (doc.sents if doc.has_annotation("SENT_START") else [doc[:]]))
    fewest = read_yaml("summary.yml")["fewest_words"]
    return [
        s for s in spans if s.start_char not in headers and sum(t.is_alpha for t in s) >= fewest and s.start < s.end
    ]


def _trimmed(span: Span) -> Span:
    """Leave out white space and list markers at the ends."""
    start, end = span.start, span.end
    while end > start and span.doc[end - 1].is_space:
        end -= 1
    while start < end and (span.doc[start].is_space or span.doc[start].is_punct):
        start += 1
    return span.doc[start:end]


def _score(sentences: list[Span], i: int, findings: list[Span], length: int) -> float:
    """Say how much sentence `i`, with these findings, tells of a note of `length` characters."""
    weights, sentence = read_yaml("summary.yml"), sentences[i]
    section = sentence._.section
    score = float(weights["sections"].get(section, weights["no_section"]))
    score += weights["place"] * (1 - sentence.start_char / length)
    if i == 0 or sentences[i - 1]._.section != section:
        score += weights["first"]
    denied = sum(e._.assertion == "absent" for e in findings)
    score += weights["finding"] * min(4, len(findings) - denied) + weights["denied"] * denied
    return round(score - (len(sentence) > weights["long"]), 4)


def _problems(doc: Doc) -> list[Span]:
    """Give the findings that the patient has, diseases first, those of telling sections first."""
    sections = read_yaml("summary.yml")["sections"]
    present = [e for e in doc.ents if e.label_ in FINDINGS and e._.assertion == "present"]
    return sorted(present, key=lambda e: (e.label_ != "DISEASE", -sections.get(e._.section, 1.0), e.start))


def _medications(doc: Doc) -> list[Span]:
    """Give the drugs taken or planned, with what follows of dose and frequency on the line."""
    text, spans = doc.text, []
    for drug in doc._.medications:
        if drug.status in ("active", "planned"):
            line = text[drug.end : drug.end + 200].partition("\n")[0]
            ends = [line.find(p) + len(p) for p in (drug.dose, drug.route, drug.frequency) if p and p in line[:80]]
            spans.append(doc.char_span(drug.start, drug.end + max(ends, default=0), alignment_mode="expand"))
    return [s for s in spans if s is not None]


def _results(doc: Doc) -> list[Span]:
    """Give the values outside their range, from the name of the test where it is near."""
    text, spans = doc.text, []
    for value in doc._.measurements:
        if value.interpretation in ("low", "high"):
            name = text.rfind(value.test, max(0, value.start - 60), value.start)
            spans.append(doc.char_span(name if name >= 0 else value.start, value.end, alignment_mode="expand"))
    return [s for s in spans if s is not None]


def _plans(doc: Doc, sentences: list[Span]) -> list[Span]:
    """Give the sentences of the plan that say what is to be done."""
    verb = re.compile(read_yaml("summary.yml")["plan"], re.IGNORECASE)
    where = ("assessment_plan", "discharge_instructions")
    return [s for s in sentences if s._.section in where and verb.search(s.text)]
