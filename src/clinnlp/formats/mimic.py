"""Tables of research collections: MIMIC-III NOTEEVENTS, MIMIC-IV-Note and MTSamples.

Columns: https://mimic.mit.edu/docs/iii/tables/noteevents/ and https://mimic.mit.edu/docs/iv/modules/note/. The MIMIC
files are for those who signed their agreement; neither they nor a part of them is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clinnlp.errors import InputError
from clinnlp.formats.files import read_rows
from clinnlp.formats.records import Record

TYPES_IV = {
    "DS": "Discharge summary", "AD": "Discharge summary addendum", "RR": "Radiology report",
    "AR": "Radiology report addendum",
}  # fmt: skip


def read_iii(path: Path) -> Iterator[Record]:
    """Read NOTEEVENTS.csv; the date is CHARTTIME, or CHARTDATE for notes that have no time.

    The other columns are added in lower case. Where `iserror` is 1, a physician marked the note as a mistake.
    """
    for row in _rows(path, ("row_id", "subject_id", "text")):
        more = {"date": row.get("charttime") or row.get("chartdate"), "note_type": _stripped(row.get("category"))}
        yield _record(row, "row_id", "subject_id", "text", ("charttime", "category"), more)


def read_iv(path: Path) -> Iterator[Record]:
    """Read discharge.csv or radiology.csv; the codes of note_type (DS, AD, RR, AR) are spelt out."""
    for row in _rows(path, ("note_id", "subject_id", "text")):
        kind = row.get("note_type")
        more = {"date": row.get("charttime"), "note_type": TYPES_IV.get(kind or "", kind)}
        yield _record(row, "note_id", "subject_id", "text", ("charttime",), more)


def read_mtsamples(path: Path) -> Iterator[Record]:
    """Read mtsamples.csv; its first column, which has no name, numbers the notes, medical_specialty is their type."""
    for number, row in enumerate(_rows(path, ("transcription",))):
        index = next((name for name in row if name == "" or name.startswith("unnamed")), "")
        row[index] = row.get(index) or str(number)
        more = {"note_type": _stripped(row.get("medical_specialty"))}
        yield _record(row, index, "", "transcription", ("medical_specialty",), more)


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[dict[str, str | None]]:
    """Read rows, and see that the columns are there."""
    for row in read_rows(path):
        if missing := [name for name in wanted if name not in row]:
            raise InputError(
                f"{path.name} lacks the column {' and '.join(missing)}. See that its first line names the columns."
            )
        yield row


def _record(
    row: Mapping[str, Any], id_column: str, patient: str, text: str, used: tuple[str, ...], more: Record
) -> Record:
    own = {k: v for k, v in row.items() if k not in (id_column, patient, text, *used)}
    patient_id = row.get(patient) if patient else None
    return {**own, "note_id": row[id_column], "patient_id": patient_id, "text": row[text], **more}


def _stripped(cell: str | None) -> str | None:
    return cell.strip() if cell else None
