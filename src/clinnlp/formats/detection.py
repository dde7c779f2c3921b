"""Finding out which format a file or folder is, from its name and how it begins."""

from __future__ import annotations

import gzip
import re
import zlib
from fnmatch import fnmatchcase
from pathlib import Path

from clinnlp.errors import InputError

HEAD = 1 << 16  # characters of a file that are looked at
NAMES = {
    ".spacy": "docbin", ".duckdb": "duckdb", ".pubtator": "pubtator", ".con": "i2b2-2010", ".entries": "i2b2-2009",
    **dict.fromkeys((".conll", ".bio", ".iob", ".iob2"), "conll"),
}  # fmt: skip
COLUMNS = (  # names that the header of a CSV file holds, in lower case, and the format that they tell of
    ({"row_id", "subject_id", "category", "text"}, "mimic-iii"),
    ({"note_id", "subject_id", "note_seq", "text"}, "mimic-iv"),
    ({"note_id", "person_id", "note_text"}, "omop"),
    ({"medical_specialty", "transcription"}, "mtsamples"),
)
BEGINNINGS = (  # how a file begins, and the format that it tells of
    ((".xml",), r"<collection\b", "bioc"),
    ((".xml",), r"<(\w+:)?ClinicalDocument\b", "c-cda"),
    ((".xml",), r"<TEXT\b", "i2b2-xml"),
    ((".xml",), r"<docs>\s*<doc\b|<diseases\s+source\b", "i2b2-2008"),
    ((".m",), r'^m="', "i2b2-2009"),
    ((".json", ".ndjson", ".jsonl"), r'"resourceType"\s*:', "fhir"),
    ((".json",), r'"documents"\s*:|"PubTator3"\s*:|"passages"\s*:', "bioc"),
    ((".json",), r'^\s*\[[\s\S]*"data"\s*:', "label-studio"),
    ((".jsonl",), r'"spans"\s*:|"_input_hash"\s*:', "prodigy"),
    ((".txt",), r"^\w+\|[ta]\|", "pubtator"),
)
FOLDERS = (  # files that a folder holds, and the format that they tell of
    ("notes.parquet", "parquet"),
    ("note.csv", "omop"),
    ("note.csv.gz", "omop"),
    ("note.parquet", "omop"),
    ("*.con", "i2b2-2010"),
    ("concept/*.con", "i2b2-2010"),
    ("concepts/*.con", "i2b2-2010"),
    ("*.entries", "i2b2-2009"),
    ("*.ann", "brat"),
    ("*.ndjson", "fhir"),
    ("*.ndjson.gz", "fhir"),
)
ADVICE = "Name it with format=...; clinnlp.formats.list_formats() lists them"


def detect(path: str | Path) -> str:
    """Find out the format of a file or folder.

    Returns
    -------
    str
        A name of `clinnlp.formats.FORMATS`.

    Raises
    ------
    InputError
        When nothing tells; the message lists the formats.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist. Check the path.")
    found = _folder(path) if path.is_dir() else _file(path)
    if found is None:
        from clinnlp.formats.registry import FORMATS

        raise InputError(f"The format of {path.name} is not known. {ADVICE}: {', '.join(FORMATS)}.")
    return found


def _folder(path: Path) -> str | None:
    found = (file for pattern in ("*", "concept*/*.con", "*/*.entries") for file in path.glob(pattern))
    files = [file.relative_to(path).as_posix().lower() for file in found]
    for pattern, name in FOLDERS:
        if any(fnmatchcase(file, pattern) for file in files):
            return name
    for pattern in ("*.xml", "*.json"):
        if first := next(iter(sorted(path.glob(pattern))), None):
            return _file(first)
    return "table" if any(path.glob("*.txt")) else None


def _file(path: Path) -> str | None:
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in NAMES:
        return NAMES[suffix]
    if suffix in (".csv", ".tsv", ".parquet"):
        columns = _columns(path, suffix)
        return next((name for wanted, name in COLUMNS if wanted <= columns), "table")
    head = read_head(path)
    for kinds, pattern, name in BEGINNINGS:
        if suffix in kinds and re.search(pattern, head):
            return name
    return "table" if suffix in (".jsonl", ".ndjson") else None


def _columns(path: Path, suffix: str) -> set[str]:
    """Read the names of the columns of a table, in lower case."""
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return {name.lower() for name in pq.read_schema(path).names}
        except (pa.ArrowException, OSError):
            return set()
    first = read_head(path).partition("\n")[0]
    return {name.strip().strip('"').lower() for name in re.split("[,\t]", first)}


def read_head(path: Path) -> str:
    """Read the beginning of a file, unpacked; nothing of one that cannot be."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            data = file.read(HEAD)
    except (OSError, EOFError, zlib.error):
        return ""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return data.decode(encoding, errors="replace")
