"""The Charlson and Elixhauser scores, on worked examples and on texts written for these tests."""

import re

import pandas as pd
import pytest

import clinnlp
from clinnlp import conditions
from clinnlp.comorbidity import INDICES, charlson, elixhauser, find_items, points
from clinnlp.errors import InputError, ResourceError
from clinnlp.icd10 import load_icd10
from clinnlp.resources import read_yaml


@pytest.fixture(scope="module")
def annotate():
    nlp = clinnlp.load(exclude=["clinnlp_ner"])

    def run(texts):
        """Annotate the notes of patients: a text, or several, for each."""
        rows = [(f"{patient}-{i}", patient, text) for patient, notes in texts.items() for i, text in enumerate(notes)]
        return clinnlp.annotate(pd.DataFrame(rows, columns=["note_id", "patient_id", "text"]), nlp)

    return run


def items_of(table):
    return dict(zip(table["item"], table["points"], strict=True))


CHARLSON = {
    "heart attack, heart failure and diabetes with end-organ damage": (
        "MI in 2019. Congestive heart failure. Diabetic retinopathy.", 4),
    "metastatic cancer alone": ("Breast cancer with bone metastases.", 6),
    "AIDS": ("AIDS, on antiretroviral therapy.", 6),
    "HIV infection without AIDS": ("HIV positive since 1998.", 0),
    "all of one point": (
        "NSTEMI. CHF. Peripheral vascular disease. Ischemic stroke. Alzheimer's dementia. COPD. Rheumatoid arthritis. "
        "Duodenal ulcer. Hepatitis C. Type 2 diabetes.", 10),
    "all of two points": ("Left hemiplegia. ESRD on dialysis. Lymphoma. Diabetes with neuropathy.", 8),
    "asthma and COPD are one item": ("COPD. Asthma.", 1),
    "severe liver disease replaces mild": ("Cirrhosis with ascites. Chronic hepatitis.", 3),
    "nothing": ("Hypertension and hypothyroidism.", 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CHARLSON)
def test_charlson(case, annotate):
    text, expected = CHARLSON[case]
    assert charlson(annotate({"p": [text]})).to_dict("records") == [{"patient_id": "p", "score": expected}]


ELIXHAUSER = {
    "Congestive heart failure.": {"heart_failure": 7},
    "Dilated cardiomyopathy.": {"heart_failure": 7},
    "Atrial fibrillation.": {"cardiac_arrhythmia": 5},
    "Aortic stenosis.": {"valvular_disease": -1},
    "Acute pulmonary embolism.": {"pulmonary_circulation": 4},
    "Left leg DVT.": {},
    "PVD.": {"peripheral_vascular_disease": 2},
    "Hypertension.": {"hypertension": 0},
    "Mild mitral valve regurgitation.": {"valvular_disease": -1},
    "Paraplegia.": {"paralysis": 7},
    "Epilepsy.": {"neurological": 6},
    "Multiple sclerosis.": {"neurological": 6},
    "COPD.": {"chronic_pulmonary_disease": 3},
    "Type 2 diabetes.": {"diabetes": 0},
    "Diabetic neuropathy.": {"diabetes_complicated": 0},
    "Hypothyroidism.": {"hypothyroidism": 0},
    "CKD stage 4.": {"kidney_disease": 5},
    "Cirrhosis.": {"liver_disease": 11},
    "Duodenal ulcer.": {"peptic_ulcer": 0},
    "Bleeding duodenal ulcer.": {},
    "HIV positive.": {"hiv_aids": 0},
    "Non-Hodgkin's lymphoma.": {"lymphoma": 9},
    "Chronic lymphocytic leukemia.": {},
    "Liver metastases of colon cancer.": {"metastatic_cancer": 12},
    "Colon cancer.": {"cancer": 4},
    "Rheumatoid arthritis.": {"connective_tissue_disease": 0},
    "Thrombocytopenia.": {"coagulopathy": 3},
    "Obesity.": {"obesity": -4},
    "Malnutrition.": {"weight_loss": 6},
    "Cachexia.": {"weight_loss": 6},
    "Hyponatremia.": {"fluid_electrolytes": 5},
    "Blood loss anemia.": {"blood_loss_anemia": -2},
    "Acute blood loss anemia.": {},
    "Iron deficiency anemia.": {"deficiency_anemia": -2},
    "Alcohol dependence.": {"alcohol_misuse": 0},
    "Cocaine abuse.": {"substance_use": -7},
    "Schizophrenia.": {"psychoses": 0},
    "Major depression.": {"depression": -3},
}  # fmt: skip


@pytest.fixture(scope="module")
def each_item(annotate):
    result = annotate({text: [f"ASSESSMENT: {text}"] for text in ELIXHAUSER})
    return points(result, "elixhauser"), elixhauser(result).set_index("patient_id")["score"]


@pytest.mark.parametrize("text", ELIXHAUSER)
def test_elixhauser(text, each_item):
    table, scores = each_item
    assert items_of(table[table["patient_id"] == text]) == ELIXHAUSER[text]
    assert scores[text] == sum(ELIXHAUSER[text].values())


def test_each_item_of_elixhauser_has_an_example():
    assert {item for found in ELIXHAUSER.values() for item in found} == {i.id for i in find_items("elixhauser")}


def test_the_weights_are_those_of_the_papers():
    """The 17 items of Charlson sum to 33; van Walraven gives the range of the score of 30 items as -19 to 89."""
    weights = {index: [item.points for item in find_items(index)] for index in INDICES}
    assert (len(weights["charlson"]), sum(weights["charlson"])) == (17, 33)
    assert len(weights["elixhauser"]) == 30
    assert sum(w for w in weights["elixhauser"] if w < 0) == -19
    assert sum(w for w in weights["elixhauser"] if w > 0) == 89


SEVERITY = {
    "diabetes c/b a complication": ("DM2 c/b nephropathy and retinopathy.", {"diabetes_complicated"}),
    "diabetes with a complication in brackets": ("T2DM (peripheral neuropathy).", {"diabetes_complicated"}),
    "diabetes without a complication": ("Type 2 diabetes without neuropathy.", {"diabetes"}),
    "a complication denied after a number": ("DM2, last A1c 8.2%, no retinopathy.", {"diabetes"}),
    "a neuropathy of its own": ("Type 2 diabetes.\nPeripheral neuropathy from chemotherapy.", {"diabetes"}),
    "the next line of a list": ("- DM2 with hyperglycemia\n- Peripheral neuropathy", {"diabetes"}),
    "gestational diabetes": ("Gestational diabetes.", set()),
    "varices": ("Cirrhosis. Esophageal varices.", {"liver_severe"}),
    "cirrhosis without ascites": ("Cirrhosis without ascites.", {"liver_disease"}),
    "a mild stage after the name": ("CKD stage 2.", set()),
    "a mild stage in Roman numbers": ("CKD stage II.", set()),
    "a stage that is not mild": ("CKD stage III.", {"kidney_disease"}),
    "a stage with the name": ("CKD3b.", {"kidney_disease"}),
    "a cause without a stage": ("Hypertensive nephrosclerosis.", set()),
    "skin cancer": ("Basal cell carcinoma of the nose.", set()),
    "melanoma": ("Malignant melanoma of the back.", {"cancer"}),
    "a leukaemia": ("Chronic lymphocytic leukemia.", {"cancer"}),
    "metastases": ("Colon cancer. Liver metastases.", {"metastatic_cancer"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SEVERITY)
def test_severity(case, annotate):
    text, expected = SEVERITY[case]
    assert set(points(annotate({"p": [text]}))["item"]) == expected


NOT_SAID = {
    "implied by a drug": "Meds: metformin 500 mg BID.",
    "implied by a value": "HbA1c 8.2%.",
    "uncertain": "Possible COPD.",
    "denied": "Denies dementia, no history of stroke.",
    "of the family": "FAMILY HISTORY: Mother with lupus and carotid stenosis.",
    "a broader term": "Renal insufficiency.",
    "hypothetical": "Return if you think you have had a stroke.",
}


@pytest.mark.parametrize("case", NOT_SAID)
def test_what_is_not_said_never_counts(case, annotate):
    result = annotate({"p": [NOT_SAID[case]]})
    assert points(result).empty
    assert charlson(result)["score"].tolist() == [0]


def test_history_counts_where_the_index_asks_for_it(annotate):
    text = "Prior MI. History of stroke in 2015. Duodenal ulcer in 2010, healed. History of pulmonary embolism in 2012."
    result = annotate({"p": [text]})
    assert {"myocardial_infarction", "cerebrovascular_disease", "peptic_ulcer"} == set(points(result)["item"])
    assert "pulmonary_circulation" not in set(points(result, "elixhauser")["item"])


def test_a_past_mention_does_not_count_beside_a_present_one_of_the_condition(annotate):
    text = "History of pulmonary embolism in 2012. Acute DVT of the left leg."
    result = annotate({"p": [text]})
    assert "present" in result.flags.set_index("condition").loc[["venous_thromboembolism"], "status"].tolist()
    assert "pulmonary_circulation" not in set(points(result, "elixhauser")["item"])


def test_a_code_of_another_system_is_no_code_of_the_item(annotate):
    result = annotate({"p": ["Bronchiectasis."]})
    assert charlson(result)["score"].tolist() == [1]
    result.entities["code_system"] = "my own"
    assert charlson(result)["score"].tolist() == [0]


def test_a_chronic_condition_of_the_past_history_counts_but_a_cured_one_does_not(annotate):
    result = annotate({"p": ["PMH: history of dementia."], "q": ["Type 2 diabetes which has resolved after surgery."]})
    assert charlson(result)["score"].tolist() == [1, 0]


def test_the_points_hold_in_the_notes_and_sum_to_the_score(annotate):
    notes = ["MI in 2019. CHF, and again CHF.\nDM2 c/b\nneuropathy.", "CHF. Carotid stenosis. Bronchiectasis."]
    result = annotate({"p": notes, "q": ["Well."]})
    texts = result.notes.set_index("note_id")["text"]
    for index, scored in (("charlson", charlson(result)), ("elixhauser", elixhauser(result))):
        table = points(result, index)
        assert [texts[r.note_id][r.start : r.end] for r in table.itertuples()] == table["text"].tolist()
        assert not table.duplicated(["patient_id", "item", "note_id"]).any()
        assert table.drop_duplicates(["patient_id", "item"])["points"].sum() == scored["score"].sum()
    found = points(result).set_index(["item", "note_id"])
    assert found.loc[("diabetes_complicated", "p-0"), "text"] == "DM2 c/b\nneuropathy"
    assert found.loc[("cerebrovascular_disease", "p-1"), "rule"] == "cerebrovascular_disease.names"
    assert found.loc[("chronic_pulmonary_disease", "p-1"), "rule"] == "ICD-10-CM J47"
    assert found.loc[("heart_failure", "p-1"), "rule"] == "heart_failure.name"
    assert charlson(result)["score"].tolist() == [6, 0]


AGES = {40: 0, 49: 0, 50: 1, 59: 1, 60: 2, 72: 3, 79: 3, 80: 4, 97: 4}


def test_the_age_adds_a_point_for_each_decade_from_fifty(annotate):
    result = annotate({str(age): ["CHF. MI in 2019. Diabetic retinopathy."] for age in AGES})
    scores = charlson(result, pd.Series({str(age): age for age in AGES})).set_index("patient_id")
    assert scores["age_points"].to_dict() == {str(age): points for age, points in AGES.items()}
    assert scores.loc["72", ["score", "age_adjusted_score"]].tolist() == [4, 7]


def test_the_ten_year_survival_is_that_of_the_formula(annotate):
    result = annotate({"a": ["Well."], "b": ["CHF."], "c": ["CHF. COPD."]})
    survival = charlson(result, pd.Series({"a": 30, "b": 30, "c": 65}))["ten_year_survival"]
    assert survival.round(3).tolist() == [0.983, 0.959, 0.534]


def test_ages_of_a_column_and_ages_that_are_not_known(annotate):
    result = annotate({"p": ["CHF.", "CHF."], "q": ["COPD."]})
    result.notes["age"] = [69, 70, None]
    scores = charlson(result, "age").set_index("patient_id")
    assert scores.loc["p", ["age", "age_points", "age_adjusted_score"]].tolist() == [70, 3, 4]
    assert scores.loc["q", ["age_points", "age_adjusted_score", "ten_year_survival"]].isna().all()
    assert scores["score"].tolist() == [1, 1]


BAD_AGES = [("years", "no column 'years'"), (pd.Series({"p": "old"}), "numbers"), (pd.Series({"p": -1}), "below 0")]


@pytest.mark.parametrize(("ages", "told"), BAD_AGES)
def test_ages_that_are_no_ages(ages, told, annotate):
    with pytest.raises(InputError, match=told):
        charlson(annotate({"p": ["CHF."]}), ages)


def test_notes_without_patients_and_an_unknown_index(annotate, empty_result):
    with pytest.raises(InputError, match="patient_column"):
        charlson(annotate({None: ["CHF."]}))
    with pytest.raises(InputError, match="charlson, elixhauser"):
        points(empty_result, "cci")
    assert charlson(empty_result).columns.tolist() == ["patient_id", "score"]
    assert points(empty_result).empty


OWN = "- {id: frailty, name: frailty, group: g, chronic: true, names: [frail], example: e, counter: c, charlson: 3}"


def test_the_weights_of_own_definitions(tmp_path):
    own = tmp_path / "own.yml"
    own.write_text(f"{OWN}\n- {{id: dementia, extend: true, charlson: 4}}", encoding="utf-8")
    known = conditions.load(own)
    weights = {item.id: item.points for item in find_items("charlson", known)}
    assert (weights["frailty"], weights["dementia"], len(weights)) == (3, 4, 18)
    nlp = clinnlp.load(exclude=["clinnlp_ner"], conditions=str(own))
    notes = pd.DataFrame({"note_id": ["n"], "patient_id": ["p"], "text": ["A frail man."]})
    assert charlson(clinnlp.annotate(notes, nlp), conditions=known)["score"].tolist() == [3]
    own.write_text("- {id: asthma, extend: true, charlson: 2}", encoding="utf-8")
    with pytest.raises(ResourceError, match="copd 1, asthma 2"):
        find_items("charlson", conditions.load(own))


@pytest.mark.parametrize("index", INDICES)
def test_the_rules_name_what_there_is(index):
    rules = read_yaml("comorbidity.yml")
    items = find_items(index)
    ids = [item.id for item in items]
    codes = load_icd10().names
    assert len(ids) == len(set(ids))
    assert "doi:" in rules[index]["source"]
    for item in items:
        assert item.conditions or item.codes, item.id
        assert set(item.conditions) <= set(conditions.load())
        assert set(item.replaces) <= set(ids) - {item.id}
        assert all(any(code.startswith(prefix) for code in codes) for prefix in item.codes), item.id
        for pattern in (item.words, item.but_not, item.complications, item.names):
            re.compile(pattern or "")
