"""What was found in texts, kept by text and recipe in SQLite, so that no text is read twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from clinnlp.errors import InputError
from clinnlp.scale.partition import Findings

WAIT = 60.0  # seconds for another process to finish writing
TABLE = "CREATE TABLE IF NOT EXISTS found (key BLOB PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID"


class Cache:
    """A file of findings that any number of runs may share, also at the same time.

    It quotes the notes: keep it where the notes may be kept. What another recipe found stays in it, unused.

    Raises
    ------
    InputError
        When the file is there and is no cache.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = sqlite3.connect(self.path, timeout=WAIT)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute(TABLE)
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path} cannot be used as a cache: {error}. Name another file.") from None

    def find(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Give what is known, packed, by key."""
        query = "SELECT rows FROM found WHERE key = ?"
        rows = ((key, self._file.execute(query, (key,)).fetchone()) for key in keys)
        return {key: row[0] for key, row in rows if row}

    def keep(self, found: Mapping[bytes, bytes]) -> None:
        """Add what was found, packed, by key."""
        with self._file:
            self._file.executemany("INSERT OR IGNORE INTO found VALUES (?, ?)", found.items())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def key_of(text: str, fingerprint: str) -> bytes:
    """Give the key of a text that is read by the recipe with this fingerprint."""
    return hashlib.sha256(fingerprint.encode() + text.encode("utf-8", "surrogatepass")).digest()


def pack(found: Findings) -> bytes:
    """Write findings as compressed JSON.

    >>> unpack(pack({"entities": [{"start": 3, "score": 0.5}]}))
    {'entities': [{'start': 3, 'score': 0.5}]}
    """
    return zlib.compress(json.dumps(found, separators=(",", ":"), default=float).encode(), 1)


def unpack(data: bytes) -> Findings:
    """Read what `pack` wrote."""
    found: Findings = json.loads(zlib.decompress(data))
    return found
