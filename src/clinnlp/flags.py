"""From mentions to the flags of a note, and from these to the flags of a patient.

Conventions: a chronic condition named in the past history is present, a past event is historical; a drug or a value
alone makes a condition `implied`, and only where nothing states it; a hypothetical mention flags nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from spacy.tokens import Doc, Span

from clinnlp.components.extensions import CONDITIONS, text_of
from clinnlp.resources import read_yaml
from clinnlp.schema import FLAG_STATUSES, Evidence, Flag, Measurement, make_table

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.conditions import Condition, Conditions, ValueRule

STATED = "stated"
NOTHING = "nothing"  # the status of a mention that says nothing of the patient
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
    phrases = conditions.match_phrases(text_of(doc))
    stated = [*_phrases(doc, phrases), *_terms(doc, conditions, phrases), *_allergies(doc, conditions)]
    findings = [*stated, *_parents(stated, conditions)]
    known = {e.condition for e, status, _ in findings if status in FLAG_STATUSES}
    findings += [f for f in _implied(doc, conditions) if f[0].condition not in known]
    evidence = sorted({e for e, _, _ in findings}, key=lambda e: (e.start, e.end, e.condition, e.rule))
    flags = [f for c in conditions if (f := _flag(c, [x for x in findings if x[0].condition == c]))]
    return sorted(flags, key=lambda f: (f.start, f.end, f.condition)), evidence


def _flag(condition: str, findings: list[Finding]) -> Flag | None:
    """Weigh the findings of one condition."""
    trusted = read_yaml("flags.yml")["sections"]

    def rank(finding: Finding) -> tuple[int, int]:
        section = finding[0].section
        return (trusted.index(section) if section in trusted else len(trusted), finding[0].start)

    for status in FLAG_STATUSES:
        if with_status := [f for f in findings if f[1] == status]:
            best, _, basis = min(with_status, key=rank)
            return Flag(condition, status, basis, best.text, best.start, best.end, best.rule)
    return None


def _evidence(span: Span, condition: str, status: str, rule: str, assertion: str | None = None) -> Evidence:
    """Make the evidence of a span."""
    polarity = read_yaml("flags.yml")["polarity"][status]
    return Evidence(
        condition, polarity, span.start_char, span.end_char, span.text, assertion or status, span._.section, rule
    )


def _phrases(doc: Doc, phrases: list[PhraseHit]) -> Iterator[Finding]:
    """Give the phrases that carry their own status; in a family history they are about the family."""
    for start, end, condition, rule, status in phrases:
        span = doc.char_span(start, end, alignment_mode="expand")
        if span is not None:
            found = "family" if span._.section == "family_history" else status
            yield _evidence(span, condition, found, rule), found, STATED


def _terms(doc: Doc, conditions: Conditions, phrases: list[PhraseHit]) -> Iterator[Finding]:
    """Give the condition terms with the status that their assertion means, but for those inside a phrase."""
    inside: dict[str, list[tuple[int, int]]] = {}
    for start, end, condition, *_ in phrases:
        inside.setdefault(condition, []).append((start, end))
    for span in doc.spans.get(CONDITIONS, ()):
        if any(a < span.end_char and span.start_char < b for a, b in inside.get(span.label_, ())):
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
                yield _evidence(span, "drug_allergy", "present", "drug_allergy.listed"), "present", STATED


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
            if drug.text.lower() in names or (drug.code_name or "").lower() in names:
                yield from _pointer(doc, drug.start, drug.end, definition, "medication")
        for rule in definition.measurements:
            for value in doc._.measurements:
                if _reaches(value, rule):
                    yield from _pointer(doc, value.start, value.end, definition, "measurement")


def _pointer(doc: Doc, start: int, end: int, definition: Condition, basis: str) -> Iterator[Finding]:
    """Give the finding of a drug or a value."""
    span = doc.char_span(start, end, alignment_mode="expand")
    if span is not None:
        yield _evidence(span, definition.id, "implied", f"{definition.id}.{basis}", "present"), "implied", basis


def _reaches(value: Measurement, rule: ValueRule) -> bool:
    """Say whether a value is that of the rule's test and reaches its threshold."""
    if value.number is None or value.test.lower() not in rule.tests:
        return False
    above = rule.at_least is not None and value.number >= rule.at_least
    return above or (rule.at_most is not None and value.number <= rule.at_most)


def patient_flags(flags: pd.DataFrame, notes: pd.DataFrame) -> pd.DataFrame:
    """Sum up the flags of the notes of each patient.

    Parameters
    ----------
    flags
        The table `flags`.
    notes
        The table `notes`, for the dates.

    Returns
    -------
    DataFrame
        The table `patient_flags`: a row a patient and condition. `status` is the first that holds over the notes;
        `first_date` and `last_date` are those of the notes with that status, `notes_for` counts notes in which the
        condition is present or historical, `notes_against` those in which it is absent.
    """
    dated = flags.merge(notes[["note_id", "date"]], on="note_id", how="left")
    order = {status: i for i, status in enumerate(FLAG_STATUSES)}
    rows = []
    for (patient, condition), group in dated.groupby(["patient_id", "condition"], sort=True):
        status = min(group["status"], key=order.__getitem__)
        dates = group.loc[group["status"] == status, "date"]
        rows.append(
            {
                "patient_id": patient,
                "condition": condition,
                "status": status,
                "first_date": dates.min(),
                "last_date": dates.max(),
                "notes_for": int(group["status"].isin(["present", "historical"]).sum()),
                "notes_against": int((group["status"] == "absent").sum()),
            }
        )
    return make_table("patient_flags", rows)
