"""The i2b2 challenge of 2009: the medications that a patient had, with dose, route, frequency, duration and reason.

An entry is a line: m="aspirin" 3:1 3:1||do="81 mg" 3:2 3:3||mo="po" 3:4 3:4||f="nm"||du="nm"||r="nm"||ln="list". Lines
count from 1 and words, between white space, from 0; "nm" is not mentioned; of a field in several places these stand
between commas, its words between "...". The task is described in https://doi.org/10.1136/jamia.2010.003947, the format
in its annotation guidelines. Some entries count on into the next line, or quote a word without the sign at its end:
these are read too. The files are for those who signed the agreement; none is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

from clinnlp.errors import InputError
from clinnlp.formats.files import list_files, read_bytes, read_text
from clinnlp.formats.i2b2 import Span, find_words, to_span
from clinnlp.formats.records import Gold, Record

FIELD = re.compile(r'\s*(\w+)="(.*)"([\d:,\s]*)$')
PARTS = {"do": "dose", "mo": "route", "f": "frequency", "du": "duration", "r": "reason"}
SAID = {"e": "event", "t": "temporal", "c": "certainty", "ln": "found_in"}
NOT_MENTIONED = ("nm", "")


def read(path: Path) -> Iterator[Record]:
    """Read a folder of texts (NAME or NAME.txt) and entries (.entries or .m), also in folders within it, or one file.

    The entries of NAME.txt begin with NAME, as in NAME_gold.entries; a text without entries is left out. A drug is an
    entity MEDICATION, and an entry a row of `medications` in `read_documents`: start, end, text, dose, route,
    frequency, duration and reason as written in the note, what the entry says beside (event, temporal, certainty, and
    list or narrative as `found_in`), and the status None, which it does not say. A drug with two doses has two rows.
    """
    texts, entries = _files(path)
    for name, file in entries.items():
        if name not in texts:
            raise InputError(f"{file.name} has no text: neither {name} nor {name}.txt is there. Put it beside it.")
        text = read_text(texts[name])
        words = find_words(text)
        words = [line + following for line, following in zip(words, [*words[1:], []], strict=True)]
        lines = read_text(file).split("\n") if read_bytes(file).strip() else []
        rows = [_entry(line, f"Line {number} of {file.name}", text, words)
                for number, line in enumerate(lines, 1) if line.strip()]  # fmt: skip
        spans = sorted({(row["start"], row["end"]) for row in rows})
        yield {
            "note_id": name, "text": text, "gold": Gold(medications=sorted(rows, key=lambda r: (r["start"], r["end"]))),
            "entities": [{"start": start, "end": end, "label": "MEDICATION"} for start, end in spans],
        }  # fmt: skip


def _files(path: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Find texts and entries by the name of the note."""
    folder, depths = (path, ("*", "*/*", "*/*/*")) if path.is_dir() else (path.parent, ("*",))
    texts: dict[str, Path] = {}
    entries: dict[str, Path] = {}
    for file in (file for depth in depths for file in list_files(folder, depth)):
        if file.suffix in ("", ".txt"):
            texts.setdefault(file.stem, file)
        elif file.suffix in (".entries", ".m") and path in (folder, file):
            name = file.name.partition(".")[0].removesuffix("_gold")
            if name in entries:
                raise InputError(f"Both {entries[name].name} and {file.name} are entries of {name}. Keep one of them.")
            entries[name] = file
    if not entries:
        raise InputError(f"{path.name} has no entries (.entries or .m), which name the medications of texts.")
    return texts, entries


def _entry(line: str, where: str, text: str, words: list[list[Span]]) -> dict[str, Any]:
    """Read an entry as a row of medications."""
    matches = [FIELD.match(field) for field in re.split(r"\|\|+", line.strip())]
    fields = {match[1]: (match[2], match[3]) for match in matches if match}
    if not all(matches) or not {"m"} <= set(fields) <= {"m", *PARTS, *SAID}:
        raise InputError(f'{where} is not: m="..." line:word line:word||do="..." line:word line:word||mo=...')
    spans = {name: _spans(*fields.get(name, ("nm", "")), where, text, words) for name in ("m", *PARTS)}
    if not spans["m"]:
        raise InputError(f"{where} names no medication (m).")
    start, end = min(start for start, _ in spans["m"]), max(end for _, end in spans["m"])
    said = {named: fields[name][0] for name, named in SAID.items() if name in fields}
    return {
        "start": start, "end": end, "text": text[start:end],
        **{part: " ".join(text[a:b] for a, b in spans[name]) or None for name, part in PARTS.items()},
        "status": None, **{named: value for named, value in said.items() if value not in NOT_MENTIONED},
    }  # fmt: skip


def _spans(quoted: str, offsets: str, where: str, text: str, words: list[list[Span]]) -> list[Span]:
    """Find the places of a field, without signs beside them that the field does not quote."""
    if quoted in NOT_MENTIONED:
        return []
    numbers = [int(number) for number in re.findall(r"\d+", offsets)]
    if not numbers or len(numbers) % 4:
        raise InputError(f"{where} has a field whose places are not each line:word line:word.")
    spans = [to_span(words, numbers[i : i + 4], where) for i in range(0, len(numbers), 4)]
    pieces = quoted.split("...")
    if len(pieces) == len(spans):
        narrow = [_narrow(text, *span, piece) for span, piece in zip(spans, pieces, strict=True)]
        if all(narrow):
            return [span for span in narrow if span]
    if _letters(quoted) == _letters("".join(text[start:end] for start, end in spans)):
        return spans
    raise InputError(f"{where}: what it quotes is not at {' '.join(offsets.split())}. See that text and entries match.")


def _narrow(text: str, start: int, end: int, quoted: str) -> Span | None:
    """Find the words that are quoted within a place."""
    found = re.search(r"\s+".join(map(re.escape, quoted.split())), text[start:end], re.IGNORECASE)
    return (start + found.start(), start + found.end()) if found and found[0] else None


def _letters(text: str) -> str:
    """Leave of a text the letters and digits, which the entries of all readers agree on."""
    return re.sub(r"[\W_]+", "", unescape(text)).casefold()
