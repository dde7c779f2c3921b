"""FHIR R4 resources of what was found, each with a reference to its note and the offsets there.

The extension `urn:clinnlp:evidence` holds noteId (string), start and end (integers, characters of the note, the end not
included), label and assertion (strings). Elements and required codes are those of https://hl7.org/fhir/R4/: the value
sets condition-clinical, condition-ver-status, medication-statement-status, observation-status and
observation-interpretation. They are no R5: there clinicalStatus is required, evidence a list of CodeableReference, and
a MedicationStatement is recorded, draft or entered-in-error. Names of code systems: R4 terminologies-systems, and for
MeSH https://terminology.hl7.org/CodeSystem-MeSH.html; DrugBank has none there, and gets one of our own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clinnlp.display import records as rows_of
from clinnlp.formats.records import Entity

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

Resource = dict[str, Any]
EVIDENCE, NOTE_SYSTEM, PATIENT_SYSTEM = "urn:clinnlp:evidence", "urn:clinnlp:note", "urn:clinnlp:patient"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
SYSTEMS = {
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm", "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "SNOMED CT": "http://snomed.info/sct", "LOINC": "http://loinc.org", "MeSH": "https://www.nlm.nih.gov/mesh",
}  # fmt: skip
VERIFICATION = {"present": "confirmed", "historical": "confirmed", "uncertain": "unconfirmed", "absent": "refuted"}
CLINICAL = {"present": "active", "historical": "inactive", "uncertain": "active"}
TAKEN = {"active": "active", "past": "completed", "planned": "intended", "negated": "not-taken", "other": "unknown"}
INTERPRETATION = {"low": "L", "normal": "N", "high": "H"}
STRINGS, NUMBERS = ("noteId", "label", "assertion"), ("start", "end")


def resources_of(result: Annotations) -> Iterator[Resource]:
    """Give the notes, then what was found in them."""
    notes = {note["note_id"]: f"note-{number}" for number, note in enumerate(rows_of(result.notes), 1)}
    patients = dict(zip(result.notes["note_id"], rows_of(result.notes), strict=True))
    yield from (_document(note, notes[note["note_id"]]) for note in rows_of(result.notes) if note["text"])
    makers = ((result.entities, "condition", _condition), (result.medications, "medication", _medication),
              (result.measurements, "measurement", _observation))  # fmt: skip
    for table, name, make in makers:
        for number, row in enumerate(rows_of(table), 1):
            content = make(row, {"reference": f"DocumentReference/{notes[row['note_id']]}"})
            if content is not None:
                yield {
                    "resourceType": content.pop("resourceType"), "id": f"{name}-{number}",
                    "extension": [_evidence(row)], "subject": _patient(patients[row["note_id"]]["patient_id"]),
                    **content,
                }  # fmt: skip


def find_span(resource: Mapping[str, Any]) -> Entity | None:
    """Read the span of a resource that `resources_of` made, with its note_id."""
    for extension in resource.get("extension") or ():
        if extension.get("url") == EVIDENCE:
            found = {e["url"]: e.get("valueString", e.get("valueInteger")) for e in extension["extension"]}
            return {
                "note_id": found["noteId"], "start": int(found["start"]), "end": int(found["end"]),
                "label": found["label"], "assertion": found.get("assertion"),
            }  # fmt: skip
    return None


def _evidence(row: Mapping[str, Any]) -> Resource:
    """Say where in which note something was found."""
    default = "MEDICATION" if "dose" in row else "RESULT"
    cells = {"noteId": row["note_id"], "start": row["start"], "end": row["end"], "label": row.get("label", default),
             "assertion": row.get("assertion") or row.get("status")}  # fmt: skip
    parts = [{"url": name, "valueString": str(cells[name])} for name in STRINGS if cells[name]]
    return {"url": EVIDENCE, "extension": parts + [{"url": name, "valueInteger": int(cells[name])} for name in NUMBERS]}


def _document(note: Mapping[str, Any], name: str) -> Resource:
    date = note["date"]
    more = {"type": {"text": note["note_type"]}} if note["note_type"] else {}
    data = base64.b64encode(note["text"].encode()).decode()
    return {
        "resourceType": "DocumentReference", "id": name, "status": "current",
        "identifier": [{"system": NOTE_SYSTEM, "value": note["note_id"]}], **more,
        "subject": _patient(note["patient_id"]), **({"date": f"{date.isoformat()}Z"} if date else {}),
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}],
    }  # fmt: skip


def _patient(patient_id: str | None) -> Resource:
    return {"identifier": {"system": PATIENT_SYSTEM, "value": patient_id}} if patient_id else {"display": "not known"}


def _concept(row: Mapping[str, Any], text: str) -> Resource:
    """Make a CodeableConcept of the words of a note and the code found for them.

    Several codes in one cell, as of a combined drug, are left out: codings of one concept all mean the whole of it.
    """
    if not row.get("code") or "/" in row["code"]:
        return {"text": text}
    system = SYSTEMS.get(row["code_system"], f"urn:clinnlp:{row['code_system']}".replace(" ", "-"))
    coding = {"system": system, "code": row["code"], "display": row["code_name"]}
    return {"coding": [{k: v for k, v in coding.items() if v}], "text": text}


def _status(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{TERMINOLOGY}/{system}", "code": code}]}


def _condition(row: Mapping[str, Any], note: Resource) -> Resource | None:
    if row["label"] not in ("DISEASE", "SYMPTOM") or row["assertion"] not in VERIFICATION:
        return None
    clinical = CLINICAL.get(row["assertion"])
    more = {"clinicalStatus": _status("condition-clinical", clinical)} if clinical else {}
    return {
        "resourceType": "Condition", **more,
        "verificationStatus": _status("condition-ver-status", VERIFICATION[row["assertion"]]),
        "code": _concept(row, row["text"]), "evidence": [{"detail": [note]}],
    }  # fmt: skip


def _medication(row: Mapping[str, Any], note: Resource) -> Resource | None:
    if row["status"] not in TAKEN:
        return None
    words = " ".join(row[part] for part in ("dose", "form", "route", "frequency", "duration") if row[part])
    return {
        "resourceType": "MedicationStatement", "status": TAKEN[row["status"]],
        "medicationCodeableConcept": _concept(row, row["text"]), "derivedFrom": [note],
        **({"dosage": [{"text": words}]} if words else {}),
    }  # fmt: skip


def _observation(row: Mapping[str, Any], note: Resource) -> Resource:
    value: Resource = {"valueString": row["value"]}
    if row["number"] is not None:
        value = {"valueQuantity": {"value": row["number"], **({"unit": row["unit"]} if row["unit"] else {})}}
    code = INTERPRETATION.get(row["interpretation"] or "")
    more = {"interpretation": [_status("v3-ObservationInterpretation", code)]} if code else {}
    return {
        "resourceType": "Observation", "status": "unknown", "code": {"text": row["test"]}, **value, **more,
        "derivedFrom": [note],
    }  # fmt: skip
