"""From notes to the rows of tables: what `clinnlp.annotate`, a large corpus and a cluster have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from clinnlp.errors import InputError
from clinnlp.schema import AXES, TABLES, as_row, make_table

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language
    from spacy.tokens import Doc

    from clinnlp.conditions import Conditions
    from clinnlp.scale.recipe import Recipe

TOGETHER = 32  # texts that go through the pipeline together
PER_NOTE = ("sections", "entities", "medications", "measurements", "flags", "evidence", "summaries")

Row: TypeAlias = dict[str, Any]
Findings: TypeAlias = dict[str, list[Row]]  # the rows of a text by table, without ids
Found: TypeAlias = Findings | str  # what was found, or the name of what went wrong


def annotate_partition(notes: pd.DataFrame, recipe: Recipe) -> dict[str, pd.DataFrame]:
    """Annotate a part of a corpus as `annotate_notes` does, with the pipeline that this process has for the recipe.

    What spaCy keeps of the words is given back afterwards, so that a process can read any number of parts.
    """
    nlp = recipe.build()
    with nlp.memory_zone():
        return annotate_notes(notes, nlp, summary_sentences=recipe.summary_sentences)


def annotate_notes(
    notes: pd.DataFrame,
    nlp: Language,
    *,
    summary_sentences: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, pd.DataFrame]:
    """Find what each note says, whatever other notes say; a text that stands in several notes is read once.

    Parameters
    ----------
    notes
        A table with the columns `note_id` and `text`.
    nlp, summary_sentences, progress
        As `clinnlp.annotate` takes them.

    Returns
    -------
    dict
        The tables of `clinnlp.schema.TABLES` by name, but for patient_flags; `copied_from` is empty. Give them to
        `sum_up_patients` where the notes of a patient are together.

    Raises
    ------
    InputError
        When `note_id` or `text` is missing from the table, or an id stands twice.
    """
    notes, errors = _checked(notes)
    texts = notes["text"].dropna()
    several = set(texts[texts.duplicated()])
    known: dict[str, Found] = {}
    fresh = read_texts(list(dict.fromkeys(texts)), nlp, summary_sentences)

    records: list[Row] = notes.to_dict("records")  # type: ignore[assignment]  # the stubs allow any key

    def read() -> Iterator[tuple[Row, Found | None]]:
        for done, note in enumerate(records, 1):
            text = note["text"]
            found = None if not isinstance(text, str) else known[text] if text in known else next(fresh)
            if text in several and found is not None:
                known[text] = found
            yield note, found
            if progress:
                progress(done, len(notes))

    return {"notes": notes, **make_tables(read(), errors=errors)}


def read_texts(texts: Sequence[str], nlp: Language, summary_sentences: int) -> Iterator[Found]:
    """Find what each text says, in order; a text that fails gives the name of the error, whose message may quote it."""
    conditions = _conditions(nlp)
    for first in range(0, len(texts), TOGETHER):
        some = texts[first : first + TOGETHER]
        try:
            docs: Iterable[Doc | Exception] = list(nlp.pipe(some))
        except Exception:  # find out which text it is
            docs = (_try(nlp, text) for text in some)
        for doc in docs:
            try:
                if isinstance(doc, Exception):
                    raise doc
                yield _findings(doc, conditions, summary_sentences)
            except InputError:
                raise
            except Exception as error:
                yield type(error).__name__


def make_tables(
    read: Iterable[tuple[Mapping[str, Any], Found | None]],
    names: Iterable[str] = PER_NOTE,
    errors: Iterable[Row] = (),
) -> dict[str, pd.DataFrame]:
    """Make the tables of these names, and errors, of notes and what was found in each; None where there is no text."""
    rows: Findings = {name: [] for name in names}
    failed = list(errors)
    for note, found in read:
        key = {"note_id": note["note_id"]}
        if isinstance(found, str):
            failed.append({**key, "stage": "annotate", "error": found})
            continue
        for name in rows if found else ():
            ids = {**key, "patient_id": note["patient_id"]} if name == "flags" else key
            rows[name] += [{**row, **ids} for row in (found or {})[name]]
    return {name: make_table(name, some) for name, some in [*rows.items(), ("errors", failed)]}


def sum_up_patients(notes: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Give the tables `evidence`, with what was copied forward, and `patient_flags`, of notes that are together.

    Parameters
    ----------
    notes
        The table `notes`, with all notes of each patient in it.
    tables
        The tables `flags` and `evidence` of these notes.
    """
    from clinnlp.patients import mark_copies, patient_flags

    evidence = mark_copies(tables["evidence"], notes)
    return {"evidence": evidence, "patient_flags": patient_flags(tables["flags"], evidence, notes)}


def _checked(notes: pd.DataFrame) -> tuple[pd.DataFrame, list[Row]]:
    """Give the notes with all columns of their table, and what was wrong when they were read."""
    refuse_lacking(notes.columns)
    refuse_repeated(bool(notes["note_id"].duplicated().any()))
    errors = list(notes.attrs.get("errors", ()))
    full = complete(notes).reset_index(drop=True)
    known = {e["note_id"] for e in errors}
    errors += [
        {"note_id": i, "stage": "read", "error": "The note has no text."}
        for i in full.loc[full["text"].isna(), "note_id"]
        if i not in known
    ]
    return full, errors


def refuse_lacking(columns: Iterable[Any]) -> None:
    """Raise InputError when notes lack a column that they need."""
    found = [str(column) for column in columns]
    if missing := {"note_id", "text"} - set(found):
        raise InputError(
            f"The notes lack the column {' and '.join(sorted(missing))}; found: {', '.join(found)}. "
            "Read them with clinnlp.read_notes(frame, id_column=..., text_column=...)."
        )


def refuse_repeated(is_repeated: bool) -> None:
    """Raise InputError when an id stands more than once."""
    if is_repeated:
        raise InputError("Some note_id stand more than once. Give each note an id of its own.")


def complete(notes: pd.DataFrame) -> pd.DataFrame:
    """Give notes all columns of the table `notes`, with its types, and their own after these."""
    columns = TABLES["notes"]
    own = [column for column in notes.columns if column not in columns]
    full = notes.reindex(columns=[*columns, *own])
    return full.astype({c: t for c, t in columns.items() if full[c].dtype != t})


def _try(nlp: Language, text: str) -> Doc | Exception:
    """Run the pipeline over a text; gives what went wrong if it fails."""
    try:
        return nlp(text)
    except Exception as error:
        return error


def _findings(doc: Doc, conditions: Conditions, summary_sentences: int) -> Findings:
    """Give the rows of one text by table."""
    from clinnlp.flags import find_flags
    from clinnlp.summarise import summarise

    flags, evidence = find_flags(doc, conditions)
    found = {
        "sections": doc._.sections, "medications": doc._.medications, "measurements": doc._.measurements,
        "flags": flags, "evidence": evidence, "summaries": summarise(doc, summary_sentences),
    }  # fmt: skip
    return {"entities": list(_entity_rows(doc)), **{name: [as_row(f) for f in some] for name, some in found.items()}}


def _entity_rows(doc: Doc) -> Iterator[Row]:
    """Give the cells of each entity; a lasting disease is not historical here, also when it is told as history."""
    from clinnlp.components.extensions import PARTS, code_of

    for ent in doc.ents:
        extension = ent._
        cells = {name: extension.get(name) for name in ("score", "source", "section", "assertion", "cue")}
        axes = {f"is_{axis}": bool(extension.get(f"is_{axis}")) for axis in AXES}
        axes["is_historical"] &= not extension.is_background
        yield {
            "start": ent.start_char, "end": ent.end_char, "text": ent.text, "label": ent.label_,
            **cells, **axes, **dict(zip(PARTS, code_of(ent), strict=True)),
        }  # fmt: skip


def _conditions(nlp: Language) -> Conditions:
    """Give the condition definitions of the pipeline's lexicon, or the shipped ones where it has none."""
    from clinnlp.conditions import load as load_conditions

    if nlp.has_pipe("clinnlp_lexicon"):
        conditions: Conditions = nlp.get_pipe("clinnlp_lexicon").conditions  # type: ignore[attr-defined]
        return conditions
    return load_conditions()
