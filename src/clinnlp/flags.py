"""From mentions to the flags of a note.

Conventions: a chronic condition named in the past history is present, a past event is historical; a drug or a value
alone makes a condition `implied`, and only where nothing states it; a hypothetical mention flags nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from math import exp, log2
from typing import TYPE_CHECKING

from spacy.tokens import Doc, Span

from clinnlp.components.extensions import CONDITIONS, text_of
from clinnlp.overlaps import Overlaps
from clinnlp.resources import read_yaml
from clinnlp.schema import FLAG_STATUSES, POLARITY, Evidence, Flag, Measurement

if TYPE_CHECKING:
    from clinnlp.conditions import Conditions, ValueRule

STATED = "stated"
VOTES = ("classifier", "zero-shot")  # the bases that are a model's
NOTHING = "nothing"  # the status of a mention that says nothing of the patient
MANY = 4  # mentions; more do not make a flag surer
SHORT = 4  # characters of an abbreviation
KINDS = ("name", "abbreviation", "procedure", "wider", "listed", "medication", "measurement")  # of rules; others phrase
UNCHECKED = re.compile(r"(?:\[ ?\]|☐)\s{0,3}\Z")  # "[ ] NKDA" states nothing
PRESSURE = re.compile(r"(\d{2,3})\s?/\s?\d{2,3}")
PhraseHit = tuple[int, int, str, str, str]  # start, end, condition, rule, status
Finding = tuple[Evidence, str, str]  # what was found, the status it gives, and its basis


def find_flags(doc: Doc, conditions: Conditions) -> tuple[list[Flag], list[Evidence]]:
    """Find what a note says of each condition.

    Parameters
    ----------
    doc
        A doc that went through the pipeline: condition terms with their assertion in `doc.spans["conditions"]`,
        medications and measurements.
    conditions
        The definitions.

    Returns
    -------
    flags
        One a condition that the note says anything about; its status is the first that holds of present, historical,
        uncertain, absent, family and implied.
    evidence
        Each mention, for, against or as context.
    """
    findings = find_findings(doc, conditions)
    evidence = sorted(
        {e for found in findings.values() for e, _, _ in found}, key=lambda e: (e.start, e.end, e.condition, e.rule)
    )
    flags = [flag for condition, found in findings.items() if (flag := _flag(condition, found))]
    return sorted(flags, key=lambda f: (f.start, f.end, f.condition)), evidence


def find_findings(doc: Doc, conditions: Conditions) -> dict[str, list[Finding]]:
    """Find, for each condition that the note says anything about, its evidence with the status that each gives."""
    phrases = conditions.match_phrases(text_of(doc))
    stated = [*_phrases(doc, phrases), *_terms(doc, conditions, phrases), *_allergies(doc, conditions)]
    findings = [*stated, *_parents(stated, conditions)]
    known = {e.condition for e, status, _ in findings if status in FLAG_STATUSES}
    findings += [f for f in _implied(doc, conditions) if f[0].condition not in known]
    findings += _votes(doc)
    return {c: found for c in conditions if (found := [f for f in findings if f[0].condition == c])}


def _flag(condition: str, findings: list[Finding]) -> Flag | None:
    """Weigh the findings of one condition."""
    status, best, basis = decide(findings)
    if best is None:
        return None
    confidence = None if status == "implied" else _confidence(find_features(status, best, findings))
    return Flag(condition, status, basis, best.text, best.start, best.end, best.rule, confidence)


def decide(findings: list[Finding]) -> tuple[str, Evidence | None, str]:
    """Give the status that the findings of a condition mean, the best evidence of it, and its basis."""
    trusted = read_yaml("flags.yml")["sections"]

    def rank(finding: Finding) -> tuple[bool, int, int]:
        section = finding[0].section
        place = trusted.index(section) if section in trusted else len(trusted)
        return (finding[2] in VOTES, place, finding[0].start)

    for status in FLAG_STATUSES:
        if with_status := [f for f in findings if f[1] == status]:
            best, _, basis = min(with_status, key=rank)
            return status, best, basis
    return NOTHING, None, ""


def find_features(status: str, best: Evidence, findings: list[Finding]) -> dict[str, float]:
    """Give what the confidence of a flag is reckoned from: how its evidence looks, none of it the condition itself."""
    polarities = {e.polarity for e, _, _ in findings}
    return {
        f"status.{status}": 1.0,
        "mentions": log2(min(len({e.start for e, s, _ in findings if s == status}), MANY)),
        "contradicted": float({"for", "against"} <= polarities),
        "in_trusted_section": float(best.section in read_yaml("flags.yml")["sections"]),
        "short_term": float(best.end - best.start <= SHORT),
        "phrase": float(best.rule.rsplit(".", 1)[-1] not in KINDS),
    }


def _confidence(features: dict[str, float]) -> float:
    """Give the probability of the logistic regression of `flags.yml`."""
    weights = read_yaml("flags.yml")["confidence"]
    return round(1 / (1 + exp(-sum(weights.get(name, 0.0) * value for name, value in features.items()))), 3)


def _evidence(span: Span, condition: str, status: str, rule: str, assertion: str | None = None) -> Evidence:
    """Make the evidence of a span."""
    return Evidence(
        condition,
        POLARITY.get(status, "context"),
        span.start_char,
        span.end_char,
        span.text,
        assertion or status,
        span._.section,
        rule,
    )


def _phrases(doc: Doc, phrases: list[PhraseHit]) -> Iterator[Finding]:
    """Give the phrases that carry their own status; in a family history they are about the family."""
    for start, end, condition, rule, status in phrases:
        span = doc.char_span(start, end, alignment_mode="expand")
        if span is not None and not UNCHECKED.search(text_of(doc), max(0, start - 8), start):
            found = status
            if span._.section == "family_history":
                found = NOTHING if status == "absent" else "family"
            yield _evidence(span, condition, found, rule), found, STATED


def _terms(doc: Doc, conditions: Conditions, phrases: list[PhraseHit]) -> Iterator[Finding]:
    """Give the condition terms with the status that their assertion means, but for those inside a phrase."""
    inside: dict[str, list[tuple[int, int]]] = {}
    for start, end, condition, *_ in phrases:
        inside.setdefault(condition, []).append((start, end))
    taken = {condition: Overlaps(spans) for condition, spans in inside.items()}
    for span in doc.spans.get(CONDITIONS, ()):
        if span.label_ in taken and taken[span.label_].of(span.start_char, span.end_char):
            continue
        status = _status(span, conditions)
        yield _evidence(span, span.label_, status, span.id_, span._.assertion), status, STATED


def _status(span: Span, conditions: Conditions) -> str:
    """Say what a term means for its condition.

    A chronic condition that was there is there, unless it is told as resolved; a broader term leaves the condition
    open; and what relatives did not have says nothing of the patient.
    """
    assertion = str(span._.assertion)
    if span._.is_negated and (span._.is_family or span._.section == "family_history"):
        return NOTHING
    if assertion in ("present", "historical"):
        if conditions.is_wider(span.id_):
            return "uncertain"
        if conditions[span.label_].chronic and span._.rule not in _firm_rules():
            return "present"
    return assertion


@cache
def _firm_rules() -> frozenset[str]:
    """Give the rules of context that end chronic conditions, too."""
    return frozenset(rule["id"] for rule in read_yaml("context.yml")["rules"] if rule.get("firm"))


def _allergies(doc: Doc, conditions: Conditions) -> Iterator[Finding]:
    """Give the drugs that the patient is allergic to."""
    if "drug_allergy" in conditions:
        for drug in doc._.medications:
            span = doc.char_span(drug.start, drug.end, alignment_mode="expand")
            if drug.status == "allergy" and span is not None and span._.assertion != "absent":
                said = span._.assertion if span._.assertion in ("uncertain", "family") else "present"
                yield _evidence(span, "drug_allergy", said, "drug_allergy.listed"), said, STATED


def _parents(findings: Iterable[Finding], conditions: Conditions) -> Iterator[Finding]:
    """Give what states a condition now as evidence for the wider condition, too."""
    for found, status, basis in findings:
        for parent in conditions[found.condition].parents if status == "present" else ():
            yield (
                Evidence(
                    parent, found.polarity, found.start, found.end, found.text, found.assertion, found.section,
                    found.rule,
                ),
                status,
                basis,
            )  # fmt: skip


def _implied(doc: Doc, conditions: Conditions) -> Iterator[Finding]:
    """Give the drugs taken and the values that point to a condition."""
    drugs = [m for m in doc._.medications if m.status == "active"]
    for definition in conditions.values():
        names = {name.lower() for rule in definition.medications for name in rule.names}
        for drug in drugs if names else ():
            called = {drug.text.lower(), *(drug.code_name or "").lower().split("/"), (drug.code_name or "").lower()}
            if called & names:
                yield from _pointer(doc, drug.start, drug.end, definition.id, "medication")
        for rule in definition.measurements:
            for value in doc._.measurements:
                if _reaches(value, rule):
                    yield from _pointer(doc, value.start, value.end, definition.id, "measurement")


def _pointer(doc: Doc, start: int, end: int, condition: str, basis: str) -> Iterator[Finding]:
    """Give the finding of a drug, a value or a vote."""
    span = doc.char_span(start, end, alignment_mode="expand")
    if span is not None:
        yield _evidence(span, condition, "implied", f"{condition}.{basis}", "present"), "implied", basis


def _votes(doc: Doc) -> Iterator[Finding]:
    """Give what classifiers vote for: context to what the note states, and where it states nothing, a pointer."""
    for vote in doc._.votes:
        yield from _pointer(doc, vote.start, vote.end, vote.condition, vote.kind)


def _reaches(value: Measurement, rule: ValueRule) -> bool:
    """Say whether a value is that of the rule's test and reaches its threshold; of a blood pressure the systolic."""
    if value.test.lower() not in rule.tests:
        return False
    pair = PRESSURE.fullmatch(value.value)
    number = float(pair[1]) if pair else value.number
    if number is None:
        return False
    return (rule.at_least is not None and number >= rule.at_least) or (
        rule.at_most is not None and number <= rule.at_most
    )
