"""Large corpora: the same tables whatever the jobs, chunks and interruptions, and constant memory."""

import errno
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from dataclasses import replace

import pandas as pd
import pytest
from typer.testing import CliRunner

import clinnlp
from clinnlp.cli import app
from clinnlp.errors import InputError, ModelError
from clinnlp.report import write_report
from clinnlp.scale import Recipe, annotate_corpus, annotate_partition, corpus, recipe, store, tables
from clinnlp.scale.cache import Cache
from clinnlp.scale.workers import ENDED, Workers
from clinnlp.schema import TABLES

RULES = Recipe(exclude=("clinnlp_ner",))
COPIED = "Long history of hypertension, treated with lisinopril 10 mg daily, and of gout.\n"
SAID = ("Denies chest pain.", "PMH: Asthma.", "Possible pneumonia.", "HbA1c 8.2 %. On metformin.", "No diabetes.")
FORK = multiprocessing.get_context("fork")


def make_notes(number=60):
    """Make notes of several patients, out of order, some copied forward, some alike, and one without a text."""
    rows = []
    for i in range(number):
        text = f"{COPIED if i % 3 else ''}{SAID[i % 5]} Visit {i // 2 if i % 4 < 2 else i}.\n"
        date = f"2020-{1 + i % 12:02}-{1 + i % 28:02}" + (" 08:30:00" if i == 7 else "")
        patient = f"p{i % 7}" if i % 7 else None
        rows.append({"note_id": f"n{i * 37 % 101:03}", "patient_id": patient, "date": date, "text": text, "ward": i})
    rows[5]["text"], rows[6]["date"] = None, "nonsense"
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    """Leave out the report, which takes longer than all else."""
    for module in (tables, corpus):
        monkeypatch.setattr(module, "REPORTED", 0)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("notes") / "notes.csv"
    make_notes().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def expected(source):
    result = clinnlp.annotate(clinnlp.read_notes(source), RULES.build())
    assert result.evidence["copied_from"].notna().any()
    assert len(result.errors) == 2
    return result


def check(folder, expected):
    for name, table in expected.tables().items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), table, obj=name)


def run(source, out, **options):
    return annotate_corpus(source, out, recipe=RULES, parquet=True, **options)


@pytest.mark.parametrize(("jobs", "chunk_size", "rows"), [(None, 7, 11), (1, 1000, 500), (2, 4, 3)])
def test_the_tables_are_those_of_annotate(tmp_path, monkeypatch, source, expected, jobs, chunk_size, rows):
    for module in (store, corpus):
        monkeypatch.setattr(module, "SLICE", rows)
    (tmp_path / "entities.csv").write_text("of an earlier run")
    ticks = []
    outcome = run(source, tmp_path, jobs=jobs, chunk_size=chunk_size, progress=lambda *tick: ticks.append(tick))
    check(tmp_path, expected)
    assert outcome.rows == {name: len(table) for name, table in expected.tables().items()}
    assert {p.name for p in tmp_path.iterdir()} == {f"{name}.parquet" for name in TABLES}
    assert (59, 59, "Annotating") in ticks
    assert (60, None, "Reading") in ticks


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "tsv", "csv.gz"])
def test_files_are_read_in_chunks_as_they_are_at_once(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(corpus, "SLICE", 7)
    path, notes = tmp_path / f"notes.{kind}", make_notes(20)
    notes["bed"] = [None if i < 9 else i for i in range(20)]
    if kind == "jsonl":
        rows = [{k: v for k, v in row.items() if v is not None} for row in notes.to_dict("records")]
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    elif kind == "parquet":
        notes.to_parquet(path)
    else:
        notes.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    whole = clinnlp.annotate(clinnlp.read_notes(path), RULES.build())
    run(path, tmp_path / "out")
    check(tmp_path / "out", whole)


def test_csv_tables_and_the_report_are_those_of_save(tmp_path, monkeypatch, source, expected):
    monkeypatch.setattr(tables, "ROWS", 13)
    monkeypatch.setattr(tables, "REPORTED", 60)
    annotate_corpus(source, tmp_path / "a", recipe=RULES)
    expected.save(tmp_path / "b", report=False)
    write_report(replace(expected, notes=expected.notes.fillna({"text": ""})), tmp_path / "b" / "report.html")
    for file in (tmp_path / "b").iterdir():
        assert (tmp_path / "a" / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.parametrize("rows", [2, 100])
def test_bad_rows_are_errors_and_the_first_of_an_id_is_kept(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(corpus, "SLICE", rows)
    path = tmp_path / "n.csv"
    path.write_text("id,text\na,Asthma.\nb,Gout.\nb,No gout.\nc,x,y,z\n,Anemia.\na,No asthma.\nd,\n", encoding="utf-8")
    run(path, tmp_path / "out")
    errors = pd.read_parquet(tmp_path / "out" / "errors.parquet")
    assert errors["note_id"].fillna("").tolist() == ["a", "b", "d", "", ""]
    assert errors["error"].str.contains("more than once").tolist() == [True, True, False, False, False]
    assert "Line 5 has 4 fields, not 2." in errors["error"].tolist()
    flags = pd.read_parquet(tmp_path / "out" / "flags.parquet")
    assert set(zip(flags["note_id"], flags["status"], strict=True)) == {("a", "present"), ("b", "present")}


def test_a_cache_gives_the_same_and_only_to_the_same_recipe(tmp_path, monkeypatch, source, expected):
    cache = tmp_path / "cache.sqlite"
    run(source, tmp_path / "a", cache=cache)
    read = corpus.read_packed
    monkeypatch.setattr(corpus, "read_packed", lambda *_: pytest.fail("a text was read again"))
    run(source, tmp_path / "b", cache=cache)
    check(tmp_path / "b", expected)
    seen = []
    monkeypatch.setattr(corpus, "read_packed", lambda r, texts: seen.extend(texts) or read(r, texts))
    other = Recipe(exclude=RULES.exclude, summary_sentences=1)
    annotate_corpus(source, tmp_path / "c", recipe=other, cache=cache)
    assert len(seen) == expected.notes["text"].nunique()
    with pytest.raises(InputError, match="cannot be used as a cache"):
        Cache(source)


def test_each_text_is_read_once(source, expected, monkeypatch):
    nlp, seen = RULES.build(), []
    pipe = nlp.pipe
    monkeypatch.setattr(nlp, "pipe", lambda texts: pipe([seen.append(t) or t for t in texts]))
    clinnlp.annotate(clinnlp.read_notes(source), nlp)
    assert len(seen) == len(set(seen)) == expected.notes["text"].nunique() < len(expected.notes)


def interrupt_after(monkeypatch, chunks, error=KeyboardInterrupt):
    """Interrupt the run at a chunk; gives the texts that were read."""
    read, seen = corpus.read_packed, []

    def interrupted(recipe, texts):
        if len(seen) >= chunks * len(texts):
            raise error
        seen.extend(texts)
        return read(recipe, texts)

    monkeypatch.setattr(corpus, "read_packed", interrupted)
    return seen


def test_an_interrupted_run_has_usable_tables_and_goes_on(tmp_path, monkeypatch, source, expected):
    with monkeypatch.context() as patch:
        seen = interrupt_after(patch, 3)
        outcome = run(source, tmp_path, chunk_size=5)
    assert len(seen) == 15
    assert outcome.waiting
    notes = pd.read_parquet(tmp_path / "notes.parquet")
    assert len(notes) == outcome.rows["notes"] == 60 - outcome.waiting
    entities = pd.read_parquet(tmp_path / "entities.parquet")
    wanted = expected.entities[expected.entities["note_id"].isin(notes["note_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(entities, wanted)
    with pytest.raises(InputError, match="not finished"):
        run(source, tmp_path)
    later = interrupt_after(monkeypatch, 99)
    assert not run(source, tmp_path, chunk_size=5, resume=True, jobs=None).waiting
    assert not set(seen) & set(later)
    check(tmp_path, expected)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"recipe": Recipe(exclude=RULES.exclude, summary_sentences=1)}, "the pipeline"),
        ({"columns": {"text_column": "ward"}}, "how they are read"),
    ],
)
def test_resume_refuses_what_is_not_the_same(tmp_path, monkeypatch, source, options, what):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 0)
        run(source, tmp_path / "out")
    with pytest.raises(InputError, match=f"cannot go on: {what} changed"):
        annotate_corpus(source, tmp_path / "out", **{"recipe": RULES, "resume": True} | options)
    changed = tmp_path / "changed.csv"
    changed.write_bytes(source.read_bytes() + b"new,,,Gout.,\n")
    with pytest.raises(InputError, match="cannot go on: the notes"):
        run(changed, tmp_path / "out", resume=True)


def test_a_run_at_work_is_left_alone(tmp_path, monkeypatch, source):
    def second(_, texts):
        with pytest.raises(InputError, match="Another process is at work"):
            run(source, tmp_path, resume=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus, "read_packed", second)
    assert run(source, tmp_path).waiting == 59


def test_a_note_that_kills_its_process_is_an_error_and_nothing_else_is_lost(tmp_path, monkeypatch, source, expected):
    read = corpus.read_packed

    def deadly(recipe, texts):
        if any("Visit 8." in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return read(recipe, texts)

    monkeypatch.setattr(corpus, "read_packed", deadly)
    run(source, tmp_path, jobs=2, chunk_size=8)
    fatal = set(expected.notes.loc[expected.notes["text"].str.contains("Visit 8\\.", na=False), "note_id"])
    assert fatal
    errors = pd.read_parquet(tmp_path / "errors.parquet")
    assert set(errors.loc[errors["error"] == ENDED, "note_id"]) == fatal
    entities = pd.read_parquet(tmp_path / "entities.parquet")
    wanted = expected.entities[~expected.entities["note_id"].isin(fatal)].reset_index(drop=True)
    pd.testing.assert_frame_equal(entities, wanted)


def test_a_process_that_dies_once_costs_nothing(tmp_path):
    def read(texts):
        if not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [text.upper() for text in texts]

    with Workers(read, 2) as workers:
        found = dict(workers.map([(1, ["a", "b"]), (2, ["c"]), (3, ["d"])]))
    assert found == {1: ["A", "B"], 2: ["C"], 3: ["D"]}


def test_what_is_wrong_in_a_process_is_told_without_text():
    def read(texts):
        raise ModelError("no") if texts == ["a"] else ValueError("secret")

    for text, message in (("a", "no"), ("b", "ValueError")):
        with Workers(read, 1) as workers, pytest.raises(clinnlp.ClinnlpError, match=message) as error:
            list(workers.map([(0, [text])]))
        assert "secret" not in str(error.value)


@pytest.mark.parametrize("jobs", [None, 2])
def test_kill_at_any_moment_then_resume(tmp_path, source, expected, jobs):
    RULES.build()
    moments = random.Random(13 if jobs else 7)
    for turn in range(2):
        out = tmp_path / str(turn)
        child = FORK.Process(target=run, args=(source, out), kwargs={"jobs": jobs, "chunk_size": 4})
        child.start()
        time.sleep(moments.uniform(0.05, 0.8))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        run(source, out, resume=True, jobs=jobs, chunk_size=9)
        check(out, expected)
        assert not list(out.glob(f"{store.NAME}*"))


def test_several_processes_are_given_fewer_texts_towards_the_end(tmp_path):
    kept = store.Store(tmp_path, {}, resume=False)
    texts = [f"Visit {i % 100}." for i in range(130)]  # the last 30 are not different
    notes = pd.DataFrame({"note_id": [f"n{i}" for i in range(130)], "patient_id": None, "text": texts})
    list(kept.read([notes.assign(date=pd.NaT)], "a recipe"))
    alone, shared = ([texts for _, texts in kept.waiting(64, jobs)] for jobs in (None, 2))
    assert [len(some) for some in alone] == [64, 36]
    assert [text for some in shared for text in some] == texts[:100]
    sizes = [len(some) for some in shared]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-8:]) == (12, [1] * 8)
    assert max(len(some) for _, some in kept.waiting(5, 2)) == 5
    kept.close(delete=True)


def test_nothing_of_the_file_of_a_run_stays_when_it_is_deleted(tmp_path):
    kept = store.Store(tmp_path, {}, resume=False)
    (tmp_path / f"{store.NAME}-journal").touch()  # as a process that was killed may leave it
    kept.close(delete=True)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_processes_read(tmp_path, source, expected):
    RULES.build()

    def target():
        def tick(done, total, title):
            if title == "Annotating" and done > 10:
                os.kill(os.getpid(), signal.SIGINT)

        signal.signal(signal.SIGINT, signal.default_int_handler)
        os._exit(77 if run(source, tmp_path, jobs=2, chunk_size=4, progress=tick).waiting else 0)

    child = FORK.Process(target=target)
    child.start()
    child.join(30)
    assert child.exitcode == 77
    assert len(pd.read_parquet(tmp_path / "entities.parquet"))
    run(source, tmp_path, resume=True)
    check(tmp_path, expected)


def test_a_full_disk_is_one_error_and_the_run_goes_on_later(tmp_path, monkeypatch, source, expected):
    keep = store.Store.keep

    def full(self, found):
        self.file.execute("PRAGMA max_page_count = 1")  # SQLite cannot grow the file any more
        keep(self, found)

    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "keep", full)
        with pytest.raises(InputError, match=r"disk of .* is full"):
            run(source, tmp_path, chunk_size=30)
    with monkeypatch.context() as patch:
        patch.setattr(tables._Files, "write", no_space)
        with pytest.raises(InputError, match=r"disk of .* is full"):
            run(source, tmp_path, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == [store.NAME]
    run(source, tmp_path, resume=True)
    check(tmp_path, expected)


def test_a_damaged_run_file_is_named(tmp_path, source):
    (tmp_path / store.NAME).write_bytes(b"not a database, but long enough to be seen as a file" * 100)
    with pytest.raises(InputError, match=r"run\.sqlite is damaged"):
        run(source, tmp_path, resume=True)


def test_many_notes_have_no_report(tmp_path, source):
    (tmp_path / "report.html").write_text("old", encoding="utf-8")
    assert run(source, tmp_path).report is None
    assert not (tmp_path / "report.html").exists()


def test_words_of_notes_do_not_stay_in_memory():
    nlp = RULES.build()
    notes = pd.DataFrame({"note_id": ["a"], "text": ["Qwertzword asthma zuiopword."]})
    annotate_partition(notes, RULES)
    before = len(nlp.vocab.strings)
    tables = annotate_partition(notes.assign(text="Asdfgword asthma hjklword."), RULES)
    assert len(nlp.vocab.strings) == before
    assert tables["entities"]["text"].tolist() == ["asthma"]


def test_a_fingerprint_changes_with_what_findings_follow_from(tmp_path, monkeypatch):
    terms = tmp_path / "terms.csv"
    terms.write_text("term\nx\n", encoding="utf-8")
    own = Recipe(exclude=RULES.exclude, vocabulary=str(terms))
    first = own.fingerprint()
    assert own.fingerprint() == first == Recipe(exclude=RULES.exclude, vocabulary=str(terms), threads=2).fingerprint()
    assert RULES.fingerprint() not in (first, Recipe().fingerprint())
    terms.write_text("term\ny\n", encoding="utf-8")
    assert own.fingerprint() != first
    monkeypatch.setattr(recipe, "PACKAGE", tmp_path)
    (tmp_path / "rules.yml").write_text("a", encoding="utf-8")
    before = RULES.fingerprint()
    (tmp_path / "rules.yml").write_text("b", encoding="utf-8")
    assert RULES.fingerprint() != before


def test_bad_arguments(tmp_path, source):
    with pytest.raises(InputError, match="jobs 0"):
        run(source, tmp_path, jobs=0)
    with pytest.raises(InputError, match="-1 sentences"):
        Recipe(summary_sentences=-1).build()
    with pytest.raises(InputError, match="does not exist"):
        run(tmp_path / "none.csv", tmp_path)


def test_the_command_line(tmp_path, source):
    out, cache = tmp_path / "out", tmp_path / "cache.sqlite"
    options = ["--out", out, "--exclude", "clinnlp_ner", "--jobs", 2, "--chunk-size", 9, "--cache", cache, "--resume"]
    done = CliRunner().invoke(app, ["analyse", str(source), *map(str, options)])
    assert done.exit_code == 1, done.output  # two notes are in errors
    assert "60 notes" in done.output
    with sqlite3.connect(cache) as file:
        assert file.execute("SELECT COUNT(*) FROM found").fetchone()[0]
    (out / store.NAME).touch()
    again = CliRunner().invoke(app, ["analyse", str(source), "--out", str(out)])
    assert (again.exit_code, "--resume" in again.output) == (2, True)


def test_an_interrupted_command_says_how_to_go_on(tmp_path, monkeypatch, source):
    interrupt_after(monkeypatch, 1)
    options = ["--out", str(tmp_path), "--exclude", "clinnlp_ner", "--chunk-size", "9"]
    done = CliRunner().invoke(app, ["analyse", str(source), *options])
    assert done.exit_code == 130
    assert "--resume" in done.output


def test_other_formats_are_read_in_chunks(tmp_path, source, monkeypatch, expected):
    monkeypatch.setattr(corpus, "SLICE", 7)
    clinnlp.formats.write(expected, tmp_path / "omop", "omop")
    whole = clinnlp.annotate(clinnlp.formats.read(tmp_path / "omop", "omop"), RULES.build())
    run(tmp_path / "omop", tmp_path / "out", format="omop")
    check(tmp_path / "out", whole)
