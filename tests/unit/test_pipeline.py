"""load, annotate, and the command line."""

import csv

import pandas as pd
import pytest
import spacy
from typer.testing import CliRunner

import clinnlp
from clinnlp.cli import app
from clinnlp.errors import InputError
from clinnlp.pipeline import COMPONENTS
from clinnlp.schema import TABLES

NOTES = pd.DataFrame(
    {
        "note_id": ["1", "2", "3"],
        "patient_id": ["p", "p", "q"],
        "date": ["2020-01-01", "2021-01-01", None],
        "text": ["PMH: HTN.\nDenies asthma.", "A/P: Asthma. Start albuterol 2 puffs q4h prn.", None],
    }
)


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load()


@pytest.fixture(scope="module")
def result(nlp):
    return clinnlp.annotate(clinnlp.read_notes(NOTES), nlp)


def test_tables_have_their_columns_and_types(result):
    for name, table in result.tables().items():
        assert {c: str(t) for c, t in table.dtypes.items()} == TABLES[name]


def test_findings(result):
    entities = result.entities[["note_id", "text", "assertion", "section"]].values.tolist()
    assert ["1", "HTN", "present", "past_medical_history"] in entities
    assert ["1", "asthma", "absent", "past_medical_history"] in entities
    assert result.medications[["text", "dose", "frequency"]].values.tolist() == [["albuterol", "2 puffs", "q4h prn"]]


def test_patient_flags_take_the_first_status_that_holds(result):
    flag = result.patient_flags.query("condition == 'asthma'").iloc[0]
    assert (flag["status"], flag["notes_for"], flag["notes_against"]) == ("present", 1, 1)
    assert flag["first_date"] == flag["last_date"] == pd.Timestamp("2021-01-01")


def test_a_note_without_text_is_an_error_row(result):
    assert result.errors[["note_id", "stage"]].values.tolist() == [["3", "read"]]


def test_a_failing_note_does_not_end_the_run_and_its_text_stays_out_of_the_error():
    nlp = clinnlp.load(exclude=COMPONENTS)
    nlp.add_pipe("clinnlp_sentences")

    class Fails:
        def __call__(self, doc):
            if "secret" in doc.text:
                raise ValueError(doc.text)
            return doc

    spacy.Language.factory("fails_on_purpose", func=lambda nlp, name: Fails())
    nlp.add_pipe("fails_on_purpose")
    result = clinnlp.annotate(pd.DataFrame({"note_id": ["a", "b"], "text": ["secret", "Asthma is here."]}), nlp)
    assert result.errors.values.tolist() == [["a", "annotate", "ValueError"]]
    assert set(result.summaries["note_id"]) == {"b"}


def test_progress_is_reported(nlp):
    seen = []
    clinnlp.annotate(NOTES, nlp, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_bad_tables_and_names(nlp):
    with pytest.raises(InputError, match="note_id and text"):
        clinnlp.annotate(pd.DataFrame({"x": [1]}), nlp)
    with pytest.raises(InputError, match="more than once"):
        clinnlp.annotate(pd.DataFrame({"note_id": ["a", "a"], "text": ["x", "y"]}), nlp)
    with pytest.raises(InputError, match="clinnlp_nothing"):
        clinnlp.load(exclude=["clinnlp_nothing"])


def test_components_work_in_any_pipeline_and_keep_its_entities():
    nlp = spacy.blank("en")
    for name in ("clinnlp_sentences", "clinnlp_sections", "clinnlp_context"):
        nlp.add_pipe(name)
    doc = nlp.make_doc("No evidence of sepsis.")
    doc.ents = [doc.char_span(15, 21, label="MINE")]
    for _, component in nlp.pipeline:
        doc = component(doc)
    assert [(e.label_, e._.assertion) for e in doc.ents] == [("MINE", "absent")]


@pytest.fixture
def notes_file(tmp_path):
    path = tmp_path / "notes.csv"
    NOTES.iloc[:2].to_csv(path, index=False)
    return path


def test_analyse_writes_all_tables_and_the_report(tmp_path, notes_file):
    out = tmp_path / "out"
    run = CliRunner().invoke(app, ["analyse", str(notes_file), "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert {p.name for p in out.iterdir()} == {f"{name}.csv" for name in TABLES} | {"report.html"}
    flags = pd.read_csv(out / "flags.csv", dtype={"note_id": str})
    assert flags.query("condition == 'asthma'")[["note_id", "status"]].values.tolist() == [
        ["1", "absent"],
        ["2", "present"],
    ]


def test_analyse_exit_codes(tmp_path):
    bad = tmp_path / "bad.csv"
    NOTES.to_csv(bad, index=False)
    run = CliRunner().invoke(app, ["analyse", str(bad), "--out", str(tmp_path / "o"), "--parquet"])
    assert run.exit_code == 1
    assert len(pd.read_parquet(tmp_path / "o" / "errors.parquet")) == 1
    missing = CliRunner().invoke(app, ["analyse", str(tmp_path / "none.csv"), "--out", str(tmp_path / "o2")])
    assert missing.exit_code == 2
    assert "does not exist" in missing.output


def test_lab_copies_notebooks_and_keeps_own_changes(tmp_path):
    run = CliRunner().invoke(app, ["lab", "--folder", str(tmp_path), "--no-start"])
    assert run.exit_code == 0
    mine = tmp_path / "notebooks" / "00_start_here.ipynb"
    mine.write_text("changed", encoding="utf-8")
    CliRunner().invoke(app, ["lab", "--folder", str(tmp_path), "--no-start"])
    assert mine.read_text(encoding="utf-8") == "changed"
    assert (tmp_path / "sample_data" / "notes.csv").exists()
    assert (tmp_path / "notebooks" / "solutions" / "00_start_here_solutions.ipynb").exists()


def test_a_text_with_a_lone_carriage_return_is_saved_and_read_again(tmp_path):
    text = "HTN.\rNo fever."
    notes = clinnlp.read_notes(pd.DataFrame({"note_id": ["a", "b"], "text": [text, "Gout."]}))
    clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"])).save(tmp_path, report=False)
    saved = pd.read_csv(tmp_path / "notes.csv", dtype=str)
    assert saved["note_id"].tolist() == ["a", "b"]
    with open(tmp_path / "notes.csv", encoding="utf-8", newline="") as file:
        assert next(row for row in csv.DictReader(file))["text"] == text
