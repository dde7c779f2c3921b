"""The weights and conflicts of condition definitions: read, checked, explained and applied."""

import pandas as pd
import pytest

import clinnlp
from clinnlp import conditions
from clinnlp.conflicts import find_conflicts
from clinnlp.errors import InputError, ResourceError

SHIPPED = conditions.load()
CONFLICTS = {f"{d.id}.{c.id}": c for d in SHIPPED.values() for c in d.conflicts}


@pytest.fixture(scope="module")
def annotate():
    nlp = clinnlp.load(exclude=["clinnlp_ner"])

    def run(rows):
        return clinnlp.annotate(pd.DataFrame(rows, columns=["note_id", "patient_id", "text"]), nlp)

    return run


@pytest.mark.parametrize("name", CONFLICTS)
def test_the_example_is_a_conflict_and_the_counter_example_is_none(name, annotate):
    conflict = CONFLICTS[name]
    assert conflict.source
    for text, expected in ((conflict.example, [name]), (conflict.counter, [])):
        found = find_conflicts(annotate([("n", "p", text)]).evidence)
        assert (found["condition"] + "." + found["conflict"]).tolist() == expected
        assert [text[r.start : r.end] for r in found.itertuples()] == found["text"].tolist()
        assert [text[r.other_start : r.other_end] for r in found.itertuples()] == found["other_text"].tolist()


NOTES = [
    ("n1", "p", "Type 1 diabetes since childhood."), ("n2", "p", "T2DM on metformin. T2DM again."),
    ("n3", "q", "Type 1 diabetes."), ("n4", None, "Type 1 diabetes."), ("n5", None, "Type 2 diabetes."),
]  # fmt: skip


def test_conflicts_are_those_of_a_patient(annotate):
    result = annotate(NOTES)
    found = find_conflicts(result.evidence, result.notes)
    assert found[["patient_id", "note_id", "text", "other_note_id", "other_text"]].values.tolist() == [
        ["p", "n1", "Type 1 diabetes", "n2", "T2DM"]
    ]
    assert find_conflicts(result.evidence).empty


def test_what_is_not_stated_of_the_patient_is_no_conflict(annotate):
    for other in ("No type 2 diabetes.", "Possible type 2 diabetes.", "FAMILY HISTORY: Mother with type 2 diabetes."):
        assert find_conflicts(annotate([("n", "p", f"Type 1 diabetes. {other}")]).evidence).empty


def test_a_conflict_names_both_conditions(annotate):
    found = find_conflicts(annotate([("n", "p", "She is pregnant. Known prostate cancer.")]).evidence).iloc[0]
    assert (found["condition"], found["other_condition"]) == ("pregnancy", "cancer")


def test_evidence_without_its_columns():
    with pytest.raises(InputError, match="lacks polarity"):
        find_conflicts(pd.DataFrame({c: [] for c in ("condition", "note_id", "start", "end", "text")}))


OWN = "- {{id: own, name: own, group: g, chronic: true, names: [ownitis], example: e, counter: c, {}}}"
SIDES = "source: s, example: e, counter: c"
BAD = {
    "charlson: one": "'charlson' should be a whole number, got str",
    "elixhauser: 1.5": "'elixhauser' should be a whole number, got float",
    "charlson: true": "'charlson' should be a whole number, got bool",
    "charlson: [1]": "'charlson' should be one value, got list",
    "conflicts: [left_and_right]": "conflicts: got a str where a mapping should be",
    "conflicts: [{id: sides, of: [left, right]}]": "missing key 'source'",
    f"conflicts: [{{id: sides, of: left, {SIDES}}}]": "'of' should be a list",
    f"conflicts: [{{id: sides, of: [left], {SIDES}}}]": "conflict 'sides': 'of' should be two patterns, got 1",
    f"conflicts: [{{id: sides, of: [left, '('], {SIDES}}}]": "conflict 'sides': bad regular expression",
    f"conflicts: [{{id: sides, of: [a, b], with: c, {SIDES}}}]": "unknown key 'with'",
    f"conflicts: [{{id: sides, of: [a, b], other: nowhere, {SIDES}}}]": "no known condition in conflict 'nowhere'",
    "parents: [nowhere]": "no known parent 'nowhere'",
    "look_alikes: ['']": "look_alikes: the term '', or an alternative of it, has no word",
    "look_alikes: ['(own|) ']": "look_alikes: the term '(own|) ', or an alternative of it, has no word",
    "abbreviations: ['-']": "abbreviations: the term '-', or an alternative of it, has no word",
    "wider: [1]": "wider: the term 1 is no text",
    "states_it: [null]": "states_it: the term None is no text",
    "phrase_words: ['']": "phrase_words: the term '', or an alternative of it, has no word",
    "phrase_words: [two words]": "phrase_words: 'two words' is not one word",
    "medications: [{names: [''], source: s}]": "medications: the term '', or an alternative of it, has no word",
    "measurements: [{tests: [2], source: s, at_least: 1}]": "measurements: the term 2 is no text",
}  # fmt: skip


@pytest.mark.parametrize("keys", BAD)
def test_bad_keys_are_told_clearly(keys, tmp_path):
    own = tmp_path / "own.yml"
    own.write_text(OWN.format(keys), encoding="utf-8")
    with pytest.raises(ResourceError) as error:
        conditions.load(own)
    assert BAD[keys] in str(error.value)
    assert "own" in str(error.value)


def test_an_extension_keeps_weights_and_adds_conflicts(tmp_path):
    own = tmp_path / "own.yml"
    conflict = f"{{id: sides, of: [left, right], {SIDES}}}"
    own.write_text(f"- {{id: diabetes, extend: true, elixhauser: 2, conflicts: [{conflict}]}}", encoding="utf-8")
    diabetes = conditions.load(own)["diabetes"]
    assert (diabetes.charlson, diabetes.elixhauser) == (SHIPPED["diabetes"].charlson, 2)
    assert [c.id for c in diabetes.conflicts] == ["type_1_and_2", "sides"]


def test_weights_and_conflicts_are_explained():
    told = conditions.explain("diabetes")
    assert "Weight in comorbidity indices: Charlson 1; Elixhauser (van Walraven) 0." in told
    assert "Cannot both hold: type_1_and_2, as in 'Type 1 diabetes since childhood. T2DM, on metformin.'" in told
    assert "Weight" not in conditions.explain("gout")
    assert "Elixhauser" not in conditions.explain("dementia")
