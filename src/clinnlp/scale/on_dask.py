"""Annotating a Dask DataFrame of notes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from clinnlp.scale.cluster import FOUND, ClusterAnnotations, Frames, annotate_patients
from clinnlp.scale.partition import complete, refuse_lacking, refuse_repeated
from clinnlp.schema import make_table

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.scale.recipe import Recipe

KEY = "_together"  # notes with the same key go into the same partition


def annotate_dask(notes: Any, recipe: Recipe) -> ClusterAnnotations:
    """Annotate a Dask DataFrame; see `clinnlp.annotate`.

    The notes are shuffled, so that each partition has whole patients; there are as many partitions as before. The ids
    are read at once, to see that none stands twice.
    """
    import dask.dataframe as dd
    from dask import delayed

    refuse_lacking(notes.columns)
    notes = notes.map_partitions(complete, meta=complete(notes._meta))
    counts = notes["note_id"].value_counts(split_out=notes.npartitions)
    refuse_repeated(bool((counts > 1).any().compute()))
    together = notes.assign(**{KEY: notes["patient_id"].fillna(notes["note_id"])})
    parts = together.shuffle(KEY).drop(columns=KEY).to_delayed()
    read = delayed(partial(annotate_patients, recipe=recipe), pure=True)
    found = [read(part) for part in parts]
    frames = {name: dd.from_delayed([part[name] for part in found], meta=make_table(name, ())) for name in FOUND}
    return ClusterAnnotations({"notes": notes, **frames}, _gather, _write)


def _gather(frames: Frames) -> dict[str, pd.DataFrame]:
    """Compute all frames together, so that each part is read once."""
    import dask

    return dict(zip(frames, dask.compute(*frames.values()), strict=True))


def _write(frames: Frames, folder: str) -> None:
    import dask

    options = {"write_index": False, "overwrite": True, "compute": False}
    dask.compute(*(frame.to_parquet(f"{folder}/{name}", **options) for name, frame in frames.items()))
