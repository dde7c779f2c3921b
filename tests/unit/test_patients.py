"""Patients: copies that count once, contradictions, and what is only implied."""

import pytest

import clinnlp
from clinnlp.patients import contradictions, implied

PROBLEMS = "Problems: long-standing heart failure, followed by cardiology, and hypertension on two drugs."
NOTES = [
    ("a1", "a", "2021-01-01", f"{PROBLEMS}\nSeen for a cold."),
    ("a2", "a", "2021-05-01", f"Seen for review.\n{PROBLEMS.replace(' and', '  and').upper()}"),
    ("a3", "a", "2022-01-01", "Heart failure is stable. Denies hypertension."),
    ("b1", "b", "2021-01-01", "PMH: COPD.\n\nAssessment: No COPD. Takes metformin 500 mg twice a day."),
    ("b2", "b", None, "Pneumonia, treated at home. HbA1c 8.2 %."),
    ("c1", "c", "2021-01-01", "No pneumonia. Takes metformin 500 mg daily."),
    ("c2", "c", "2021-02-01", "Pneumonia on the film. No diabetes."),
]


@pytest.fixture(scope="module")
def result():
    import pandas as pd

    frame = pd.DataFrame(NOTES, columns=["note_id", "patient_id", "date", "text"])
    nlp = clinnlp.load(exclude=["clinnlp_ner"])
    return clinnlp.annotate(clinnlp.read_notes(frame), nlp)


def flag(result, patient, condition):
    table = result.patient_flags
    return table[(table["patient_id"] == patient) & (table["condition"] == condition)].iloc[0]


def test_a_paragraph_copied_forward_counts_once(result):
    copied = result.evidence.dropna(subset="copied_from")
    assert set(copied["note_id"]) == {"a2"}
    assert set(copied["condition"]) >= {"heart_failure", "hypertension"}
    assert set(copied["copied_from"]) == {"a1"}
    heart_failure = flag(result, "a", "heart_failure")
    assert heart_failure["notes_for"] == 2
    assert [str(heart_failure[d])[:10] for d in ("first_date", "last_date")] == ["2021-01-01", "2022-01-01"]
    assert str(flag(result, "a", "hypertension")["last_date"])[:10] == "2021-01-01"


def test_contradictions_in_a_note_and_between_notes(result):
    rows = contradictions(result)
    found = {(r.patient_id, r.condition, r.kind, r.for_note_id, r.against_note_id) for r in rows.itertuples()}
    assert found == {
        ("a", "hypertension", "between notes", "a1", "a3"),
        ("b", "copd", "within a note", "b1", "b1"),
    }
    texts = {note[0]: note[3] for note in NOTES}
    for row in rows.to_dict("records"):
        for side in ("for", "against"):
            note = texts[row[f"{side}_note_id"]]
            assert note[row[f"{side}_start"] : row[f"{side}_end"]] == row[f"{side}_text"]


def test_what_is_implied_and_stated_in_no_note(result):
    rows = implied(result)
    assert {(r.note_id, r.condition, r.basis) for r in rows.itertuples()} == {
        ("b1", "diabetes", "medication"),
        ("b2", "diabetes", "measurement"),
    }


def test_confidence_is_a_probability_and_missing_where_nothing_states_the_condition(result):
    flags = result.flags
    assert flags.loc[flags["status"] == "implied", "confidence"].isna().all()
    stated = flags.loc[flags["status"] != "implied"]
    assert stated["confidence"].between(0.3, 1).all()
    once, contradicted = (stated[stated["note_id"] == n].set_index("condition")["confidence"] for n in ("a1", "b1"))
    assert contradicted["copd"] < once["heart_failure"]
