"""Labelled documents to train and score on: JSONL, BRAT stand-off files, and spaCy's DocBin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinnlp.errors import InputError

Document = dict[str, Any]


def read_documents(path: Path) -> Iterator[Document]:
    """Read labelled documents.

    Parameters
    ----------
    path
        A JSONL file, each line with `text` and `entities` (a list of `start`, `end`, `label`); a folder of BRAT files
        (NAME.txt and NAME.ann); or a DocBin (`*.spacy`).

    Yields
    ------
    dict
        With `id`, `text` and `entities`.

    Raises
    ------
    InputError
        When the file is missing or of another kind, or an entity does not lie in its text; the message names the
        document and never quotes it.
    """
    if not path.exists():
        raise InputError(f"There are no documents at {path}. Check the path.")
    readers = {".jsonl": _read_jsonl, ".spacy": _read_docbin}
    reader = _read_brat if path.is_dir() else readers.get(path.suffix)
    if reader is None:
        raise InputError(f"{path.name} is not a .jsonl or .spacy file, nor a folder of BRAT files.")
    for document in reader(path):
        for entity in document["entities"]:
            if not 0 <= entity["start"] < entity["end"] <= len(document["text"]):
                raise InputError(
                    f"{path.name}, document {document['id']}: the entity {entity['start']}-{entity['end']} is outside "
                    f"the text of {len(document['text'])} characters. Offsets are characters, the end not included."
                )
        yield document


def _read_jsonl(path: Path) -> Iterator[Document]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                content = json.loads(line)
                entities = [{k: e[k] for k in ("start", "end", "label")} for e in content["entities"]]
                yield {"id": str(content.get("id", number)), "text": content["text"], "entities": entities}
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f'{path.name}, line {number}: expected {{"text": ..., "entities": [{{"start", "end", "label"}}]}}.'
                ) from None


def _read_docbin(path: Path) -> Iterator[Document]:
    import spacy
    from spacy.tokens import DocBin

    try:
        docs = list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))
    except Exception as error:
        raise InputError(f"{path.name} cannot be read as a DocBin ({type(error).__name__}).") from None
    for number, doc in enumerate(docs, 1):
        entities = [{"start": e.start_char, "end": e.end_char, "label": e.label_} for e in doc.ents]
        yield {"id": str(number), "text": doc.text, "entities": entities}


def _read_brat(path: Path) -> Iterator[Document]:
    """Read text-bound annotations; of one in several pieces the whole stretch counts."""
    for text in sorted(file for file in path.glob("*.txt") if file.is_file()):
        marks = text.with_suffix(".ann")
        entities = []
        for line in marks.read_text(encoding="utf-8").splitlines() if marks.exists() else ():
            if found := re.match(r"T\d+\t(\S+) (\d+) (?:\d+;\d+ )*(\d+)\t", line):
                entities.append({"start": int(found[2]), "end": int(found[3]), "label": found[1]})
        with text.open(encoding="utf-8", newline="") as file:
            yield {"id": text.stem, "text": file.read(), "entities": entities}
