"""HL7 FHIR R4 and R5: the notes in DocumentReference and DiagnosticReport; `fhir_resources` makes what is written.

Sources: https://hl7.org/fhir/R4/documentreference.html and /diagnosticreport.html, R5 the same. What differs is read
either way: `context` of a DocumentReference holds encounters in R4, and is a list of references in R5, which may lead
to appointments and episodes of care too.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.formats.fhir_resources import NOTE_SYSTEM, find_span, resources_of
from clinnlp.formats.files import list_files, read_json, read_json_lines
from clinnlp.formats.markup import html_to_text
from clinnlp.formats.records import Entity, Record
from clinnlp.notes import decode_text

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

Resource = Mapping[str, Any]
BASE = "https://clinnlp.invalid/fhir"  # a name that leads nowhere, by which references in a bundle are found
LINES = (".ndjson", ".jsonl")
NO_ENCOUNTER = re.compile(r"\b(Appointment|EpisodeOfCare)\b")
PLAIN, MARKUP = ("text/plain", ""), ("text/html", "application/xhtml+xml")


class UnreadableError(Exception):
    """Why an attachment gives no text."""


def read(path: Path) -> Iterator[Record]:
    """Read the notes of a Bundle, a single resource, an NDJSON export, or a folder of these.

    A note is a DocumentReference or a DiagnosticReport with an attachment in it that is text or HTML; offsets in a
    note from HTML are those of the text made of it. An attachment that refers to a Binary in the same file or folder is
    read; no other address is opened. The columns resource_type, status, doc_status and encounter_id are added: what is
    preliminary or was entered in error is read too, and one of them says so. A document without a readable attachment
    becomes an error.
    """
    resources = list(_resources(path))
    binaries = {f"Binary/{r['id']}": r for r in resources if r.get("resourceType") == "Binary" and r.get("id")}
    entities: dict[str, list[Entity]] = {}
    for resource in resources:
        if span := find_span(resource):
            entities.setdefault(span.pop("note_id"), []).append(span)
    attachments = {"DocumentReference": _of_document, "DiagnosticReport": _of_report}
    number = 0
    for resource in resources:
        kind = resource.get("resourceType", "")
        if kind in attachments:
            number += 1
            record = _record(resource, number)
            try:
                record["text"] = _text(attachments[kind](resource), resource, binaries)
            except UnreadableError as error:
                record["error"] = str(error)
            record["entities"] = entities.get(record["note_id"], [])
            yield record
    if not number:
        raise InputError(f"{path.name} has no DocumentReference or DiagnosticReport, the resources that hold notes.")


def _resources(path: Path) -> Iterator[Resource]:
    """Read the resources of a file or folder, those of bundles one by one."""
    if path.is_dir():
        for ending in (".ndjson", ".jsonl", ".json"):
            for file in (*list_files(path, f"*{ending}"), *list_files(path, f"*{ending}.gz")):
                yield from _resources(file)
        return
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    contents = (row for _, row in read_json_lines(path)) if suffixes[-1:] in ([s] for s in LINES) else [read_json(path)]
    for content in contents:
        if not isinstance(content, dict) or "resourceType" not in content:
            raise InputError(f"{path.name} holds something without a resourceType, which each FHIR resource has.")
        yield from _unpack(content)


def _unpack(resource: Resource) -> Iterator[Resource]:
    if resource["resourceType"] != "Bundle":
        yield resource
        return
    for entry in resource.get("entry") or ():
        if inside := entry.get("resource"):
            yield from _unpack(inside)


def _record(resource: Resource, number: int) -> Record:
    """Bring what a resource says of its note into the columns of a note."""
    ours = [i["value"] for i in resource.get("identifier") or () if i.get("system") == NOTE_SYSTEM and i.get("value")]
    context = resource.get("context") or {}
    encounters = [
        resource.get("encounter"),
        *(context if isinstance(context, list) else context.get("encounter") or ()),
    ]
    return {
        "note_id": str((ours or [resource.get("id") or f"note-{number}"])[0]),
        "patient_id": _reference(resource.get("subject")),
        "date": _date(resource), "note_type": _concept(resource.get("type") or resource.get("code")), "text": None,
        "resource_type": resource["resourceType"], "status": resource.get("status"),
        "doc_status": resource.get("docStatus"),
        "encounter_id": next((_reference(e) for e in encounters if _is_encounter(e)), None),
    }  # fmt: skip


def _date(resource: Resource) -> str | None:
    """Give the date of a document, or the time that a report is about."""
    period = resource.get("effectivePeriod") or {}
    dates = (resource.get("date"), resource.get("effectiveDateTime"), period.get("start"), resource.get("issued"))
    return next((date for date in dates if date), None)


def _is_encounter(reference: Any) -> bool:
    """Say whether a reference may lead to an encounter."""
    return bool(reference) and not NO_ENCOUNTER.search(f"{reference.get('type')} {reference.get('reference')}")


def _reference(reference: Any) -> str | None:
    """Give the id that a reference leads to: the last part of its address, or its identifier."""
    if not reference:
        return None
    if address := reference.get("reference"):
        return str(address.partition("/_history")[0].rpartition("/")[2].removeprefix("urn:uuid:").lstrip("#"))
    value = (reference.get("identifier") or {}).get("value")
    return None if value is None else str(value)


def _concept(concept: Any) -> str | None:
    if not concept:
        return None
    codings = concept.get("coding") or [{}]
    name = concept.get("text") or codings[0].get("display") or codings[0].get("code")
    return None if name is None else str(name)


def _of_document(resource: Resource) -> list[Resource]:
    return [content["attachment"] for content in resource.get("content") or () if content.get("attachment")]


def _of_report(resource: Resource) -> list[Resource]:
    return list(resource.get("presentedForm") or ())


def _text(attachments: list[Resource], resource: Resource, binaries: Mapping[str, Resource]) -> str:
    """Give the text of the plainest attachment; several are the same document in several formats."""
    kinds = [str(a.get("contentType") or "").partition(";")[0].strip().lower() for a in attachments]
    for wanted in (PLAIN, MARKUP):
        for attachment, kind in zip(attachments, kinds, strict=True):
            if kind in wanted:
                text = _decoded(attachment, resource, binaries)
                return html_to_text(text) if wanted is MARKUP else text
    if not attachments:
        raise UnreadableError(f"The {resource['resourceType']} has no attachment.")
    raise UnreadableError(f"No attachment is text or HTML; found: {', '.join(sorted(set(kinds)))[:100]}.")


def _decoded(attachment: Resource, resource: Resource, binaries: Mapping[str, Resource]) -> str:
    """Decode the data of an attachment, or of the Binary that it refers to."""
    data = attachment.get("data")
    if not data and (url := attachment.get("url")):
        contained = {f"#{r.get('id')}": r for r in resource.get("contained") or ()}
        key = "/".join(str(url).partition("/_history")[0].split("/")[-2:])
        data = (contained.get(str(url)) or binaries.get(key) or {}).get("data")
        if not data:
            raise UnreadableError(
                "The text of the attachment lies elsewhere (url), which is not opened. Export it too."
            )
    if not isinstance(data, str) or not data.strip():
        raise UnreadableError("The attachment has no data.")
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("The base64 data of the attachment are damaged.") from None
    charset = str(attachment.get("contentType") or "").lower().partition("charset=")[2].partition(";")[0].strip("\"' ")
    try:
        return content.decode(charset) if charset else decode_text(content, "The attachment")
    except (InputError, LookupError, UnicodeDecodeError):
        raise UnreadableError("The data of the attachment are not text in its charset.") from None


def write(result: Annotations, path: Path) -> None:
    """Write a Bundle of R4 resources (.json), or a resource a line (.ndjson).

    DocumentReference holds each note; Condition comes from diseases and symptoms, MedicationStatement from the table
    medications, Observation from measurements. Each has the extension of `fhir_resources` with the note and offsets.
    What is hypothetical or of a relative is no Condition of the patient, and an allergy no MedicationStatement: these
    are left out.
    """
    resources = resources_of(result)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        if path.suffix.lower() in LINES:
            file.writelines(json.dumps(resource, ensure_ascii=False) + "\n" for resource in resources)
            return
        entries = [{"fullUrl": f"{BASE}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        json.dump(bundle, file, ensure_ascii=False, indent=1)
