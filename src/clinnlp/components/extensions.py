"""The `Doc` and `Span` extensions that the components share; registering them twice is harmless."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from typing import Any

from spacy.tokens import Doc, Span

from clinnlp.schema import ASSERTIONS, AXES, Section

TEXT, CODE, CODED = "clinnlp_text", "clinnlp_code", "clinnlp_coded"  # keys of `Doc.user_data`
PARTS = ("code_system", "code", "code_name")
TITLED = re.compile(  # not in capitals: MS and MR are diseases
    r"\b(?:M(?:rs?|s|x|iss)|Dr|Prof(?:essor)?)\b\.?[ \t]+(?:[A-Z]\.?[ \t]+)?"
    r"(?P<name>[^\W\d_a-zß-ÿ][\w'’]*(?:-[^\W\d_][\w'’]*)*)"
)
CONDITIONS = "conditions"  # the span group of condition terms: span.label_ is the condition, span.id_ the rule


def text_of(doc: Doc) -> str:
    """Give `doc.text`, which spaCy puts together from the tokens at every call, put together once."""
    text: str | None = doc.user_data.get(TEXT)
    if text is None:
        text = doc.user_data[TEXT] = doc.text
    return text


def find_named(text: str) -> set[int]:
    """Find the characters of names after a title ("Ms Gout"), which are no findings and no cues.

    >>> sorted(find_named("Dr Foot saw MS."))
    [3, 4, 5, 6]
    """
    return {i for match in TITLED.finditer(text) for i in range(*match.span("name"))}


def _assertion(span: Span) -> str:
    """The first that holds of family, absent, hypothetical, uncertain, historical, present.

    What is told as history but lasts (`is_background`) is present.
    """
    for name in ASSERTIONS[:-1]:
        if name == "historical" and span._.is_background:
            continue
        if span._.get("is_negated" if name == "absent" else f"is_{name}"):
            return name
    return ASSERTIONS[-1]


def section_at(sections: Sequence[Section], position: int) -> Section | None:
    """Find the section whose header or body holds the character at `position`."""
    i = bisect_right(sections, position, key=lambda s: s.start) - 1
    return sections[i] if i >= 0 and position < sections[i].body_end else None


def _section(span: Span) -> str | None:
    """The category of the section that the span starts in."""
    section = section_at(span.doc._.sections, span.start_char)
    return section.category if section else None


def code_of(span: Span) -> tuple[str | None, ...]:
    """Give the code that was set, by `PARTS`; where `clinnlp_codes` has run, the ICD-10-CM code of a finding before it.

    It is looked up when it is read, since the codes take seconds to load.
    """
    data: dict[Any, Any] = span.doc.user_data
    code: tuple[str | None, ...] = data.get((CODE, span.start, span.end), (None, None, None))
    if data.get(CODED) and span.label_ in ("DISEASE", "SYMPTOM") and code[0] in (None, "MeSH"):
        from clinnlp import icd10

        return icd10.code_of(span.text, code[2]) or code
    return code


def _code(part: int, span: Span) -> str | None:
    return code_of(span)[part]


def _set_code(part: int, span: Span, value: str | None) -> None:
    """Set a part of the code."""
    data: dict[Any, Any] = span.doc.user_data
    code = list(data.get((CODE, span.start, span.end), (None, None, None)))
    code[part] = value
    data[CODE, span.start, span.end] = tuple(code)


def register() -> None:
    """Register every extension that clinnlp uses."""
    for name in ("sections", "medications", "measurements", "votes"):
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=())
    for axis in (*AXES, "background"):
        if not Span.has_extension(f"is_{axis}"):
            Span.set_extension(f"is_{axis}", default=False)
    # cue: the words that decided the assertion; rule: the id of the rule behind them; score: 0 to 1
    for name in ("cue", "rule", "score", "source"):
        if not Span.has_extension(name):
            Span.set_extension(name, default=None)
    for name, getter in (("assertion", _assertion), ("section", _section)):
        if not Span.has_extension(name):
            Span.set_extension(name, getter=getter)
    for part, name in enumerate(PARTS):
        if not Span.has_extension(name):
            Span.set_extension(name, getter=partial(_code, part), setter=partial(_set_code, part))


register()
