"""OMOP common data model 5.4: the tables NOTE and NOTE_NLP.

Columns, lengths and conventions: https://ohdsi.github.io/CommonDataModel/cdm54.html#note and #note_nlp (the same as
inst/csv/OMOP_CDMv5.4_Field_Level.csv of OHDSI/CommonDataModel). Ids are whole numbers there; those of a result that are
not get numbers, and the file source_ids.csv (table, id, source_value) beside the tables says which. Concepts need the
OMOP vocabularies, which do not ship: their columns are 0, the code that was found stands in term_modifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.formats.files import new_folder, read_rows
from clinnlp.formats.records import Entity, Record, labelled

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

NOTE = (
    "note_id", "person_id", "note_date", "note_datetime", "note_type_concept_id", "note_class_concept_id",
    "note_title", "note_text", "encoding_concept_id", "language_concept_id", "provider_id", "visit_occurrence_id",
    "visit_detail_id", "note_source_value", "note_event_id", "note_event_field_concept_id",
)  # fmt: skip
NOTE_NLP = (
    "note_nlp_id", "note_id", "section_concept_id", "snippet", "offset", "lexical_variant", "note_nlp_concept_id",
    "note_nlp_source_concept_id", "nlp_system", "nlp_date", "nlp_datetime", "term_exists", "term_temporal",
    "term_modifiers",
)  # fmt: skip
CONCEPTS = {"note_type_concept_id": 32831, "note_class_concept_id": 0, "encoding_concept_id": 32678,
            "language_concept_id": 4180186}  # EHR note; no class; UTF-8; English  # fmt: skip
CSV: Any = {"index": False, "lineterminator": "\r\n"}  # by which a text with a lone carriage return is quoted too
WIDTH = 250  # characters of a snippet, a term, a title
ASSERTIONS = {  # what a modifier of the model says when it holds, in our words; the first that holds counts
    "subject": "family", "negation": "absent", "conditional": "hypothetical", "rule_out": "uncertain",
    "uncertain": "uncertain", "history": "historical",
}  # fmt: skip
NOT_HELD = ("", "false", "patient")
RULE_OUT = re.compile(r"r(ule)?[ /]?o(ut)?\b", re.I)  # how a cue of something to be ruled out begins
LARGEST = 2**63 - 1


def read(path: Path) -> Iterator[Record]:
    """Read NOTE: a CSV or Parquet file, or a folder with note.csv and, where there is one, note_nlp.csv.

    Rows of note_nlp.csv without an offset, which the model allows, are left out. Where clinnlp did not write it, the
    label is TERM, and term_modifiers such as "Negation=true, Subject=patient" give the assertion.
    """
    if not path.is_dir():
        yield from (_record(row, path.name) for row in read_rows(path))
        return
    notes = _table(path, "note")
    if notes is None:
        raise InputError(f"{path.name} has no note.csv or note.parquet.")
    names = _source_ids(path)
    entities: dict[str, list[Entity]] = {}
    found = _table(path, "note_nlp")
    for row in read_rows(found) if found else ():
        if entity := _entity(row):
            entities.setdefault(str(row["note_id"]), []).append(entity)
    for row in read_rows(notes):
        record = _record(row, notes.name)
        record["entities"] = entities.get(record["note_id"], [])
        for column, table in (("note_id", "note"), ("patient_id", "person")):
            record[column] = names.get((table, record[column]), record[column])
        yield record


def _table(folder: Path, name: str) -> Path | None:
    files = {file.name.lower(): file for file in folder.iterdir()}
    return next((files[f"{name}{end}"] for end in (".csv", ".parquet", ".csv.gz") if f"{name}{end}" in files), None)


def _source_ids(folder: Path) -> dict[tuple[str, str | None], str]:
    """Read the ids that were numbered when the folder was written."""
    path = folder / "source_ids.csv"
    rows = read_rows(path) if path.exists() else ()
    return {(str(row["table"]), row["id"]): str(row["source_value"]) for row in rows}


def _record(row: Mapping[str, Any], name: str) -> Record:
    """Bring a row of NOTE into the columns of a note."""
    if missing := {"note_id", "note_text"} - set(row):
        raise InputError(f"{name} lacks {' and '.join(sorted(missing))}, which the OMOP table NOTE has.")
    own = {k: v for k, v in row.items() if k not in ("note_id", "person_id", "note_date", "note_title", "note_text")}
    return {
        "note_id": str(row["note_id"]), "patient_id": None if row.get("person_id") is None else str(row["person_id"]),
        "date": row.get("note_datetime") or row.get("note_date"),
        "note_type": row.get("note_title") or row.get("note_source_value"), "text": row["note_text"], **own,
    }  # fmt: skip


def _entity(row: Mapping[str, Any]) -> Entity | None:
    """Read the span of a row of NOTE_NLP, whose end and label are among its modifiers when clinnlp wrote it."""
    offset, term = re.match(r"\s*(\d+)", str(row.get("offset"))), row.get("lexical_variant")
    if offset is None or term is None:
        return None
    start, modifiers = int(offset[1]), _modifiers(str(row.get("term_modifiers") or ""))
    end = int(modifiers.get("end", start + len(str(term))))
    quoted = str(term) if end - start <= WIDTH else None
    entity: Entity = {"start": start, "end": end, "label": modifiers.get("label", "TERM"), "quoted": quoted}
    known = [modifiers[name].lower() not in NOT_HELD and said for name, said in ASSERTIONS.items() if name in modifiers]
    assertion = modifiers.get("assertion") or next(filter(None, known), "present" if known else None)
    return {**entity, "assertion": assertion} if assertion else entity


def _modifiers(text: str) -> dict[str, str]:
    """Read modifiers; how they are divided the model leaves open.

    >>> _modifiers("Negation = true, Subject=patient")
    {'negation': 'true', 'subject': 'patient'}
    """
    parts = (part.partition("=")[::2] for part in text.split(";" if ";" in text else ","))
    return {name.strip().lower(): value.strip() for name, value in parts}


def write(result: Annotations, path: Path) -> None:
    """Write a folder with note.csv, note_nlp.csv and, where ids are not numbers, source_ids.csv.

    term_exists is N for what is negated, hypothetical, of a relative or to be ruled out, as the model defines it: what
    is uncertain otherwise is Y there, and `Uncertain=true` among its modifiers. term_temporal is "Past" or "Present".
    A missing date or patient of a note is left empty, which a strict database refuses.
    """
    import pandas as pd

    folder = new_folder(path)
    notes = _numbers(result.notes["note_id"])
    people = _numbers(result.notes["patient_id"].dropna())
    rows = [_note_row(note, notes, people) for note, _ in labelled(result)]
    pd.DataFrame(rows, columns=list(NOTE)).to_csv(folder / "note.csv", **CSV)
    terms = [{**_term(entity, note), "note_id": notes[note["note_id"]]}
             for note, entities in labelled(result) for entity in entities]  # fmt: skip
    table = pd.DataFrame(terms, columns=list(NOTE_NLP))
    table["note_nlp_id"] = range(1, len(table) + 1)
    table.to_csv(folder / "note_nlp.csv", **CSV)
    kept = [(name, number, source) for name, ids in (("note", notes), ("person", people))
            for source, number in ids.items() if str(number) != source]  # fmt: skip
    if kept:
        pd.DataFrame(kept, columns=["table", "id", "source_value"]).to_csv(folder / "source_ids.csv", **CSV)


def _numbers(ids: pd.Series) -> dict[str, int]:
    """Number ids, unless all are whole numbers already."""
    values = list(dict.fromkeys(ids))
    whole = all(v.isascii() and v.isdigit() and len(v) < 20 and str(int(v)) == v and int(v) <= LARGEST for v in values)
    return {value: int(value) if whole else number for number, value in enumerate(values, 1)}


def _note_row(note: Record, notes: Mapping[str, int], people: Mapping[str, int]) -> dict[str, Any]:
    date = note["date"]
    day, time = (f"{date:%Y-%m-%d}", f"{date:%Y-%m-%d %H:%M:%S}") if date else (None, None)
    return {
        **CONCEPTS, "note_id": notes[note["note_id"]], "person_id": people.get(note["patient_id"]),
        "note_date": day, "note_datetime": time,
        "note_title": (note["note_type"] or "")[:WIDTH] or None, "note_text": note["text"],
        "note_source_value": (note["note_type"] or "")[:50] or None,
    }  # fmt: skip


def _term(entity: Entity, note: Record) -> dict[str, Any]:
    """Make a row of NOTE_NLP of an entity."""
    from datetime import datetime

    import clinnlp

    start, end = entity["start"], entity["end"]
    around = max(0, start - 60)
    now = datetime.now()
    rule_out = entity["is_uncertain"] and RULE_OUT.match(entity["cue"] or "")
    false = {
        "Negation": entity["is_negated"] and "true", "Subject": entity["is_family"] and "family",
        "Conditional": entity["is_hypothetical"] and "true", "Rule_out": rule_out and "true",
    }  # fmt: skip
    modifiers = {
        **false, "Uncertain": entity["is_uncertain"] and not rule_out and "true",
        "History": entity["is_historical"] and "true", "label": entity["label"], "end": end,
        "assertion": entity["assertion"], "section": entity["section"], "cue": entity["cue"],
        "code": entity["code"] and f"{entity['code_system']}:{entity['code']}",
    }  # fmt: skip
    clean = {k: " ".join(str(v).replace(";", ",").replace("=", ":").split()) for k, v in modifiers.items() if v}
    return {
        "section_concept_id": 0, "snippet": note["text"][around : around + WIDTH], "offset": start,
        "lexical_variant": note["text"][start:end][:WIDTH], "note_nlp_concept_id": 0, "note_nlp_source_concept_id": 0,
        "nlp_system": f"clinnlp {clinnlp.__version__}", "nlp_date": f"{now:%Y-%m-%d}",
        "nlp_datetime": f"{now:%Y-%m-%d %H:%M:%S}", "term_exists": "N" if any(false.values()) else "Y",
        "term_temporal": "Past" if entity["is_historical"] else "Present",
        "term_modifiers": ";".join(f"{k}={v}" for k, v in clean.items())[:2000],
    }  # fmt: skip
