"""BRAT stand-off: NAME.txt and NAME.ann in a folder; see https://brat.nlplab.org/standoff.html. n2c2 2018 is too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinnlp.errors import InputError
from clinnlp.formats.files import list_files, new_folder, read_text, to_file_name, to_note_id
from clinnlp.formats.records import Entity, Record, labelled, one_word
from clinnlp.models.documents import read_documents

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

TEXT_BOUND = re.compile(r"(T\S*)\t(\S+) (\d+) (?:\d+;\d+ )*(\d+)(?:\t(.*))?$")
LONGEST = 240  # bytes of a file name that every system can hold


def read(path: Path) -> Iterator[Record]:
    """Read text-bound annotations; of one in several pieces the whole stretch counts.

    An attribute Assertion (A, or M as of old) gives the assertion; the words behind a place may be missing. Events,
    relations and other attributes are left out. Notes without .ann have no entities.
    """
    if not path.is_dir():
        raise InputError(f"{path.name} is not a folder. BRAT files lie in one: NAME.txt with NAME.ann.")
    list_files(path, "*.ann")
    if not (texts := list_files(path, "*.txt")):
        raise InputError(f"The folder {path.name} has no .txt files, which hold the texts that .ann files refer to.")
    for document, text in zip(read_documents(path), texts, strict=True):
        marks = text.with_suffix(".ann")
        entities = list(_entities(read_text(marks))) if marks.exists() and marks.stat().st_size else []
        yield {"note_id": to_note_id(document["id"]), "text": document["text"], "entities": entities}


def _entities(marks: str) -> Iterator[Entity]:
    lines = marks.replace("\r\n", "\n").split("\n")
    attributes = [found for line in lines if (found := re.match(r"[AM]\S*\tAssertion (\S+) (\S+)$", line))]
    assertions = {found[1]: found[2] for found in attributes}
    for line in lines:
        if line.startswith("T"):
            found = TEXT_BOUND.match(line)
            if found is None:
                raise InputError(
                    "A line of an .ann file that begins with T is not: T1, tab, label start end, tab, words."
                )
            entity: Entity = {"start": int(found[3]), "end": int(found[4]), "label": found[2]}
            if ";" not in line.split("\t")[1]:
                entity["quoted"] = found[5]
            if found[1] in assertions:
                entity["assertion"] = assertions[found[1]]
            yield entity


def write(result: Annotations, path: Path) -> None:
    """Write NAME.txt and NAME.ann for each note; an attribute holds the assertion, a normalisation the code.

    What no file name may hold in a note id becomes %XX, and `read` undoes that. An entity that runs over a line end is
    written in several pieces, as BRAT wants it.
    """
    notes = list(labelled(result))
    names = [to_file_name(note["note_id"]) for note, _ in notes]
    if len({name.casefold() for name in names}) < len(names) or any(len(name) > LONGEST for name in names):
        raise InputError("Note ids differ in case alone, or are too long for file names. Write bioc instead.")
    folder = new_folder(path)
    for name, (note, entities) in zip(names, notes, strict=True):
        for suffix, content in (("txt", note["text"]), ("ann", "".join(_lines(note["text"], entities)))):
            with (folder / f"{name}.{suffix}").open("w", encoding="utf-8", newline="") as file:
                file.write(content)
    if any(entity["assertion"] for _, entities in notes for entity in entities):
        _write_configuration(folder, sorted({one_word(e["label"]) for _, entities in notes for e in entities}))


def _lines(text: str, entities: list[Entity]) -> Iterator[str]:
    for number, entity in enumerate(entities, 1):
        start, words = entity["start"], text[entity["start"] : entity["end"]]
        pieces = [piece.span() for piece in re.finditer(r"[^\r\n]+", words)]
        if not pieces:
            continue
        places = ";".join(f"{start + first} {start + last}" for first, last in pieces)
        yield f"T{number}\t{one_word(entity['label'])} {places}\t{' '.join(words.splitlines())}\n"
        if entity["assertion"]:
            yield f"A{number}\tAssertion T{number} {entity['assertion']}\n"
        if entity["code"]:
            system = re.sub(r"\W", "", entity["code_system"] or "code")
            yield f"N{number}\tReference T{number} {system}:{entity['code']}\t{entity['code_name'] or ''}\n"


def _write_configuration(folder: Path, labels: list[str]) -> None:
    """Write annotation.conf, without which BRAT shows no attributes."""
    from clinnlp.schema import ASSERTIONS

    lines = ["[entities]", *labels, "[relations]", "[events]", "[attributes]",
             f"Assertion\tArg:<ENTITY>, Value:{'|'.join(ASSERTIONS)}"]  # fmt: skip
    (folder / "annotation.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
