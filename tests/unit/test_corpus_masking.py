"""Corpora whose identifiers are masked: no file holds them, whatever the format, the jobs and the interruptions."""

import json
import os
import re
import signal
import zlib
from contextlib import suppress

import pandas as pd
import pytest
from typer.testing import CliRunner

import clinnlp
from clinnlp.cli import app
from clinnlp.errors import InputError
from clinnlp.scale import Recipe, annotate_corpus, corpus, store
from clinnlp.scale.workers import ENDED

RULES = Recipe(exclude=("clinnlp_ner",))
IDENTIFIERS = ("Okafor", "555-867-5309", "4482190", "Lindqvist")
SAID = (
    "Mrs. Okafor has asthma. Call her at 555-867-5309.",
    "MRN: 4482190. Denies chest pain. Takes metformin 500 mg.",
    "Seen by Dr. Lindqvist for gout. HbA1c 8.2 %.",
    "No diabetes.",
)


def make_rows(number=24):
    """Make notes of several patients, most with identifiers, one without a text, one with a date that is none."""
    rows = [
        {"note_id": f"n{i:02}", "patient_id": f"p{i % 5}", "date": "2020-03-01", "text": f"{SAID[i % 4]} Visit {i}."}
        for i in range(number)
    ]
    rows[5]["text"], rows[6]["date"] = None, "nonsense"
    return rows


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "SLICE", 7)
    path = tmp_path / "notes.csv"
    pd.DataFrame(make_rows()).to_csv(path, index=False)
    return path


def run(source, out, **options):
    return annotate_corpus(source, out, **{"recipe": RULES, "mask": True} | options)


def found_in(folder):
    """Give the identifiers in each file of a folder; what is packed in it is opened, also what SQLite has deleted."""
    found = {}
    for file in folder.rglob("*"):
        data = file.read_bytes()
        parts = [data]
        for start in (match.start() for match in re.finditer(b"\x78\x01", data)):
            with suppress(zlib.error):
                parts.append(zlib.decompressobj().decompress(data[start:]))
        found[file.name] = {name for name in IDENTIFIERS for part in parts if name.encode() in part}
    return found


def interrupt(monkeypatch, chunks):
    """Interrupt a run after so many chunks."""
    read, calls = corpus.read_packed, []

    def interrupted(recipe, texts):
        calls.append(texts)
        if len(calls) > chunks:
            raise KeyboardInterrupt
        return read(recipe, texts)

    monkeypatch.setattr(corpus, "read_packed", interrupted)


@pytest.mark.parametrize("mask", [True, False])
def test_no_file_of_a_masked_run_holds_an_identifier(tmp_path, monkeypatch, source, mask):
    out, cache = tmp_path / "out", tmp_path / "out" / "cache.sqlite"
    out.mkdir()
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        assert run(source, out, chunk_size=6, cache=cache, mask=mask).waiting
    found = found_in(out)
    assert {store.NAME, "cache.sqlite", "notes.csv", "report.html"} <= found.keys()
    assert any(found.values()) is not mask
    run(source, out, resume=True, cache=cache, mask=mask)
    later = found_in(out)
    assert store.NAME not in later
    assert any(later.values()) is not mask
    if not mask:  # the search finds what is there
        assert all(found[name] for name in (store.NAME, "notes.csv", "report.html"))


@pytest.mark.parametrize(("kind", "jobs"), [("csv", 2), ("jsonl", None), ("parquet", None)])
def test_the_tables_are_those_of_masked_notes(tmp_path, source, kind, jobs):
    path = tmp_path / f"other.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, make_rows())), encoding="utf-8")
    elif kind == "parquet":
        pd.DataFrame(make_rows()).to_parquet(path)
    else:
        path.write_bytes(source.read_bytes())
    run(path, tmp_path / "out", jobs=jobs, parquet=True)
    expected = clinnlp.annotate(clinnlp.read_notes(path, privacy="mask"), RULES.build())
    assert expected.notes["text"].str.contains("[NAME]", regex=False, na=False).any()
    assert len(expected.errors) == 2
    for name, table in expected.tables().items():
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out" / f"{name}.parquet"), table, obj=name)
    texts = expected.notes.set_index("note_id")["text"]
    assert all(texts[e.note_id][e.start : e.end] == e.text for e in expected.entities.itertuples())


def test_notes_of_other_formats_are_masked(tmp_path, source):
    clinnlp.formats.write(clinnlp.annotate(clinnlp.read_notes(source), RULES.build()), tmp_path / "omop", "omop")
    run(tmp_path / "omop", tmp_path / "out", format="omop")
    assert not any(found_in(tmp_path / "out").values())
    assert "[NAME]" in (tmp_path / "out" / "notes.csv").read_text(encoding="utf-8")


def test_kinds_that_are_ignored_stay(tmp_path, source):
    run(source, tmp_path / "out", ignore=["phone"])
    assert found_in(tmp_path / "out")["notes.csv"] == {"555-867-5309"}


@pytest.mark.parametrize(
    ("first", "then"),
    [({}, {"mask": False}), ({"mask": False}, {}), ({}, {"ignore": ["date"]}), ({"ignore": ["date"]}, {})],
)
def test_resume_refuses_what_is_masked_otherwise(tmp_path, monkeypatch, source, first, then):
    with monkeypatch.context() as patch:
        interrupt(patch, 0)
        run(source, tmp_path / "out", **first)
    with pytest.raises(InputError, match="cannot go on: what is masked changed"):
        run(source, tmp_path / "out", resume=True, **then)
    assert not run(source, tmp_path / "out", resume=True, **first).waiting


def test_a_text_that_ends_the_process_which_masks_it_is_an_error(tmp_path, monkeypatch, source):
    mask = corpus.mask_texts

    def deadly(ignored, texts):
        if any("Visit 8." in str(text) for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return mask(ignored, texts)

    monkeypatch.setattr(corpus, "mask_texts", deadly)
    outcome = run(source, tmp_path / "out", jobs=2)
    errors = pd.read_csv(tmp_path / "out" / "errors.csv")
    assert errors.loc[errors["error"] == ENDED, "note_id"].tolist() == ["n08"]
    assert (outcome.rows["notes"], len(errors)) == (24, 3)
    notes = pd.read_csv(tmp_path / "out" / "notes.csv", index_col="note_id")
    assert notes.index[notes["text"].isna()].tolist() == ["n05", "n08"]


def analyse(*options):
    return CliRunner().invoke(app, ["analyse", *map(str, options), "--exclude", "clinnlp_ner"])


def test_the_command_masks(tmp_path, source):
    out = tmp_path / "out"
    done = analyse(source, "--out", out, "--mask", "--ignore", "phone", "--resume")
    assert done.exit_code == 1, done.output  # two notes are in errors
    assert set().union(*found_in(out).values()) == {"555-867-5309"}


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--strict"], "Give one of them"), (["--ignore", "shoes"], "No kind shoes to ignore")],
)
def test_the_command_refuses_what_makes_no_sense_before_anything_is_kept(tmp_path, source, options, message):
    done = analyse(source, "--out", tmp_path / "out", "--mask", *options)
    assert (done.exit_code, message in done.stderr) == (2, True), done.output
    assert not (tmp_path / "out").exists()
