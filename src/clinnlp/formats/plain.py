"""What `clinnlp.read_notes` and `clinnlp.models.documents` read, and DocBin."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.display import records as rows_of
from clinnlp.errors import InputError
from clinnlp.formats import files
from clinnlp.formats.records import Record, labelled, without_overlaps
from clinnlp.models.documents import read_documents

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations


def read(path: Path) -> Iterator[Record]:
    """Read a table or a folder of texts; a JSONL file with a column entities gives these too."""
    from clinnlp.notes import read_notes

    if path.suffix.lower() == ".gz":
        files.read_bytes(path)  # sees that it does not unpack without end
    elif path.suffix.lower() == ".parquet" and path.is_file():
        deque(files.read_batches(path), 0)  # so does this
    if path.is_dir():
        files.list_files(path, "*.txt")
    notes = read_notes(path)
    entities: Iterable[Any] = notes.pop("entities") if "entities" in notes else [[]] * len(notes)
    for row, found in zip(rows_of(notes), entities, strict=True):
        yield {**row, "entities": found if isinstance(found, list) else []}


def read_docbin(path: Path) -> Iterator[Record]:
    """Read the documents of a DocBin, numbered from 1."""
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(files.read_bytes(path), files.LIMIT)
    except zlib.error:
        raise InputError(f"{path.name} cannot be read as a DocBin: it is damaged.") from None
    if unpacker.unconsumed_tail:
        raise InputError(f"{path.name} holds more than {files.LIMIT >> 20} MiB. Split it.")
    for document in read_documents(path):
        yield {"note_id": document["id"], "text": document["text"], "entities": document["entities"]}


def write_docbin(result: Annotations, path: Path) -> None:
    """Write documents to train spaCy on; the id of the note is in `doc.user_data["note_id"]`.

    Words are those of the clinical tokenizer, cut where an entity begins or ends. Of entities that overlap the longest
    is written, with a warning.
    """
    from spacy.tokens import Doc, DocBin, Span

    from clinnlp.tokenizer import blank

    nlp = blank()
    store = DocBin(store_user_data=True)
    for note, entities in labelled(result):
        text = note["text"]
        kept = without_overlaps(entities, note["note_id"])
        cuts = {0, len(text), *(place for e in kept for place in (e["start"], e["end"]))}
        for token in nlp.make_doc(text):
            cuts |= {token.idx, token.idx + len(token)}
        places = sorted(cuts)
        words = [text[a:b] for a, b in pairwise(places)]
        doc = Doc(nlp.vocab, words, [False] * len(words))
        at = {place: number for number, place in enumerate(places)}
        doc.ents = [Span(doc, at[e["start"]], at[e["end"]], label=e["label"]) for e in kept]
        doc.user_data["note_id"] = note["note_id"]
        store.add(doc)
    store.to_disk(path)
