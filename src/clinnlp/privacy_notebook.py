"""Mask what may identify a person in the outputs of a Jupyter notebook, before it is shared."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from clinnlp.errors import InputError
from clinnlp.privacy import find_identifiers, known_kinds, load_rules

TAG = re.compile(r"(<[^<>]*>)")
SHOWN_ATTRIBUTE = re.compile(r"((?:title|alt|aria-label|value|href|data-[\w-]+)\s*=\s*)([\"'])(.*?)\2", re.S)
SCRIPT = re.compile(r"<script\b", re.I)
REMOVED = "<p>[an output with a script was removed: its text cannot be masked]</p>"
CODED = frozenset({"bdata", "dtype", "type", "id", "shape"})  # keys of figures whose texts are no prose
Mask = Callable[[str], str]


def mask_outputs(source: str | Path, out: str | Path | None = None, *, ignore: Iterable[str] = ()) -> list[str]:
    """Write a copy of a notebook whose outputs have placeholders such as [NAME], and give the kinds of what was masked.

    Masked are printed text, errors, plain and HTML texts, tables, and the strings of figures. An HTML output with a
    script is removed. Images, and the code and prose of the cells, stay as they are. A name that stands in a table
    cell by itself has nothing around it that tells it, and is found only if it is listed.

    Parameters
    ----------
    source
        The notebook, a .ipynb file.
    out
        The copy; without it nothing is written.
    ignore
        Kinds that are left as they are.

    Raises
    ------
    InputError
        When the file is no notebook, the copy would replace it, or a kind to ignore does not exist.
    """
    source = Path(source)
    if out is not None and Path(out).resolve() == source.resolve():
        raise InputError(f"{out} is the notebook itself. Name another file for the masked copy.")
    try:
        notebook = json.loads(source.read_text(encoding="utf-8"))
        outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{source} is no notebook of version 4: it has no list of cells.") from None
    kinds: list[str] = []
    mask = _counting_mask(known_kinds(ignore), kinds)
    for output in outputs:
        for key in output.keys() & {"text", "ename", "evalue", "traceback"}:
            output[key] = _lines(output[key], mask)
        for mime, value in output.get("data", {}).items():
            output["data"][mime] = _mask_mime(mime, value, mask)
    if out is not None:
        Path(out).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kinds


def _counting_mask(ignored: frozenset[str], kinds: list[str]) -> Mask:
    """Give a function that masks a text and adds the kinds of what it masked to a list."""
    masks = load_rules().masks

    def mask(text: str) -> str:
        for i in reversed(find_identifiers(text)):
            if i.kind not in ignored:
                text = text[: i.start] + masks[i.kind] + text[i.end :]
                kinds.append(i.kind)
        return text

    return mask


def _mask_mime(mime: str, value: Any, mask: Mask) -> Any:
    """Mask what one alternative of an output shows."""
    if mime in ("text/html", "image/svg+xml"):
        return _lines(value, lambda text: _mask_html(text, mask))
    if mime.startswith("text/"):
        return _lines(value, mask)
    return value if mime.startswith("image/") else _mask_strings(value, mask)


def _lines(value: Any, mask: Mask) -> Any:
    """Mask a text that may be a list of its lines."""
    if isinstance(value, list):
        return mask("".join(value)).splitlines(keepends=True)
    return mask(value)


def _mask_strings(value: Any, mask: Mask) -> Any:
    """Mask the strings of a JSON value, but for those that code something."""
    if isinstance(value, dict):
        return {key: v if key in CODED else _mask_strings(v, mask) for key, v in value.items()}
    if isinstance(value, list):
        return [_mask_strings(v, mask) for v in value]
    if isinstance(value, str):
        return _mask_html(value, mask) if TAG.search(value) and not SCRIPT.search(value) else mask(value)
    return value


def _mask_html(text: str, mask: Mask) -> str:
    """Mask what HTML shows: the text between its tags, and the attributes that are read."""
    if SCRIPT.search(text):
        return REMOVED
    parts = TAG.split(text)
    before = ["", *parts[1::2]]
    parts[::2] = [
        part if tag.startswith("<style") else _mask_escaped(part, mask)
        for tag, part in zip(before, parts[::2], strict=True)
    ]
    parts[1::2] = [
        SHOWN_ATTRIBUTE.sub(lambda m: m[1] + m[2] + _mask_escaped(m[3], mask) + m[2], tag) for tag in parts[1::2]
    ]
    return "".join(parts)


def _mask_escaped(text: str, mask: Mask) -> str:
    """Mask a text that HTML has escaped."""
    plain = html.unescape(text)
    masked = mask(plain)
    return text if masked == plain else html.escape(masked)
