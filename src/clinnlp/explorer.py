"""Explore annotated notes in Jupyter: what was found in a note and why, and search through the text of all notes.

The widget needs the extra `notebooks`; without it, and where widgets do not run, the note is shown as it is by
`Annotations.show`. Note text goes to the browser as text, never as markup, and of the notes only the one that is shown.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clinnlp import display
from clinnlp.errors import InputError, MissingExtraError
from clinnlp.overlaps import meet
from clinnlp.schema import ASSERTIONS, ENTITY_LABELS, FLAG_STATUSES, POLARITY, SECTION_CATEGORIES
from clinnlp.search import TextIndex

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

KINDS = {"label": ENTITY_LABELS, "assertion": tuple(reversed(ASSERTIONS)), "section": SECTION_CATEGORIES}
NOBODY = "no patient"
WAYS = ("words", "meaning")
ACTIONS = ("open", "choose_patient", "find", "filter", "search")  # that the browser may ask for
LISTED = 100  # patients, notes of a patient, or results that are listed; typing narrows them
AROUND = 45  # characters quoted on either side of what was found
LONGEST = 240  # characters quoted of it
ENTITY = ("start", "end", "text", "label", "assertion", "cue", "section", "source", "score", "code_system", "code",
          "code_name")  # fmt: skip
EVIDENCE = ("start", "end", "text", "condition", "polarity", "assertion", "section", "rule", "copied_from")
FLAG = ("condition", "status", "basis", "confidence", "start", "end", "evidence", "rule")
Row = dict[str, Any]


def explore(result: Annotations, note_id: str | None = None) -> Any:
    """Show a note with what was found in it, and the ways to the other notes.

    Choose a patient and a note on the left, or search: by words (all of them, each may go on, a phrase in quotes) or by
    meaning; see `clinnlp.search.TextIndex`. A click on an entity tells why it is what it is, one on a flag leads to its
    evidence. The chips above the note filter by label, assertion and section.

    Parameters
    ----------
    result
        The annotated notes.
    note_id
        The note to begin with; the first of the first patient where none is given.

    Returns
    -------
    ExplorerWidget
        `.show(note_id)` and `.search(query, by)` do what clicks do. A static view of the note where anywidget is not
        installed.

    Raises
    ------
    InputError
        When the result has no such note, or none at all.
    """
    session = Session(result, note_id)
    try:
        widget = _widget_class()
    except ImportError:
        warnings.warn(f"This view is a static one. {MissingExtraError('anywidget', 'notebooks')}", stacklevel=2)
        return session.static()
    return widget(session)


class Session:
    """What is shown: a patient, a note, the filters, and what a search found; the parameters are those of `explore`."""

    def __init__(self, result: Annotations, note_id: str | None = None) -> None:
        if not len(result.notes):
            raise InputError("There is nothing to explore: the result has no notes. Annotate some first.")
        self.result = result
        notes = result.notes.fillna({"text": ""})
        self.table = notes.sort_values(["patient_id", "date", "note_id"], kind="stable", ignore_index=True)
        self._places = pd.Index(self.table["note_id"])
        self._abouts = _abouts(self.table)
        self._patient_of, patients = pd.factorize(self.table["patient_id"].fillna(NOBODY))
        self._patients = [str(patient) for patient in patients]
        self._entities = _ByNote(result.entities, self._places)
        self._evidence = _ByNote(result.evidence, self._places)
        self._flags = _ByNote(result.flags, self._places)
        self._sections = _ByNote(result.sections, self._places)
        self.filters: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self.typed = {"patient": "", "note": ""}
        self.place: tuple[int, int] | None = None
        self.found: Row = {"query": "", "by": WAYS[0], "message": "", "results": []}
        self._opened = 0  # so that opening the note again changes the view, and the browser hears of it
        self.open(self.table["note_id"].iloc[0] if note_id is None else note_id)

    def open(self, note_id: str, start: int | None = None, end: int | None = None) -> None:
        """Show a note, maybe at a place.

        Raises
        ------
        InputError
            When the result has no note `note_id`.
        """
        if note_id not in self._places:
            known = ", ".join(self.table["note_id"].head(10))
            raise InputError(f"There is no note {note_id!r}. The first notes are: {known}.")
        self.note_id = note_id
        self.number = int(self._places.get_loc(note_id))
        self.patient = int(self._patient_of[self.number])
        self.place = None if start is None or end is None else (start, end)
        self._opened += 1

    def choose_patient(self, number: int) -> None:
        """Show the first note of a patient that the filters leave."""
        own = self._patient_of == number
        left = own & (self._counts > 0) if self._is_filtered else own
        self.typed["note"] = ""
        self.open(str(self.table["note_id"].to_numpy()[left if left.any() else own][0]))

    def find(self, kind: str, text: str) -> None:
        """List the patients or the notes whose name has a text in it."""
        self.typed[kind] = text.strip().casefold()

    def filter(self, kind: str, values: Iterable[str]) -> None:
        """Show only the entities of some labels, assertions or sections; all where there are no values.

        Raises
        ------
        InputError
            When there is no such kind or value.
        """
        chosen = set(values)
        if kind not in KINDS or chosen - set(KINDS[kind]):
            known = ", ".join(KINDS.get(kind, KINDS))
            raise InputError(f"There is no {kind} {', '.join(sorted(chosen))} to filter by. There are: {known}.")
        self.filters[kind] = chosen
        self.__dict__.pop("_counts", None)

    def search(self, query: str, by: str = "words") -> None:
        """Search the text of all notes by words or by meaning.

        Raises
        ------
        InputError
            When there is no such way to search.
        """
        if by not in WAYS:
            raise InputError(f"There is no search by {by!r}. Search by {' or '.join(WAYS)}.")
        table = getattr(self._index, by)(query)
        results = [self._result(row) for row in display.records(table.head(LISTED))]
        many = f"{len(table):,} notes" if by == "words" else f"The {len(table)} sentences most like it"
        message = many + (f", the first {LISTED} shown" if len(table) > LISTED else "")
        if not len(table):
            message = "Nothing was found." if query.strip() else ""
        self.found = {"query": query, "by": by, "message": message, "results": results}

    def lists(self) -> Row:
        """Describe the lists of patients and notes, and the filters, as plain data."""
        counts = self._counts
        kept = counts > 0 if self._is_filtered else np.ones(len(counts), dtype=bool)
        notes = np.bincount(self._patient_of[kept], minlength=len(self._patients))
        patients = [
            {"number": i, "name": name, "notes": n}
            for i, (name, n) in enumerate(zip(self._patients, notes.tolist(), strict=True))
            if n and self.typed["patient"] in name.casefold()
        ]
        own = np.flatnonzero(kept & (self._patient_of == self.patient)).tolist()
        ids = self.table["note_id"]
        rows = [{"id": ids[i], "about": self._abouts[i], "entities": int(counts[i])} for i in own]
        rows = [row for row in rows if self.typed["note"] in f"{row['id']} {row['about']}".casefold()]
        return {
            "patients": patients[:LISTED],
            "patients_in_all": len(patients),
            "notes": rows[:LISTED],
            "notes_in_all": len(rows),
            "patient": self.patient,
            "note": self.note_id,
            "filters": self._options(),
        }

    def note(self) -> Row:
        """Describe the note that is shown, as plain data."""
        from clinnlp.plots import condition_name

        text, name = self.table["text"].iloc[self.number], self._patients[self.patient]
        evidence = [_only(found, EVIDENCE) for found in self._evidence.rows(self.number)]
        flags = [_only(flag, FLAG) for flag in self._flags.rows(self.number)]
        for flag in flags:
            own = [i for i, found in enumerate(evidence) if found["condition"] == flag["condition"]]
            if not own:
                own = [len(evidence)]
                evidence.append(_as_evidence(flag))
            flag["evidence"] = sorted(own, key=lambda i: (evidence[i]["start"] != flag["start"], i))
            flag["name"] = condition_name(flag["condition"])
        status = {flag["condition"]: flag["status"] for flag in flags}
        entities = [_only(entity, ENTITY) for entity in self._entities.rows(self.number)]
        for entity in entities:
            entity["evidence"] = [i for i, found in enumerate(evidence) if meet(found, entity)]
            entity["shown"] = all(not chosen or entity[kind] in chosen for kind, chosen in self.filters.items())
        for found in evidence:
            found |= {"name": condition_name(found["condition"]), "status": status.get(found["condition"])}
        return {
            "id": self.note_id,
            "opened": self._opened,
            "about": [name if name == NOBODY else f"patient {name}", self._abouts[self.number]],
            "pieces": pieces(text, entities, evidence, self._sections.rows(self.number), self.place),
            "entities": entities,
            "evidence": evidence,
            "flags": sorted(flags, key=lambda flag: (FLAG_STATUSES.index(flag["status"]), flag["name"])),
        }

    def static(self) -> display.NoteView:
        """Give what is shown where widgets do not run."""
        tables: Any = SimpleNamespace(notes=self.table, entities=self.result.entities, sections=self.result.sections)
        return display.show(tables, self.note_id)

    @property
    def _is_filtered(self) -> bool:
        return any(self.filters.values())

    @cached_property
    def _index(self) -> TextIndex:
        """What the text is searched by, made at the first search."""
        return TextIndex(self.result)

    @cached_property
    def _counts(self) -> np.ndarray:
        """The number of entities of each note that the filters leave."""
        kept = np.ones(len(self._entities.notes), dtype=bool)
        for kind, chosen in self.filters.items():
            if chosen:
                kept &= self._values[kind].isin(list(chosen))
        return np.bincount(self._entities.notes[kept], minlength=len(self.table))

    @cached_property
    def _values(self) -> dict[str, pd.Categorical]:
        return {kind: pd.Categorical(self.result.entities[kind], categories=values) for kind, values in KINDS.items()}

    def _options(self) -> list[Row]:
        """Give the values to filter by, with the number of entities in the note; of sections, those that it has."""
        here = self._entities.of(self.number)
        options = []
        for kind, values in KINDS.items():
            counts = self._values[kind][here].value_counts()
            shown = [v for v in values if kind != "section" or counts[v] or v in self.filters[kind]]
            options += [
                {"kind": kind, "value": v, "count": int(counts[v]), "on": v in self.filters[kind]} for v in shown
            ]
        return options

    def _result(self, row: Mapping[str, Any]) -> Row:
        """Quote what was found, with the words around it."""
        number = int(self._places.get_loc(row["note_id"]))
        text, start, end = self.table["text"].iloc[number], row["start"], min(row["end"], row["start"] + LONGEST)
        before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
        return {
            "note": row["note_id"],
            "place": (row["start"], row["end"]),
            "about": self._abouts[number],
            "before": before.partition(" ")[2] if start > AROUND else before,
            "text": text[start:end],
            "after": after.rpartition(" ")[0] if end + AROUND < len(text) else after,
            "score": row["score"],
        }


def _abouts(notes: pd.DataFrame) -> list[str]:
    """Give the date and the type of each note, as far as they are known."""
    parts = zip(notes["date"].dt.strftime("%Y-%m-%d"), notes["note_type"], strict=True)
    return [" · ".join(part for part in known if isinstance(part, str)) for known in parts]


class _ByNote:
    """A table whose rows are looked up by the number of their note."""

    def __init__(self, table: pd.DataFrame, notes: pd.Index) -> None:
        self._table = table
        self.notes = notes.get_indexer(pd.Index(table["note_id"]))
        self._order = np.argsort(self.notes, kind="stable")
        self._bounds = np.searchsorted(self.notes[self._order], np.arange(len(notes) + 1))

    def of(self, note: int) -> np.ndarray:
        """Give the places of the rows of a note."""
        return self._order[self._bounds[note] : self._bounds[note + 1]]

    def rows(self, note: int) -> list[Row]:
        return display.records(self._table.iloc[self.of(note)])


def pieces(
    text: str, entities: list[Row], evidence: list[Row], sections: Iterable[Row], place: tuple[int, int] | None
) -> list[Row]:
    """Cut a text where anything begins or ends.

    Returns
    -------
    list of dict
        text; entities and evidence, the numbers of those around it, the shortest first; header and found, whether it is
        of a section header and of the place.

    >>> [(p["text"], p["entities"]) for p in pieces("No fever", [{"start": 3, "end": 8}], [], [], None)]
    [('No ', []), ('fever', [0])]
    """
    spans = {"entities": _spans(entities), "evidence": _spans(evidence)}
    headers, places = _spans(sections), [place] if place else []
    every = [*spans["entities"], *spans["evidence"], *headers, *places]
    cuts = sorted({0, len(text), *(offset for span in every for offset in span)})

    def around(some: list[tuple[int, int]], start: int, end: int) -> list[int]:
        inside = [i for i, (a, b) in enumerate(some) if a <= start and end <= b]
        return sorted(inside, key=lambda i: some[i][1] - some[i][0])

    return [
        {
            "text": text[start:end],
            **{name: around(some, start, end) for name, some in spans.items()},
            "header": bool(around(headers, start, end)),
            "found": bool(around(places, start, end)),
        }
        for start, end in pairwise(cuts)
    ]


def _spans(rows: Iterable[Mapping[str, Any]]) -> list[tuple[int, int]]:
    return [(row["start"], row["end"]) for row in rows]


def _only(row: Mapping[str, Any], names: Iterable[str]) -> Row:
    return {name: row[name] for name in names}


def _as_evidence(flag: Mapping[str, Any]) -> Row:
    """Make the best evidence of a flag that has none in the table, as of one that a drug implies."""
    return {
        **_only(flag, ("start", "end", "condition", "rule")), "text": flag["evidence"],
        "polarity": POLARITY[flag["status"]], "assertion": flag["status"], "section": None, "copied_from": None,
    }  # fmt: skip


@cache
def _widget_class() -> Any:
    """Make the class of the widget, whose base needs an optional package."""
    import anywidget
    import traitlets

    class ExplorerWidget(anywidget.AnyWidget):
        """Shows a session; the browser sends what was clicked or typed, and gets what to show."""

        _esm = _resource("explorer.js")
        _css = display.stylesheet() + _resource("explorer.css")
        lists = traitlets.Dict().tag(sync=True)
        note = traitlets.Dict().tag(sync=True)
        found = traitlets.Dict().tag(sync=True)

        def __init__(self, session: Session) -> None:
            self._session = session
            super().__init__(**self._state())
            self.on_msg(self._receive)

        def show(self, note_id: str) -> None:
            """Show a note."""
            self._do("open", note_id)

        def search(self, query: str, by: str = "words") -> None:
            """Search the text of all notes, by "words" or by "meaning"."""
            self._do("search", query, by)

        def _state(self) -> Row:
            return {"lists": self._session.lists(), "note": self._session.note(), "found": self._session.found}

        def _do(self, action: str, *values: Any) -> None:
            getattr(self._session, action)(*values)
            with self.hold_sync():
                for name, value in self._state().items():
                    setattr(self, name, value)

        def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
            if content["do"] in ACTIONS:
                self._do(content["do"], *content["with"])

        def __repr__(self) -> str:
            return f"<explorer of {len(self._session.table)} notes: note {self._session.note_id!r} is shown>"

        def _repr_html_(self) -> str:
            return self._session.static().html

    return ExplorerWidget


def _resource(name: str) -> str:
    return (files("clinnlp.resources") / "explorer" / name).read_text(encoding="utf-8")
