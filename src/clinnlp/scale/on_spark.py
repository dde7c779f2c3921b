"""Annotating a Spark DataFrame of notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from clinnlp.scale.cluster import FOUND, ClusterAnnotations, Frames, annotate_patients
from clinnlp.scale.partition import refuse_lacking, refuse_repeated
from clinnlp.scale.tables import to_stream
from clinnlp.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from clinnlp.scale.recipe import Recipe

TYPES = {
    "str": "string", "int64": "bigint", "float64": "double", "bool": "boolean", "datetime64[us]": "timestamp_ntz",
}  # fmt: skip
PACKED = "name string, rows binary"  # a table of a part, as an Arrow stream


def annotate_spark(notes: Any, recipe: Recipe) -> ClusterAnnotations:
    """Annotate a Spark DataFrame; see `clinnlp.annotate`.

    The notes are shuffled into `spark.sql.shuffle.partitions` parts, so that each has whole patients; a part has to fit
    in the memory of a Python worker. What is found is persisted, so that the tables are read from it; it is let go with
    `result.entities.sparkSession.catalog.clearCache()`. The ids are read at once, to see that none stands twice.
    """
    from pyspark.sql import functions as F  # noqa: N812

    refuse_lacking(notes.columns)
    for name, kind in TABLES["notes"].items():
        cells = F.col(name) if name in notes.columns else F.lit(None)
        notes = notes.withColumn(name, cells.cast(TYPES[kind]))
    refuse_repeated(not notes.groupBy("note_id").count().where("count > 1").isEmpty())
    parts = int(notes.sparkSession.conf.get("spark.sql.shuffle.partitions"))
    together = notes.select(*TABLES["notes"]).repartition(parts, F.coalesce("patient_id", "note_id"))
    packed = together.mapInPandas(partial(_pack, recipe=recipe), PACKED).persist()
    frames = {
        name: packed.where(F.col("name") == name).select("rows").mapInArrow(_unpack, _columns(name)) for name in FOUND
    }
    return ClusterAnnotations({"notes": notes, **frames}, _gather, _write)


def _columns(name: str) -> str:
    """Write the columns of a table as Spark does."""
    return ", ".join(f"`{column}` {TYPES[kind]}" for column, kind in TABLES[name].items())


def _pack(batches: Iterable[pd.DataFrame], recipe: Recipe) -> Iterator[pd.DataFrame]:
    """Annotate a part, and give each of its tables as one cell."""
    import pandas as pd
    import pyarrow as pa

    some = [batch for batch in batches if len(batch)]
    if not some:
        return
    tables = annotate_patients(pd.concat(some, ignore_index=True), recipe)
    cells = [(name, to_stream(pa.Table.from_pandas(frame, schema=_schema(name)))) for name, frame in tables.items()]
    yield pd.DataFrame(cells, columns=["name", "rows"])


def _unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Give the rows of the cells of one table."""
    import pyarrow as pa

    for batch in batches:
        for cell in batch["rows"]:
            with pa.ipc.open_stream(cell.as_buffer()) as stream:
                yield from stream


def _schema(name: str) -> pa.Schema:
    """Give the columns of a table with the types of Arrow that Spark reads."""
    import pyarrow as pa

    types = {
        "str": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(),
        "datetime64[us]": pa.timestamp("us"),
    }  # fmt: skip
    return pa.schema([(column, types[kind]) for column, kind in TABLES[name].items()])


def _gather(frames: Frames) -> dict[str, pd.DataFrame]:
    return {name: frame.toPandas() for name, frame in frames.items()}


def _write(frames: Frames, folder: str) -> None:
    for name, frame in frames.items():
        frame.write.mode("overwrite").parquet(f"{folder}/{name}")
