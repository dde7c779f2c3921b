"""Building the spaCy pipeline, and running it over a table of notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.schema import AXES, TABLES, as_row, make_table

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language
    from spacy.tokens import Doc

    from clinnlp.annotations import Annotations
    from clinnlp.conditions import Conditions

COMPONENTS = (
    "clinnlp_sentences", "clinnlp_sections", "clinnlp_ner", "clinnlp_lexicon", "clinnlp_context",
    "clinnlp_medications", "clinnlp_measurements", "clinnlp_codes",
)  # fmt: skip
TOGETHER = 32  # notes that go through the pipeline together
PER_NOTE = ("sections", "entities", "medications", "measurements", "flags", "evidence", "summaries")


def load(
    *,
    ner: str = "mini",
    exclude: Iterable[str] = (),
    conditions: str | None = None,
    vocabulary: str | None = None,
    classifiers: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    download: bool = False,
) -> Language:
    """Build the pipeline.

    Parameters
    ----------
    ner
        The token-classification model that finds entities before the dictionary does: a pack that ships, a local
        folder, or a hub id; see `clinnlp.models.pack.load_classifier`.
    exclude
        Names of components to leave out; without `clinnlp_ner` the pipeline works by rules and dictionaries alone.
    conditions
        Path of a YAML file with condition definitions that extend or replace the shipped ones.
    vocabulary
        Path of a CSV file with terms of one's own (term, code, system); see `clinnlp.terminology.read_terms`.
    classifiers
        Models that vote on the conditions of a note (`doc._.votes`), as `{"heart_failure": MODEL}`, or mappings with
        the keys of `clinnlp.models.document_classifier.Spec`: a sequence classifier as
        `{"model": MODEL, "labels": {"LABEL_1": "heart_failure"}, "threshold": 0.5}`, a model of natural language
        inference as `{"model": MODEL, "zero_shot": ["heart_failure"], "hypothesis": "The patient has {}."}`.
    download
        Whether the files of a hub id may be fetched; otherwise they must be on this machine.

    Raises
    ------
    InputError
        When `exclude` names a component that does not exist, or the vocabulary or a classifier is not valid.
    ModelError
        When a model cannot be loaded, or lacks the labels to read.
    ResourceError
        When the condition file is not valid.

    Examples
    --------
    >>> doc = load()("Denies chest pain.")
    >>> [(e.text, e._.assertion, e._.cue) for e in doc.ents]
    [('chest pain', 'absent', 'Denies')]
    """
    from clinnlp.tokenizer import blank

    exclude = set(exclude)
    if unknown := exclude - set(COMPONENTS):
        raise InputError(f"No component {', '.join(sorted(unknown))} to exclude. There are: {', '.join(COMPONENTS)}")
    config: dict[str, dict[str, Any]] = {
        "clinnlp_ner": {"model": ner, "download": download},
        "clinnlp_lexicon": {"conditions": conditions, "vocabulary": vocabulary},
    }
    nlp = blank()
    for name in COMPONENTS:
        if name not in exclude:
            nlp.add_pipe(name, config=config.get(name, {}))
    if classifiers:
        from clinnlp.models.document_classifier import as_list

        voting = {"classifiers": as_list(classifiers), "conditions": conditions, "download": download}
        nlp.add_pipe("clinnlp_classifiers", config=voting)
    return nlp


def annotate(
    notes: pd.DataFrame,
    nlp: Language | None = None,
    *,
    summary_sentences: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Annotations:
    """Run the pipeline over a table of notes.

    A note that fails, or has no text, becomes a row of `errors`, and the run goes on.

    Parameters
    ----------
    notes
        The table of `read_notes`, or any table with the columns `note_id` and `text`.
    nlp
        The pipeline; `load()` where none is given.
    summary_sentences
        How many sentences the summary of a note has.
    progress
        Called after each note with the number of notes done and of all notes.

    Raises
    ------
    InputError
        When `note_id` or `text` is missing from the table, or an id stands twice.
    """
    from clinnlp.annotations import Annotations
    from clinnlp.patients import mark_copies, patient_flags

    notes, errors = _checked(notes)
    nlp = nlp or load()
    conditions = _conditions(nlp)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in PER_NOTE}
    records: list[dict[str, Any]] = notes.to_dict("records")  # type: ignore[assignment]  # the stubs allow any key
    for done, (note, doc) in enumerate(_read(records, nlp), 1):
        try:
            if isinstance(doc, Exception):
                raise doc
            if doc is not None:
                found = _rows(note, doc, conditions, summary_sentences)
                for name in PER_NOTE:
                    rows[name].extend(found[name])
        except InputError:
            raise
        except Exception as error:  # one note must not end the run; its message may quote the note, its type can not
            errors.append({"note_id": note["note_id"], "stage": "annotate", "error": type(error).__name__})
        if progress:
            progress(done, len(notes))
    tables = {name: make_table(name, rows[name]) for name in PER_NOTE}
    tables["evidence"] = mark_copies(tables["evidence"], notes)
    return Annotations(
        notes=notes,
        patient_flags=patient_flags(tables["flags"], tables["evidence"], notes),
        errors=make_table("errors", errors),
        **tables,
    )


def _checked(notes: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Give the notes with all columns of their table, and what was wrong when they were read."""
    if missing := {"note_id", "text"} - set(notes.columns):
        raise InputError(
            f"The notes lack the column {' and '.join(sorted(missing))}; found: {', '.join(map(str, notes.columns))}. "
            "Read them with clinnlp.read_notes(frame, id_column=..., text_column=...)."
        )
    if notes["note_id"].duplicated().any():
        raise InputError("Some note_id stand more than once. Give each note an id of its own.")
    errors = list(notes.attrs.get("errors", ()))
    columns = TABLES["notes"]
    own = [c for c in notes.columns if c not in columns]
    full = notes.reindex(columns=[*columns, *own])
    full = full.astype({c: t for c, t in columns.items() if full[c].dtype != t}).reset_index(drop=True)
    known = {e["note_id"] for e in errors}
    errors += [
        {"note_id": i, "stage": "read", "error": "The note has no text."}
        for i in full.loc[full["text"].isna(), "note_id"]
        if i not in known
    ]
    return full, errors


def _read(notes: list[dict[str, Any]], nlp: Language) -> Iterator[tuple[dict[str, Any], Doc | Exception | None]]:
    """Run the pipeline over notes, some at a time; gives what went wrong where a note fails, None without a text."""
    for first in range(0, len(notes), TOGETHER):
        some = notes[first : first + TOGETHER]
        texts = [note["text"] for note in some if isinstance(note["text"], str)]
        try:
            docs: Iterator[Doc | Exception] = iter(list(nlp.pipe(texts)))
        except Exception:  # find out which note it is
            docs = (_try(nlp, text) for text in texts)
        for note in some:
            yield note, next(docs) if isinstance(note["text"], str) else None


def _try(nlp: Language, text: str) -> Doc | Exception:
    """Run the pipeline over a text; gives what went wrong if it fails."""
    try:
        return nlp(text)
    except Exception as error:
        return error


def _rows(
    note: Mapping[str, Any], doc: Doc, conditions: Conditions, summary_sentences: int
) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of one note by table."""
    from clinnlp.flags import find_flags
    from clinnlp.summarise import summarise

    key = {"note_id": note["note_id"]}
    flags, evidence = find_flags(doc, conditions)
    return {
        "sections": [as_row(s, **key) for s in doc._.sections],
        "entities": [{**key, **row} for row in _entity_rows(doc)],
        "medications": [as_row(m, **key) for m in doc._.medications],
        "measurements": [as_row(m, **key) for m in doc._.measurements],
        "flags": [as_row(f, **key, patient_id=note["patient_id"]) for f in flags],
        "evidence": [as_row(e, **key) for e in evidence],
        "summaries": [as_row(s, **key) for s in summarise(doc, summary_sentences)],
    }


def _entity_rows(doc: Doc) -> Iterator[dict[str, Any]]:
    """Give the cells of each entity; a lasting disease is not historical here, also when it is told as history."""
    for ent in doc.ents:
        cells = {name: ent._.get(name) for name in ("score", "source", "section", "assertion", "cue")}
        codes = {name: ent._.get(name) for name in ("code_system", "code", "code_name")}
        axes = {f"is_{axis}": bool(ent._.get(f"is_{axis}")) for axis in AXES}
        axes["is_historical"] &= not ent._.is_background
        yield {
            "start": ent.start_char, "end": ent.end_char, "text": ent.text, "label": ent.label_,
            **cells, **axes, **codes,
        }  # fmt: skip


def _conditions(nlp: Language) -> Conditions:
    """Give the condition definitions of the pipeline's lexicon, or the shipped ones where it has none."""
    from clinnlp.conditions import load as load_conditions

    if nlp.has_pipe("clinnlp_lexicon"):
        conditions: Conditions = nlp.get_pipe("clinnlp_lexicon").conditions  # type: ignore[attr-defined]
        return conditions
    return load_conditions()
