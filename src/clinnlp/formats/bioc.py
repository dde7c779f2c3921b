"""BioC, in XML and JSON; see http://bioc.sourceforge.net/BioC.dtd.

The comments of BioC.dtd want offsets in bytes of UTF-8, but NCBI's files and usual tools count characters. So do we;
where the words that an annotation quotes tell that its file counts bytes, its place is turned into characters. A note
is one passage when written; read, passages stand at their offsets, with spaces between them. JSON may be a collection,
a document, a list of either, or what PubTator 3 exports: documents under the name PubTator3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from clinnlp.errors import InputError
from clinnlp.formats.files import GAP, list_files, read_json, read_xml
from clinnlp.formats.records import NOTE, Entity, Record, labelled, to_characters

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

Node = Mapping[str, Any]
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that no XML may hold
ABOUT = ("patient_id", "date", "note_type")
CODES = ("code", "identifier", "MESH", "MeSH")  # infons that hold a code: ours, PubTator's, those of NCBI's corpora
NO_CODE = ("", "-", "-1")  # how these say that there is none
SAYS = ("assertion", "code_system", "code", "code_name", "score", "source")


def read(path: Path) -> Iterator[Record]:
    """Read the documents of a file or folder; infons of a document become columns, those of an annotation its details.

    The label is the infon `type`, the code `code` or `identifier`. Of an annotation in several pieces the whole stretch
    counts; one of no length, which stands between two characters, is left out.
    """
    for file in (*list_files(path, "*.xml"), *list_files(path, "*.json")) if path.is_dir() else [path]:
        yield from _documents(file)


def _documents(path: Path) -> Iterator[Record]:
    """Read the documents of a file."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    documents = _from_json(path) if suffixes[-1:] == [".json"] else _from_xml(read_xml(path), path.name)
    for document in documents:
        text, marks = "", []
        for passage in document["passages"]:
            words = _text(passage)
            text = _place(text, passage["offset"], words, document["id"])
            marks += [(mark, passage["offset"], words) for mark in passage.get("annotations") or ()]
            for part in passage.get("sentences") or ():
                marks += [(mark, part["offset"], part.get("text") or "") for mark in part.get("annotations") or ()]
        marks += [(mark, 0, text) for mark in document.get("annotations") or ()]
        entities = [_entity(*mark, document["id"]) for mark in marks]
        infons = {
            k: v for k, v in (document.get("infons") or {}).items() if k not in ("note_id", "text", "entities", "error")
        }
        found = [entity for entity in entities if entity["start"] != entity["end"]]
        yield {**infons, "note_id": str(document["id"]), "text": text, "entities": found}


def _text(passage: Node) -> str:
    """Give the text of a passage, or of its sentences, beside which it may be empty."""
    if passage.get("text"):
        return str(passage["text"])
    text = ""
    for sentence in passage.get("sentences") or ():
        text = _place(text, sentence["offset"] - passage["offset"], sentence.get("text") or "", "")
    return text


def _place(text: str, offset: int, more: str, document: str) -> str:
    """Put text at an offset behind other text."""
    if not len(text) <= offset <= len(text) + GAP:
        raise InputError(
            f"Document {document}: the passage at {offset} begins within the one before, or far behind it."
        )
    return text + " " * (offset - len(text)) + more if more else text


def _entity(annotation: Node, offset: int, words: str, document: str) -> Entity:
    """Read an annotation of a passage or sentence that has an offset and words."""
    infons, locations = annotation.get("infons") or {}, annotation["locations"]
    if not locations:
        raise InputError(f"Document {document}: an annotation has no location.")
    places = [(int(place["offset"]), int(place["offset"]) + int(place["length"])) for place in locations]
    start, end = min(start for start, _ in places), max(end for _, end in places)
    more = {"assertion": infons["assertion"]} if infons.get("assertion") else {}
    if code := next((str(infons[k]) for k in CODES if str(infons.get(k) or "") not in NO_CODE), None):
        more["code"] = code
    if len(places) == 1:
        more["quoted"] = annotation.get("text")
        start, end = to_characters(words, start - offset, end - offset, more["quoted"], "utf-8")
        start, end = start + offset, end + offset
    return {"start": start, "end": end, "label": str(infons.get("type", "ENTITY")), **more}


def _from_json(path: Path) -> Iterator[Node]:
    """Read the documents of a collection, a document, a list of either, or what PubTator 3 exports."""
    content = read_json(path)
    for part in content if isinstance(content, list) else [content]:
        one = [part] if isinstance(part, dict) and "passages" in part else None
        documents = one or (part.get("documents", part.get("PubTator3")) if isinstance(part, dict) else None)
        if not isinstance(documents, list):
            raise InputError(f"{path.name} has no list of documents, which a BioC collection has.")
        yield from documents


def _from_xml(root: Element, name: str) -> Iterator[Node]:
    """Bring documents in XML into the form of those in JSON."""
    if root.tag != "collection":
        raise InputError(f"{name} is not a BioC collection: its root is another element.")
    for document in root.iter("document"):
        passages = [{**_part(p), "sentences": [_part(s) for s in p.iterfind("sentence")]} for p in
                    document.iterfind("passage")]  # fmt: skip
        yield {"id": document.findtext("id"), "infons": _infons(document), "passages": passages}


def _part(node: Element) -> Node:
    """Read a passage or a sentence."""
    annotations = [
        {
            "text": a.findtext("text"),
            "infons": _infons(a),
            "locations": [dict(place.attrib) for place in a.iterfind("location")],
        }
        for a in node.iterfind("annotation")
    ]
    return {"offset": int(node.findtext("offset") or 0), "text": node.findtext("text"), "annotations": annotations}


def _infons(node: Element) -> dict[str, str]:
    return {infon.attrib["key"]: infon.text or "" for infon in node.iterfind("infon")}


def write(result: Annotations, path: Path) -> None:
    """Write a collection: XML, or JSON where the name ends so; a document a note.

    A character that XML cannot hold becomes U+FFFD there; no offset moves.
    """
    documents = [_document(note, entities) for note, entities in labelled(result)]
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".json":
            json.dump({"source": "clinnlp", "date": "", "key": "", "infons": {}, "documents": documents}, file,
                      ensure_ascii=False)  # fmt: skip
            return
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<collection><source>clinnlp</source><date/><key/>\n')
        for document in documents:
            (passage,) = document["passages"]
            marks = "\n".join(_annotation_xml(annotation) for annotation in passage["annotations"])
            file.write(
                f"<document><id>{_xml(document['id'])}</id>{_infons_xml(document['infons'])}<passage><offset>0</offset>"
                f"<text>{_xml(passage['text'])}</text>\n{marks}</passage></document>\n"
            )
        file.write("</collection>\n")


def _document(note: Record, entities: list[Entity]) -> dict[str, Any]:
    own = {k: v for k, v in note.items() if k in ABOUT or k not in NOTE}
    annotations = [
        {
            "id": str(number), "infons": {"type": e["label"], **_strings({k: e[k] for k in SAYS})},
            "text": e["text"], "locations": [{"offset": e["start"], "length": e["end"] - e["start"]}],
        }
        for number, e in enumerate(entities, 1)
    ]  # fmt: skip
    passage = {"offset": 0, "infons": {}, "text": note["text"], "sentences": [], "annotations": annotations,
               "relations": []}  # fmt: skip
    return {"id": note["note_id"], "infons": _strings(own), "passages": [passage], "annotations": [], "relations": []}


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in values.items() if value is not None}


def _annotation_xml(annotation: Node) -> str:
    (place,) = annotation["locations"]
    return (
        f'<annotation id="{annotation["id"]}">{_infons_xml(annotation["infons"])}'
        f'<location offset="{place["offset"]}" length="{place["length"]}"/>'
        f"<text>{_xml(annotation['text'])}</text></annotation>"
    )


def _infons_xml(infons: Mapping[str, str]) -> str:
    return "".join(
        f"<infon key={quoteattr(FORBIDDEN.sub(chr(0xFFFD), k))}>{_xml(v)}</infon>" for k, v in infons.items()
    )


def _xml(text: str) -> str:
    """Escape text so that line ends come back as they are."""
    return escape(FORBIDDEN.sub("\ufffd", text), {"\r": "&#13;"})
