"""Annotating a corpus of any size on one machine, with several processes, and on after an interruption."""

from __future__ import annotations

import errno
import hashlib
import sqlite3
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from clinnlp import privacy
from clinnlp.errors import InputError
from clinnlp.notes import NO_ROWS, read_note_chunks
from clinnlp.scale.cache import Cache, pack
from clinnlp.scale.partition import read_texts
from clinnlp.scale.recipe import Recipe
from clinnlp.scale.store import SHARES, SLICE, Store
from clinnlp.scale.tables import REPORTED, write_tables
from clinnlp.scale.workers import ENDED, Read, Workers

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 64  # texts that are read, and kept, together, at most
WARM_UP = "Mrs. Jones takes metformin 500 mg. HbA1c 7 %."  # opens what is opened late, before processes share it
Progress: TypeAlias = Callable[[int, int | None, str], None]
T = TypeVar("T")
Run: TypeAlias = Callable[[Iterable[tuple[T, list[Any]]]], Iterator[tuple[T, list[Any]]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the rows it wrote by table, and how many notes wait for `resume` after an interruption."""

    folder: Path
    rows: dict[str, int]
    waiting: int = 0

    @property
    def report(self) -> Path | None:
        """The report; None where there are more notes than a page can hold."""
        return self.folder / "report.html" if self.rows["notes"] <= REPORTED else None


def annotate_corpus(
    source: str | Path,
    out: str | Path,
    *,
    recipe: Recipe | None = None,
    columns: Mapping[str, str | None] | None = None,
    format: str | None = None,
    jobs: int | None = None,
    resume: bool = False,
    cache: str | Path | None = None,
    chunk_size: int = CHUNK,
    parquet: bool = False,
    mask: bool = False,
    ignore: Iterable[str] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Annotate the notes of a file or folder, and write the tables into a folder, with a report for up to 1,000 notes.

    The tables are those of `clinnlp.annotate` and `Annotations.save`, whatever the jobs, the chunks and the
    interruptions. Memory does not grow with the number of notes, but for the notes of one patient. Until the tables are
    written, `run.sqlite` in the folder holds the notes and what was found: a process that is killed loses the chunks
    that it was reading, and nothing else. An interruption from the keyboard ends the reading, and the tables of what
    was read are written; another one ends that, too.

    Parameters
    ----------
    source
        What `clinnlp.read_notes` reads, or with `format` what `clinnlp.formats.read` reads. A row that cannot be read,
        and a note whose id stands before, become rows of `errors`.
    out
        The folder for the tables.
    recipe
        The pipeline.
    columns
        The arguments of `clinnlp.read_notes` that name columns.
    format
        A name of `clinnlp.formats.FORMATS`.
    jobs
        How many processes read notes, with one thread each; a note that ends its process twice becomes a row of
        `errors`. If None this process reads them, with a thread for each core.
    resume
        Whether to go on with an unfinished run in the folder, if there is one.
    cache
        A file of findings that later runs by the same recipe take from; see `clinnlp.scale.cache.Cache`.
    chunk_size
        How many texts are read, and kept, together at most; towards the end they are fewer, so that no process is left
        with many while others have none.
    parquet
        Whether the tables are written as Parquet instead of CSV.
    mask
        Whether placeholders are written in the place of identifiers, as `clinnlp.privacy.mask` does, before a text is
        kept anywhere; offsets are then those of the table `notes`. Only texts are masked, not what stands beside them.
    ignore
        Kinds of identifiers that are not masked.
    progress
        Called with the number of notes done, that of all notes where it is known, and what is done with them.

    Raises
    ------
    InputError
        When the source cannot be read, the folder holds an unfinished run that cannot go on or without `resume`, a
        kind to ignore does not exist, or the disk is full.
    ModelError, ResourceError
        As `clinnlp.load` raises them.
    """
    if (jobs is not None and jobs < 1) or chunk_size < 1:
        raise InputError(f"Got jobs {jobs} and chunk_size {chunk_size}. Give numbers of 1 or more.")
    recipe = replace(recipe or Recipe(), threads=None if jobs is None else 1)
    source, out = Path(source), Path(out)
    tick = progress or (lambda done, total, title: None)
    ignored = privacy.known_kinds(ignore) if mask else None
    frames = _read(source, format, columns or {})
    first = next(frames, None)  # what is wrong with the file as a whole is said before anything takes time
    if first is None:
        raise InputError(NO_ROWS)
    out.mkdir(parents=True, exist_ok=True)
    tick(0, None, "Loading")
    recipe.build()
    fingerprint = recipe.fingerprint()
    identity = {
        "the notes": _checksum(source, out),
        "how they are read": repr((format, sorted((k, v) for k, v in (columns or {}).items() if v is not None))),
        "what is masked": "nothing" if ignored is None else f"all but {sorted(ignored)}",
        "the pipeline": fingerprint,
    }
    with _one_disk_error(out):
        store = Store(out, identity, resume=resume)
        is_done = False
        try:
            if not store.is_read:
                with closing(_masked(chain([first], frames), ignored, jobs)) as read:
                    for done in store.read(read, fingerprint):
                        tick(done, None, "Reading")
            with suppress(KeyboardInterrupt):
                _annotate(store, recipe, jobs, cache, chunk_size, tick)
            total = store.count()
            rows = write_tables(store, out, parquet=parquet, tick=lambda done, part: tick(done, store.done, part))
            is_done = store.done == total
        finally:
            store.close(delete=is_done)
    return Outcome(out, rows, total - store.done)


def read_packed(recipe: Recipe, texts: list[str]) -> list[bytes | str]:
    """Give what was found in each text, packed, or what went wrong; what spaCy keeps of the words is given back."""
    nlp = recipe.build()
    with nlp.memory_zone():
        found = read_texts(texts, nlp, recipe.summary_sentences)
        return [some if isinstance(some, str) else pack(some) for some in found]


def _annotate(
    store: Store, recipe: Recipe, jobs: int | None, cache: str | Path | None, chunk_size: int, tick: Progress
) -> None:
    """Find what there is to find in the texts that wait."""
    total = store.count()
    tick(store.done, total, "Annotating")
    read = partial(read_packed, recipe)
    if jobs and "torch" not in sys.modules:  # whose threads do not outlive a fork
        read([WARM_UP])
    with ExitStack() as stack:
        known = stack.enter_context(closing(Cache(cache))) if cache else None
        run: Run[list[bytes]] = stack.enter_context(_start(read, jobs))
        tasks: Iterator[tuple[list[bytes], list[str]]] = store.waiting(chunk_size, jobs)
        if known:
            tasks = _unknown(tasks, store, known)
        for keys, results in run(tasks):
            found = dict(zip(keys, results, strict=True))
            if known:
                known.keep({key: some for key, some in found.items() if isinstance(some, bytes)})
            store.keep(found)
            tick(store.done, total, "Annotating")


@contextmanager
def _start(read: Read, jobs: int | None) -> Iterator[Run[Any]]:
    """Give what runs tasks: the `map` of so many processes, or the same in this process."""
    if jobs is None:
        yield lambda tasks: ((key, read(texts)) for key, texts in tasks)
        return
    with Workers(read, jobs) as workers:
        yield workers.map


def _unknown(
    tasks: Iterable[tuple[list[bytes], list[str]]], store: Store, cache: Cache
) -> Iterator[tuple[list[bytes], list[str]]]:
    """Take from the cache what it has, and give the texts that it does not have."""
    for keys, texts in tasks:
        known = cache.find(keys)
        store.keep(known)
        left = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if left:
            yield list(left), list(left.values())


def mask_texts(ignored: frozenset[str], texts: list[Any]) -> list[Any]:
    """Write placeholders in each text; what is no text stays."""
    return [privacy.mask(text, ignore=ignored) if isinstance(text, str) else text for text in texts]


def _masked(
    frames: Iterable[pd.DataFrame], ignored: frozenset[str] | None, jobs: int | None
) -> Generator[pd.DataFrame, None, None]:
    """Mask the texts of all kinds but those ignored, of one frame after the other; None masks nothing."""
    if ignored is None:
        yield from frames
        return
    mask_texts(ignored, [WARM_UP])
    with _start(partial(mask_texts, ignored), jobs) as run:
        for frame in frames:
            texts = frame["text"].tolist()
            size = max(1, len(texts) // (SHARES * (jobs or 1)))
            parts = dict(run((first, texts[first : first + size]) for first in range(0, len(texts), size)))
            yield _with_texts(frame, [text for first in sorted(parts) for text in parts[first]])


def _with_texts(frame: pd.DataFrame, texts: list[Any]) -> pd.DataFrame:
    """Give the frame these texts; one that ended its process is an error."""
    column = type(frame["text"])(texts, frame.index, frame["text"].dtype)
    ended = column == ENDED
    new = frame.assign(text=column.mask(ended))
    new.attrs["errors"] = [
        *frame.attrs.get("errors", ()),
        *({"note_id": note_id, "stage": "read", "error": ENDED} for note_id in frame.loc[ended, "note_id"]),
    ]
    return new


def _read(source: Path, format: str | None, columns: Mapping[str, str | None]) -> Iterator[pd.DataFrame]:
    """Read the notes some at a time."""
    if format is not None:
        from clinnlp.formats import read_chunks

        return read_chunks(source, format, SLICE)
    return read_note_chunks(source, SLICE, **columns)


def _checksum(source: Path, out: Path) -> str:
    """Give a checksum of a file, or of the names and contents of all files of a folder that are not in `out`."""
    inside = (file for file in source.rglob("*") if file.is_file() and not file.is_relative_to(out))
    files = sorted(inside) if source.is_dir() else [source]
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(source)} {content}\n".encode())
    return total.hexdigest()


@contextmanager
def _one_disk_error(out: Path) -> Iterator[None]:
    """Say of a disk that is full what to do."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        code = getattr(error, "errno", None), getattr(error, "sqlite_errorcode", None)
        if code[0] != errno.ENOSPC and code[1] != sqlite3.SQLITE_FULL:
            raise
        raise InputError(f"The disk of {out} is full. Make room, then go on by --resume (resume=True).") from None
