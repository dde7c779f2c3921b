"""ICD-10-CM codes: what a name supports, and no more."""

import pytest

import clinnlp
from clinnlp.icd10 import code_of as find
from clinnlp.icd10 import find_candidates


def code_of(term):
    found = find(term)
    return found[1] if found else None


@pytest.mark.parametrize(
    ("term", "code"),
    [
        ("Pneumonia", "J18.9"), ("HTN", "I10"), ("high blood pressure", "I10"), ("haemoptysis", "R04.2"),
        ("left knee pain", "M25.562"), ("pain in the left knee", "M25.562"), ("knee pain", "M25.569"),
        ("seasonal diarrhoea", None), ("T2DM", "E11"), ("type 2 diabetes", "E11"), ("dizziness", "R42"),
        ("prostate cancer", "C61"), ("GERD", "K21"), ("UTI", "N39.0"),
    ],
)  # fmt: skip
def test_names_in_any_order_and_spelling(term, code):
    assert code_of(term) == code


@pytest.mark.parametrize(
    ("term", "unsaid"),
    [
        ("diabetes", "type 2"), ("myocardial infarction", "acute"), ("DVT", "of a leg"), ("osteoporosis", "of age"),
        ("stroke", "ischaemic"), ("HIV", "disease"), ("other fatigue", "what else"),
    ],
)  # fmt: skip
def test_a_code_that_says_more_than_the_note_is_not_given(term, unsaid):
    assert code_of(term) is None, unsaid


@pytest.mark.parametrize(("term", "code"), [("asthma", "J45.90"), ("pulmonary embolism", "I26"), ("migraine", "G43.9")])
def test_the_lowest_code_that_says_no_more_is_given(term, code):
    assert code_of(term) == code


def test_candidates_say_how_they_were_found():
    table = find_candidates("hypertensoin", limit=5)
    assert set(table["how"]) == {"fuzzy"}
    assert "I10" in set(table["code"])
    assert table["ambiguous"].all()
    exact = find_candidates("pneumonia")
    assert exact.loc[exact["how"] == "exact", ["code_system", "ambiguous"]].values.tolist() == [
        ["ICD-10-CM", False], ["MeSH", False],
    ]  # fmt: skip
    assert exact["score"].between(0, 1).all()
    assert len(find_candidates("...")) <= 10
    senses = find_candidates("CP", limit=2)
    assert senses["code"].tolist() == ["R07.9", "G80.9"]
    assert senses["ambiguous"].all()


def test_entities_have_icd10_where_it_is_sure_and_mesh_elsewhere():
    doc = clinnlp.load(exclude=["clinnlp_ner"])("Has HTN and a stroke. Takes lisinopril.")
    assert [(e.text, e._.code_system, e._.code) for e in doc.ents] == [
        ("HTN", "ICD-10-CM", "I10"), ("stroke", "MeSH", "D000071939"), ("lisinopril", "DrugBank", "DB00722"),
    ]  # fmt: skip
    (drug,) = doc._.medications
    assert (drug.code_system, drug.code) == ("DrugBank", "DB00722")
