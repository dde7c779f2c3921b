"""The tables of clinnlp: their rows as dataclasses, their columns, types and order.

A finding inside the pipeline is one of the frozen dataclasses below; at the edges it is a row of the table of the same
name. Offsets are characters of the note as it was given, half-open: `text[start:end]` is what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ENTITY_LABELS = ("DISEASE", "SYMPTOM", "MEDICATION", "DOSAGE", "TEST", "RESULT", "PROCEDURE", "ANATOMY")
ASSERTIONS = ("family", "absent", "hypothetical", "uncertain", "historical", "present")  # the first that holds
AXES = ("negated", "uncertain", "historical", "hypothetical", "family")
SECTION_CATEGORIES = (
    "chief_complaint", "present_illness", "past_medical_history", "past_surgical_history", "medications", "allergies",
    "family_history", "social_history", "review_of_systems", "physical_exam", "vital_signs", "labs_studies",
    "hospital_course", "procedure", "assessment_plan", "diagnosis", "discharge_instructions", "disposition",
    "immunizations", "other",
)  # fmt: skip
MEDICATION_STATUSES = ("active", "past", "allergy", "planned", "negated", "other")
FLAG_STATUSES = ("present", "historical", "uncertain", "absent", "family", "implied")  # the first that holds
POLARITY = {  # of the evidence that gives a flag its status
    "present": "for", "historical": "for", "uncertain": "context", "absent": "against", "family": "context",
    "implied": "context",
}  # fmt: skip
SUMMARY_KINDS = ("sentence", "problem", "medication", "result", "plan")


@dataclass(frozen=True, slots=True)
class Section:
    """A section header and the extent of its body.

    `start`, `end` cover the header without its colon; the body runs from `body_start` to `body_end`.
    """

    start: int
    end: int
    header: str
    category: str
    body_start: int
    body_end: int


@dataclass(frozen=True, slots=True)
class Medication:
    """A mention of a drug; `start`, `end` and `text` are the drug name alone, the parts are quoted as written."""

    start: int
    end: int
    text: str
    dose: str | None = None
    form: str | None = None
    route: str | None = None
    frequency: str | None = None
    duration: str | None = None
    status: str = "active"
    code_system: str | None = None
    code: str | None = None
    code_name: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A vital sign or laboratory result; `start` and `end` cover `value`, which is quoted as written.

    `test` is the name as written, `number` the value as a float where it is one number, `unit` in one spelling and
    `interpretation` one of low, normal, high, or None where no reference range applies.
    """

    start: int
    end: int
    test: str
    value: str
    number: float | None = None
    unit: str | None = None
    interpretation: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A mention that speaks for or against a condition, or gives it context (family, uncertain, hypothetical).

    `copied_from` is the earlier note of the patient that the text was copied from, known once all notes are read.
    """

    condition: str
    polarity: str
    start: int
    end: int
    text: str
    assertion: str
    section: str | None
    rule: str
    copied_from: str | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """What a note says of a condition; `start`, `end` and `evidence` are its best evidence.

    `confidence` is the probability that a reader gives the note the same status; None where the flag is implied.
    """

    condition: str
    status: str
    basis: str
    evidence: str
    start: int
    end: int
    rule: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A line of a summary: a span of the note and its rank within its kind."""

    rank: int
    kind: str
    text: str
    start: int
    end: int
    section: str | None = None
    score: float | None = None


TABLES: dict[str, dict[str, str]] = {
    "notes": {"note_id": "str", "patient_id": "str", "date": "datetime64[us]", "note_type": "str", "text": "str"},
    "sections": {
        "note_id": "str", "start": "int64", "end": "int64", "header": "str", "category": "str",
        "body_start": "int64", "body_end": "int64",
    },
    "entities": {
        "note_id": "str", "start": "int64", "end": "int64", "text": "str", "label": "str", "score": "float64",
        "source": "str", "section": "str", "assertion": "str", "is_negated": "bool", "is_uncertain": "bool",
        "is_historical": "bool", "is_hypothetical": "bool", "is_family": "bool", "cue": "str", "code_system": "str",
        "code": "str", "code_name": "str",
    },
    "medications": {
        "note_id": "str", "start": "int64", "end": "int64", "text": "str", "dose": "str", "form": "str",
        "route": "str", "frequency": "str", "duration": "str", "status": "str", "code_system": "str", "code": "str",
        "code_name": "str",
    },
    "measurements": {
        "note_id": "str", "start": "int64", "end": "int64", "test": "str", "value": "str", "number": "float64",
        "unit": "str", "interpretation": "str",
    },
    "flags": {
        "note_id": "str", "patient_id": "str", "condition": "str", "status": "str", "basis": "str", "evidence": "str",
        "start": "int64", "end": "int64", "rule": "str", "confidence": "float64",
    },
    "evidence": {
        "note_id": "str", "condition": "str", "polarity": "str", "start": "int64", "end": "int64", "text": "str",
        "assertion": "str", "section": "str", "rule": "str", "copied_from": "str",
    },
    "patient_flags": {
        "patient_id": "str", "condition": "str", "status": "str", "first_date": "datetime64[us]",
        "last_date": "datetime64[us]", "notes_for": "int64", "notes_against": "int64",
        "confidence": "float64",
    },
    "summaries": {
        "note_id": "str", "rank": "int64", "kind": "str", "text": "str", "start": "int64", "end": "int64",
        "section": "str", "score": "float64",
    },
    "errors": {"note_id": "str", "stage": "str", "error": "str"},
}  # fmt: skip


def make_table(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Build the table `name` from rows, with its columns in order, its types, and sorted as `sort_table` does.

    Missing cells are missing values.
    """
    import pandas as pd

    columns = TABLES[name]
    return sort_table(name, pd.DataFrame(list(rows), columns=list(columns)).astype(columns))


def sort_table(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows of the table `name` by note (or patient), then start, then end; a summary by kind as listed and rank.

    Rows that are alike in these stay in their order.
    """
    if name == "summaries":
        order = frame["kind"].map({kind: i for i, kind in enumerate(SUMMARY_KINDS)})
        frame = frame.assign(_kind=order).sort_values(["note_id", "_kind", "rank"], kind="stable").drop(columns="_kind")
    else:
        keys = [c for c in ("note_id", "patient_id", "start", "end", "condition") if c in TABLES[name]]
        frame = frame.sort_values(keys, kind="stable")
    return frame.reset_index(drop=True)


def as_row(finding: Any, **more: Any) -> dict[str, Any]:
    """Turn a finding into the mapping that `make_table` takes, with the extra cells given."""
    return {**asdict(finding), **more}
