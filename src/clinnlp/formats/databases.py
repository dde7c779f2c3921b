"""The tables of a result in a folder of Parquet files or in one DuckDB file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.display import records as rows_of
from clinnlp.errors import InputError, MissingExtraError
from clinnlp.formats.files import new_folder, read_batches
from clinnlp.formats.records import Entity, Record

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations


def write_parquet(result: Annotations, path: Path) -> None:
    """Write a Parquet file a table."""
    folder = new_folder(path)
    for name, table in result.tables().items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def read_parquet(path: Path) -> Iterator[Record]:
    """Read the notes and entities of a folder that clinnlp wrote."""
    import pandas as pd

    if not (path / "notes.parquet").is_file():
        raise InputError(f"{path.name} is not a folder with notes.parquet.")
    found = [file for name in ("notes", "entities") if (file := path / f"{name}.parquet").exists()]
    for file in found:
        deque(read_batches(file), 0)  # sees that it does not unpack without end
    return _records(*map(pd.read_parquet, found), *[None] * (2 - len(found)))


def write_duckdb(result: Annotations, path: Path) -> None:
    """Write a DuckDB file with a table for each of the result."""
    with _duckdb().connect(str(path)) as connection:
        for name, table in result.tables().items():
            connection.register("given", table)
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM given')
            connection.unregister("given")


def read_duckdb(path: Path) -> Iterator[Record]:
    """Read the notes and entities of a DuckDB file that clinnlp wrote, or of any with a table notes."""
    duckdb = _duckdb()
    try:
        with duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}) as connection:
            known = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
            if "notes" not in known:
                raise InputError(f"{path.name} has no table notes. Found: {', '.join(sorted(known)) or 'none'}.")
            notes = connection.execute("SELECT * FROM notes").df()
            entities = connection.execute("SELECT * FROM entities").df() if "entities" in known else None
    except duckdb.Error as error:
        raise InputError(f"{path.name} cannot be read as a DuckDB file ({type(error).__name__}).") from None
    return _records(notes, entities)


def _records(notes: pd.DataFrame, entities: pd.DataFrame | None) -> Iterator[Record]:
    found: dict[str, list[Entity]] = {}
    for row in rows_of(entities) if entities is not None else ():
        entity = {key: row[key] for key in ("start", "end", "label", "assertion", "code") if row.get(key) is not None}
        found.setdefault(row["note_id"], []).append({**entity, "quoted": row.get("text")})
    for note in rows_of(notes):
        yield {**note, "entities": found.get(note["note_id"], [])}


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError("duckdb", "formats") from None
    return duckdb
