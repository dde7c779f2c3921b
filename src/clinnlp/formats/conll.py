r"""CoNLL: a word a line, the last column its BIO, IOBES or BILOU tag, an empty line between sentences.

What clinnlp writes has the columns word, start, end (characters) and tag, after the lines `# newdoc id = ID` and
`# columns = word start end tag`; read again, spans and words are the same, and what stood between words is spaces and
line ends. Other files have no offsets: their words are joined by spaces, sentences by line ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinnlp.errors import InputError
from clinnlp.formats.files import GAP, read_text
from clinnlp.formats.records import Entity, Record, cut_words, labelled, one_word, without_overlaps

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

DOCUMENT = re.compile(r"# newdoc id = (.+)$")
COLUMNS = "# columns = word start end tag"
TAG = re.compile(r"([BIOESLUM])(?:[-_](.+))?$")
BEGINS, GOES_ON = "BSU", "IELM"  # S and U are whole entities; E and L end one; M is inside


class _Document:
    """A document as its lines come in."""

    def __init__(self, note_id: str) -> None:
        self.note_id, self.entities = note_id, list[Entity]()
        self._pieces, self._length = list[str](), 0
        self._gap, self._open = "", False

    @property
    def text(self) -> str:
        """What came in so far."""
        return "".join(self._pieces)

    def add(self, word: str, tag: str, start: int | None, number: int) -> None:
        """Add a word, at an offset where the file gives one."""
        place = self._length + len(self._gap) if start is None else start
        missing = place - self._length
        if not 0 <= missing <= GAP:
            raise InputError(f"Line {number}: the word at {place} begins within the one before, or far behind it.")
        gap = self._gap.ljust(missing) if len(self._gap) <= missing else ""
        self._pieces += gap, word
        self._length += len(gap) + len(word)
        self._gap = " "
        found = TAG.match(tag)
        if found is None or (found[2] is None and found[1] != "O"):
            raise InputError(f"Line {number}: the last column is not a tag such as O, B-DISEASE or I-DISEASE.")
        mark, label = found[1], found[2]
        if mark == "O":
            self._open = False
        elif mark in GOES_ON and self._open and self.entities[-1]["label"] == label:
            self.entities[-1]["end"] = self._length
        else:
            self.entities.append({"start": place, "end": self._length, "label": label})
        self._open = mark not in "OSUEL"

    def end_sentence(self) -> None:
        """End a sentence, and an entity with it."""
        self._gap = "\n" if self._length else ""
        self._open = False

    def record(self) -> Record:
        """Give what came in."""
        return {"note_id": self.note_id, "text": self.text, "entities": self.entities}


def read(path: Path) -> Iterator[Record]:
    """Read documents, divided by `# newdoc id = ID` or `-DOCSTART-`; a file without these is one document."""
    document, number_of_documents, offsets = _Document(path.stem), 0, False
    for number, line in enumerate(read_text(path).split("\n"), 1):
        line = line.removesuffix("\r")
        found = DOCUMENT.match(line)
        if found or line.startswith("-DOCSTART-"):
            if document.text:
                yield document.record()
            number_of_documents += 1
            document = _Document(found[1] if found else f"{path.stem}-{number_of_documents}")
        elif line == COLUMNS:
            offsets = True
        elif not line.strip():
            document.end_sentence()
        elif not (line.startswith("# ") and " = " in line):
            line = line.rstrip()  # some files have spaces or a tab behind the tag
            cells = line.split("\t") if "\t" in line else line.split()
            if len(cells) < (4 if offsets else 2):
                raise InputError(f"Line {number} of {path.name} has too few columns: a word and its tag are needed.")
            document.add(cells[0], cells[-1], int(cells[1]) if offsets else None, number)
    if document.text:
        yield document.record()


def write(result: Annotations, path: Path) -> None:
    """Write words with BIO tags; of entities that overlap the longest is written, with a warning."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for note, entities in labelled(result):
            text = note["text"]
            kept = without_overlaps(entities, note["note_id"])
            file.write(f"# newdoc id = {' '.join(note['note_id'].split())}\n{COLUMNS}\n")
            before, coming = 0, iter([*kept, None])
            entity = next(coming)
            for start, end in cut_words(text, kept):
                while entity is not None and entity["end"] <= start:
                    entity = next(coming)
                inside = entity is not None and entity["start"] <= start
                if "\n" in text[before:start] and not (inside and entity and entity["start"] < start):
                    file.write("\n")
                tag = (
                    f"{'B' if entity['start'] == start else 'I'}-{one_word(entity['label'])}"
                    if inside and entity
                    else "O"
                )
                file.write(f"{text[start:end]}\t{start}\t{end}\t{tag}\n")
                before = end
            file.write("\n")
