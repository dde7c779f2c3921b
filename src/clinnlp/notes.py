"""Read notes from files, folders and frames into the table `notes`."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clinnlp.errors import InputError
from clinnlp.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

GUESSES = {  # names of columns in lower case, the likeliest first
    "note_id": ("note_id", "noteid", "row_id", "document_id", "doc_id", "id", "file"),
    "patient_id": ("patient_id", "subject_id", "person_id", "patientid", "patient", "mrn", "subject"),
    "date": ("date", "charttime", "chartdate", "note_date", "note_datetime", "datetime", "time", "visit_date"),
    "note_type": ("note_type", "category", "type", "note_class", "medical_specialty", "specialty"),
    "text": ("text", "note_text", "transcription", "note", "report", "body", "content"),
}
ARGUMENTS = {
    "note_id": "id_column", "patient_id": "patient_column", "date": "date_column", "note_type": "type_column",
    "text": "text_column",
}  # fmt: skip
FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
NO_ROWS = "There are no notes: the source has no rows. Give one with a row a note."
BLOCK = 1 << 20  # bytes that are decoded together
SURROGATE = re.compile("[\ud800-\udfff]")  # halves of characters, which JSON can hold alone and tables cannot
NAME = re.compile(r"(?=.{1,30}\Z)[A-Za-z_][\w-]*(?:(?:: |[ .:/])[\w-]+){0,3}")  # what a column may be called
BAD_LINE = re.compile(r"line (\d+): expected (\d+) fields, saw (\d+)")

Row = dict[str, Any]


def read_notes(
    source: str | Path | pd.DataFrame,
    *,
    id_column: str | None = None,
    text_column: str | None = None,
    patient_column: str | None = None,
    date_column: str | None = None,
    type_column: str | None = None,
    privacy: Literal["warn", "strict", "mask"] | None = None,
) -> pd.DataFrame:
    r"""Read notes into the table `notes`, with the texts exactly as given.

    Parameters
    ----------
    source
        A CSV, TSV, JSONL or Parquet file (the text formats also as .gz), a folder of .txt files, whose names become
        the ids, or a DataFrame. Text files may be UTF-8 with or without BOM, UTF-16 with BOM, or cp1252.
    id_column, text_column, patient_column, date_column, type_column
        The columns to use; where none is named, usual names are looked for without regard to case (MIMIC-IV-Note's
        `note_id, subject_id, charttime, text`, MTSamples' `transcription`). Without an id column the notes are called
        note-1, note-2 and so on.
    privacy
        What to do about text that may identify a person, as `clinnlp.privacy.guard`: "warn", refuse with "strict", or
        "mask" it. If None, it is not looked for.

    Returns
    -------
    DataFrame
        note_id, patient_id, date, note_type, text, then the other columns. Ids are strings. What is wrong with single
        rows stands in `.attrs["errors"]` and becomes rows of the table `errors` when the notes are annotated.

    Raises
    ------
    InputError
        When the file is missing, empty, binary or of an unknown kind, a column is missing, or ids are missing, mixed
        or stand twice.

    Examples
    --------
    >>> import pandas as pd
    >>> notes = read_notes(pd.DataFrame({"id": [7], "transcription": ["No fever."]}))
    >>> notes[["note_id", "text"]].values.tolist()
    [['7', 'No fever.']]
    """
    import pandas as pd

    frame = source.copy() if isinstance(source, pd.DataFrame) else next(_frames(Path(source), None))[0]
    if not len(frame):
        raise InputError(NO_ROWS)
    named = (id_column, patient_column, date_column, type_column, text_column)
    notes = _to_table(frame, _find_columns(frame, named))
    if privacy is None:
        return notes
    from clinnlp.privacy import guard

    return guard(notes, privacy)


def read_note_chunks(
    path: str | Path,
    size: int,
    *,
    id_column: str | None = None,
    text_column: str | None = None,
    patient_column: str | None = None,
    date_column: str | None = None,
    type_column: str | None = None,
) -> Iterator[pd.DataFrame]:
    """Read notes `size` rows at a time, in memory that does not grow with the file.

    What `read_notes` reads, but for what is wrong with single rows: a row without an id, with more fields than the
    header, or that is no JSON object, and a text file that cannot be decoded, are left out and stand in
    `.attrs["errors"]`, those without an id under a missing note_id. That no id stands twice is not seen.

    Raises
    ------
    InputError
        When the file is missing, empty, binary or of an unknown kind, is damaged, or a column is missing.
    """
    columns, first, seen = None, 1, False
    for frame, errors in _frames(Path(path), size):
        columns = columns or _find_columns(frame, (id_column, patient_column, date_column, type_column, text_column))
        table = _to_table(frame, columns, first=first, strict=False)
        table.attrs["errors"] = errors + table.attrs["errors"]
        first += len(frame)
        seen = seen or bool(len(frame) or errors)
        yield table
    if not seen:
        raise InputError(NO_ROWS)


def _find_columns(frame: pd.DataFrame, named: Iterable[str | None]) -> dict[str, str | None]:
    """Find the columns of the frame that are to be those of the table; `named` are the user's names for them."""
    frame.columns = [str(c) for c in frame.columns]
    if not frame.columns.is_unique:
        raise InputError(f"Two columns have the same name. Found: {_names(frame)}")
    columns = {name: _find_column(frame, name, column) for name, column in zip(TABLES["notes"], named, strict=True)}
    if columns["text"] is None:
        raise InputError(f"No column with the text was found. Name it with text_column=... Found: {_names(frame)}")
    return columns


def _find_column(frame: pd.DataFrame, name: str, wanted: str | None) -> str | None:
    """Find the column of the frame that is to be the column `name` of the table."""
    if wanted is not None:
        if wanted not in frame.columns:
            raise InputError(f"{ARGUMENTS[name]}={wanted!r} is not a column. Found: {_names(frame)}")
        return wanted
    lower = {c.lower().strip(): c for c in reversed(frame.columns)}
    return next((lower[guess] for guess in GUESSES[name] if guess in lower), None)


def _names(frame: pd.DataFrame) -> str:
    """Quote the names of columns, unless they look like cells of a file without a header, which may be of a note."""
    if all(NAME.fullmatch(column) for column in frame.columns):
        return ", ".join(frame.columns)
    return f"{len(frame.columns)} columns that are not named like columns. Does the file begin with their names?"


def _to_table(
    frame: pd.DataFrame, columns: dict[str, str | None], *, first: int = 1, strict: bool = True
) -> pd.DataFrame:
    """Bring the frame into the columns and types of the table; unless `strict`, rows without an id are left out."""
    import pandas as pd

    errors: list[Row] = []
    id_column = columns["note_id"]
    frame = frame.set_axis([str(c) for c in frame.columns], axis=1).reset_index(drop=True)
    if id_column is not None and not strict:
        nameless = frame[id_column].isna()
        errors = [_error(None, f"Row {first + i} has no id in {id_column}.") for i in frame.index[nameless]]
        frame = frame[~nameless]
    table = pd.DataFrame(index=frame.index)
    if id_column is None:
        table["note_id"] = pd.Series([f"note-{first + i}" for i in frame.index], index=frame.index, dtype="str")
    else:
        table["note_id"] = _ids(frame[id_column], id_column) if strict else _strings(frame[id_column])
    for name in ("patient_id", "date", "note_type", "text"):
        column = columns[name]
        values = pd.Series(pd.NA, index=frame.index) if column is None else frame[column]
        table[name] = _dates(values) if name == "date" else _strings(values)
        if name == "date" and column is not None:
            bad = table.loc[table["date"].isna() & values.notna() & (values.astype("str").str.strip() != ""), "note_id"]
            errors += [_error(i, f"The date in {column} is not understood.") for i in bad]
    errors += [_error(i, "The note has no text.") for i in table.loc[table["text"].isna(), "note_id"]]
    used = set(columns.values())
    own = frame[[c for c in frame.columns if c not in used and c not in table.columns]]
    table = pd.concat([table.astype(TABLES["notes"]), own], axis=1).reset_index(drop=True)
    table.attrs["errors"] = errors
    return table


def _error(note_id: str | None, reason: str) -> Row:
    """Make a row of the table `errors`."""
    return {"note_id": note_id, "stage": "read", "error": reason}


def _ids(values: pd.Series, column: str) -> pd.Series:
    """Make ids strings, and see that each row has one of its own."""
    if values.isna().any():
        raise InputError(
            f"Rows without an id in {column}: {int(values.isna().sum())}. Fill it, or name another id_column."
        )
    kinds = {"number" if isinstance(v, int | float) else type(v).__name__ for v in values}
    if len(kinds) > 1:
        raise InputError(f"The ids in {column} are of mixed types: {', '.join(sorted(kinds))}. Make them all strings.")
    ids = _strings(values)
    twice = sorted(ids[ids.duplicated()].unique())
    if twice:
        some = ", ".join(twice[:5]) + (", ..." if len(twice) > 5 else "")
        raise InputError(f"Ids in {column} that stand more than once: {len(twice)} ({some}). Name another id_column.")
    return ids


def _strings(values: pd.Series) -> pd.Series:
    """Make cells strings; whole floats, which pandas makes of numbers beside missing cells, lose their '.0'."""

    def as_string(value: Any) -> str:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    return values.map(as_string, na_action="ignore").astype("str")


def _dates(values: pd.Series) -> pd.Series:
    """Parse dates in ISO form, then each remaining one in any usual form; time zones are dropped."""
    import pandas as pd

    def parse(value: Any) -> pd.Timestamp:
        for form in ("ISO8601", None):
            try:
                stamp = pd.to_datetime(value, format=form)
            except (ValueError, TypeError, OverflowError):
                continue
            return stamp.tz_localize(None) if getattr(stamp, "tzinfo", None) else stamp
        return pd.NaT  # type: ignore[return-value]

    if pd.api.types.is_datetime64_dtype(values.dtype):
        return values.astype("datetime64[us]")
    return pd.Series([parse(v) for v in values], index=values.index, dtype="datetime64[us]")


def _frames(path: Path, size: int | None) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    """Read a file or a folder into frames of `size` rows with the errors of rows left out, or all of it at once.

    Where all is read at once, a row that cannot be read is an `InputError`.
    """
    import pandas as pd

    if path.is_dir():
        yield from _read_folder(path, size)
        return
    if not path.is_file():
        raise InputError(f"{path} does not exist. Give a file ({', '.join(FORMATS)}) or a folder of .txt files.")
    suffixes = [s.lower() for s in path.suffixes]
    kind = (suffixes[:-1] if suffixes[-1:] == [".gz"] else suffixes)[-1:]
    if not kind or kind[0] not in FORMATS:
        raise InputError(
            f"{path.name} is not a known kind of file. Known: {', '.join(FORMATS)}, also .gz; or a folder."
        )
    read = {".parquet": _read_parquet, ".jsonl": _read_lines, ".ndjson": _read_lines}.get(kind[0], _read_csv)
    try:
        yield from read(path, size)
    except (pd.errors.ParserError, gzip.BadGzipFile, EOFError, zlib.error, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path.name} is damaged or not what its name says ({type(error).__name__}).") from None
    except (ValueError, OSError) as error:  # as pyarrow raises for damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{path.name} cannot be read as {kind[0][1:]} ({type(error).__name__}).") from None


def _read_parquet(path: Path, size: int | None) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    import pandas as pd

    if size is None:
        yield pd.read_parquet(path), []
        return
    from clinnlp.formats.files import read_batches

    for batch in read_batches(path, size):
        yield batch.to_pandas(), []


def _read_csv(path: Path, size: int | None) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    import pandas as pd

    separator = "\t" if ".tsv" in path.suffixes[-2:] else ","
    bad_lines: Any = "error" if size is None else "warn"
    with _open_text(path, "") as stream:
        read = pd.read_csv(
            stream, sep=separator, dtype="str", keep_default_na=False, chunksize=size, on_bad_lines=bad_lines
        )
        chunks = iter([read]) if isinstance(read, pd.DataFrame) else read
        while True:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", pd.errors.ParserWarning)
                frame = next(chunks, None)
            if frame is None:
                return
            if not isinstance(frame.index, pd.RangeIndex):
                raise InputError(f"The rows of {path.name} have more fields than its header. Name each column.")
            found = [m.groups() for warning in caught for m in BAD_LINE.finditer(str(warning.message))]
            errors = [_error(None, f"Line {n} has {saw} fields, not {wanted}.") for n, wanted, saw in found]
            yield frame.replace("", pd.NA), errors


def _read_lines(path: Path, size: int | None) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    """Read a JSON object a line; all frames have the same columns."""
    import pandas as pd

    keys = None if size is None else list(dict.fromkeys(key for _, row in _lines(path) for key in row or ()))
    lines = _lines(path)
    while some := list(islice(lines, size)):
        bad = [number for number, row in some if row is None]
        if bad and size is None:
            raise InputError(f"Line {bad[0]} of {path.name} is not a JSON object. Each line must hold one.")
        errors = [_error(None, f"Line {number} is not a JSON object.") for number in bad]
        yield pd.DataFrame([row for _, row in some if row is not None], columns=keys), errors


def _lines(path: Path) -> Iterator[tuple[int, Row | None]]:
    """Give the JSON object of each line that is not blank, with its number; None for what is no object."""
    with _open_text(path, "\n") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except (json.JSONDecodeError, RecursionError):
                    row = None
                yield number, _whole(row) if isinstance(row, dict) else None


def _whole(row: Row) -> Row:
    """Replace halves of characters."""
    return {key: SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value for key, value in row.items()}


def _read_folder(folder: Path, size: int | None) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    """Read the .txt files of a folder, in the order of their names."""
    import pandas as pd

    files = sorted(file for file in folder.glob("*.txt") if file.is_file())
    if not files:
        raise InputError(f"The folder {folder.name} has no .txt files. Put one file a note there.")
    step = size or len(files)
    for some in (files[i : i + step] for i in range(0, len(files), step)):
        rows, errors = [], []
        for file in some:
            data = file.read_bytes()
            try:
                rows.append((file.stem, decode_text(data, file.name) if data.strip() else pd.NA))
            except InputError as error:
                if size is None:
                    raise
                errors.append(_error(file.stem, str(error)))
        yield pd.DataFrame(rows, columns=["note_id", "text"]), errors


def decode_text(data: bytes, name: str) -> str:
    """Decode a file by its BOM, as UTF-8, or as cp1252."""
    return data.decode(_find_encoding(lambda: iter([data]), name))


def _open_text(path: Path, newline: str) -> io.TextIOWrapper:
    """Open a text file, maybe packed, in its encoding."""

    from clinnlp.formats.files import open_bytes

    def blocks() -> Iterator[bytes]:
        with open_bytes(path) as file:
            yield from iter(lambda: file.read(BLOCK), b"")

    return io.TextIOWrapper(open_bytes(path), encoding=_find_encoding(blocks, path.name), newline=newline)


def _find_encoding(blocks: Callable[[], Iterator[bytes]], name: str) -> str:
    """Find the encoding of a file that is given in blocks, as often as it is asked for."""
    if next(blocks(), b"").startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for encoding in ("utf-8-sig", "cp1252"):
        decoder = codecs.getincrementaldecoder(encoding)()
        blank = True
        try:
            for block in blocks():
                blank = blank and not block.strip()
                if b"\0" in block:
                    raise InputError(f"{name} is a binary file. Give text: CSV, TSV or JSONL in UTF-8 or cp1252.")
                decoder.decode(block)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            continue
        if blank:
            raise InputError(f"{name} is empty.")
        return encoding
    raise InputError(f"{name} is neither UTF-8 nor cp1252. Save it as UTF-8.")
