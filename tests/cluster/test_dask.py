"""Notes on a Dask cluster of two processes, as its users start one, give what they give on one machine."""

import os
import signal

import pandas as pd
import pytest
from corpus import NOTES, RECIPE, assert_same, local

import clinnlp
from clinnlp.errors import InputError

dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("dask.distributed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def frame():
    return dd.from_pandas(NOTES, npartitions=3)


@pytest.fixture(scope="module")
def result(client, frame):
    return clinnlp.annotate(frame, RECIPE)


def test_tables_are_those_of_one_machine(result):
    assert_same(result.collect())


def test_a_frame_of_the_cluster_can_be_queried_before_it_is_worked_out(result):
    assert result.entities.npartitions == 3
    counts = result.entities.groupby("label").size().compute()
    assert counts.to_dict() == local().entities["label"].value_counts().to_dict()


def test_save_writes_parquet_and_replaces_what_is_there(result, tmp_path):
    for _ in range(2):
        result.save(str(tmp_path))
    saved = pd.read_parquet(tmp_path / "flags").sort_values(["note_id", "start"])
    assert len(saved) == len(local().flags)


def test_a_worker_that_is_killed_is_replaced_and_its_part_read_again(client, frame):
    pids = list(client.run(os.getpid).values())
    future = client.submit(os.kill, pids[0], signal.SIGKILL, workers=[list(client.run(os.getpid))[1]], pure=False)
    collected = clinnlp.annotate(frame.repartition(npartitions=4), RECIPE).collect()
    future.cancel()
    assert_same(collected)


@pytest.mark.parametrize(
    ("notes", "pipeline", "message"),
    [
        (dd.from_pandas(pd.concat([NOTES, NOTES.tail(1)]), npartitions=2), RECIPE, "more than once"),
        (dd.from_pandas(NOTES.drop(columns="text"), npartitions=1), RECIPE, "lack the column text"),
        (dd.from_pandas(NOTES, npartitions=1), RECIPE.build(), "cannot travel"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(client, notes, pipeline, message):
    with pytest.raises(InputError, match=message):
        clinnlp.annotate(notes, pipeline)
