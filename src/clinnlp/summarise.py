"""Summaries made of the note's own words: each line is a span of the note."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache
from math import inf
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinnlp.components.extensions import text_of
from clinnlp.components.sentences import find_sentences
from clinnlp.errors import InputError
from clinnlp.patients import find_copies
from clinnlp.ranking import FINDINGS, choose, count_words, predict
from clinnlp.resources import read_yaml
from clinnlp.schema import SummaryLine, as_row, make_table

if TYPE_CHECKING:
    import pandas as pd

PLANNED = ("MEDICATION", "PROCEDURE", "TEST")


def summarise(
    doc: Doc,
    n_sentences: int = 2,
    *,
    max_words: int | None = None,
    max_share: float | None = None,
    without: Iterable[tuple[int, int]] = (),
) -> list[SummaryLine]:
    """Summarise a note: its best sentences, then problems, medications, results and plans.

    Parameters
    ----------
    doc
        A doc that went through the pipeline.
    n_sentences
        How many lines of kind `sentence` at most; one that would add nothing is left out. The other kinds have at most
        eight.
    max_words, max_share
        How many words the sentences have together at most, and which share of the words of the note; the best sentence
        that fits stands first.
    without
        Start and end of text that no sentence is taken from, such as what `clinnlp.patients.find_copies` finds.

    Returns
    -------
    list of SummaryLine
        `rank` counts from 1 within a kind; `doc.text[start:end] == text`. Only sentences have a score: the F1
        that `clinnlp.ranking` foretells of their words and those of a human one-line description.

    Raises
    ------
    InputError
        When a limit is negative, or the share more than 1.
    """
    if n_sentences < 0:
        raise InputError(f"A summary cannot have {n_sentences} sentences. Ask for 0 or more.")
    if (max_words or 0) < 0 or not 0 <= (max_share or 0) <= 1:
        raise InputError(
            f"Got max_words {max_words} and max_share {max_share}. Give 0 or more words, and 0 to 1 as share."
        )
    left_out = list(without)
    sentences = find_candidates(doc)
    fresh = [s for s in sentences if not any(a <= s.start_char and s.end_char <= b for a, b in left_out)]
    words = _budget(doc, max_words, max_share)
    lines = [
        _line("sentence", rank, s, score) for rank, (s, score) in enumerate(extract(doc, fresh, n_sentences, words), 1)
    ]
    most = read_yaml("summary.yml")["lines"]
    for kind, spans in (
        ("problem", _once((e.text, e) for e in _problems(doc))), ("medication", _once(_medications(doc))),
        ("result", _once(_results(doc))), ("plan", _once((s.text, s) for s in _plans(doc, sentences))),
    ):  # fmt: skip
        lines += [_line(kind, rank, s) for rank, s in enumerate(spans[:most], 1)]
    return lines


def _budget(doc: Doc, max_words: int | None, max_share: float | None) -> float:
    """Give how many words the sentences may have together."""
    share = inf if max_share is None else max_share * count_words(text_of(doc)).total()
    return min(inf if max_words is None else max_words, share)


def extract(doc: Doc, sentences: list[Span], most: int, budget: float = inf) -> list[tuple[Span, float]]:
    """Choose the sentences that say most of the note together, the most telling first, each with its score."""
    words = [count_words(s.text) for s in sentences]
    fitting = [i for i, counted in enumerate(words) if counted.total() <= budget]
    scores = predict(doc, sentences)[fitting]
    chosen: list[tuple[Span, float]] = []
    for i, score in choose([words[k] for k in fitting], scores, most):
        if words[fitting[i]].total() <= budget:
            budget -= words[fitting[i]].total()
            chosen.append((sentences[fitting[i]], score))
    return chosen


def summarise_patient(notes: pd.DataFrame, nlp: Language, n_sentences: int = 2) -> pd.DataFrame:
    """Tell the course of patients by what each note adds: its best sentences but for text copied forward.

    Parameters
    ----------
    notes
        The table `notes`, such as `result.notes[result.notes["patient_id"] == "p01"]`.
    nlp
        The pipeline.
    n_sentences
        How many sentences a note has at most.

    Returns
    -------
    DataFrame
        The rows of the table `summaries` of kind `sentence`, those of the first note of a patient first.
    """
    copies = find_copies(notes)
    ordered = notes.sort_values(["patient_id", "date", "note_id"], na_position="last")
    rows = []
    for note_id, text in ordered[["note_id", "text"]].dropna().to_numpy().tolist():
        lines = summarise(nlp(text), n_sentences, without=[(a, b) for a, b, _ in copies.get(note_id, ())])
        rows += [as_row(line, note_id=note_id) for line in lines if line.kind == "sentence"]
    order = {note_id: i for i, note_id in enumerate(ordered["note_id"])}
    table = make_table("summaries", rows)
    return table.sort_values("note_id", key=lambda ids: ids.map(order), kind="stable").reset_index(drop=True)


def _line(kind: str, rank: int, span: Span, score: float | None = None) -> SummaryLine:
    """Make a line of a span."""
    return SummaryLine(rank, kind, span.text, span.start_char, span.end_char, span._.section, score)


def _once(spans: Iterable[tuple[str, Span]]) -> list[Span]:
    """Keep the first span of each key, whatever its capitals and spaces."""
    kept: dict[str, Span] = {}
    for key, span in spans:
        kept.setdefault(" ".join(key.lower().split()), span)
    return list(kept.values())


def find_candidates(doc: Doc) -> list[Span]:
    """Give the sentences that a summary may take, without white space and marks at their ends.

    Left out are headers, lines of a form or a letter that say nothing of the patient, and the sections that hold lists
    beside the story (`summary.yml`).
    """
    headers = {s.start for s in doc._.sections}
    if doc.has_annotation("SENT_START"):
        sentences = list(doc.sents)
    else:
        spans = (doc.char_span(a, b, alignment_mode="expand") for a, b in find_sentences(text_of(doc)))
        sentences = [s for s in spans if s is not None]
    beside, template = read_yaml("summary.yml")["beside"], _template()
    trimmed = (_trimmed(s) for s in sentences if s.start_char not in headers)
    return [s for s in trimmed if s._.section not in beside and _says_something(s) and not template.search(s.text)]


@cache
def _template() -> re.Pattern[str]:
    return re.compile("|".join(read_yaml("summary.yml")["template"]))


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
    while start < end and (span.doc[start].is_space or span.doc[start].is_punct) and span.doc[start].text not in "[(":
        start += 1
    return span.doc[start:end]


def _problems(doc: Doc) -> list[Span]:
    """Give the findings that the patient has, diseases first, those of telling sections first."""
    order = read_yaml("flags.yml")["sections"]
    present = [e for e in doc.ents if e.label_ in FINDINGS and e._.assertion == "present"]
    return sorted(
        present,
        key=lambda e: (
            e.label_ != "DISEASE",
            order.index(e._.section) if e._.section in order else len(order),
            e.start,
        ),
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
    named = [e for e in doc.ents if e.label_ in PLANNED]
    starts = [e.start for e in named]
    for s in sentences:
        if s._.section in ("assessment_plan", "discharge_instructions"):
            first = bisect_left(starts, s.start)  # of the entities not before the sentence
            if verb.search(s.text) or (first < len(named) and named[first].end <= s.end):
                yield s
