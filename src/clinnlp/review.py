"""Review flags in Jupyter by keyboard: each verdict goes to a CSV file at once, and opening it again resumes.

The widget needs the extra `notebooks`; `read_reviews` does not. Note text goes to the browser as text, never as markup,
and stays out of the file.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clinnlp.display import MEANINGS, records
from clinnlp.errors import InputError, MissingExtraError
from clinnlp.schema import FLAG_STATUSES

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

SILENT = "silent"  # the status of a note that has no flag for the condition
CLAIMS = {
    **{status: f"the patient {meaning}" for status, meaning in MEANINGS.items()},
    "family": MEANINGS["family"],
    "implied": "a drug or a value points to it",
    SILENT: "nothing was found",
}
COLUMNS = ("note_id", "condition", "status", "verdict", "reviewer")
SHOWN = ("start", "text", "polarity", "assertion", "section", "rule")  # the columns of `evidence` that are shown
VERDICTS = {"a": "agree", "d": "disagree", "u": "unsure"}  # by key
STEPS = {"arrowleft": -1, "arrowright": 1}
UNDO = ("z", "backspace")

Row = dict[str, str]  # a cell for each of COLUMNS
Key = tuple[str, str, str]  # note_id, condition, reviewer: a row of the file for each


def read_reviews(path: str | Path) -> pd.DataFrame:
    r"""Read the verdicts of a file that `review` wrote.

    Returns
    -------
    DataFrame
        note_id, condition, status (that of the flag, or "silent"), verdict (agree, disagree, unsure), reviewer; one row
        a note, condition and reviewer.

    Raises
    ------
    InputError
        When the file is missing, damaged or not one of reviews.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "reviews.csv"
    ...     _ = path.write_text("note_id,condition,status,verdict,reviewer\nn1,asthma,present,agree,kg\n")
    ...     read_reviews(path)["verdict"].tolist()
    ['agree']
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}. Check the path, or review some notes first.")
    return _to_table(_read(path).values())


def review(
    result: Annotations,
    condition: str | None = None,
    path: str | Path = "reviews.csv",
    *,
    reviewer: str,
    notes: pd.DataFrame | Iterable[Any] | None = None,
) -> Any:
    """Show the notes one by one with the flag and its evidence, and keep the verdicts given by key or button.

    a agrees with the flag, d disagrees, u is unsure; the left and right arrows move, z or backspace takes back.

    Parameters
    ----------
    result
        The annotated notes.
    condition
        The id of the condition to review, such as "heart_failure"; None where `notes` has a column `condition`.
    path
        The CSV file of the verdicts (columns: see `read_reviews`), which several conditions and reviewers can share.
        A second verdict on the same note and condition replaces the reviewer's first.
    reviewer
        Who reviews, such as initials.
    notes
        The notes to review, in this order: a DataFrame or list of dicts with note_id and maybe condition, or a list of
        note ids. If None, all notes: first those flagged for the condition, then the silent ones.

    Returns
    -------
    ReviewWidget
        `.reviews` is the table of this reviewer's verdicts on these notes.

    Raises
    ------
    InputError
        When a note, the condition or the reviewer is unknown or missing, or the file is not one of reviews.
    MissingExtraError
        When anywidget is not installed.
    """
    widget = _widget_class()
    return widget(Session(result, _pairs(result, condition, notes), path, reviewer))


class Item(NamedTuple):
    """What one verdict is about: a note, a condition, and the status that the flag claims."""

    note_id: str
    condition: str
    status: str


class Session:
    """A reviewer's way through the notes: the place reached, and the verdicts in the file.

    `pairs` are note ids and conditions, in the order of review; the other parameters are those of `review`.
    """

    def __init__(self, result: Annotations, pairs: Iterable[tuple[str, str]], path: str | Path, reviewer: str) -> None:
        self.path, self.reviewer = Path(path), reviewer.strip()
        if not self.reviewer:
            raise InputError("The reviewer has no name. Give reviewer=..., such as your initials.")
        if not self.path.parent.is_dir() or self.path.is_dir():
            raise InputError(f"{self.path} cannot be a file: its folder is missing, or it is one. Give another path.")
        self.items = _items(result, pairs)
        ids = {item.note_id for item in self.items}
        self._notes = {row["note_id"]: row for row in records(result.notes[result.notes["note_id"].isin(ids)])}
        self._evidence: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in records(result.evidence[result.evidence["note_id"].isin(ids)]):
            self._evidence[row["note_id"], row["condition"]].append(row)
        self._rows = _read(self.path) if self.path.exists() else {}
        self._given: list[tuple[int, Row | None]] = []  # a place, and the row that the verdict there replaced
        self.position = next((i for i, item in enumerate(self.items) if not self.verdict(item)), 0)
        self._message = self._error = ""
        self._answers = 0  # so that each press changes the view, and the browser hears of it

    @property
    def reviews(self) -> pd.DataFrame:
        """This reviewer's verdicts on the notes of the session, in the columns of the file."""
        return _to_table(self._rows[self._key(item)] for item in self.items if self.verdict(item))

    def verdict(self, item: Item) -> str | None:
        """Give this reviewer's verdict; one on another status, which a flag had in an earlier run, does not count."""
        row = self._rows.get(self._key(item))
        return row["verdict"] if row and row["status"] == item.status else None

    def press(self, key: str) -> None:
        """Do what a key stands for; what goes wrong is told in the view, and the place then stays."""
        self._answers += 1
        self._message = self._error = ""
        key = key.lower()
        try:
            if key in VERDICTS:
                self._judge(VERDICTS[key])
            elif key in UNDO:
                self._undo()
            elif key in STEPS:
                self.position = min(max(self.position + STEPS[key], 0), len(self.items) - 1)
            else:
                self._error = f"{key!r} does nothing. Keys: {', '.join((*VERDICTS, *STEPS, *UNDO))}."
        except InputError as error:
            self._error = f"Not saved. {error}"

    def view(self) -> dict[str, Any]:
        """Describe what is shown, as plain data."""
        from clinnlp.plots import condition_name

        item = self.items[self.position]
        note = self._notes[item.note_id]
        found = self._evidence[item.note_id, item.condition]
        date = f"{note['date']:%Y-%m-%d}" if note["date"] else None
        about = [item.note_id, note["patient_id"] and f"patient {note['patient_id']}", date, note["note_type"]]
        return {
            "position": self.position,
            "total": len(self.items),
            "reviewed": sum(self.verdict(i) is not None for i in self.items),
            "about": " · ".join(str(part) for part in about if part),
            "condition": condition_name(item.condition),
            "status": item.status,
            "meaning": CLAIMS[item.status],
            "pieces": cut(note["text"] or "", found),
            "evidence": [{name: row[name] for name in SHOWN} for row in found],
            "verdict": self.verdict(item),
            "former": self._former(item),
            "message": self._message,
            "error": self._error,
            "answers": self._answers,
        }

    def _judge(self, verdict: str) -> None:
        """Write a verdict on the note shown, and go to the next without one."""
        item = self.items[self.position]
        row = dict(zip(COLUMNS, (*item, verdict, self.reviewer), strict=True))
        self._given.append((self.position, self._save(item, row)))
        places = [*range(self.position + 1, len(self.items)), *range(self.position)]
        left = [place for place in places if not self.verdict(self.items[place])]
        self._message = f"Saved: {verdict}."
        if left:
            self.position = left[0]
        else:
            self._message += f" All {len(self.items)} are reviewed; the verdicts are in {self.path.name}."

    def _undo(self) -> None:
        """Take back the last verdict, and go to its note."""
        if not self._given:
            self._message = "There is nothing to undo: no verdict was given since this was opened."
            return
        position, row = self._given[-1]
        self._save(self.items[position], row)
        self._given.pop()
        self.position, self._message = position, "Undone."

    def _save(self, item: Item, row: Row | None) -> Row | None:
        """Put a row into the file, which others may have changed meanwhile, or take it out; give the one before."""
        rows = _read(self.path) if self.path.exists() else {}
        before = rows.pop(self._key(item), None) if row is None else rows.get(self._key(item))
        if row is not None:
            rows[self._key(item)] = row
        _write(rows, self.path)
        self._rows = rows
        return before

    def _key(self, item: Item) -> Key:
        return item.note_id, item.condition, self.reviewer

    def _former(self, item: Item) -> str | None:
        """Tell of a verdict that does not count any more."""
        row = self._rows.get(self._key(item))
        if not row or row["status"] == item.status:
            return None
        return f"You said {row['verdict']} when the status was {row['status']}. It has changed: please judge again."


def cut(text: str, evidence: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cut a text where evidence begins and ends; of evidence that overlaps, the shortest has the piece.

    Returns
    -------
    list of dict
        start and text; evidence, the number of the evidence or None; part, whether it goes on in a later piece.

    >>> cut("No fever", [{"start": 3, "end": 8}])[1]
    {'start': 3, 'text': 'fever', 'evidence': 0, 'part': False}
    """
    spans = [(row["start"], row["end"]) for row in evidence]
    cuts = sorted({0, len(text), *(place for span in spans for place in span)})
    pieces: list[dict[str, Any]] = []
    for start, end in pairwise(cuts):
        around = [(b - a, i) for i, (a, b) in enumerate(spans) if a <= start and end <= b]
        number = min(around)[1] if around else None
        pieces.append({"start": start, "text": text[start:end], "evidence": number, "part": False})
    last = {piece["evidence"]: place for place, piece in enumerate(pieces)}
    for place, piece in enumerate(pieces):
        piece["part"] = piece["evidence"] is not None and place < last[piece["evidence"]]
    return pieces


def _pairs(result: Annotations, condition: str | None, notes: Any) -> list[tuple[str, str]]:
    """List the notes to review, each with its condition, once."""
    import pandas as pd

    if notes is None:
        flagged = set(result.flags.loc[result.flags["condition"] == condition, "note_id"])
        notes = sorted(result.notes["note_id"], key=lambda note_id: note_id not in flagged)
    rows = records(notes) if isinstance(notes, pd.DataFrame) else notes
    rows = [row if isinstance(row, Mapping) else {"note_id": row} for row in rows]
    if any(row.get("note_id") is None for row in rows):
        raise InputError("A row of notes has no note_id. Give a table with a column note_id, or a list of note ids.")
    pairs = [(str(row["note_id"]), row.get("condition") or condition) for row in rows]
    if any(name is None for _, name in pairs):
        raise InputError("No condition to review. Give condition=..., or notes with a column condition.")
    return list(dict.fromkeys((note_id, str(name)) for note_id, name in pairs if condition in (None, name)))


def _items(result: Annotations, pairs: Iterable[tuple[str, str]]) -> list[Item]:
    """Look up what the flags say of each note and condition."""
    from clinnlp import conditions

    status = {(note, name): s for note, name, s in result.flags[["note_id", "condition", "status"]].to_numpy()}
    items = [Item(note_id, name, status.get((note_id, name), SILENT)) for note_id, name in pairs]
    if not items:
        raise InputError("There is nothing to review: no note is left. Check the notes and the condition.")
    known = {*result.flags["condition"], *conditions.load()}
    if unknown := sorted({item.condition for item in items} - known):
        raise InputError(f"There is no condition {unknown[0]!r}. Known conditions: {', '.join(sorted(known))}.")
    if missing := sorted({item.note_id for item in items} - set(result.notes["note_id"])):
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InputError(f"{len(missing)} of the notes are not in the result: {some}. Give notes that were annotated.")
    return items


def _to_table(rows: Iterable[Row]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(COLUMNS), dtype="str")


def _read(path: Path) -> dict[Key, Row]:
    """Read and check a file of reviews; its rows by what makes them one."""
    advice = "Give the path of a file that clinnlp.review wrote, or of a new one."
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} cannot be read as CSV ({type(error).__name__}). {advice}") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise InputError(f"{path.name} is not a file of reviews: it does not begin with {','.join(COLUMNS)}. {advice}")
    rows = {}
    for number, cells in enumerate(lines[1:], 1):
        row = dict(zip(COLUMNS, cells, strict=False))
        if len(cells) != len(COLUMNS) or not all(cells):
            raise InputError(f"Row {number} of {path.name} is damaged: a cell is missing or too many. Mend the file.")
        if row["verdict"] not in VERDICTS.values() or row["status"] not in (*FLAG_STATUSES, SILENT):
            raise InputError(f"Row {number} of {path.name} has an unknown verdict or status. Mend the file.")
        rows[row["note_id"], row["condition"], row["reviewer"]] = row
    return rows


def _write(rows: Mapping[Key, Row], path: Path) -> None:
    """Write a file beside the old one and put it in its place in one step, so that one of the two is always whole."""
    path = path.resolve()
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, new)
        os.replace(new, path)
    except OSError as error:
        advice = "Make room or close it elsewhere, and press the key again."
        raise InputError(f"{path.name} cannot be written ({error.strerror}). {advice}") from error
    finally:
        new.unlink(missing_ok=True)


@cache
def _widget_class() -> Any:
    """Make the class of the widget, whose base needs an optional package."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise MissingExtraError("anywidget", "notebooks") from None

    class ReviewWidget(anywidget.AnyWidget):
        """Shows a session; the browser sends the keys pressed, and gets what to show."""

        _esm = _resource("review.js")
        _css = _resource("review.css")
        view = traitlets.Dict().tag(sync=True)

        def __init__(self, session: Session) -> None:
            self._session = session
            super().__init__(view=session.view())
            self.on_msg(self._receive)

        @property
        def reviews(self) -> pd.DataFrame:
            """This reviewer's verdicts on the notes shown, in the columns of the file."""
            return self._session.reviews

        def press(self, key: str) -> None:
            """Do what a key stands for: a, d, u, z, Backspace, ArrowLeft or ArrowRight."""
            self._session.press(key)
            self.view = self._session.view()

        def _receive(self, _: Any, content: dict[str, Any], __: Any) -> None:
            """Press the key, unless it is a verdict on a note that is not shown any more, as after a double click."""
            if content["key"] not in VERDICTS or content["position"] == self._session.position:
                self.press(content["key"])

        def __repr__(self) -> str:
            shown = self.view
            return f"<review by {self._session.reviewer}: {shown['reviewed']} of {shown['total']} notes reviewed>"

    return ReviewWidget


def _resource(name: str) -> str:
    return (files("clinnlp.resources") / "review" / name).read_text(encoding="utf-8")
