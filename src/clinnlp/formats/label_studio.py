"""Label Studio JSON and Prodigy JSONL.

Shapes: https://labelstud.io/guide/task_format and https://labelstud.io/tags/text; https://prodi.gy/docs/api-interfaces.
Label Studio counts characters since its frontend's pull request 308, before that UTF-16 units; where the words that it
quotes tell, offsets of the old kind are turned into characters (issue 1347 of HumanSignal/label-studio).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.formats.files import read_json, read_json_lines
from clinnlp.formats.records import NOTE, Entity, Record, labelled, to_characters

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

LABELS = ("labels", "hypertextlabels")
TIMES = ("created_at", "updated_at")  # fields of JSON-MIN that are no text


def read(path: Path) -> Iterator[Record]:
    """Read tasks, full or in the short form JSON-MIN; the text is the field of `data` called text, or the only string.

    Of several annotations of a task the first that was not cancelled counts, without any its first prediction. Fields
    beside the text become columns. Labels of HTML (HyperTextLabels) have XPaths for places, and are not read.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list):
        raise InputError(f"{path.name} is not a list of tasks. Export from Label Studio as JSON.")
    for number, task in enumerate(tasks, 1):
        data = task.get("data", task)
        name = _text_field(data, task.get("id", number))
        text = data[name]
        own = {k: v for k, v in data.items() if k not in (name, "note_id") and isinstance(v, str | int | float)}
        note_id = data.get("note_id", task.get("id", number))
        if data is task:
            values: Sequence[Any] = [(v, v.get("labels", ())) for v in task.get("label") or ()]
            own = {}
        else:
            values = [(r["value"], r["value"].get(r["type"], ())) for r in _result(task) if r.get("type") in LABELS]
        if any(not str(value["start"]).isdecimal() for value, _ in values):
            raise InputError(f"Task {note_id} has labels in HTML, whose places are no characters. Label it as Text.")
        entities = [{**_span(value, text), "label": str(label)} for value, labels in values for label in labels]
        own.pop("entities", None), own.pop("error", None)
        yield {**own, "note_id": str(note_id), "text": text, "entities": entities}


def _text_field(data: Mapping[str, Any], task: Any) -> str:
    strings = [key for key, value in data.items() if isinstance(value, str) and key not in (*NOTE[:4], *TIMES)]
    if isinstance(data.get("text"), str):
        return "text"
    if len(strings) != 1:
        raise InputError(f"Task {task} has {len(strings)} fields that may be its text. Name that field text.")
    return strings[0]


def _result(task: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Choose the annotation of a task that counts."""
    made = [a for a in task.get("annotations") or task.get("completions") or () if not a.get("was_cancelled")]
    return (made or task.get("predictions") or [{}])[0].get("result") or ()


def _span(value: Mapping[str, Any], text: str) -> Entity:
    quoted = value.get("text")
    start, end = to_characters(text, int(value["start"]), int(value["end"]), quoted, "utf-16-le")
    return {"start": start, "end": end, "quoted": quoted}


def write(result: Annotations, path: Path) -> None:
    """Write tasks to import, with the entities as predictions to correct; the labelling setup needs their labels.

    The setup is `<Labels name="label" toName="text">` over `<Text name="text" value="$text"/>`.
    """
    tasks = [_task(note, entities) for note, entities in labelled(result)]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        json.dump(tasks, file, ensure_ascii=False, indent=1)


def _task(note: Record, entities: list[Entity]) -> dict[str, Any]:
    data = {name: str(note[name]) for name in NOTE if note[name] is not None}
    spans = [
        {
            "id": f"e{number}", "from_name": "label", "to_name": "text", "type": "labels",
            "value": {"start": e["start"], "end": e["end"], "text": e["text"], "labels": [e["label"]]},
            **({} if e["score"] is None else {"score": e["score"]}),
        }
        for number, e in enumerate(entities, 1)
    ]  # fmt: skip
    return {"data": data, "predictions": [{"model_version": "clinnlp", "result": spans}]}


def read_prodigy(path: Path) -> Iterator[Record]:
    """Read accepted examples; those rejected or ignored are left out.

    The id is note_id or id of `meta`, or else the number of the line.
    """
    for number, row in read_json_lines(path):
        if row.get("answer", "accept") != "accept":
            continue
        meta = row.get("meta") or {}
        if not isinstance(row.get("text"), str):
            raise InputError(f"Line {number} of {path.name} has no text.")
        spans = [
            {"start": int(s["start"]), "end": int(s["end"]), "label": str(s["label"])} for s in row.get("spans") or ()
        ]
        yield {"note_id": str(meta.get("note_id", meta.get("id", number))), "text": row["text"], "entities": spans}
