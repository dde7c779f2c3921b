"""Safe reading of files from elsewhere: packed files that unpack without end, entities in XML, names that are paths."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.parsers import expat

from clinnlp.errors import InputError
from clinnlp.notes import decode_text

LIMIT = 1 << 30  # bytes that are read into memory at once
GAP = 100_000  # characters that may lie between two pieces of a text
RATIO = 50  # how much smaller gzip makes notes at the very most: 3 to 5 is usual
DEPTH = 200  # of elements in XML
HEAD = 1 << 16  # characters of a first line that are looked at
ROWS = 2_000  # of a table that are in memory together
IN_NAMES = " !#$&'()+,;=@[]^`{}~"  # that a file name may hold on any system, beside letters, digits and "_.-"


def read_bytes(path: Path) -> bytes:
    """Read a file, unpacked if it is .gz.

    Raises
    ------
    InputError
        When it is missing, damaged, or holds more than `LIMIT` bytes.
    """
    if not path.is_file():
        raise InputError(f"{path.name} is not a file. Check the path.")
    if path.suffix.lower() != ".gz":
        if path.stat().st_size > LIMIT:
            raise InputError(_too_long(path, LIMIT))
        return path.read_bytes()
    with gzip.open(path) as packed:
        try:
            data = packed.read(LIMIT + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{path.name} is damaged, or not packed by gzip ({type(error).__name__}).") from None
    if len(data) > LIMIT:
        raise InputError(_too_long(path, LIMIT))
    return data


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, UTF-16 with BOM, or cp1252."""
    return decode_text(read_bytes(path), path.name)


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise InputError(f"{path.name} is not valid JSON. It may be cut short: export it again.") from None


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read a JSON object a line, with the number of the line."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise InputError(f"Line {number} of {path.name} is not a JSON object. Each line must hold one.")
            yield number, row


def read_xml(path: Path) -> ElementTree.Element:
    """Read an XML file that declares no entities; what a DOCTYPE refers to is never opened."""
    return parse_xml(read_bytes(path), path.name)


def parse_xml(data: bytes, name: str) -> ElementTree.Element:
    """Parse XML; see `read_xml`."""
    depth = 0

    def refuse(*_: Any) -> None:
        raise InputError(f"{name} declares XML entities, which are not read. Save it without them.")

    def begin(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise InputError(f"{name} nests its elements more than {DEPTH} deep.")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    checker = expat.ParserCreate()
    checker.EntityDeclHandler, checker.StartElementHandler, checker.EndElementHandler = refuse, begin, end
    try:
        checker.Parse(data, True)
        return ElementTree.fromstring(data)
    except (expat.ExpatError, ElementTree.ParseError, LookupError, ValueError) as error:
        place = f" at line {error.lineno}" if isinstance(error, expat.ExpatError) else ""
        raise InputError(f"{name} is not valid XML{place}.") from None


def read_rows(path: Path) -> Iterator[dict[str, str | None]]:
    """Read a CSV file (commas or tabs, also .gz) or Parquet row by row; names in lower case, empty cells as None.

    At most `ROWS` rows are in memory together, so that a file may be larger than that.
    """
    for chunk in _chunks(path):
        chunk.columns = [str(name).strip(' "').lower() for name in chunk.columns]
        values = chunk.astype(object).where(chunk.notna() & (chunk != ""), None)
        yield from values.to_dict("records")


def _chunks(path: Path) -> Iterator[Any]:
    """Read some rows of a table at a time."""
    import pandas as pd
    import pyarrow as pa

    if not path.is_file():
        raise InputError(f"{path.name} is not a file. Check the path.")
    try:
        if path.suffix.lower() == ".parquet":
            for batch in read_batches(path):
                yield batch.to_pandas(integer_object_nulls=True)
            return
        with _open(path) as stream:
            sep = _separator(path)
            for chunk in pd.read_csv(stream, sep=sep, dtype="str", keep_default_na=False, chunksize=ROWS):
                if not isinstance(chunk.index, pd.RangeIndex):
                    raise InputError(f"The rows of {path.name} have more fields than its header. Name each column.")
                yield chunk
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pa.ArrowException) as error:
        raise InputError(f"{path.name} is damaged or not what its name says ({type(error).__name__}).") from None
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is damaged, or not UTF-8 ({type(error).__name__}).") from None


def read_batches(path: Path, rows: int = ROWS) -> Iterator[Any]:
    """Read some rows of a Parquet file at a time.

    Raises
    ------
    InputError
        When it is damaged, or gives far more than a file of its size can hold of notes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    limit, given = max(LIMIT, RATIO * path.stat().st_size), 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(rows):
            given += batch.nbytes
            if given > limit:
                raise InputError(_too_long(path, limit))
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name} is damaged or not Parquet ({type(error).__name__}).") from None


def _separator(path: Path) -> str:
    """Find out by its first line whether a table has tabs or commas between its cells."""
    with _open(path) as stream:
        head = stream.readline(HEAD)
    return "\t" if head.count("\t") > head.count(",") else ","


def _open(path: Path) -> io.TextIOWrapper:
    """Open a text file, maybe packed, as UTF-8, or UTF-16 with BOM, with line ends as they are."""
    with open_bytes(path) as file:
        encoding = "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")


def open_bytes(path: Path) -> io.BufferedReader:
    """Open a file, unpacked if it is .gz; giving far more than its size can hold of notes is an InputError."""
    return io.BufferedReader(_Limited(path)) if path.suffix.lower() == ".gz" else path.open("rb")


class _Limited(io.RawIOBase):
    """A stream that ends with an error when it gives far more than its file can hold of notes."""

    def __init__(self, path: Path) -> None:
        self._stream, self._path, self._given = gzip.GzipFile(path), path, 0
        self._limit = max(LIMIT, RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._given += len(data)
        if self._given > self._limit:
            raise InputError(_too_long(self._path, self._limit))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _too_long(path: Path, limit: int) -> str:
    return f"{path.name} holds more than {limit >> 20} MiB. Split it; if it was packed, see that it is what it seems."


def list_files(folder: Path, pattern: str) -> list[Path]:
    """List the files of a folder, sorted, and refuse links that lead out of it."""
    root = folder.resolve()
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise InputError(f"{path.name} in {folder.name} is a link to a file elsewhere. Put the file itself there.")
    return found


def to_file_name(note_id: str) -> str:
    """Make a file name of a note id; what no file name may hold becomes %XX.

    >>> to_file_name("../a:1")
    '%2E.%2Fa%3A1'
    """
    name = quote(note_id, safe=IN_NAMES)
    return f"%2E{name[1:]}" if name.startswith(".") else name


def to_note_id(name: str) -> str:
    """Undo `to_file_name`."""
    return unquote(name)


def new_folder(path: Path) -> Path:
    """Make a folder to write to; one that holds files already is refused, lest old and new ones mix."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path.name} is there already and not an empty folder. Give a new one.")
    path.mkdir(parents=True, exist_ok=True)
    return path
