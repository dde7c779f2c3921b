"""Notes on a Spark cluster of two executors in processes of their own give what they give on one machine."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from corpus import NOTES, RECIPE, assert_same

import clinnlp
from clinnlp.errors import InputError

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")]
sql = pytest.importorskip("pyspark.sql")


@pytest.fixture(scope="module")
def spark():
    if shutil.which("java") is None:
        missing = "Spark needs Java 17. Install it, for example: apt-get install default-jre-headless"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {"spark.sql.shuffle.partitions": 3, "spark.ui.enabled": False, "spark.log.level": "OFF"}
    builder = sql.SparkSession.builder.master("local-cluster[2,1,1024]").config(map=settings)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module")
def frame(spark, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("notes") / "notes.parquet")
    NOTES.to_parquet(path, index=False)
    return spark.read.parquet(path)


def test_tables_are_those_of_one_machine(frame):
    assert_same(clinnlp.annotate(frame, RECIPE).collect())


def test_tables_are_saved_and_can_be_queried(frame, tmp_path):
    result = clinnlp.annotate(frame.select("note_id", "text"), RECIPE)
    local = clinnlp.annotate(NOTES[["note_id", "text"]], RECIPE)
    assert result.flags.where("status = 'present'").count() == sum(local.flags["status"] == "present")
    result.save(str(tmp_path))
    assert len(pd.read_parquet(tmp_path / "entities")) == len(local.entities)


def test_an_executor_that_is_killed_while_it_reads_loses_nothing(spark, frame):
    spark.catalog.clearCache()
    result = clinnlp.annotate(frame, RECIPE)
    before = find_executors()
    killed = []

    def kill():
        tracker, end = spark.sparkContext.statusTracker(), time.monotonic() + 60
        while time.monotonic() < end and not killed:
            stages = filter(None, map(tracker.getStageInfo, tracker.getActiveStageIds()))
            if any(stage.numActiveTasks for stage in stages):
                os.kill(before[0], signal.SIGKILL)
                killed.append(before[0])
            time.sleep(0.1)

    killer = threading.Thread(target=kill)
    killer.start()
    collected = result.collect()
    killer.join()
    assert len(before) == 2
    assert killed == before[:1]
    assert killed[0] not in find_executors()
    assert_same(collected)


def find_executors():
    """Give the process ids of the executors."""
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "CoarseGrainedExecutorBackend" in line]


def test_ids_that_stand_twice_are_refused(frame):
    with pytest.raises(InputError, match="more than once"):
        clinnlp.annotate(frame.union(frame.limit(1)), RECIPE)
