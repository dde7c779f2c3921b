"""A structured snapshot of a note or a patient: who, what problems, what not, which drugs, results and plans.

Every line is put together from the tables and leads back to characters in a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from clinnlp.conditions import load as load_conditions
from clinnlp.display import escape, records
from clinnlp.errors import InputError
from clinnlp.patients import find_copies
from clinnlp.plots.style import condition_name
from clinnlp.resources import read_yaml

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

PARTS = {
    "one_liner": "In a line", "problem": "Active problems", "negative": "Not present", "medication": "Medications",
    "result": "Results", "plan": "Plan", "follow_up": "Follow-up",
}  # fmt: skip
CHANGES = {"planned": "to start", "past": "stopped", "other": "on hold or considered", "negated": "not to be given"}
TOLD_IN = ("chief_complaint", "present_illness", "assessment_plan", "hospital_course", "diagnosis")
LAST = ("drug_allergy", "tobacco_use", "alcohol_misuse", "substance_use")  # of the problems, whatever their section
NEGATIVES, NAMED = 8, 3  # lines of what is denied; problems in the one-liner

Row = dict[str, Any]
Line = tuple[str, str, Row]  # part, text, and the row of the table that it comes from


@dataclass(frozen=True)
class Snapshot:
    """Lines of a snapshot: `lines` as a table, Markdown as text, and HTML where Jupyter shows it.

    `lines` has part (one of one_liner, problem, negative, medication, result, plan, follow_up), text, note_id, start,
    end and source: the words of the note that the line comes from.
    """

    title: str
    lines: pd.DataFrame = field(repr=False)

    def to_markdown(self) -> str:
        """Give the lines as Markdown, under a heading for each part."""
        return f"## {self.title}\n\n" + "\n".join(
            f"### {head}\n\n" + "".join(f"- {_plain(text)}\n" for text in texts) for head, texts in self._parts("text")
        )

    def _repr_html_(self) -> str:
        """Show each line with the words that it comes from as its hint."""
        body = ""
        for part, head in PARTS.items():
            rows = self.lines[self.lines["part"] == part]
            items = "".join(
                f'<li title="{escape(f"{r.note_id} {r.start}-{r.end}: {r.source}")}">{escape(str(r.text))}</li>'
                for r in rows.itertuples()
            )
            body += f"<h4>{head}</h4><ul>{items}</ul>" if items else ""
        return f'<div class="clinnlp-snapshot"><h3>{escape(self.title)}</h3>{body}</div>'

    def _parts(self, column: str) -> Iterator[tuple[str, list[str]]]:
        for part, head in PARTS.items():
            texts = self.lines.loc[self.lines["part"] == part, column].tolist()
            if texts:
                yield head, texts


def snapshot(result: Annotations, note_id: str | None = None, *, patient_id: str | None = None) -> Snapshot:
    """Put together what a note, or all notes of a patient, say of the patient now.

    Over several notes each condition and drug stands once, as the last note that names it has it; what no earlier note
    has is marked as new, and copied text does not count.

    Parameters
    ----------
    result
        What `annotate` gives.
    note_id, patient_id
        The note, or the patient.

    Returns
    -------
    Snapshot

    Raises
    ------
    InputError
        When not exactly one of them is given, or it is unknown.
    """
    import pandas as pd

    if (note_id is None) == (patient_id is None):
        raise InputError("Give a note_id or a patient_id, and not both.")
    column, wanted = ("note_id", note_id) if patient_id is None else ("patient_id", patient_id)
    notes = result.notes[result.notes[column] == wanted].sort_values(["date", "note_id"], na_position="first")
    if notes.empty:
        raise InputError(f"There is no {column.replace('_id', '')} {wanted!r} in this result.")
    tables = _Tables(result, notes)
    problems = list(_problems(tables))
    found = [
        *_one_liner(tables, problems), *problems, *_negatives(tables, problems), *_medications(tables),
        *_results(tables), *_plans(tables),
    ]  # fmt: skip
    lines = pd.DataFrame(
        [
            {
                "part": part,
                "text": text,
                **{k: row[k] for k in ("note_id", "start", "end")},
                "source": tables.words(row),
            }
            for part, text, row in found
        ],
        columns=["part", "text", "note_id", "start", "end", "source"],
    )
    return Snapshot(f"{column.replace('_id', '').capitalize()} {wanted}", lines)


class _Tables:
    """The rows of some notes, in the order of the notes."""

    def __init__(self, result: Annotations, notes: pd.DataFrame) -> None:
        self.notes: list[Row] = records(notes)
        self.order = {note["note_id"]: i for i, note in enumerate(self.notes)}
        self.texts = {note["note_id"]: note["text"] or "" for note in self.notes}
        self.dates = {note["note_id"]: note["date"] for note in self.notes}
        self.copies = find_copies(notes)
        self.result = result
        self.read: dict[str, list[Row]] = {}

    def is_newest(self, row: Row) -> bool:
        """Say whether a row is of the last note."""
        return bool(row["note_id"] == self.notes[-1]["note_id"])

    def rows(self, name: str) -> list[Row]:
        """Give the rows of a table, read once, those of the first note first."""
        if name not in self.read:
            table = getattr(self.result, name)
            found = records(table[table["note_id"].isin(self.order)])
            self.read[name] = sorted(found, key=lambda r: self.order[r["note_id"]])
        return self.read[name]

    def words(self, row: Row) -> str:
        """Quote the words that a row covers."""
        return self.texts[row["note_id"]][row["start"] : row["end"]]


def _last(rows: Iterable[Row], key: Callable[[Row], Any]) -> list[Row]:
    """Keep of each key the first row of the last note that has it."""
    kept: dict[Any, Row] = {}
    for row in rows:
        k = key(row)
        if k not in kept or kept[k]["note_id"] != row["note_id"]:
            kept[k] = row
    return list(kept.values())


def _named(text: str, is_new: bool) -> str:
    return f"{' '.join(text.split())}{' (new)' if is_new else ''}"


def _problems(tables: _Tables) -> Iterator[Line]:
    """Give the conditions that are present, those of telling sections first, then what else the last note names.

    A passing condition that the last note does not name has the date of the note that does.
    """
    evidence = tables.rows("evidence")
    own = {(e["note_id"], e["condition"]) for e in evidence if not e["copied_from"]}
    flags = [f for f in tables.rows("flags") if (f["note_id"], f["condition"]) in own and f["status"] != "implied"]
    chronic = {d.id for d in load_conditions().values() if d.chronic}
    section = {(e["note_id"], e["start"], e["condition"]): e["section"] for e in evidence}
    order = read_yaml("flags.yml")["sections"]

    def rank(flag: Row) -> tuple[bool, int]:
        where = section.get((flag["note_id"], flag["start"], flag["condition"]))
        return flag["condition"] in LAST, order.index(where) if where in order else len(order)

    had = {f["condition"] for f in flags if f["status"] in ("present", "historical") and not tables.is_newest(f)}
    for flag in sorted(_last(flags, lambda f: f["condition"]), key=rank):
        if flag["status"] == "present":
            is_new = len(tables.notes) > 1 and flag["condition"] not in had
            passed = flag["condition"] not in chronic and not tables.is_newest(flag)
            date = tables.dates[flag["note_id"]] if passed else None
            told = f" ({date:%Y-%m-%d})" if date else " (in an earlier note)" if passed else ""
            yield "problem", _named(condition_name(flag["condition"]) + told, is_new), flag
    covered = [(e["start"], e["end"]) for e in evidence if tables.is_newest(e)]
    others = [
        e for e in tables.rows("entities")
        if e["label"] == "DISEASE" and tables.is_newest(e)
        and not any(a < e["end"] and e["start"] < b for a, b in covered)
    ]  # fmt: skip
    for entity in _last(others, _concept):
        if entity["assertion"] == "present":
            yield "problem", _named(tables.words(entity), False), entity


def _concept(entity: Row) -> str:
    """What an entity is about: its code, or its words."""
    return str(entity["code"] or " ".join(entity["text"].lower().split()))


def _negatives(tables: _Tables, problems: list[Line]) -> Iterator[Line]:
    """Give what is denied where the story is told, but for what is a problem all the same."""
    names = {text.removesuffix(" (new)").lower() for _, text, _ in problems}
    told = [e for e in tables.rows("entities") if e["label"] in ("DISEASE", "SYMPTOM") and e["section"] in TOLD_IN]
    said = {_concept(e) for e in tables.rows("entities") if e["assertion"] == "present"}
    denied = [e for e in told if e["assertion"] == "absent" and _concept(e) not in said]
    kept = [e for e in _last(denied, _concept) if tables.words(e).lower() not in names]
    for entity in kept[-NEGATIVES:]:
        yield "negative", f"no {_named(tables.words(entity), False)}", entity


def _medications(tables: _Tables) -> Iterator[Line]:
    """Give the drugs that the last note with any has taken, with how, then those that were changed."""
    drugs = [m for m in tables.rows("medications") if m["status"] != "allergy"]
    if not drugs:
        return
    listed = next((m["note_id"] for m in reversed(drugs) if m["status"] == "active"), drugs[-1]["note_id"])
    before = {_drug(m) for m in drugs if tables.order[m["note_id"]] < tables.order[listed]}
    last = [m for m in drugs if m["note_id"] == listed]
    kept: dict[str, Row] = {}
    for drug in sorted(last, key=lambda m: (m["status"] != "active", -len(_dose(m)))):
        kept.setdefault(_drug(drug), drug)
    for drug in sorted(kept.values(), key=lambda m: (m["status"] != "active", m["start"])):
        text = " ".join([drug["text"], *_dose(drug)])
        if drug["status"] == "active":
            yield "medication", _named(text, bool(before) and _drug(drug) not in before), drug
        else:
            yield "medication", f"{CHANGES[drug['status']]}: {_named(text, False)}", drug


def _dose(medication: Row) -> list[str]:
    return [medication[k] for k in ("dose", "route", "frequency") if medication[k]]


def _drug(medication: Row) -> str:
    return str(medication["code_name"] or medication["text"]).lower()


def _results(tables: _Tables) -> Iterator[Line]:
    """Give the values outside their range, each test with its course over the notes."""
    values: dict[str, list[Row]] = {}
    for value in tables.rows("measurements"):
        values.setdefault(value["test"].lower(), []).append(value)
    for course in values.values():
        last = course[-1]
        if any(v["interpretation"] in ("low", "high") for v in course):
            numbers = [v["value"] for i, v in enumerate(course) if i == 0 or v["value"] != course[i - 1]["value"]]
            reading = f" ({last['interpretation']})" if last["interpretation"] else ""
            yield (
                "result",
                f"{last['test']} {' → '.join(numbers[-4:])}{' ' + last['unit'] if last['unit'] else ''}{reading}",
                last,
            )


def _plans(tables: _Tables) -> Iterator[Line]:
    """Give what the last note says is to be done."""
    for line in tables.rows("summaries"):
        if line["kind"] == "plan" and tables.is_newest(line):
            later = line["section"] in ("discharge_instructions", "disposition")
            yield "follow_up" if later else "plan", _named(line["text"], False), line


def _one_liner(tables: _Tables, problems: list[Line]) -> Iterator[Line]:
    """Say in a line who the patient is, with which problems, and why the last note was written."""
    who = next((found for note in reversed(tables.notes) if (found := _who(note))), None)
    main = [text.removesuffix(" (new)") for _, text, _ in problems[:NAMED]]
    reason = _reason(tables)
    parts = [
        who[0] if who else "Patient",
        f"with {_listed(main)}" if main else "",
        f"seen for {reason[0]}" if reason else "",
    ]
    sources = [found[1] for found in (who, reason) if found] or [row for _, _, row in problems[:1]]
    if sources:
        yield "one_liner", " ".join(p for p in parts if p), sources[0]


def _who(note: Row) -> tuple[str, Row] | None:
    """Find age and sex as the note tells them."""
    text = note["text"] or ""
    for pattern in _patterns():
        if found := pattern.search(text):
            groups = found.groupdict()
            sex = read_yaml("summary.yml")["sexes"].get((groups.get("sex") or "").lower(), "person")
            row = {"note_id": note["note_id"], "start": found.start(), "end": found.end()}
            return f"{groups['age']}-{(groups.get('unit') or 'year').lower()}-old {sex}", row
    return None


@cache
def _patterns() -> list[re.Pattern[str]]:
    return [re.compile(p, re.IGNORECASE) for p in read_yaml("summary.yml")["who"]]


def _reason(tables: _Tables) -> tuple[str, Row] | None:
    """Find why the last note was written: its first complaint that the patient has."""
    copies = tables.copies.get(tables.notes[-1]["note_id"], ())
    present = [
        e for e in tables.rows("entities")
        if tables.is_newest(e) and e["label"] in ("SYMPTOM", "DISEASE") and e["assertion"] == "present"
        and not any(a <= e["start"] and e["end"] <= b for a, b, _ in copies)
    ]  # fmt: skip
    for section in ("chief_complaint", "present_illness"):
        if found := [e for e in present if e["section"] == section]:
            first = next((e for e in found if e["label"] == "SYMPTOM"), found[0])
            return " ".join(tables.words(first).lower().split()), first
    return None


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _plain(text: str) -> str:
    """Take the meaning that Markdown gives some characters away."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
