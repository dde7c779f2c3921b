"""Read notes from files, folders and frames into the table `notes`."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def read_notes(
    source: str | Path | pd.DataFrame,
    *,
    id_column: str | None = None,
    text_column: str | None = None,
    patient_column: str | None = None,
    date_column: str | None = None,
    type_column: str | None = None,
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

    frame = source.copy() if isinstance(source, pd.DataFrame) else _read(Path(source))
    if not len(frame):
        raise InputError("There are no notes: the source has no rows. Give one with a row a note.")
    frame.columns = [str(c) for c in frame.columns]
    if not frame.columns.is_unique:
        raise InputError(f"Two columns have the same name. Found: {', '.join(frame.columns)}")
    named = {
        "note_id": id_column, "patient_id": patient_column, "date": date_column, "note_type": type_column,
        "text": text_column,
    }  # fmt: skip
    columns = {name: _find_column(frame, name, column) for name, column in named.items()}
    if columns["text"] is None:
        raise InputError(
            f"No column with the text was found among {', '.join(frame.columns)}. Name it with text_column=..."
        )
    return _to_table(frame, columns)


def _find_column(frame: pd.DataFrame, name: str, wanted: str | None) -> str | None:
    """Find the column of the frame that is to be the column `name` of the table."""
    if wanted is not None:
        if wanted not in frame.columns:
            raise InputError(f"{ARGUMENTS[name]}={wanted!r} is not a column. Found: {', '.join(frame.columns)}")
        return wanted
    lower = {c.lower().strip(): c for c in reversed(frame.columns)}
    return next((lower[guess] for guess in GUESSES[name] if guess in lower), None)


def _to_table(frame: pd.DataFrame, columns: dict[str, str | None]) -> pd.DataFrame:
    """Bring the frame into the columns and types of the table."""
    import pandas as pd

    table = pd.DataFrame(index=frame.index)
    errors: list[dict[str, str]] = []
    id_column = columns["note_id"]
    numbered = pd.Series([f"note-{i}" for i in range(1, len(frame) + 1)], index=frame.index, dtype="str")
    table["note_id"] = numbered if id_column is None else _ids(frame[id_column], id_column)
    for name in ("patient_id", "date", "note_type", "text"):
        column = columns[name]
        values = pd.Series(pd.NA, index=frame.index) if column is None else frame[column]
        table[name] = _dates(values) if name == "date" else _strings(values)
        if name == "date" and column is not None:
            bad = table.loc[table["date"].isna() & values.notna() & (values.astype("str").str.strip() != ""), "note_id"]
            errors += [
                {"note_id": i, "stage": "read", "error": f"The date in {column} is not understood."} for i in bad
            ]
    empty = table.loc[table["text"].isna(), "note_id"]
    errors += [{"note_id": i, "stage": "read", "error": "The note has no text."} for i in empty]
    used = set(columns.values())
    own = frame[[c for c in frame.columns if c not in used and c not in table.columns]]
    table = pd.concat([table.astype(TABLES["notes"]), own], axis=1).reset_index(drop=True)
    table.attrs["errors"] = errors
    return table


def _ids(values: pd.Series, column: str) -> pd.Series:
    """Make ids strings, and see that each row has one of its own."""
    if values.isna().any():
        raise InputError(f"{int(values.isna().sum())} rows have no id in {column}. Fill it, or name another id_column.")
    kinds = {"number" if isinstance(v, int | float) else type(v).__name__ for v in values}
    if len(kinds) > 1:
        raise InputError(f"The ids in {column} are of mixed types: {', '.join(sorted(kinds))}. Make them all strings.")
    ids = _strings(values)
    twice = sorted(ids[ids.duplicated()].unique())
    if twice:
        some = ", ".join(twice[:5]) + (", ..." if len(twice) > 5 else "")
        raise InputError(f"{len(twice)} ids in {column} stand more than once: {some}. Name another id_column.")
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


def _read(path: Path) -> pd.DataFrame:
    """Read a file or a folder into a frame of strings."""
    import pandas as pd

    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist. Give a file ({', '.join(FORMATS)}) or a folder of .txt files.")
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    kind = (suffixes[:-1] if packed else suffixes)[-1:]
    if not kind or kind[0] not in FORMATS:
        raise InputError(
            f"{path.name} is not a known kind of file. Known: {', '.join(FORMATS)}, also .gz; or a folder."
        )
    try:
        if kind[0] == ".parquet":
            return pd.read_parquet(path)
        text = decode_text(gzip.decompress(path.read_bytes()) if packed else path.read_bytes(), path.name)
        if kind[0] in (".jsonl", ".ndjson"):
            return _read_lines(text, path.name)
        separator = "\t" if kind[0] == ".tsv" else ","
        frame = pd.read_csv(io.StringIO(text, newline=""), sep=separator, dtype="str", keep_default_na=False)
        if not isinstance(frame.index, pd.RangeIndex):
            raise InputError(f"The rows of {path.name} have more fields than its header. Name each column.")
        return frame.replace("", pd.NA)
    except (pd.errors.ParserError, gzip.BadGzipFile, EOFError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path.name} is damaged or not what its name says ({type(error).__name__}).") from None
    except ValueError as error:  # pyarrow's errors are ValueErrors
        raise InputError(f"{path.name} cannot be read as {kind[0][1:]} ({type(error).__name__}).") from None


def _read_folder(folder: Path) -> pd.DataFrame:
    """Read the .txt files of a folder, in the order of their names."""
    import pandas as pd

    files = sorted(folder.glob("*.txt"))
    if not files:
        raise InputError(f"The folder {folder.name} has no .txt files. Put one file a note there.")
    contents = [(f, f.read_bytes()) for f in files]
    texts = [decode_text(data, f.name) if data.strip() else pd.NA for f, data in contents]
    return pd.DataFrame({"note_id": [f.stem for f in files], "text": texts})


def decode_text(data: bytes, name: str) -> str:
    """Decode a file by its BOM, as UTF-8, or as cp1252."""
    if not data.strip():
        raise InputError(f"{name} is empty.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if b"\0" in data:
        raise InputError(f"{name} is a binary file. Give text: CSV, TSV or JSONL in UTF-8 or cp1252.")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{name} is neither UTF-8 nor cp1252. Save it as UTF-8.")


def _read_lines(text: str, name: str) -> pd.DataFrame:
    """Read a JSON object a line."""
    import pandas as pd

    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise InputError(f"Line {number} of {name} is not a JSON object. Each line must hold one.")
            rows.append(row)
    return pd.DataFrame(rows)
