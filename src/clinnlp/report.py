"""The report: a result as one HTML page that needs no network, from the cohort down to the words in a note.

The page carries its data as JSON, a block for each patient that is read when the patient is opened. Note text never
becomes markup: it is escaped here, and a content security policy lets nothing run but the two scripts of the page.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clinnlp
from clinnlp import plots
from clinnlp.display import highlight, legend, records, stylesheet
from clinnlp.patients import contradictions, implied
from clinnlp.schema import FLAG_STATUSES

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from clinnlp.annotations import Annotations

Row = dict[str, Any]
NOTE = ["note_id", "patient_id", "date", "note_type", "text"]
COUNTED = ("notes", "entities", "medications", "measurements", "errors")
LISTED = ("present", "historical", "uncertain", "implied")  # the statuses that the list of patients shows
AROUND = 50  # characters quoted on either side of a piece of evidence
POLARITY = {"present": "for", "historical": "for", "implied": "for", "absent": "against"}
SHOWN = {  # the tables that a patient's page shows, and their columns that it needs
    "entities": ("start", "end", "label", "assertion", "cue", "section", "source", "score", "code_system", "code",
                 "code_name"),
    "sections": ("start", "end", "category"),
    "medications": ("start", "end", "text", "dose", "route", "frequency", "duration", "status"),
    "measurements": ("start", "end", "test", "value", "unit", "interpretation"),
    "summaries": ("kind", "text", "start", "end"),
    "flags": ("condition", "status", "basis", "evidence", "start", "end", "rule"),
    "evidence": ("condition", "polarity", "start", "end", "text", "assertion", "section", "rule", "copied_from"),
}  # fmt: skip


def write_report(result: Annotations, path: str | Path) -> Path:
    """Write the report as one HTML file, and return its path.

    The page has an overview of the cohort and a page for each patient, where each flag leads to its evidence and each
    piece of evidence to the words in the note. `#patient=ID` and `#note=ID&span=START-END` in its address lead there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(result), encoding="utf-8", newline="\n")
    return path


def _page(result: Annotations) -> str:
    """Fill the template; what is filled in is not searched for placeholders again."""
    from plotly.offline import get_plotlyjs

    plotly, script = get_plotlyjs().replace("\r\n", "\n"), _resource("report.js")
    scripts = f"{_hash(plotly)} {_hash(script)}"
    blocks = (f'<script type="application/json" id="{name}">{_json(data)}</script>' for name, data in _data(result))
    parts = {
        "policy": f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}",
        "style": stylesheet() + _resource("report.css"),
        "version": clinnlp.__version__,
        "legend": legend(),
        "data": "\n".join(blocks),
        "plotly": plotly,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))


def _data(result: Annotations) -> Iterator[tuple[str, Row]]:
    """Make the data blocks of the page: the overview, and one a patient."""
    by_note = {
        name: _grouped(records(getattr(result, name)[["note_id", *columns]]), "note_id")
        for name, columns in SHOWN.items()
    }
    flags = _grouped(records(result.patient_flags), "patient_id")
    notes = _grouped(records(result.notes[NOTE].sort_values(["date", "note_id"], kind="stable")), "patient_id")
    patients = sorted(notes, key=lambda patient: (patient is None, patient))
    yield "overview", _overview(result, [_listed(p, notes[p], flags[p]) for p in patients])
    for i, patient in enumerate(patients):
        yield f"patient-{i}", _patient(result, patient, notes[patient], flags[patient], by_note)


def _overview(result: Annotations, patients: list[Row]) -> Row:
    """What the first page shows."""
    counts = {"patients": len(patients)}
    counts |= {name: len(getattr(result, name)) for name in COUNTED}
    figures = [plots.conditions_by_status(result), plots.notes_over_time(result), plots.top_entities(result)]
    return {
        "counts": counts,
        "figures": [_figure(figure) for figure in figures],
        "patients": patients,
        "listed": LISTED,
        "contradictions": [_named(row) for row in records(contradictions(result))],
        "implied": [_named(row) for row in records(implied(result))],
        "errors": records(result.errors),
    }


def _named(row: Row) -> Row:
    """Write the condition of a row as it is read."""
    return {**row, "condition": plots.condition_name(row["condition"])}


def _listed(patient: str | None, notes: list[Row], flags: list[Row]) -> Row:
    """The line of a patient in the list; `notes` are their ids, which lead from a note to its patient."""
    dates = [note["date"] for note in notes if note["date"]]
    has = [flag for flag in _by_status(flags) if flag["status"] in LISTED]
    return {
        "id": patient,
        "notes": [note["note_id"] for note in notes],
        "first": _day(min(dates, default=None)),
        "last": _day(max(dates, default=None)),
        "flags": [[plots.condition_name(flag["condition"]), flag["status"]] for flag in has],
    }


def _patient(result: Annotations, patient: str | None, notes: list[Row], flags: list[Row], by_note: Row) -> Row:
    """What the page of a patient shows."""
    findings: defaultdict[str, list[Row]] = defaultdict(list)
    bases: defaultdict[str, set[str]] = defaultdict(set)
    for note in notes:
        note_id, day = note["note_id"], _day(note["date"])
        said = by_note["flags"][note_id]
        rows = by_note["evidence"][note_id]
        listed = {(row["condition"], row["start"], row["end"]) for row in rows}
        rows = rows + [_as_evidence(f) for f in said if (f["condition"], f["start"], f["end"]) not in listed]
        for row in rows:
            findings[row["condition"]].append({**row, **_around(note["text"], row), "note": note_id, "date": day})
        for flag in said:
            bases[flag["condition"]].add(flag["basis"])
    return {
        "timeline": plots.timeline_spec(result, patient) if patient is not None else None,
        "flags": [
            {
                "condition": plots.condition_name(flag["condition"]),
                "status": flag["status"],
                "basis": sorted(bases[flag["condition"]]),
                "first": _day(flag["first_date"]),
                "last": _day(flag["last_date"]),
                "for": flag["notes_for"],
                "against": flag["notes_against"],
                "confidence": flag["confidence"],
                "evidence": findings[flag["condition"]],
            }
            for flag in _by_status(flags)
        ],
        "notes": [_note(note, by_note) for note in notes],
    }


def _note(note: Row, by_note: Row) -> Row:
    """What the page shows of a note."""
    note_id = note["note_id"]
    return {
        "id": note_id,
        "date": _day(note["date"]),
        "type": note["note_type"],
        "html": highlight(note["text"] or "", by_note["entities"][note_id], by_note["sections"][note_id]),
        **{name: by_note[name][note_id] for name in ("summaries", "medications", "measurements")},
    }


def _around(text: str, row: Row) -> Row:
    """Quote the whole words that stand before and after a piece of evidence."""
    start, end = row["start"], row["end"]
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    if start > AROUND:
        before = before.partition(" ")[2]
    if end + AROUND < len(text):
        after = after.rpartition(" ")[0]
    return {"before": before, "after": after}


def _as_evidence(flag: Row) -> Row:
    """Turn the best evidence of a flag, such as a medication that implies it, into a row like those of `evidence`."""
    return {
        "condition": flag["condition"], "polarity": POLARITY.get(flag["status"], "context"),
        "start": flag["start"], "end": flag["end"], "text": flag["evidence"],
        "assertion": flag["status"], "section": None, "rule": flag["rule"], "copied_from": None,
    }  # fmt: skip


def _grouped(rows: list[Row], key: str) -> defaultdict[Any, list[Row]]:
    """Group rows by the cell `key`, which they lose."""
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.pop(key)].append(row)
    return groups


def _by_status(flags: list[Row]) -> list[Row]:
    return sorted(flags, key=lambda flag: (FLAG_STATUSES.index(flag["status"]), flag["condition"]))


def _day(date: Any) -> str | None:
    return f"{date:%Y-%m-%d}" if date else None


def _figure(figure: go.Figure) -> Row:
    return dict(json.loads(figure.to_json()))


def _json(data: Row) -> str:
    """Write JSON that can stand in a script element: no character in it can end the element or begin another."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _resource(name: str) -> str:
    return (files("clinnlp.resources") / "report" / name).read_text(encoding="utf-8")
