"""What a run over a corpus has read and found so far, in one SQLite file: the run can go on wherever it was ended."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.scale.cache import key_of, unpack
from clinnlp.scale.partition import Found, Row
from clinnlp.scale.tables import to_stream

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NAME = "run.sqlite"
SLICE = 500  # notes that are in memory together
SHARES = 4  # parts that a process would read of what is left
TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE notes (number INTEGER PRIMARY KEY, note_id TEXT NOT NULL UNIQUE, patient_id TEXT, date INTEGER, key BLOB,
                    text BLOB);
CREATE TABLE frames (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, others BLOB NOT NULL);
CREATE TABLE errors (note_id TEXT, error TEXT NOT NULL);
CREATE TABLE found (key BLOB PRIMARY KEY, rows BLOB, error TEXT) WITHOUT ROWID;
CREATE TABLE copies (note_id TEXT, start INTEGER, end INTEGER, source TEXT NOT NULL, PRIMARY KEY (note_id, start, end))
WITHOUT ROWID;
"""
IS_FOUND = "EXISTS (SELECT 1 FROM found WHERE found.key = notes.key)"
WAITING = f"""
SELECT number, key, text FROM notes WHERE number > ? AND key IS NOT NULL AND NOT {IS_FOUND} ORDER BY number LIMIT ?
"""
LEFT = f"SELECT COUNT(DISTINCT key) FROM notes WHERE key IS NOT NULL AND NOT {IS_FOUND}"
BY_NOTE = "SELECT note_id, patient_id, rows, error FROM notes JOIN found USING (key) ORDER BY note_id"
BY_PATIENT = """
SELECT note_id, patient_id, rows, error, date, text FROM notes JOIN found USING (key)
WHERE patient_id IS NOT NULL ORDER BY patient_id, number
"""
ERRORS = """
SELECT note_id, stage, error FROM (
    SELECT note_id, 'read' AS stage, error, 0 AS place, rowid AS row FROM errors UNION ALL
    SELECT note_id, 'annotate', found.error, 1, number FROM notes JOIN found USING (key) WHERE found.error IS NOT NULL
) ORDER BY note_id IS NULL, note_id, place, row
"""
TWICE = "The id stands more than once: only its first note is read."


class Store:
    """The file of a run: its notes, and what was found in each different text.

    A transaction is kept as a whole or not at all, whatever ends the process. While the file is open no other process
    can use it. It holds the notes: it is deleted once the tables are written.

    Parameters
    ----------
    folder
        Where the tables of the run are to be.
    identity
        What the findings follow from, by the words that name it to a user.
    resume
        Whether to go on with an unfinished run.

    Raises
    ------
    InputError
        When there is an unfinished run and `resume` is not given, or it is of another identity, or is at work.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str], *, resume: bool) -> None:
        self.path = folder / NAME
        if self.path.exists() and not resume:
            raise InputError(
                f"{folder} holds a run that is not finished. Go on with it by --resume (resume=True), or delete "
                f"{self.path} to begin anew."
            )
        self._journal = self.path.with_name(f"{NAME}-journal")
        if not self.path.exists():
            self._journal.unlink(missing_ok=True)
        self.file = sqlite3.connect(self.path, timeout=0)
        try:
            self.file.execute("PRAGMA locking_mode=EXCLUSIVE")
            self.file.execute("BEGIN EXCLUSIVE")
            self._open(identity)
        except sqlite3.DatabaseError as error:
            self.file.close()
            if "locked" in str(error):
                raise InputError(f"Another process is at work in {folder}. Wait for it, or name another.") from None
            if "not a database" in str(error):
                raise InputError(f"{self.path} is damaged. Delete it to begin anew.") from None
            raise
        except InputError:
            self.file.close()
            raise

    def _open(self, identity: Mapping[str, str]) -> None:
        """See that an unfinished run is the same, and begin anew where it has not read all notes yet."""
        tables = [name for (name,) in self.file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        known = dict(self.file.execute("SELECT name, value FROM about")) if "about" in tables else {}
        if other := [name for name, value in identity.items() if known and known.get(name) != value]:
            raise InputError(
                f"The run in {self.path.parent} cannot go on: {' and '.join(other)} changed since. Give what it began "
                f"with, or delete {self.path} to begin anew."
            )
        self.is_read = "read" in known
        if not self.is_read:
            for name in tables:
                self.file.execute(f"DROP TABLE {name}")
            for statement in filter(str.strip, TABLES.split(";")):
                self.file.execute(statement)
            self.file.executemany("INSERT INTO about VALUES (?, ?)", identity.items())
        self.file.commit()

    def read(self, frames: Iterable[pd.DataFrame], fingerprint: str) -> Iterator[int]:
        """Take the notes in, and give after each frame how many rows were read; a later note of an id is an error."""
        first = 0
        for frame in frames:
            last = first + len(frame)
            with self.file:
                errors = [(e["note_id"], e["error"]) for e in frame.attrs.get("errors", ())]
                is_new = [self._add(first + i, note, fingerprint) for i, note in enumerate(_rows(frame))]
                errors += [(note_id, TWICE) for note_id in frame.loc[[not new for new in is_new], "note_id"]]
                others = _to_bytes(frame[is_new].drop(columns="text"))
                self.file.execute("INSERT INTO frames VALUES (?, ?, ?)", (first, last, others))
                self.file.executemany("INSERT INTO errors VALUES (?, ?)", errors)
            first = last
            yield last
        with self.file:
            self.file.execute("CREATE INDEX notes_patient ON notes (patient_id)")
            self.file.execute("CREATE INDEX notes_key ON notes (key)")
            self.file.execute("INSERT INTO about VALUES ('read', 'all')")
        self.is_read = True

    def _add(self, number: int, note: tuple[str, str | None, int | None, str | None], fingerprint: str) -> bool:
        """Add a note; gives whether its id is new."""
        note_id, patient_id, date, text = note
        stored = (None, None) if text is None else (key_of(text, fingerprint), zlib.compress(text.encode(), 1))
        row = (number, note_id, patient_id, date, *stored)
        return self.file.execute("INSERT OR IGNORE INTO notes VALUES (?, ?, ?, ?, ?, ?)", row).rowcount == 1

    def count(self) -> int:
        """Count the notes that have a text; `done` is the number of those annotated."""
        done, total = self.file.execute(f"SELECT SUM({IS_FOUND}), COUNT(*) FROM notes WHERE key IS NOT NULL").fetchone()
        self.done = done or 0
        return int(total)

    def waiting(self, size: int, jobs: int | None = None) -> Iterator[tuple[list[bytes], list[str]]]:
        """Give the different texts that are to be read, with their keys, up to `size` at a time, in order.

        For several processes they become fewer towards the end, so that all end at about the same time.
        """
        number, (left,) = -1, self.file.execute(LEFT).fetchone()
        shares = SHARES * jobs if jobs and jobs > 1 else 1
        given: set[bytes] = set()  # that are not found yet
        while left:
            rows = self.file.execute(WAITING, (number, max(1, min(size, left // shares)))).fetchall()
            number = rows[-1][0]
            texts = {key: text for _, key, text in rows if key not in given}
            given.update(texts)
            left -= len(texts)
            if texts:
                yield list(texts), [zlib.decompress(text).decode() for text in texts.values()]
            given = {key for key in given if not self._has(key)}

    def _has(self, key: bytes) -> bool:
        return self.file.execute("SELECT 1 FROM found WHERE key = ?", (key,)).fetchone() is not None

    def keep(self, found: Mapping[bytes, Any]) -> None:
        """Add what was found by key, packed, or the name of what went wrong."""
        rows = [(key, *((None, some) if isinstance(some, str) else (some, None))) for key, some in found.items()]
        with self.file:
            self.file.executemany("INSERT OR IGNORE INTO found VALUES (?, ?, ?)", rows)
        query = "SELECT COUNT(*) FROM notes WHERE key = ?"
        self.done += sum(self.file.execute(query, (key,)).fetchone()[0] for key in found)

    def keep_copies(self, evidence: pd.DataFrame) -> None:
        """Keep which evidence was copied from which note."""
        copied = evidence.loc[evidence["copied_from"].notna(), ["note_id", "start", "end", "copied_from"]]
        with self.file:
            self.file.executemany(
                "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)", copied.to_numpy(dtype=object).tolist()
            )

    def by_note(self) -> Iterator[list[tuple[Row, Found]]]:
        """Give the annotated notes with what was found in each, some at a time, by note_id."""
        cursor = self.file.execute(BY_NOTE)
        while rows := cursor.fetchmany(SLICE):
            yield [_opened(row) for row in rows]

    def by_patient(self) -> Iterator[list[tuple[Row, Found]]]:
        """Give the annotated notes that have a patient, all of a patient together; their rows have date and text."""
        some: list[tuple[Row, Found]] = []
        for _, rows in groupby(self.file.execute(BY_PATIENT), key=itemgetter(1)):
            some += [_opened(row) for row in rows]
            if len(some) >= SLICE:
                yield some
                some = []
        if some:
            yield some

    def copies(self, first: str, last: str) -> dict[tuple[str, int, int], str]:
        """Give the notes that evidence was copied from, of the notes from `first` to `last`, by note, start and end."""
        query = "SELECT note_id, start, end, source FROM copies WHERE note_id BETWEEN ? AND ?"
        return {(note_id, a, b): source for note_id, a, b, source in self.file.execute(query, (first, last))}

    def errors(self) -> Iterator[list[Row]]:
        """Give the rows of the table `errors`, some at a time."""
        cursor = self.file.execute(ERRORS)
        while rows := cursor.fetchmany(SLICE):
            yield [dict(zip(("note_id", "stage", "error"), row, strict=True)) for row in rows]

    def notes(self) -> Iterator[pa.Table]:
        """Give the table `notes`, some rows at a time in their order, without those that wait to be annotated."""
        import pyarrow as pa

        query = f"SELECT text, key IS NULL OR {IS_FOUND} FROM notes WHERE number >= ? AND number < ? ORDER BY number"
        for first, last, others in self.file.execute("SELECT first, last, others FROM frames ORDER BY first"):
            rows = self.file.execute(query, (first, last)).fetchall()
            texts = pa.array([text and zlib.decompress(text).decode() for text, _ in rows], pa.large_string())
            table = pa.ipc.open_stream(others).read_all().add_column(4, "text", texts)
            yield table.filter(pa.array([bool(done) for _, done in rows], pa.bool_()))

    def close(self, *, delete: bool) -> None:
        """Close the file; delete it once nothing in it is needed."""
        self.file.close()
        if delete:
            self._journal.unlink(missing_ok=True)  # before the file: alone it would be taken for that of the next run
            self.path.unlink(missing_ok=True)


def _rows(frame: pd.DataFrame) -> Iterator[tuple[str, str | None, int | None, str | None]]:
    """Give id, patient, date in microseconds, and text of each note."""
    dates = frame["date"].astype("int64").where(frame["date"].notna())
    cells = zip(frame["note_id"], frame["patient_id"], dates, frame["text"], strict=True)
    for note_id, patient_id, date, text in cells:
        missing = (None if cell != cell else cell for cell in (patient_id, date, text))  # what is missing is not itself
        yield note_id, *missing


def _opened(row: tuple[Any, ...]) -> tuple[Row, Found]:
    """Open what was found in a note."""
    note_id, patient_id, rows, error, *more = row
    note = {"note_id": note_id, "patient_id": patient_id}
    if more:
        note |= {"date": more[0], "text": zlib.decompress(more[1]).decode()}
    return note, error if rows is None else unpack(rows)


def _to_bytes(frame: pd.DataFrame) -> bytes:
    """Write a frame as Arrow; cells of a column that has no type are written as text."""
    import pyarrow as pa

    columns = {}
    for name in frame.columns:
        try:
            columns[name] = pa.array(frame[name], from_pandas=True)
        except pa.ArrowException:
            columns[name] = pa.array([None if v is None else str(v) for v in frame[name]])
    return to_stream(pa.table(columns))
