"""The structured snapshot: what stands in it, where each line comes from, and what must not."""

import pandas as pd
import pytest

import clinnlp
from clinnlp.errors import InputError
from clinnlp.snapshot import snapshot

FIRST = """CC: chest pain
HPI: 71F with HTN and COPD comes with chest pain. Denies fever. Her mother had breast cancer.
MEDICATIONS:
Lisinopril 10 mg PO daily
LABS: Cr 1.4
ASSESSMENT: Pneumonia. Angina <b>*unlikely*</b>.
"""
SECOND = """HPI: Back for review, well. Atrial fibrillation on the ECG. No cough.
PMH: HTN, COPD
MEDICATIONS:
Lisinopril 20 mg PO daily
Apixaban 5 mg PO BID
LABS: Cr 2.1
PLAN: Stop ibuprofen. Recheck creatinine in one week.
Return if fever develops.
"""


@pytest.fixture(scope="module")
def result():
    notes = pd.DataFrame(
        {"note_id": ["n1", "n2"], "patient_id": "p", "date": ["2021-01-01", "2021-02-01"], "text": [FIRST, SECOND]}
    )
    return clinnlp.annotate(clinnlp.read_notes(notes), clinnlp.load(exclude=["clinnlp_ner"]))


def texts(lines, part):
    return lines.loc[lines["part"] == part, "text"].tolist()


def test_a_note(result):
    lines = snapshot(result, "n1").lines
    assert texts(lines, "one_liner")[0].startswith("71-year-old woman with ")
    assert texts(lines, "one_liner")[0].endswith(" seen for chest pain")
    assert {"hypertension", "COPD", "pneumonia"} <= set(texts(lines, "problem"))
    assert "no fever" in texts(lines, "negative")
    assert texts(lines, "medication") == ["Lisinopril 10 mg PO daily"]
    said = " ".join(lines.loc[lines["part"].isin(["one_liner", "problem"]), "text"]).lower()
    assert "cancer" not in said
    assert "fever" not in said


def test_a_patient_has_the_last_state_and_what_is_new(result):
    lines = snapshot(result, patient_id="p").lines
    problems = texts(lines, "problem")
    assert "atrial fibrillation (new)" in problems
    assert "pneumonia (2021-01-01)" in problems
    assert "hypertension" in problems
    assert texts(lines, "medication")[:2] == ["Lisinopril 20 mg PO daily", "Apixaban 5 mg PO BID (new)"]
    assert "stopped: ibuprofen" in texts(lines, "medication")
    assert any("1.4 → 2.1" in text and "high" in text for text in texts(lines, "result"))
    assert any("Recheck creatinine" in text for text in texts(lines, "plan"))


def test_every_line_leads_back_to_its_words(result):
    notes = {"n1": FIRST, "n2": SECOND}
    for lines in (snapshot(result, "n1").lines, snapshot(result, patient_id="p").lines):
        assert len(lines) > 5
        for row in lines.itertuples():
            assert notes[row.note_id][row.start : row.end] == row.source != ""


def test_markdown_and_html(result):
    found = snapshot(result, "n1")
    assert found.to_markdown().startswith("## Note n1\n\n### In a line\n\n- 71-year-old")
    page = found._repr_html_()
    assert 'title="n1 ' in page
    assert "<b>" not in page


def test_bad_input(result):
    for wrong in ({}, {"note_id": "n1", "patient_id": "p"}):
        with pytest.raises(InputError, match="and not both"):
            snapshot(result, **wrong)
    with pytest.raises(InputError, match="no patient 'q'"):
        snapshot(result, patient_id="q")


def test_an_empty_note_gives_an_empty_snapshot():
    notes = pd.DataFrame({"note_id": ["e"], "text": ["Nothing."]})
    result = clinnlp.annotate(clinnlp.read_notes(notes), clinnlp.load(exclude=["clinnlp_ner"]))
    found = snapshot(result, "e")
    assert len(found.lines) == 0
    assert found._repr_html_()
