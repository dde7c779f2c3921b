"""BioC, in XML and JSON; see http://bioc.sourceforge.net/BioC.dtd.

Offsets are characters of the document. A note is one passage when written; read, passages stand at their offsets, with
spaces between them.
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
from clinnlp.formats.files import GAP, read_json, read_xml
from clinnlp.formats.records import NOTE, Entity, Record, labelled

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

Node = Mapping[str, Any]
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that no XML may hold
ABOUT = ("patient_id", "date", "note_type")
SAYS = ("assertion", "code_system", "code", "code_name", "score", "source")


def read(path: Path) -> Iterator[Record]:
    """Read the documents of a collection; infons of a document become columns, those of an annotation its details.

    The label is the infon `type`. Of an annotation in several pieces the whole stretch counts.
    """
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    documents = _from_json(path) if suffixes[-1:] == [".json"] else _from_xml(read_xml(path), path.name)
    for document in documents:
        text, entities = "", []
        for passage in document["passages"]:
            text = _place(text, passage["offset"], _text(passage), document["id"])
            for part in (passage, *passage.get("sentences", ())):
                entities += [_entity(a, document["id"]) for a in part.get("annotations", ())]
        entities += [_entity(a, document["id"]) for a in document.get("annotations", ())]
        infons = {
            k: v for k, v in document.get("infons", {}).items() if k not in ("note_id", "text", "entities", "error")
        }
        yield {**infons, "note_id": str(document["id"]), "text": text, "entities": entities}


def _text(passage: Node) -> str:
    """Give the text of a passage, or of its sentences."""
    if passage.get("text") is not None:
        return str(passage["text"])
    text = ""
    for sentence in passage.get("sentences", ()):
        text = _place(text, sentence["offset"] - passage["offset"], sentence.get("text") or "", "")
    return text


def _place(text: str, offset: int, more: str, document: str) -> str:
    """Put text at an offset behind other text."""
    if not len(text) <= offset <= len(text) + GAP:
        raise InputError(
            f"Document {document}: the passage at {offset} begins within the one before, or far behind it."
        )
    return text + " " * (offset - len(text)) + more if more else text


def _entity(annotation: Node, document: str) -> Entity:
    infons, locations = annotation.get("infons", {}), annotation["locations"]
    if not locations:
        raise InputError(f"Document {document}: an annotation has no location.")
    places = [(int(place["offset"]), int(place["offset"]) + int(place["length"])) for place in locations]
    entity: Entity = {
        "start": min(start for start, _ in places), "end": max(end for _, end in places),
        "label": str(infons.get("type", "ENTITY")), **{k: infons[k] for k in ("assertion", "code") if infons.get(k)},
    }  # fmt: skip
    return entity | ({"quoted": annotation.get("text")} if len(places) == 1 else {})


def _from_json(path: Path) -> list[Node]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("documents"), list):
        raise InputError(f"{path.name} has no list of documents, which a BioC collection has.")
    return content["documents"]


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
