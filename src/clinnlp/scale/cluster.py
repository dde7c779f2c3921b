"""What notes on a cluster go through, whatever its engine: parts with whole patients, and their tables put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from clinnlp.scale.partition import annotate_partition, complete, sum_up_patients
from clinnlp.schema import TABLES, sort_table

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations
    from clinnlp.scale.recipe import Recipe

FOUND = tuple(name for name in TABLES if name != "notes")
Frames = Mapping[str, Any]
_ONE_AT_A_TIME = Lock()  # threads of a worker share its pipeline, which only one of them may use


@dataclass(frozen=True, repr=False)
class ClusterAnnotations:
    """The tables of `clinnlp.schema.TABLES` as frames of a cluster's engine, worked out when they are asked for.

    `result.entities` and the others are Dask or Spark frames, in no particular order.
    """

    frames: Frames
    _gather: Callable[[Frames], dict[str, pd.DataFrame]]
    _write: Callable[[Frames, str], None]

    def __getattr__(self, name: str) -> Any:
        if name in TABLES:
            return self.frames[name]
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"ClusterAnnotations({', '.join(self.frames)})"

    def tables(self) -> dict[str, Any]:
        """Give the frames by table."""
        return dict(self.frames)

    def collect(self) -> Annotations:
        """Bring all tables to this machine, sorted: what `clinnlp.annotate` gives for the same notes."""
        from clinnlp.annotations import Annotations

        tables = self._gather(self.frames)
        found = {name: sort_table(name, tables[name].astype(TABLES[name])) for name in FOUND}
        return Annotations(notes=complete(tables["notes"]).reset_index(drop=True), **found)

    def save(self, folder: str) -> None:
        """Write a folder of Parquet files for each table, where the workers can reach it; what is there is replaced."""
        self._write(self.frames, folder)


def find_engine(notes: Any) -> Callable[[Any, Recipe], Any] | None:
    """Give what annotates notes that lie on a cluster; None where they do not."""
    engine = type(notes).__module__.partition(".")[0]
    if engine == "dask":
        from clinnlp.scale.on_dask import annotate_dask

        return annotate_dask
    if engine == "pyspark":
        from clinnlp.scale.on_spark import annotate_spark

        return annotate_spark
    return None


def annotate_patients(notes: pd.DataFrame, recipe: Recipe) -> dict[str, pd.DataFrame]:
    """Annotate notes that include all of each of their patients, and give the tables of what was found.

    The same notes give the same tables, so a part may be read again, or twice. A note that fails becomes a row of
    `errors`, and its part goes on.
    """
    recipe = replace(recipe, threads=recipe.threads or 1)  # a machine has many workers
    with _ONE_AT_A_TIME:
        tables = annotate_partition(notes, recipe)
    return {name: table for name, table in (tables | sum_up_patients(tables["notes"], tables)).items() if name in FOUND}
