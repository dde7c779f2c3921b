"""Building the spaCy pipeline, and running it over a table of notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language

    from clinnlp.annotations import Annotations
    from clinnlp.scale.recipe import Recipe

COMPONENTS = (
    "clinnlp_sentences", "clinnlp_sections", "clinnlp_ner", "clinnlp_lexicon", "clinnlp_context",
    "clinnlp_medications", "clinnlp_measurements", "clinnlp_codes",
)  # fmt: skip


def load(
    *,
    ner: str = "mini",
    exclude: Iterable[str] = (),
    conditions: str | None = None,
    vocabulary: str | None = None,
    classifiers: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    download: bool = False,
    threads: int | None = None,
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
    threads
        Windows that the shipped model runs at a time; as many as there are cores if None.

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
        "clinnlp_ner": {"model": ner, "download": download, "threads": threads},
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
    nlp: Language | Recipe | None = None,
    *,
    summary_sentences: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Annotations:
    """Run the pipeline over a table of notes.

    A note that fails, or has no text, becomes a row of `errors`, and the run goes on. For more notes than memory holds
    there is `clinnlp.scale.annotate_corpus`.

    `notes` may be a Dask or a Spark DataFrame, too; then the notes are read on its cluster, by a pipeline that each
    worker builds from a `clinnlp.scale.Recipe`, and what comes back is a `clinnlp.scale.ClusterAnnotations`: the same
    tables as frames of the cluster. A pipeline itself cannot travel there.

    Parameters
    ----------
    notes
        The table of `read_notes`, or any table with the columns `note_id` and `text`.
    nlp
        The pipeline, or the recipe of one; `load()` where none is given.
    summary_sentences
        How many sentences the summary of a note has; a recipe brings its own number.
    progress
        Called after each note with the number of notes done and of all notes; not on a cluster.

    Raises
    ------
    InputError
        When `note_id` or `text` is missing from the table, an id stands twice, or a pipeline is to go to a cluster.
    """
    from clinnlp.annotations import Annotations
    from clinnlp.scale.cluster import find_engine
    from clinnlp.scale.partition import annotate_notes, sum_up_patients
    from clinnlp.scale.recipe import Recipe

    if on_cluster := find_engine(notes):
        if nlp is not None and not isinstance(nlp, Recipe):
            raise InputError("A pipeline cannot travel to a cluster. Give its recipe: clinnlp.scale.Recipe(ner=...).")
        return on_cluster(notes, nlp or Recipe(summary_sentences=summary_sentences))
    if isinstance(nlp, Recipe):
        summary_sentences, nlp = nlp.summary_sentences, nlp.build()
    tables = annotate_notes(notes, nlp or load(), summary_sentences=summary_sentences, progress=progress)
    return Annotations(**tables | sum_up_patients(tables["notes"], tables))
