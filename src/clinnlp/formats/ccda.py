"""C-CDA documents: the narrative text of their sections; see https://hl7.org/cda/us/ccda/ and CDA R2, Narrative Block.

A body that is not XML (template Unstructured Document) is read where it is text or HTML; PDF, RTF, Word and pictures,
which may stand there too, are not.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from clinnlp.errors import InputError
from clinnlp.formats.files import list_files, read_xml
from clinnlp.formats.markup import html_to_text, narrative_to_text
from clinnlp.formats.records import Record
from clinnlp.notes import decode_text

NAMES = {"": "urn:hl7-org:v3"}


def read(path: Path) -> Iterator[Record]:
    """Read a file or a folder of XML; a note is the sections of a document, each its title, then its narrative.

    Offsets are those of the text made: a line a paragraph, item or row, a tab between cells. References are not opened.
    A document without a readable body becomes an error.
    """
    for file in list_files(path, "*.xml") if path.is_dir() else [path]:
        root = read_xml(file)
        if root.tag != "{urn:hl7-org:v3}ClinicalDocument":
            raise InputError(f"{file.name} is not a C-CDA document: its root is not ClinicalDocument of HL7 version 3.")
        yield {**_about(root, file.stem), **_body(root)}


def _about(root: Element, name: str) -> Record:
    patient = root.find("recordTarget/patientRole/id", NAMES)
    code, time, own = root.find("code", NAMES), root.find("effectiveTime", NAMES), root.find("id", NAMES)
    title = (root.findtext("title", None, NAMES) or "").strip()
    return {
        "note_id": name, "patient_id": None if patient is None else patient.get("extension") or patient.get("root"),
        "date": None if time is None else _date(time.get("value", "")),
        "note_type": (code.get("displayName") if code is not None else None) or title or None,
        "document_id": None if own is None else own.get("extension") or own.get("root"),
    }  # fmt: skip


def _date(value: str) -> str | None:
    """Turn a time of HL7, such as 20230105103000+0100, into ISO form without its zone."""
    digits = value[:14].partition("+")[0].partition("-")[0]
    day = f"{digits[:4]}-{digits[4:6] or '01'}-{digits[6:8] or '01'}"
    if len(digits) < 4:
        return None
    return f"{day}T{digits[8:10]}:{digits[10:12] or '00'}:{digits[12:14] or '00'}" if len(digits) > 9 else day


def _body(root: Element) -> Record:
    parts = []
    for section in root.iterfind("component/structuredBody//section", NAMES):
        title, text = section.find("title", NAMES), section.find("text", NAMES)
        lines = [f"{narrative_to_text(title)}:"] if title is not None and "".join(title.itertext()).strip() else []
        if text is not None and (words := narrative_to_text(text)):
            parts.append("\n".join([*lines, words]))
        elif lines:
            parts.append(lines[0])
    if parts:
        return {"text": "\n\n".join(parts)}
    body = root.find("component/nonXMLBody/text", NAMES)
    kind = "" if body is None else body.get("mediaType", "text/plain")
    if body is None or kind not in ("text/plain", "text/html") or not (body.text or "").strip():
        return {"text": None, "error": f"The document has no narrative text{f' but {kind[:40]}' if kind else ''}."}
    content = body.text or ""
    if body.get("representation") == "B64":
        try:
            content = decode_text(base64.b64decode("".join(content.split()), validate=True), "The body")
        except (binascii.Error, ValueError, InputError):
            return {"text": None, "error": "The base64 data of the body are damaged."}
    return {"text": html_to_text(content) if kind == "text/html" else content}
