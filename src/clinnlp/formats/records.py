"""What readers give and writers take: a note with its own columns, and the entities that others marked in it."""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from typing import TYPE_CHECKING, Any

from clinnlp.display import records as rows_of
from clinnlp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

Record = dict[str, Any]  # the columns of a note; `entities`, a list of dicts; `error`, why it has no text; `gold`
Entity = dict[str, Any]
NOTE = ("note_id", "patient_id", "date", "note_type", "text")
NOT_COLUMNS = ("entities", "error")


class Gold(dict[str, Any]):
    """What others labelled of a whole note, by kind, as `clinnlp.evaluate.read_gold` gives it; no column of a note."""


def to_notes(records: Sequence[Record]) -> pd.DataFrame:
    """Make the table `notes` of records, with what is wrong with single ones in `.attrs["errors"]`."""
    import pandas as pd

    from clinnlp.notes import read_notes

    own = dict.fromkeys(
        name for record in records for name, value in record.items()
        if name not in (*NOTE, *NOT_COLUMNS) and not isinstance(value, Gold)
    )  # fmt: skip
    rows = [{name: record.get(name) for name in (*NOTE, *own)} for record in records]
    names: dict[str, Any] = {
        "id_column": "note_id",
        "patient_column": "patient_id",
        "date_column": "date",
        "type_column": "note_type",
    }
    notes = read_notes(pd.DataFrame(rows, columns=[*NOTE, *own]), text_column="text", **names)
    reasons = {str(record["note_id"]): record["error"] for record in records if record.get("error")}
    for error in notes.attrs["errors"]:
        if error["error"] == "The note has no text.":
            error["error"] = reasons.get(error["note_id"], error["error"])
    return notes


def to_document(record: Record, name: str) -> dict[str, Any]:
    """Make a labelled document of a record, and check each entity against the text.

    Raises
    ------
    InputError
        When an entity lies outside the text, or the words that its file quotes (`quoted`) are not there.
    """
    text, note_id = record.get("text") or "", record["note_id"]
    entities = []
    for entity in record.get("entities", ()):
        start, end = entity["start"], entity["end"]
        where = f"{name}, document {note_id}: the entity {start}-{end}"
        if not 0 <= start < end <= len(text):
            raise InputError(
                f"{where} is outside the text of {len(text)} characters. Offsets are characters, the end not included."
            )
        if _letters(entity.get("quoted")) not in ("", _letters(text[start:end])):
            raise InputError(f"{where} is not what the file quotes for it. See that text and offsets belong together.")
        entities.append({key: value for key, value in entity.items() if key != "quoted"})
    gold = record.get("gold")
    return {"id": str(note_id), "text": text, "entities": entities, **(gold if isinstance(gold, Gold) else {})}


def _letters(text: str | None) -> str:
    """Leave of a text what files agree on when they quote it: not its case, its spaces, nor how signs are escaped."""
    return re.sub(r"\s+", "", unescape(text or "")).casefold()


def to_characters(text: str, start: int, end: int, quoted: str | None, encoding: str) -> tuple[int, int]:
    """Turn offsets into characters where the words that a file quotes tell that it counts units of an encoding.

    >>> to_characters("Café: rash", 7, 11, "rash", "utf-8")
    (6, 10)
    """
    if quoted is None or not 0 <= start <= end or text[start:end] == quoted:
        return start, end
    width = 2 if encoding.startswith("utf-16") else 1  # bytes a unit
    data, words = text.encode(encoding, "surrogatepass"), quoted.encode(encoding, "surrogatepass")
    if not words or data[width * start : width * end] != words:
        return start, end
    first = len(data[: width * start].decode(encoding, "replace"))
    return first, first + len(quoted)


def labelled(result: Annotations) -> Iterator[tuple[Record, list[Entity]]]:
    """Give each note of a result that has a text, with its rows of the table `entities`."""
    found: dict[str, list[Entity]] = {}
    for row in rows_of(result.entities):
        found.setdefault(row["note_id"], []).append(row)
    for note in rows_of(result.notes):
        if note["text"]:
            yield note, found.get(note["note_id"], [])


def without_overlaps(entities: Iterable[Entity], note_id: str) -> list[Entity]:
    """Leave out entities within or across longer ones, for formats that have one label a word, and warn of it."""
    kept: list[Entity] = []
    left_out = 0
    starts: list[int] = []
    for entity in sorted(entities, key=lambda e: (e["start"] - e["end"], e["start"])):
        place = bisect_left(starts, entity["end"])  # of the first that begins behind it
        if place and kept[place - 1]["end"] > entity["start"]:
            left_out += 1
        else:
            kept.insert(place, entity)
            starts.insert(place, entity["start"])
    if left_out:
        warnings.warn(
            f"{left_out} entities of note {note_id} overlap longer ones, which this format cannot hold; left out.",
            stacklevel=2,
        )
    return kept


def cut_words(text: str, entities: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    """Cut a text into words and single signs, and where an entity begins or ends; spaces are left out.

    >>> [*cut_words("No T2DM.", [{"start": 3, "end": 4}])]
    [(0, 2), (3, 4), (4, 7), (7, 8)]
    """
    cuts = sorted({place for entity in entities for place in (entity["start"], entity["end"])})
    for word in re.finditer(r"\w+|[^\w\s]", text):
        inside = cuts[bisect_right(cuts, word.start()) : bisect_left(cuts, word.end())]
        yield from zip([word.start(), *inside], [*inside, word.end()], strict=True)


def one_word(label: str) -> str:
    """Join the words of a label, for formats in which it is one.

    >>> one_word("Adverse event")
    'Adverse_event'
    """
    return "_".join(label.split())
