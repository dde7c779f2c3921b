# %% [markdown]
# # From one note to a cluster
#
# **Goal:** run the same pipeline over a file of any size, with one process or many, on after a crash, and on a cluster;
# get the same tables each time; and say beforehand how long it takes.
# **You need:** `06_flag_conditions`, and Dask: `pip install "clinnlp[scale]"`. **Time:** sixty minutes.
#
# Thirty-two synthetic notes stand for a large corpus here. To be quick, the lesson leaves out the model and the codes:
# all that it shows holds with them, too.

# %%
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io

import clinnlp
from clinnlp.scale import Recipe, annotate_corpus, sum_up_patients
from clinnlp.schema import TABLES

plotly.io.renderers.default = "plotly_mimetype"
pd.set_option("display.max_colwidth", 100)
temporary = tempfile.TemporaryDirectory()  # goes when the kernel ends
folder = Path(temporary.name)

# %% [markdown]
# ## 1. A corpus, and how it is read
#
# The notes of five patients of the sample, and two notes that came without a patient.

# %%
sample = pd.read_csv("../sample_data/notes.csv")
walk_ins = pd.DataFrame(
    {
        "note_id": ["w-1", "w-2"],
        "date": ["2131-06-01", "2131-06-02"],
        "note_type": "Walk-in",
        "text": ["Gout of the left toe. Takes allopurinol 100 mg daily.", "Denies chest pain. Known asthma."],
    }
)
corpus = pd.concat([sample[sample["patient_id"] >= "p08"], walk_ins])
corpus.to_csv(folder / "notes.csv", index=False)
notes = clinnlp.read_notes(folder / "notes.csv")
pd.Series({"notes": len(notes), "patients": notes["patient_id"].nunique(), "characters": notes["text"].str.len().sum()})

# %% [markdown]
# A pipeline lives in the memory of one process and cannot be sent to another. A **recipe** can: it holds the arguments
# of `load`, and each process or machine builds its own pipeline from it. `annotate` takes a recipe, too. Its result in
# one piece, in memory, is what all others in this lesson are compared with.

# %%
recipe = Recipe(exclude=("clinnlp_ner", "clinnlp_codes"))
whole = clinnlp.annotate(notes, recipe)
whole

# %% [markdown]
# A recipe has a **fingerprint**: a checksum of all that findings follow from, that is its arguments, the files that
# they name, the rules and the code of the package, the model, and the versions of the libraries. Which of these change
# it?

# %%
others = {
    "a summary of one sentence": replace(recipe, summary_sentences=1),
    "with the codes": replace(recipe, exclude=("clinnlp_ner",)),
    "two threads": replace(recipe, threads=2),
}
{name: other.fingerprint() != recipe.fingerprint() for name, other in others.items()}

# %% [markdown]
# **What to notice:** threads change how fast a note is read, not what is found in it. Where the fingerprint is the
# same, earlier findings may be used again; two of the next parts rest on that.
#
# ## 2. From file to files
#
# `annotate` holds all notes and all tables in memory. `annotate_corpus` does not: it reads the notes from a file some
# at a time, keeps what it finds in the file `run.sqlite`, and writes the tables at the end. Here it reads eight texts
# at once, a **chunk**, and we count the chunks.


# %%
def run(out, source="notes.csv", **options):
    """Annotate the corpus into a folder, and count the chunks that were read."""
    ticks = []

    def progress(done, total, title):
        if title == "Annotating":
            ticks.append(done)

    defaults = {"recipe": recipe, "chunk_size": 8, "parquet": True, "progress": progress}
    annotate_corpus(folder / source, folder / out, **defaults | options)
    return len(ticks) - 1  # the first call comes before any chunk


def saved(out):
    return {name: pd.read_parquet(folder / out / f"{name}.parquet") for name in TABLES}


def same(tables):
    """Compare all tables with those of `whole`: all cells, types, offsets and the order of the rows."""
    return {name: table.equals(tables[name]) for name, table in whole.tables().items()}


# %%
chunks = run("first")
chunks, sorted(path.name for path in (folder / "first").iterdir())

# %%
pd.DataFrame({"rows": {name: len(table) for name, table in saved("first").items()}, "same": same(saved("first"))})

# %% [markdown]
# **What to notice:** 32 notes are four chunks of eight; all ten tables are the same as those in memory, to the last
# offset. `run.sqlite` is gone: it is deleted once the tables are written. A corpus of more than 1,000 notes gets no
# `report.html`, whose page would be too large.
#
# ## 3. Killed in the middle
#
# A run over millions of notes takes days, and something will end it: a power cut, a restart, a full disk. Let us do
# that on purpose. Another Python process begins the run; after two chunks it says so and waits, so that it is always
# killed at the same place. `kill` gives it no time for a last word.

# %%
night_run = """
import sys, time
from clinnlp.scale import Recipe, annotate_corpus

def progress(done, total, title):
    if title == "Annotating" and done == 16:
        print("two chunks are done", flush=True)
        time.sleep(120)

recipe = Recipe(exclude=("clinnlp_ner", "clinnlp_codes"))
annotate_corpus(sys.argv[1], sys.argv[2], recipe=recipe, chunk_size=8, parquet=True, progress=progress)
"""
command = [sys.executable, "-c", night_run, str(folder / "notes.csv"), str(folder / "night")]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
    print(process.stdout.readline().strip())
    process.kill()
sorted(path.name for path in (folder / "night").iterdir())

# %% [markdown]
# No tables, but the file of the run (the journal beside it is how SQLite keeps a half-written change apart). What does
# it hold?

# %%
shutil.copytree(folder / "night", folder / "kept")  # for the exercises
with closing(sqlite3.connect(folder / "night" / "run.sqlite")) as file:
    counts = {name: file.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("notes", "found")}
counts

# %%
chunks = run("night", resume=True)
chunks, all(same(saved("night")).values())

# %% [markdown]
# **What to notice:** all notes had been taken in, and two chunks of findings were safe. The run went on with the two
# that were left, and the tables are the same as if nothing had happened. A chunk is kept as a whole or not at all: at
# most what was being read is lost. `run.sqlite` holds the notes themselves; guard it as you guard them.
#
# ## 4. The cache
#
# A run that is done forgets its findings. A **cache** keeps them for later runs, by text and fingerprint. Run twice
# with the same cache, then once more after three notes have come in.

# %%
cache = folder / "cache.sqlite"
later = pd.DataFrame(
    {
        "note_id": ["w-3", "w-4", "w-5"],
        "text": ["Sprained ankle.", "Gout is better. No fever.", "Denies chest pain. Known asthma."],
    }
)
pd.concat([corpus, later]).to_csv(folder / "tomorrow.csv", index=False)


def cached():
    with closing(sqlite3.connect(cache)) as file:
        return file.execute("SELECT COUNT(*) FROM found").fetchone()[0]


rows = []
for name, source in (("today", "notes.csv"), ("again", "notes.csv"), ("tomorrow", "tomorrow.csv")):
    chunks = run(name, source, cache=cache)
    rows.append((name, len(saved(name)["notes"]), chunks, cached(), len(saved(name)["errors"])))
pd.DataFrame(rows, columns=["run", "notes", "chunks read", "texts in the cache", "errors"])

# %%
all(same(saved("again")).values())

# %% [markdown]
# **What to notice:** the second run read nothing. The third had three notes more and read two texts: one of the
# three is word for word the note `w-2`, and a text is read once, however many notes have it. Text copied into a note
# with other text around it is another text, and is read. The cache quotes the notes: keep it where they may be kept.
#
# ## 5. Bad rows
#
# In a large file something is always wrong. **Predict first:** which rows of this file will be read?

# %%
(folder / "bad.csv").write_text(
    "note_id,text\na,Known asthma.\nb,\nc,Gout,of,the toe\nd,No gout.\nd,Has gout.\n,No fever.\n",
    encoding="utf-8",
)
run("bad", "bad.csv")
saved("bad")["errors"].fillna("")

# %%
saved("bad")["flags"][["note_id", "condition", "status"]]

# %% [markdown]
# **What to notice:** a bad row stops nothing, and none goes without a word. Of two notes with one id the first is read.
# A note that breaks the pipeline, or ends its process twice, becomes a row here as well. Look at `errors` after each
# run: it says what your tables lack.
#
# ## 6. More processes
#
# `jobs=2` reads with two processes. On the command line it is `--jobs`, and there a run over a real corpus belongs: a
# notebook must stay open as long as it runs. This is the command, started from here:

# %%
leave_out = ["--exclude", "clinnlp_ner", "--exclude", "clinnlp_codes"]
options = ["--jobs", "2", "--chunk-size", "8", "--parquet", "--resume", *leave_out]
command = ["analyse", str(folder / "notes.csv"), "--out", str(folder / "two"), *options]
clinnlp_command = [sys.executable, "-c", "from clinnlp.cli import app; app()"]  # what `clinnlp` is in a terminal
done = subprocess.run([*clinnlp_command, *command], capture_output=True)
done.returncode, all(same(saved("two")).values())

# %% [markdown]
# **What to notice:** the tables do not depend on the number of processes either. The exit code tells a script what
# happened: 0 done; 1 done, with rows in `errors`; 2 could not run; 130 interrupted, and `--resume` goes on. With
# `--resume` in the command from the start, a script may simply give it again until the code is 0 or 1.
#
# On Linux the processes share the memory of the model. `--jobs` has no use beyond the number of cores.
#
# ## 7. A cluster
#
# When one machine is too slow, `annotate` takes a Dask or a Spark frame in the place of a pandas one. A Dask frame is
# a row of **partitions**, each a pandas frame. Here they are worked on one after another in this process, which is how
# one tries things out:

# %%
import dask
import dask.dataframe as dd

dask.config.set(scheduler="synchronous")
parts = dd.from_pandas(notes, npartitions=3)
clustered = clinnlp.annotate(parts, recipe)
clustered

# %% [markdown]
# Nothing has been read yet but the ids. The tables are **lazy**: Dask frames whose columns are known, and whose rows
# are worked out when they are asked for.

# %%
clustered.entities.npartitions, list(clustered.entities.columns[:5])

# %%
collected = clustered.collect()
all(same(collected.tables()).values())

# %% [markdown]
# **What to notice:** one more way, and the same tables. `collect()` brings all of them here, sorted; on a real corpus
# `clustered.save("FOLDER")` leaves them on the cluster's disk as Parquet files, and one queries those. Each frame that
# is computed alone reads the notes again, so save first.
#
# The next cell breaks on purpose. A pipeline that was built here cannot go to other machines:

# %% tags=["raises-exception"]
clinnlp.annotate(parts, recipe.build())

# %% [markdown]
# ### A real cluster
#
# The code stays; only the cluster is another. With Dask, `Client` takes the place of the line with `synchronous`:
#
# ```python
# from dask.distributed import Client
#
# client = Client("tcp://SCHEDULER:8786")  # or Client(n_workers=4, threads_per_worker=1) for this machine
# notes = dd.read_parquet("s3://BUCKET/notes/")
# clinnlp.annotate(notes, Recipe(threads=1)).save("s3://BUCKET/tables")
# ```
#
# With Spark, which needs Java 17, it is:
#
# ```python
# spark.conf.set("spark.sql.shuffle.partitions", 2000)
# notes = spark.read.parquet("s3://BUCKET/notes/")
# clinnlp.annotate(notes, Recipe(threads=1)).save("s3://BUCKET/tables")
# ```
#
# Each worker needs the package, and gets the model with it. A worker that dies is replaced, and its partition is
# read again: the same notes give the same rows, so that nothing is lost or doubled. `docs/scale.md` says how large
# partitions and workers should be.
#
# ## 8. Cut the corpus in two
#
# Notes can be read in any order, on any machine. So why not deal them out like cards, one to the first machine, one to
# the second, and put the tables together afterwards?


# %%
def put_together(some):
    """Sum up each part by itself, and give the two tables that several notes of a patient go into."""
    tables = {"evidence": [], "patient_flags": []}
    for part in some:
        own = {
            name: table[table["note_id"].isin(part["note_id"])].reset_index(drop=True)
            for name, table in (("flags", whole.flags), ("evidence", blank))
        }
        for name, table in sum_up_patients(part.reset_index(drop=True), own).items():
            tables[name].append(table)
    evidence, flags = (pd.concat(tables[name], ignore_index=True) for name in tables)
    evidence = evidence.sort_values(list(blank.columns)).reset_index(drop=True)
    return evidence, flags.sort_values(["patient_id", "condition"]).reset_index(drop=True)


blank = whole.evidence.assign(copied_from=pd.Series(None, index=whole.evidence.index, dtype="str"))
rows = []
for name, some in (("in one piece", [notes]), ("dealt out to two", [notes[0::2], notes[1::2]])):
    evidence, flags = put_together(some)
    twice = flags.duplicated(["patient_id", "condition"]).sum()
    rows.append((name, len(evidence), evidence["copied_from"].notna().sum(), len(flags), twice))
pd.DataFrame(rows, columns=["notes", "evidence", "copied forward", "patient flags", "second rows"])

# %% [markdown]
# **What to notice:** the evidence in the notes is the same, row for row, but some of it is no longer known to be
# copied forward: the note that it came from went to the other machine. And patients have two rows for one condition,
# neither of them with all notes behind it. Both tables compare the notes of one patient, so these must stay together.
#
# `annotate` on a cluster sees to it: it **shuffles** the notes first, so that a partition has whole patients. If you
# cut files yourself, you must do so (exercise 1).
#
# ## 9. What does it cost?
#
# These figures were measured with notes of 3,500 characters, on one machine; `docs/scale.md` says on which. Yours will
# differ: measure a thousand of your own notes.

# %%
measured = pd.DataFrame(  # python benchmarks/corpus.py
    [
        ("with the model", 1, 1, 7.4),
        ("with the model", 100, 1, 19.8),
        ("with the model", 1_000, 1, 133.8),
        ("with the model", 1_000, 2, 75.3),
        ("with the model", 10_000, 2, 603.5),
        ("by rules alone", 1, 1, 6.7),
        ("by rules alone", 100, 1, 9.9),
        ("by rules alone", 1_000, 1, 32.9),
        ("by rules alone", 1_000, 2, 25.3),
        ("by rules alone", 10_000, 2, 135.3),
    ],
    columns=["pipeline", "notes", "jobs", "seconds"],
)
GIGABYTES = 0.8  # of the largest process
measured

# %% [markdown]
# A run takes a while to start, and then so much for each note: `seconds = a + b * notes`. We fit the line to the runs
# with one process. The weights make an error of one per cent count the same at each size; without them the largest
# run alone would decide. What two processes gain gives the *efficiency*: 1 if two do twice as much.


# %%
def fit(pipeline):
    own = measured[measured["pipeline"] == pipeline]
    one = own[own["jobs"] == 1]
    b, a = np.polyfit(one["notes"], one["seconds"], 1, w=1 / one["seconds"])
    seconds = own.set_index(["notes", "jobs"])["seconds"]
    efficiency = (seconds[1_000, 1] - a) / (seconds[1_000, 2] - a) / 2
    return {"a": a, "b": b, "notes a second": 1 / b, "efficiency": min(efficiency, 1)}


model = pd.DataFrame({name: fit(name) for name in ("with the model", "by rules alone")}).T
figure = px.scatter(
    measured, x="notes", y="seconds", color="pipeline", symbol="jobs", log_x=True, log_y=True, template="simple_white"
)
for name, line in model.iterrows():
    x = np.array([1, 10, 100, 300, 1_000, 3_000, 10_000])
    for jobs in (1, 2):
        y = line["a"] + line["b"] * x / (jobs * line["efficiency"] if jobs > 1 else 1)
        figure.add_scatter(x=x, y=y.round(1), mode="lines", name=f"fit, {name}, {jobs}", line_width=1)
figure.update_layout(height=380).show()
model.round(3)

# %% [markdown]
# Does the line hold? The runs of 10,000 notes on two processes were not used to fit it.

# %%
large = measured.query("notes == 10_000").set_index("pipeline")["seconds"]
foretold = model["a"] + model["b"] * 10_000 / 2 / model["efficiency"]
pd.DataFrame({"foretold": foretold.round(), "measured": large.round(), "off": (large / foretold - 1).round(2)})

# %% [markdown]
# **What to notice:** `a` matters for a hundred notes and is nothing for a million. From there on only `b` counts:
# compare it with and without the model. The large runs were quicker than foretold, among other things because a run of
# up to 1,000 notes writes a report, too. That time goes on in a straight line beyond them is an assumption.
#
# The same model for a cluster: each core starts, and has its share of the notes.


# %%
def hours(number, cores, pipeline="with the model"):
    line = model.loc[pipeline]
    return (line["a"] + line["b"] * number / cores / line["efficiency"]) / 3600


rows = [
    (pipeline, cores, round(hours(100_000_000, cores, pipeline), 1), round(cores * GIGABYTES, 1))
    for pipeline in model.index
    for cores in (10, 100, 1_000)
]
pd.DataFrame(rows, columns=["pipeline", "cores", "hours for 100 million notes", "gigabytes of memory"])

# %% [markdown]
# **What to notice:** hours times cores hardly changes from row to row: so many core-hours have to be paid for, by few
# machines for long or by many for a short time. The memory is that of the workers, one for each core, before they hold
# any notes. It grows with the cores, not with the corpus; a partition comes on top, with its notes and its tables.
#
# Is it worth it? Leave out notes that cannot matter. Read all by rules alone and a sample with the model, compare, and
# then decide.

# %% [markdown]
# ## Exercises
#
# The solutions are in [solutions/12_scale_out_solutions](solutions/12_scale_out_solutions.ipynb).
#
# **1.** Three machines, no cluster: cut the corpus into three files that are read apart. Write `split(notes)`: it
# gives a list of three frames. Put together, the tables must be the same as in one piece, and no machine may get more
# than 60 % of the characters.
#
# <details><summary>Hint</summary>
#
# Number what must stay together, and share the numbers out: `pd.factorize` numbers the different values of a column.
# What does your code do with a note that has no patient?
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_split(split):
    some = list(split(notes))
    assert len(some) == 3, f"there are three machines, and you made {len(some)} parts."
    ids = [note_id for part in some for note_id in part["note_id"]]
    missing = notes[~notes["note_id"].isin(ids)]
    assert missing.empty or missing["patient_id"].notna().any(), (
        f"{len(missing)} notes are in no part, all of them without a patient. They have to be read, too."
    )
    assert missing.empty, f"{len(missing)} notes are in no part."
    assert len(ids) == len(set(ids)), "some notes are in more than one part: they would be read twice."
    evidence, flags = put_together(some)
    known = sum(part["patient_id"].nunique() for part in some) - notes["patient_id"].nunique()
    assert flags.equals(whole.patient_flags), (
        f"patient_flags has {len(flags)} rows, not {len(whole.patient_flags)}; {known} times a patient is in one part "
        "more than it should be."
    )
    assert evidence.equals(put_together([notes])[0]), "evidence is not the same: what was copied from where?"
    largest = max(part["text"].str.len().sum() for part in some) / notes["text"].str.len().sum()
    assert largest <= 0.6, f"one machine gets {largest:.0%} of the characters, and the others wait for it."
    return f"whole patients everywhere, and at most {largest:.0%} of the characters on one machine."


# %% tags=["exercise"]
def my_split(notes):
    part = np.arange(len(notes)) % 3  # change this line
    return [notes[part == i] for i in range(3)]


attempt(check_split, my_split)

# %% [markdown] tags=["solution"]
# A note without a patient is a patient of its own: its id takes the place of the patient's. This is how the cluster
# does it.


# %% tags=["solution"]
def split(notes):
    together = notes["patient_id"].fillna(notes["note_id"])
    part = pd.factorize(together)[0] % 3
    return [notes[part == i] for i in range(3)]


attempt(check_split, split)

# %% [markdown]
# **2.** How many cores does a deadline need? Write `cores_for(number, deadline)`: the smallest number of cores with
# which the model reads so many notes in so many hours, by the function `hours`.
#
# <details><summary>Hint</summary>
#
# Solve `hours(number, cores) = deadline` for `cores`. The function takes `a`, `b` and the efficiency from `model`; so
# can yours. There is no half a core.
#
# </details>


# %% tags=["check"]
def check_cores(cores_for):
    for number, deadline in ((1_000_000, 24), (100_000_000, 72), (30_000_000, 0.5)):
        cores = cores_for(number, deadline)
        wanted = f"{number:,} notes in {deadline} hours"
        assert isinstance(cores, (int, np.integer)), f"for {wanted} you ask for {cores} cores: give a whole number."
        assert cores >= 1, f"for {wanted} you ask for {cores} cores."
        assert hours(number, cores) <= deadline, (
            f"{wanted}: with cores = {cores:,} it takes {hours(number, cores):.5g} hours. What is left out, or rounded?"
        )
        assert cores == 1 or hours(number, cores - 1) > deadline, (
            f"{wanted}: {cores:,} cores are more than it takes; {cores - 1:,} would do."
        )
    return "in time, and not a core too many. Now add some for the machines that fail."


# %% tags=["exercise"]
def my_cores_for(number, deadline):
    return round(model.loc["with the model", "b"] * number / (deadline * 3600))  # change this line


attempt(check_cores, my_cores_for)


# %% tags=["solution"]
def cores_for(number, deadline):
    a, b, efficiency = model.loc["with the model", ["a", "b", "efficiency"]]
    return ceil(b * number / efficiency / (deadline * 3600 - a))


attempt(check_cores, cores_for)

# %% [markdown]
# **3.** The night run of part 3 was killed (`kept` is a copy of it). In the morning a colleague gives the arguments
# `morning`, with `resume=True`, and is refused. Change what must be changed, and nothing else: she wants larger chunks
# and two threads.
#
# <details><summary>Hint</summary>
#
# Run the cell and read what changed since. Compare `morning` with the night run, one argument after another:
# `fingerprint()` tells which of them count.
#
# </details>


# %% tags=["check"]
def refusal(arguments):
    """Try to go on with a copy of the night run, and say why not."""

    def stop(done, total, title):
        if title == "Annotating":
            raise InterruptedError  # the run was let in; that is all that we want to know

    shutil.copytree(folder / "kept", folder / "copy", dirs_exist_ok=True)
    try:
        annotate_corpus(folder / "notes.csv", folder / "copy", resume=True, progress=stop, **arguments)
    except InterruptedError:
        return ""
    except clinnlp.ClinnlpError as error:
        return str(error).partition("cannot go on: ")[2].partition(" since")[0] or type(error).__name__


def check_morning(arguments):
    why = refusal(arguments)
    assert not why, f"refused: {why}. Which argument of the recipe do findings follow from, and was another that night?"
    assert arguments.get("chunk_size") == 64, "it goes on, but she wants chunks of 64. Do findings follow from those?"
    assert arguments["recipe"].threads == 2, "it goes on, but she wants two threads. Do findings follow from those?"
    return "it goes on, with all that she wants but the one thing that would mix two kinds of findings."


# %% tags=["exercise"]
morning = {
    "recipe": Recipe(exclude=("clinnlp_codes", "clinnlp_ner"), summary_sentences=3, threads=2),
    "chunk_size": 64,
}  # change this

attempt(check_morning, morning)

# %% [markdown] tags=["solution"]
# The order of what is left out, the threads and the chunks do not matter. The summaries of the first sixteen notes have
# two sentences; those of the others would have had three.

# %% tags=["solution"]
right = {
    "recipe": Recipe(exclude=("clinnlp_codes", "clinnlp_ner"), threads=2),
    "chunk_size": 64,
}

attempt(check_morning, right)

# %% [markdown]
# ## Limits
#
# - Thirty-two notes show that the tables are the same; they do not show what a cluster of a thousand machines does to
#   you: slow disks, full disks, a partition with one patient who has ten thousand notes.
# - The figures are those of one machine, of notes of one length, and of English. Copied text, long notes and slow disks
#   change them.
# - More notes give narrower intervals, not fewer errors: what the pipeline reads wrongly it reads wrongly a million
#   times. Check a sample by hand before a large run, and again after it.
#
# **Recap.** A recipe goes where a pipeline cannot. The same notes and the same recipe give the same tables: in memory,
# from a file, after a crash, from a cache, with two processes and on a cluster, as long as patients stay together.
# Measure a thousand notes, fit a line, and know what a hundred million will cost. This was the last lesson.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | fingerprint | a checksum of all that findings follow from; here of a pipeline's recipe, rules and model |
# | chunk | texts that are read, and kept, together |
# | cache | a store of earlier answers, so that the same question need not be worked out again |
# | partition | the part of a table that one worker has in memory at a time |
# | worker | a process, here or on another machine, that works on one part after another |
# | lazy | worked out only when it is asked for |
# | shuffle | move rows between partitions, so that those that belong together lie together |
# | efficiency | what several processes do, over what as many single ones would |
