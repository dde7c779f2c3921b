"""Scores against labelled notes, as a user gets them in Python and on the command line."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import clinnlp
from clinnlp.cli import app
from clinnlp.errors import InputError
from clinnlp.evaluate import read_gold, score_annotations

TEXT = "HPI: No fever, has gout.\nMeds: lisinopril 10 mg daily. Mother had asthma."


def span(words, **cells):
    start = TEXT.index(words)
    return {"start": start, "end": start + len(words), **cells}


GOLD = {
    "id": "a",
    "text": TEXT,
    "sections": [span("HPI", category="present_illness"), span("Meds", category="allergies")],
    "problems": [
        span("No fever"[3:], assertion="absent"),
        span("has gout", assertion="present"),
        span("asthma", assertion="present"),
    ],
    "medications": [span("lisinopril", dose="10 MG", route=None, frequency="daily", status="past")],
    "conditions": [{"condition": "gout", "status": "present"}, {"condition": "asthma", "status": "absent"}],
}


@pytest.fixture(scope="module")
def scores():
    notes = clinnlp.read_notes(pd.DataFrame({"note_id": ["a"], "text": [TEXT]}))
    result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    return score_annotations([GOLD], result).set_index("measure")


@pytest.mark.parametrize(
    ("measure", "precision", "recall", "support"),
    [
        ("section headers", 1, 1, 2),
        ("section headers with category", 0.5, 0.5, 2),
        ("problems", 1, 1, 3),
        ("problems, strict", 0.6667, 0.6667, 3),
        ("assertion of problems, accuracy", 0.6667, 0.6667, 3),
        ("absent problems", 1, 1, 1),
        ("present problems", 1, 0.5, 2),
        ("family problems", 0, 0, 0),
        ("medications", 1, 1, 1),
        ("dose of medications", 1, 1, 1),
        ("status of medications, accuracy", 0, 0, 1),
        ("conditions that the patient has or had", 1, 1, 1),
        ("status of conditions, accuracy", 0.5, 0.5, 2),
    ],
)
def test_measure(scores, measure, precision, recall, support):
    row = scores.loc[measure]
    assert (row["precision"], row["recall"], row["support"]) == (precision, recall, support)


def test_what_was_not_labelled_is_not_scored(scores):
    assert "values of measurements" not in scores.index
    assert "route of medications" not in scores.index


def test_problems_count_as_far_as_the_note_was_labelled():
    part = {"id": "a", "text": TEXT, "problems": GOLD["problems"][:1], "problems_complete": False}
    notes = clinnlp.read_notes(pd.DataFrame({"note_id": ["a"], "text": [TEXT]}))
    result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    assert score_annotations([part], result).set_index("measure").loc["problems", "precision"] == 1
    whole = score_annotations([{**part, "problems_complete": True}], result).set_index("measure")
    assert whole.loc["problems", "precision"] < 1
    with pytest.raises(InputError, match="'b' is not in the result"):
        score_annotations([{**part, "id": "b"}], result)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "no labelled notes"), ("{", "cannot be read"), ('{"id": "a", "text": "HTN"}', r"object 1: .*conditions")],
)
def test_what_is_no_gold_is_refused_without_its_text(tmp_path, content, message):
    path = tmp_path / "gold.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_gold(path)
    assert "HTN" not in str(caught.value)


def test_command_prints_and_saves_the_scores(tmp_path):
    (tmp_path / "gold.jsonl").write_text(json.dumps(GOLD), encoding="utf-8")
    command = ["evaluate", str(tmp_path / "gold.jsonl"), "--exclude", "clinnlp_ner", "--out", str(tmp_path / "s.csv")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert "problems, strict" in run.output
    assert pd.read_csv(tmp_path / "s.csv").set_index("measure").loc["problems", "support"] == 3
    assert CliRunner().invoke(app, ["evaluate", str(tmp_path / "none.jsonl")]).exit_code == 2
