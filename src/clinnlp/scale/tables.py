"""Writing the tables of a run, some rows at a time, as `Annotations.save` writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.scale.partition import PER_NOTE, make_tables, sum_up_patients
from clinnlp.schema import TABLES, make_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from clinnlp.annotations import Annotations
    from clinnlp.scale.store import Store

REPORTED = 1_000  # notes that a report holds: its page carries their texts
ROWS = 5_000  # of a table that are in memory together
NEW = ".new-"  # before the names of files that are not whole yet
MICROSECONDS = {"milliseconds": 1_000, "seconds": 1_000_000, "days": 86_400_000_000}  # how finely times are written


def write_tables(store: Store, folder: Path, *, parquet: bool, tick: Callable[[int, str], None]) -> dict[str, int]:
    """Write the tables of what was found so far, and the report where the notes are few enough.

    Files of an earlier run, of either kind, are replaced once all new ones are whole.

    Returns
    -------
    dict
        The number of rows by table.
    """
    from clinnlp.report import write_report

    try:
        rows = _write_parquet(store, folder, tick)
        names = [f"{name}.parquet" for name in TABLES]
        if rows["notes"] <= REPORTED:
            write_report(_read_result(folder), folder / f"{NEW}report.html")
            names.append("report.html")
        else:
            (folder / "report.html").unlink(missing_ok=True)  # it would be that of other tables
        if not parquet:
            names = [_to_csv(folder, name) for name in names]
        for name in names:
            os.replace(folder / f"{NEW}{name}", folder / name)
        for name in TABLES:
            (folder / f"{name}{'.csv' if parquet else '.parquet'}").unlink(missing_ok=True)
    finally:
        for file in folder.glob(f"{NEW}*"):
            file.unlink()
    return rows


def _write_parquet(store: Store, folder: Path, tick: Callable[[int, str], None]) -> dict[str, int]:
    """Write a Parquet file a table, and count the rows of each."""
    import pandas as pd

    with _Files(folder) as files:
        done = 0
        for notes in store.by_patient():
            frame = make_table("notes", [note for note, _ in notes])
            tables = sum_up_patients(frame, make_tables(notes, ("flags", "evidence")))
            store.keep_copies(tables["evidence"])
            files.add("patient_flags", tables["patient_flags"])
            done += len(notes)
            tick(done, "Summing up patients")
        done = 0
        for notes in store.by_note():
            tables = make_tables(notes)
            evidence = tables["evidence"]
            copies = store.copies(notes[0][0]["note_id"], notes[-1][0]["note_id"])
            keys = zip(evidence["note_id"], evidence["start"], evidence["end"], strict=True)
            evidence["copied_from"] = pd.Series([copies.get(key) for key in keys], dtype="str")
            for name in PER_NOTE:
                files.add(name, tables[name])
            done += len(notes)
            tick(done, "Writing")
        for errors in store.errors():
            files.add("errors", make_table("errors", errors))
        _write_notes(store, files)
    return files.rows


def _write_notes(store: Store, files: _Files) -> None:
    """Write the table `notes`, whose own columns have the type that holds all of their cells."""
    import pyarrow as pa

    schema = pa.schema([])
    for table in store.notes():
        schema = _unify(schema, table.schema)
    for table in store.notes():
        columns = [_cast(table, field) for field in schema]
        files.write("notes", pa.table(columns, schema=schema))


def _unify(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Give the columns of both, those of unlike types as text."""
    import pyarrow as pa

    fields = {field.name: field for field in one}
    for field in other:
        try:
            both = [pa.schema([f]) for f in (fields.get(field.name, field), field)]
            fields[field.name] = pa.unify_schemas(both, promote_options="permissive").field(0)
        except pa.ArrowException:
            fields[field.name] = pa.field(field.name, pa.large_string())
    return pa.schema(fields.values())


def _cast(table: pa.Table, field: pa.Field) -> Any:
    """Give the column of a table in the type of the field."""
    import pyarrow as pa

    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table[field.name]
    try:
        return column.cast(field.type)
    except pa.ArrowException:
        return pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], field.type)


class _Files:
    """A new Parquet file for each table, written some rows at a time; `rows` counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = dict.fromkeys(TABLES, 0)
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            for name in TABLES:
                if name not in self._writers:
                    self.add(name, make_table(name, ()))
        for writer in self._writers.values():
            writer.close()

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Write the rows of a frame."""
        import pyarrow as pa

        self.write(name, pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None))

    def write(self, name: str, table: pa.Table) -> None:
        """Write the rows of a table."""
        import pyarrow.parquet as pq

        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self.folder / f"{NEW}{name}.parquet", table.schema)
        self._writers[name].write_table(table)
        self.rows[name] += len(table)


def _read_result(folder: Path) -> Annotations:
    """Read the new tables of a folder for the report."""
    import pandas as pd

    from clinnlp.annotations import Annotations

    return Annotations(**{name: pd.read_parquet(folder / f"{NEW}{name}.parquet") for name in TABLES})


def to_stream(table: pa.Table) -> bytes:
    """Write a table as a compressed Arrow stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _to_csv(folder: Path, name: str) -> str:
    """Turn a Parquet table of this name into CSV, and give the new name."""
    import pyarrow.parquet as pq

    if not name.endswith(".parquet"):
        return name
    new = f"{name.removesuffix('.parquet')}.csv"
    with pq.ParquetFile(folder / f"{NEW}{name}") as file, (folder / f"{NEW}{new}").open("wb") as stream:
        precision = {c.name: _precision(file, c.name) for c in file.schema_arrow if str(c.type) == "timestamp[us]"}
        file.schema_arrow.empty_table().to_pandas().to_csv(stream, index=False, lineterminator="\r\n")
        for batch in file.iter_batches(ROWS):
            frame = _readable(batch, precision)
            frame.to_csv(stream, index=False, header=False, lineterminator="\r\n")
    (folder / f"{NEW}{name}").unlink()
    return new


def _readable(batch: pa.RecordBatch, precision: dict[str, Any]) -> pd.DataFrame:
    """Give rows with times and nested cells as they are written in a CSV file."""
    import pyarrow as pa

    frame = batch.to_pandas()
    for field in batch.schema:
        if field.name in precision:
            times, finest = frame[field.name], precision[field.name]
            frame[field.name] = [None if t != t else _write_time(t, finest) for t in times]
        elif pa.types.is_nested(field.type):
            frame[field.name] = batch.column(field.name).to_pylist()
    return frame


def _write_time(time: pd.Timestamp, precision: Any) -> str:
    return f"{time:%Y-%m-%d}" if precision == "days" else time.isoformat(sep=" ", timespec=precision)


def _precision(file: Any, column: str) -> str:
    """Find how finely the times of a column must be written: pandas writes a whole column alike."""
    kept = set(MICROSECONDS)
    for batch in file.iter_batches(columns=[column]):
        times = [t for t in batch.column(0).cast("int64").to_pylist() if t is not None]
        kept -= {name for name in kept if any(t % MICROSECONDS[name] for t in times)}
    return max(kept, key=MICROSECONDS.__getitem__, default="microseconds")
