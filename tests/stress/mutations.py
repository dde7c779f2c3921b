"""Damaging files at random: what the tests of readers and `benchmarks/fuzz.py` share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

DATA = Path(__file__).parents[1] / "data" / "formats"
FILES = {  # a file or folder of the synthetic data -> its format, and which file of a folder is damaged
    "NOTEEVENTS.csv": ("mimic-iii", ""), "discharge.csv": ("mimic-iv", ""), "mtsamples.csv": ("mtsamples", ""),
    "bundle.json": ("fhir", ""), "single.json": ("fhir", ""), "export.ndjson": ("fhir", ""),
    "label_studio.json": ("label-studio", ""), "prodigy.jsonl": ("prodigy", ""), "two.pubtator": ("pubtator", ""),
    "bilou.conll": ("conll", ""), "conll2003.conll": ("conll", ""), "passages.bioc.xml": ("bioc", ""),
    "ccda.xml": ("c-cda", ""), "i2b2-2012.xml": ("i2b2-xml", ""), "i2b2-2014.xml": ("i2b2-xml", ""),
    "n2c2-2018.xml": ("i2b2-xml", ""), "brat": ("brat", "n1.ann"), "omop": ("omop", "note_nlp.csv"),
    "i2b2-2010": ("i2b2-2010", "concept/*.con"), "i2b2-2008": ("i2b2-2008", "standoff.xml"),
    "i2b2-2009": ("i2b2-2009", "entries/*.entries"),
}  # fmt: skip
TOKENS = [
    b"", b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\t", b",", b'"', b'""', b"'", b"\\",
    b"{", b"}", b"[", b"]", b"<", b">", b"</", b"&", b"&#0;", b"&#x110000;", b"]]>", b"<!--", b"<a>", b"null", b"true",
    b"-1", b"0", b"1e400", b"Infinity", b"-Infinity", b"NaN", b"9" * 30, b"9" * 5000, b'"\\ud800"', b"[]", b"{}",
    b"1.5", b";", b"|", b"|t|", b"||t=", b"1:0 1:0", "é".encode(), "\u2028".encode(), "😀".encode(), "٣".encode(),
    b" " * 50, b"B-X", b"# newdoc id = ", b"=1+1",
]  # fmt: skip
VALUES: list[Any] = [None, True, -1, 0, 10**30, 1.5, float("inf"), float("nan"), "", "x", "\ud800", [], {}, [None],
                     [[]], {"a": 1}, ["text"], "9" * 5000]  # fmt: skip
Draw = Callable[[int], int]  # gives a whole number from 0 up to, but not including, another one


def damage(data: bytes, draw: Draw) -> bytes:
    """Damage a file: bytes, or where it is JSON its structure."""
    for _ in range(1 + draw(4)):
        kind, a, b = draw(6), draw(len(data) + 1), draw(len(data) + 1)
        low, high = min(a, b), max(a, b)
        if kind == 0:
            data = data[:a] + TOKENS[draw(len(TOKENS))] + data[a:]
        elif kind == 1:
            data = data[:low] + data[min(high, low + 40) :]
        elif kind == 2:
            data = data[:low] + data[low : low + 200] * 2 + data[low + 200 :]
        elif kind == 3:
            data = data[:a]
        elif kind == 4:
            data = data[:a] + bytes([draw(256)]) + data[a + 1 :]
        else:
            data = _damage_structure(data, draw)
    return data


def _damage_structure(data: bytes, draw: Draw) -> bytes:
    """Put another value in some place of a JSON document, or of a line of JSON lines; else another field in a row."""
    lines = [data] if data.startswith((b"[", b"{\n")) else data.split(b"\n")
    place = draw(len(lines))
    try:
        content = json.loads(lines[place])
        places = list(_places(content))
        holder, key = places[draw(len(places))]
        holder[key] = VALUES[draw(len(VALUES))]
        lines[place] = json.dumps(content).encode("utf-8", "replace")
    except (ValueError, IndexError):
        for mark in (b"\t", b",", b" ", b">"):
            if mark in lines[place]:
                cells = lines[place].split(mark)
                cells[draw(len(cells))] = TOKENS[draw(len(TOKENS))]
                lines[place] = mark.join(cells)
                break
    return b"\n".join(lines)


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Give each place in JSON that holds a value."""
    keys: Sequence[Any] = list(content) if isinstance(content, dict) else ()
    if isinstance(content, list):
        keys = range(len(content))
    for key in keys:
        yield content, key
        yield from _places(content[key])


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw a damaged file."""
    return damage(data, lambda n: draw(st.integers(0, n - 1)) if n > 1 else 0)
