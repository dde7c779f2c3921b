"""The formats by name, and reading and writing by them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.formats.detection import detect
from clinnlp.formats.records import Record, to_document, to_notes

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)  # bad content
SURROGATE = re.compile("[\ud800-\udfff]")  # halves of characters, which JSON can hold alone and tables cannot


@dataclass(frozen=True)
class Format:
    """A format: its module, the function of it that reads, what is labelled in it, the function that writes."""

    about: str
    module: str
    reader: str | None = "read"
    labelled: str = ""
    writer: str | None = None
    folder: bool = False  # whether what is written is a folder


FORMATS = {
    "table": Format("CSV, TSV, JSONL, Parquet, or folder of .txt (clinnlp.read_notes)", "plain", "read", "entities"),
    "omop": Format("OMOP CDM 5.4, tables NOTE and NOTE_NLP (CSV, Parquet)", "omop", "read", "entities", "write", True),
    "fhir": Format("FHIR R4/R5 JSON or NDJSON", "fhir", "read", "entities", "write"),
    "brat": Format("BRAT stand-off, a folder of .txt and .ann", "brat", "read", "entities", "write", True),
    "mimic-iii": Format("MIMIC-III NOTEEVENTS.csv, also .gz", "mimic", "read_iii"),
    "mimic-iv": Format("MIMIC-IV-Note discharge.csv or radiology.csv, also .gz", "mimic", "read_iv"),
    "mtsamples": Format("MTSamples mtsamples.csv", "mimic", "read_mtsamples"),
    "i2b2-2008": Format("i2b2 2008, a folder of XML with notes and judgements", "i2b2_2008", "read", "conditions"),
    "i2b2-2009": Format("i2b2 2009, a folder of texts and .entries or .m", "i2b2_2009", "read", "medications"),
    "i2b2-2010": Format("i2b2/VA 2010, a folder of .txt, .con and .ast", "i2b2", "read_2010", "entities"),
    "i2b2-xml": Format("i2b2 2012 and 2014, n2c2 2018 XML, a file or folder", "i2b2", "read_xml_files", "entities"),
    "bioc": Format("BioC XML or JSON, a file or folder", "bioc", "read", "entities", "write"),
    "conll": Format("CoNLL, a word a line, the last column BIO, IOBES or BILOU", "conll", "read", "entities", "write"),
    "label-studio": Format("Label Studio JSON", "label_studio", "read", "entities", "write"),
    "prodigy": Format("Prodigy JSONL", "label_studio", "read_prodigy", "entities"),
    "pubtator": Format("PubTator", "pubtator", "read", "entities", "write"),
    "c-cda": Format("C-CDA, the narrative text of its sections", "ccda"),
    "docbin": Format("spaCy DocBin", "plain", "read_docbin", "entities", "write_docbin"),
    "duckdb": Format("DuckDB file with the tables of a result", "databases", "read_duckdb", "entities", "write_duckdb"),
    "parquet": Format("folder of Parquet tables", "databases", "read_parquet", "entities", "write_parquet", True),
    "excel": Format("Excel workbook, a sheet a table", "excel", None, "", "write"),
}


def list_formats() -> pd.DataFrame:
    """List the formats.

    Returns
    -------
    DataFrame
        format, about, reads (notes, notes and what is labelled in them, or nothing), writes.

    >>> list_formats().query("format == 'excel'")[["reads", "writes"]].values.tolist()
    [['', True]]
    """
    import pandas as pd

    def reads(form: Format) -> str:
        return "" if not form.reader else f"notes and {form.labelled}" if form.labelled else "notes"

    rows = [{"format": n, "about": f.about, "reads": reads(f), "writes": bool(f.writer)} for n, f in FORMATS.items()]
    return pd.DataFrame(rows)


def read(path: str | Path, format: str | None = None) -> pd.DataFrame:
    """Read the notes of a file or folder in any format of `FORMATS`.

    Parameters
    ----------
    path
        The file or folder.
    format
        A name of `FORMATS`; where none is given, names and contents tell.

    Returns
    -------
    DataFrame
        The table `notes` as `clinnlp.read_notes` gives it: note_id, patient_id, date, note_type, text, then the
        columns of the format. What is wrong with single notes stands in `.attrs["errors"]`.

    Raises
    ------
    InputError
        When the path is missing, the format is unknown, or the content is not of the format.
    """
    return to_notes(list(_records(Path(path), format)))


def read_chunks(path: str | Path, format: str | None = None, size: int = 5_000) -> Iterator[pd.DataFrame]:
    """Read notes some at a time: `size` notes a table, each as `read` gives it.

    CSV and Parquet (MIMIC, OMOP, MTSamples) need memory for one such table only, other formats for the whole file.
    That no id stands twice is seen within a table, not between them.
    """
    records = _records(Path(path), format)
    while some := list(islice(records, size)):
        yield to_notes(some)


def read_documents(path: str | Path, format: str | None = None) -> Iterator[dict[str, Any]]:
    """Read labelled documents, as `clinnlp.models.documents.read_documents` gives them; none without text.

    Yields
    ------
    dict
        `id`, `text` and `entities`, each with start, end, label and what else the format says of one (assertion, code);
        of i2b2 2008 also `conditions`, of 2009 `medications`, as `clinnlp.evaluate.score_annotations` takes them.

    Raises
    ------
    InputError
        When the format has no labels, or an entity lies outside its text or is not what the file quotes for it.
    """
    path = Path(path)
    name = format or detect(path)
    if name in FORMATS and not FORMATS[name].labelled:
        raise InputError(f"The format {name} has no labels. Those that have: {_names(labelled=True)}.")
    for record in _records(path, name):
        if record.get("text"):
            yield to_document(record, path.name)


def write(result: Annotations, path: str | Path, format: str) -> Path:
    """Write a result in a format of `FORMATS` that is for writing; most hold notes and entities.

    A file that is there already is replaced once the new one is whole; a folder must be new or empty. Where the notes
    are written too, keep the file where the notes may be kept.

    Raises
    ------
    InputError
        When the format cannot be written, or the folder is not empty.
    MissingExtraError
        When a package that the format needs is not installed.
    """
    path = Path(path)
    form = FORMATS.get(format)
    if form is None or form.writer is None:
        raise InputError(f"{format!r} is not a format to write. Those that are: {_names(writes=True)}.")
    writer = getattr(_module(form), form.writer)
    if form.folder:
        writer(result, path)
        return path
    if path.is_dir():
        raise InputError(f"{path.name} is a folder; the format {format} is one file. Give the path of a file.")
    new = path.with_name(f".new-{os.getpid()}-{path.name}")
    try:
        writer(result, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return path


def _records(path: Path, format: str | None) -> Iterator[Record]:
    """Read records, and say of broken content that it is broken."""
    if not path.exists():
        raise InputError(f"{path} does not exist. Check the path.")
    name = format or detect(path)
    form = FORMATS.get(name)
    if form is None or form.reader is None:
        raise InputError(f"{name!r} is not a format to read. Those that are: {_names(reads=True)}.")
    try:
        for record in getattr(_module(form), form.reader)(path):
            yield {name: SURROGATE.sub("\ufffd", v) if isinstance(v, str) else v for name, v in record.items()}
    except (*BROKEN, OSError) as error:  # its message may quote the note, its type cannot
        if isinstance(error, OSError) and error.errno is not None:  # pyarrow's errors have no number
            raise
        raise InputError(f"{path.name} cannot be read as {name} ({type(error).__name__}): {form.about}.") from None


def _module(form: Format) -> ModuleType:
    return import_module(f"clinnlp.formats.{form.module}")


def _names(*, reads: bool = False, writes: bool = False, labelled: bool = False) -> str:
    """List names of formats."""
    wanted = (
        n for n, f in FORMATS.items() if (reads and f.reader) or (writes and f.writer) or (labelled and f.labelled)
    )
    return ", ".join(wanted)
