"""Sentences, sections, dictionary terms and flags, on texts written for these tests."""

import re

import pandas as pd
import pytest

import clinnlp
from clinnlp import conditions
from clinnlp.components.lexicon import find_terms
from clinnlp.components.sections import find_sections
from clinnlp.components.sentences import find_sentences
from clinnlp.errors import InputError, ResourceError
from clinnlp.resources import read_yaml
from clinnlp.vocabulary import load_vocabulary

SENTENCES = {
    "header": ("HPI: Cough. No fever.", ["HPI:", "Cough.", "No fever."]),
    "title": ("Seen by Dr. Doe today. Well.", ["Seen by Dr. Doe today.", "Well."]),
    "frequency": ("Takes it q.i.d. and 2.5 mg at night.", ["Takes it q.i.d. and 2.5 mg at night."]),
    "numbered list": ("1. Hypertension.\n2. Gout.", ["1. Hypertension.", "2. Gout."]),
    "bullets": ("- cough\n- SOB", ["- cough", "- SOB"]),
    "hard wrap": (
        "She has been well since the last visit and reports that there is no\nchest pain at all.",
        ["She has been well since the last visit and reports that there is no\nchest pain at all."],
    ),
    "no space": ("Has HTN.Denies cough.", ["Has HTN.", "Denies cough."]),
    "organ key": ("HEENT: Clear. Moist.", ["HEENT: Clear.", "Moist."]),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentences(case):
    text, expected = SENTENCES[case]
    assert [text[a:b] for a, b in find_sentences(text)] == expected


SECTIONS = {
    "capitals": ("PAST MEDICAL HISTORY: HTN", [("PAST MEDICAL HISTORY", "past_medical_history")]),
    "title case": ("Hospital Course:\nStable.", [("Hospital Course", "hospital_course")]),
    "own line": ("Family History\nNone.", [("Family History", "family_history")]),
    "short, on its own line": ("Tired.\n\nRos\nWell.", [("Ros", "review_of_systems")]),
    "short, in a list": ("Tired.\nRos\nWell.", []),
    "short, family": ("Fam: gout", [("Fam", "family_history")]),
    "numbered": ("2. Assessment and Plan\nGout", [("Assessment and Plan", "assessment_plan")]),
    "underlined": ("Allergies\n=====\nNKDA", [("Allergies", "allergies")]),
    "run-in": ("Stable. SOCIAL HISTORY: Retired.", [("SOCIAL HISTORY", "social_history")]),
    "letters": (
        "S: tired\nO: pale\nA/P: iron",
        [("S", "present_illness"), ("O", "physical_exam"), ("A/P", "assessment_plan")],
    ),
    "unknown": ("QUALITY METRICS:\nDone", [("QUALITY METRICS", "other")]),
    "organs": ("PHYSICAL EXAM:\nHEENT: clear\nLUNGS: clear", [("PHYSICAL EXAM", "physical_exam")]),
    "prose": ("He said his allergies: none. The plan is simple.", []),
    "vitals and labs": ("BP: 120/80\nWBC: 12.3", []),
}


@pytest.mark.parametrize("case", SECTIONS)
def test_sections(case):
    text, expected = SECTIONS[case]
    assert [(s.header, s.category) for s in find_sections(text)] == expected


def test_a_body_runs_to_the_next_header():
    text = "CC: cough\n\nPMH:\nHTN"
    assert [text[s.body_start : s.body_end].strip() for s in find_sections(text)] == ["cough", "HTN"]


SECTION_EXAMPLES = read_yaml("sections.yml")["examples"]


def test_each_section_category_has_an_example():
    assert list(SECTION_EXAMPLES) == list(read_yaml("sections.yml")["headers"])


@pytest.mark.parametrize("category", SECTION_EXAMPLES)
def test_section_examples(category):
    example, counter = SECTION_EXAMPLES[category]
    assert [s.category for s in find_sections(example)] == [category]
    assert category not in {s.category for s in find_sections(counter)}


@pytest.mark.parametrize("rule", ["never_end", "may_end"])
def test_sentence_examples(rule):
    example, counter = read_yaml("sentences.yml")["examples"][rule]
    assert len(find_sentences(example)) == 1
    assert len(find_sentences(counter)) == 2


TERM_EXAMPLES = read_yaml("terms.yml")["examples"]


@pytest.mark.parametrize("kind", TERM_EXAMPLES)
def test_term_examples(kind):
    example, counter = TERM_EXAMPLES[kind]
    marked = re.search(r"\[(.+)\]", example)[1]
    text = example.replace("[", "").replace("]", "")
    found = find_terms(text, load_vocabulary())
    assert [text[m.start : m.end] for m in found] == [marked]
    if kind.isupper():
        assert found[0].term.label == kind
    assert find_terms(counter, load_vocabulary()) == ()


TERMS = {
    "modifiers": ("left knee pain", [("left knee pain", "SYMPTOM")]),
    "head alone": ("failure of the plan", []),
    "head with a kind": ("acute renal failure", [("acute renal failure", "DISEASE")]),
    "abbreviation as written": ("SOB and sob", [("SOB", "SYMPTOM")]),
    "plural": ("headaches", [("headaches", "SYMPTOM")]),
    "plural of two words": ("visual disturbances", [("visual disturbances", "SYMPTOM")]),
    "long terms": (
        "Sjogren's syndrome, coronary artery bypass graft",
        [("Sjogren's syndrome", "DISEASE"), ("coronary artery bypass graft", "PROCEDURE")],
    ),
    "drugs": ("Lasix and metformin", [("Lasix", "MEDICATION"), ("metformin", "MEDICATION")]),
    "no drugs": ("he drank water", []),
    "across a line": ("chest\npain", [("chest\npain", "SYMPTOM")]),
    "test and procedure": ("CXR after CABG", [("CXR", "TEST"), ("CABG", "PROCEDURE")]),
}


@pytest.mark.parametrize("case", TERMS)
def test_terms(case):
    text, expected = TERMS[case]
    assert [(text[m.start : m.end], m.term.label) for m in find_terms(text, load_vocabulary())] == expected


FLAGS = {
    "chronic in the past history": ("PMH: h/o hypertension", {"hypertension": "present"}),
    "past event": ("History of MI in 2015.", {"myocardial_infarction": "historical"}),
    "denied list": ("Denies asthma, gout or migraine.", {"asthma": "absent", "gout": "absent", "migraine": "absent"}),
    "family": ("FAMILY HISTORY: Father with gout.", {"gout": "family"}),
    "uncertain": ("Possible pneumonia.", {"pneumonia": "uncertain"}),
    "unlikely": ("Pneumonia unlikely.", {"pneumonia": "absent"}),
    "implied by a drug": ("Meds: metformin 500 mg BID", {"diabetes": "implied"}),
    "implied by a value": ("HbA1c 8.2%", {"diabetes": "implied"}),
    "stated beats implied": ("T2DM on metformin 500 mg BID", {"diabetes": "present"}),
    "former smoker": ("Former smoker.", {"tobacco_use": "historical"}),
    "never smoked": ("Tobacco: never.", {"tobacco_use": "absent"}),
    "no allergies": ("ALLERGIES: NKDA", {"drug_allergy": "absent"}),
    "allergy": ("ALLERGIES: penicillin (rash)", {"drug_allergy": "present"}),
    "procedure states it": ("s/p CABG", {"coronary_artery_disease": "present"}),
    "look-alike": ("Severe pulmonary hypertension.", {}),
    "hypothetical": ("Return if you think you have pneumonia.", {}),
    "room air": ("SpO2 97% on RA.", {}),
    "broader term stated": ("Renal insufficiency.", {"chronic_kidney_disease": "uncertain"}),
    "broader term denied": ("No infiltrate on the film.", {"pneumonia": "absent"}),
    "broader term within a name": ("Chronic obstructive pulmonary disease.", {"copd": "present"}),
    "relatives without it": ("FAMILY HISTORY: Negative for gout.", {}),
    "no history in the family": ("No family history of gout.", {}),
    "chronic and resolved": ("Type 2 diabetes which has resolved after surgery.", {"diabetes": "historical"}),
    "ruled out for": ("He was ruled out for MI by enzymes.", {"myocardial_infarction": "absent"}),
    "otherwise negative for": ("Otherwise, negative for gout, migraine.", {"gout": "absent", "migraine": "absent"}),
    "a real word is no slip": ("Subdural hematoma.", {}),
    "a slip": ("Longstanding hypertenion.", {"hypertension": "present"}),
    "allergies in a sentence": ("ALLERGIES: She has no known drug allergies.", {"drug_allergy": "absent"}),
}


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load()


@pytest.mark.parametrize("case", FLAGS)
def test_flags(case, nlp):
    text, expected = FLAGS[case]
    result = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp)
    assert dict(zip(result.flags["condition"], result.flags["status"], strict=True)) == expected


EVIDENCE = {
    "present": ("Known gout.", "for"),
    "historical": ("History of MI in 2015.", "for"),
    "absent": ("Denies gout.", "against"),
    "uncertain": ("Possible pneumonia.", "context"),
    "family": ("FAMILY HISTORY: Father with gout.", "context"),
    "hypothetical": ("Return if you think you have pneumonia.", "context"),
    "implied": ("HbA1c 8.2%", "context"),
}


@pytest.mark.parametrize("status", EVIDENCE)
def test_the_polarity_of_evidence(status, nlp):
    text, polarity = EVIDENCE[status]
    result = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp)
    assert result.evidence["polarity"].tolist() == [polarity]


def test_the_best_evidence_is_that_of_the_most_trusted_section(nlp):
    text = "HPI: He has gout.\nDIAGNOSIS: Gout.\nPLAN: Treat his gout."
    flag = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp).flags.iloc[0]
    assert flag["start"] == text.index("Gout")


DEFINITIONS = conditions.load()


def test_all_conditions_are_defined():
    assert len(DEFINITIONS) == 44


@pytest.mark.parametrize("name", DEFINITIONS)
def test_examples_state_their_condition_and_counter_examples_do_not(name):
    def states(text):
        return {h[2] for h in [*DEFINITIONS.match(text), *DEFINITIONS.match_phrases(text)]}

    definition = DEFINITIONS[name]
    assert name in states(definition.example)
    assert name not in states(definition.counter)
    for phrase in definition.phrases:
        if phrase.status in ("present", "historical", "absent", "uncertain"):
            rule = f"{name}.{phrase.id}"
            assert rule in {h[3] for h in DEFINITIONS.match_phrases(phrase.example)}, rule
            assert rule not in {h[3] for h in DEFINITIONS.match_phrases(phrase.counter)}, rule


def test_terms_within_groups_within_groups_are_written_out(tmp_path):
    own = tmp_path / "own.yml"
    term = "(type (1|2)|adult (x|y) onset|) sugar (sickness|)"
    own.write_text(
        f"- {{id: own, name: own, group: g, chronic: true, names: ['{term}'], example: e, counter: c}}",
        encoding="utf-8",
    )
    names = set(conditions.load(own)["own"].names)
    assert {"type 1 sugar sickness", "type 2 sugar", "adult x onset sugar", "adult y onset sugar", "sugar"} <= names
    own.write_text(own.read_text(encoding="utf-8").replace("sickness|)", "sickness|"), encoding="utf-8")
    with pytest.raises(ResourceError, match="bracket"):
        conditions.load(own)


def test_the_evidence_of_a_phrase_has_no_white_space_at_its_ends():
    text = "Well.\n\nALLERGIES: Codeine."
    assert [text[a:b] for a, b, *_ in DEFINITIONS.match_phrases(text)] == ["ALLERGIES: C"]


def test_own_definitions_and_bad_ones(tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text("- {id: gout, colour: red}\n", encoding="utf-8")
    with pytest.raises(ResourceError, match="colour"):
        conditions.load(bad)
    assert "gout" in conditions.explain("gout")
    with pytest.raises((InputError, ResourceError)):
        conditions.explain("nothing")


@pytest.mark.parametrize(
    ("text", "span", "label"),
    [
        ("Lungs: CTA bilaterally.", "CTA", "RESULT"), ("General: alert, NAD.", "NAD", "RESULT"),
        ("Cath: stent to the mid LAD.", "mid LAD", "ANATOMY"),
        ("Her RA is controlled on methotrexate.", "RA", "DISEASE"),
        ("PT and OT to see him tomorrow.", "PT", "PROCEDURE"), ("PE:\nHEENT: clear.", "PE", None),
        ("Saturating 97% on RA.", "RA", None),
    ],
)  # fmt: skip
def test_an_ambiguous_abbreviation_is_what_the_note_says(text, span, label):
    doc = clinnlp.load(exclude=["clinnlp_ner"])(text)
    assert {e.text: e.label_ for e in doc.ents}.get(span) == label


def test_an_abbreviation_that_nothing_decides_has_no_code():
    clear, unclear = clinnlp.load(exclude=["clinnlp_ner"]).pipe(["Denies CP or SOB.", "Known to us with CP."])
    assert clear.ents[0]._.code == "R07.9"
    assert (unclear.ents[0].text, unclear.ents[0]._.code) == ("CP", None)


def test_an_item_of_a_plan_is_no_section_but_numbered_sections_are():
    plan = "ASSESSMENT AND PLAN:\n1. Asthma: stable.\n6. Vaccines: flu today.\n7. Prednisone 40 mg if worse.\n"
    assert [s.category for s in find_sections(plan)] == ["assessment_plan"]
    numbered = "1. ASSESSMENT: asthma\n2. MEDICATIONS: none\n"
    assert [s.category for s in find_sections(numbered)] == ["assessment_plan", "medications"]
