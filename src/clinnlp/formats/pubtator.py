"""PubTator: `ID|t|first line`, `ID|a|the rest`, then tabbed lines of id, start, end, words, type and code.

See https://www.ncbi.nlm.nih.gov/research/pubtator3/api and the BC5CDR corpus (https://doi.org/10.1093/database/baw068).
Offsets are characters of title and abstract with one sign between them; the code may be missing, or "-" or "-1" where
there is none. A text cannot hold line ends there: written, each becomes a space, so that no offset moves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinnlp.errors import InputError
from clinnlp.formats.files import read_text
from clinnlp.formats.records import Record, labelled

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

NO_CODE = ("", "-", "-1")
PASSAGE = re.compile(r"([^|\t]+)\|([ta])\|(.*)")


def read(path: Path) -> Iterator[Record]:
    """Read documents; relations, lines without offsets, are left out."""
    record: Record | None = None
    for number, line in enumerate(read_text(path).split("\n"), 1):
        line = line.removesuffix("\r")
        if found := PASSAGE.match(line):
            note_id, kind, text = found.groups()
            if kind == "t":
                if record:
                    yield record
                record = {"note_id": note_id, "text": text, "entities": []}
            elif record is None or record["note_id"] != note_id:
                raise InputError(f"Line {number} of {path.name}: an abstract has no title before it.")
            elif text:
                record["text"] += f"\n{text}"
        elif line.strip():
            cells = line.split("\t")
            if record is None or cells[0] != record["note_id"]:
                raise InputError(f"Line {number} of {path.name} belongs to no document before it.")
            if len(cells) >= 5 and cells[1].isdigit() and cells[2].isdigit():
                code = {"code": cells[5]} if len(cells) > 5 and cells[5] not in NO_CODE else {}
                record["entities"].append(
                    {"start": int(cells[1]), "end": int(cells[2]), "label": cells[4], "quoted": cells[3], **code}
                )
    if record:
        yield record


def write(result: Annotations, path: Path) -> None:
    """Write a document a note, its first line as the title."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for note, entities in labelled(result):
            note_id = re.sub(r"[|\s]", "_", note["note_id"])
            title, _, rest = note["text"].partition("\n")
            file.write(f"{note_id}|t|{_line(title)}\n{note_id}|a|{_line(rest)}\n")
            for e in entities:
                cells = (note_id, e["start"], e["end"], _line(e["text"]), _line(e["label"]), e["code"] or "")
                file.write("\t".join(map(str, cells)) + "\n")
            file.write("\n")


def _line(text: str) -> str:
    return re.sub(r"[\t\r\n]", " ", text)
