"""The i2b2 and n2c2 challenges: 2010 (concepts, assertions), and the XML of 2012 (events), 2014 and 2018 (track 1).

2010 counts lines from 1 and words of a line from 0 (its Annotation File Formatting; the task is described in
https://doi.org/10.1136/amiajnl-2011-000203); here they become characters. Offsets of the XML are characters of TEXT
with the line end that it begins with. Tasks: 2012 https://doi.org/10.1136/amiajnl-2013-001628, 2014
https://doi.org/10.1016/j.jbi.2015.06.007, 2018 track 1 https://doi.org/10.1093/jamia/ocz163; track 2 is BRAT. 2008 and
2009 are in `i2b2_2008` and `i2b2_2009`; 2006 and the relations (.rel, TLINK) are not read. The files are for those who
signed the agreement; none is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from clinnlp.errors import InputError
from clinnlp.formats.files import list_files, parse_xml, read_bytes, read_text
from clinnlp.formats.records import Entity, Record

Span = tuple[int, int]
CONCEPT = re.compile(r'c="(.*)" (\d+):(\d+) (\d+):(\d+)\|\|t="([^"]*)"(?:\|\|a="([^"]*)")?\s*$')
ASSERTIONS = {  # of 2010, in our words
    "present": "present", "absent": "absent", "possible": "uncertain", "conditional": "hypothetical",
    "hypothetical": "hypothetical", "associated_with_someone_else": "family",
}  # fmt: skip
FOLDERS = {".txt": ("txt", "."), ".con": ("concept", "concepts", "."), ".ast": ("ast", ".")}  # concepts: the test part
MODALITIES = {"FACTUAL": "present", "POSSIBLE": "uncertain", "CONDITIONAL": "hypothetical", "PROPOSED": "hypothetical"}
BARE = re.compile(rb"&(?!#?\w{1,10};)")  # that XML does not allow
DECLARATION = re.compile(rb"<\?xml\s[^<>]{0,200}\?>")


def read_2010(path: Path) -> Iterator[Record]:
    """Read NAME.txt with NAME.con and NAME.ast, side by side or in folders txt, concept (concepts) and ast.

    Labels are as in the files (problem, treatment, test), assertions in the words of clinnlp: conditional, of what
    comes only on exertion and the like, counts as hypothetical.
    """
    folder = path if path.is_dir() else path.parent
    texts = _files(folder, ".txt")
    if not path.is_dir():
        texts = {path.stem: texts[path.stem]} if path.stem in texts else {}
    if not texts:
        raise InputError(f"{path.name} has no .txt files, neither there nor in a folder txt, to read its marks with.")
    concepts, assertions = _files(folder, ".con"), _files(folder, ".ast")
    for name, file in texts.items():
        text = read_text(file)
        found: dict[tuple[int, int, str], Entity] = {}
        for marks in (concepts.get(name), assertions.get(name)):
            for entity in _marks(marks, text) if marks else ():
                key = entity["start"], entity["end"], entity["label"]
                found[key] = {**found.get(key, {}), **entity}
        yield {"note_id": name, "text": text, "entities": [found[key] for key in sorted(found)]}


def _files(folder: Path, suffix: str) -> dict[str, Path]:
    """Find the files with a suffix by name, in the folder that is theirs or beside the others."""
    for inside in FOLDERS[suffix]:
        if found := list_files(folder / inside, f"*{suffix}"):
            return {file.stem: file for file in found}
    return {}


def _marks(file: Path, text: str) -> Iterator[Entity]:
    """Read the lines of a .con or .ast file."""
    if not file.stat().st_size:
        return
    words = find_words(text)
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if not line.strip():
            continue
        found = CONCEPT.match(line)
        if found is None:
            raise InputError(f'Line {number} of {file.name} is not: c="..." line:word line:word||t="...".')
        start, end = to_span(words, [int(found[i]) for i in (2, 3, 4, 5)], f"Line {number} of {file.name}")
        more = {"assertion": ASSERTIONS.get(found[7], found[7])} if found[7] else {}
        yield {"start": start, "end": end, "label": found[6], "quoted": found[1], **more}


def find_words(text: str) -> list[list[Span]]:
    r"""Give the start and end of each word, line by line.

    >>> find_words("No rash\non arms.")
    [[(0, 2), (3, 7)], [(8, 10), (11, 16)]]
    """
    lines, begin = [], 0
    for line in text.split("\n"):
        lines.append([(begin + word.start(), begin + word.end()) for word in re.finditer(r"\S+", line)])
        begin += len(line) + 1
    return lines


def to_span(words: list[list[Span]], place: Sequence[int], where: str) -> Span:
    """Turn a place (line and word that it begins with, line and word that it ends with) into characters.

    Lines count from 1, words of a line from 0.

    Raises
    ------
    InputError
        When the text has no such words; `where` tells which line of which file names them.
    """
    first, word, last, last_word = place
    try:
        if not first or not last:
            raise IndexError
        return words[first - 1][word][0], words[last - 1][last_word][1]
    except IndexError:
        raise InputError(f"{where}: the text has no words {first}:{word} {last}:{last_word}.") from None


def read_xml_files(path: Path) -> Iterator[Record]:
    """Read a file or a folder of XML with TEXT and TAGS.

    A tag with start and end is an entity, also within another tag; its label is its TYPE (2014) or type (2012), else
    the name of the tag, its assertion the polarity or else the modality of 2012. The criteria of 2018 (met, not met)
    become columns; other tags without a place are left out. Some files of 2012 have a bare &, some of 2014 a second XML
    declaration: both are read.
    """
    files = list_files(path, "*.xml") if path.is_dir() else [path]
    for file in files:
        root = parse_xml(_mend(read_bytes(file)), file.name)
        body = root.find("TEXT")
        if body is None:
            raise InputError(f"{file.name} has no element TEXT, which the XML of i2b2 and n2c2 has.")
        record: Record = {"note_id": file.stem, "text": body.text or None, "entities": []}
        tags = root.find("TAGS")
        for tag in tags.iter() if tags is not None else ():
            if tag.get("start", "-1") != "-1" and "end" in tag.attrib:  # -1: of the whole document
                record["entities"].append(_tagged(tag))
            elif "met" in tag.attrib:
                record[tag.tag.lower()] = tag.get("met")
        yield record


def _tagged(tag: Element) -> Entity:
    """Read a tag with a place."""
    label = tag.get("TYPE") or tag.get("type") or tag.tag
    assertion = "absent" if tag.get("polarity") == "NEG" else MODALITIES.get(tag.get("modality", ""))
    more = {"assertion": assertion} if assertion else {}
    return {
        "start": int(tag.attrib["start"]), "end": int(tag.attrib["end"]), "label": label, "quoted": tag.get("text"),
        **more,
    }  # fmt: skip


def _mend(data: bytes) -> bytes:
    """Escape each bare & outside CDATA, and leave out XML declarations that do not begin the file."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return data
    first, parts = DECLARATION.match(data), []
    begin = first[0] if first else b""
    for part in data[len(begin) :].split(b"]]>"):
        outside, cdata, inside = part.partition(b"<![CDATA[")
        parts.append(BARE.sub(b"&amp;", DECLARATION.sub(b"", outside)) + cdata + inside)
    return begin + b"]]>".join(parts)
