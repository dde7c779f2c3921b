"""Summaries: which lines, where they come from, and what they leave out."""

import pytest
import spacy

import clinnlp
from clinnlp.errors import InputError
from clinnlp.summarise import summarise, summarise_patient

NOTE = """CHIEF COMPLAINT: Shortness of breath.

HISTORY OF PRESENT ILLNESS: A 71-year-old woman with heart failure comes with four days of orthopnea. She has no fever.

MEDICATIONS:
1. Furosemide 40 mg p.o. daily.
2. Furosemide 20 mg p.o. at noon.
3. Lisinopril 5 mg daily.

LABS: Potassium 5.9 mmol/L. Sodium 139 mmol/L.

PLAN:
- Increase furosemide to 80 mg.
- Echocardiogram tomorrow.
- Her daughter is a teacher.
"""


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load()


@pytest.fixture(scope="module")
def lines(nlp):
    return summarise(nlp(NOTE))


def of_kind(lines, kind):
    return [line.text for line in sorted(lines, key=lambda line: line.rank) if line.kind == kind]


def test_each_line_is_a_span_of_the_note_with_ranks_from_one(lines):
    assert all(NOTE[line.start : line.end] == line.text for line in lines)
    for kind in ("sentence", "problem", "medication", "result", "plan"):
        ranks = [line.rank for line in lines if line.kind == kind]
        assert ranks == list(range(1, len(ranks) + 1)) != []


def test_sentences_tell_why_the_patient_came(lines):
    assert set(of_kind(lines, "sentence")) == {
        "Shortness of breath.",
        "A 71-year-old woman with heart failure comes with four days of orthopnea.",
    }
    scores = [line.score for line in lines if line.kind == "sentence"]
    assert scores == sorted(scores, reverse=True)


def test_problems_are_those_the_patient_has(lines):
    assert of_kind(lines, "problem")[0] == "heart failure"
    assert "fever" not in of_kind(lines, "problem")


def test_a_drug_stands_once_with_its_dose(lines):
    assert of_kind(lines, "medication") == ["Furosemide 40 mg p.o. daily", "Lisinopril 5 mg daily"]


def test_results_are_those_outside_their_range(lines):
    assert of_kind(lines, "result") == ["Potassium 5.9"]


def test_a_plan_has_a_verb_or_names_what_is_done(lines):
    assert of_kind(lines, "plan") == ["Increase furosemide to 80 mg.", "Echocardiogram tomorrow."]


def test_dates_and_services_are_no_sentences(nlp):
    text = "ADMISSION DATE: [**2131-4-12**] DISCHARGE DATE: [**2131-4-17**]\n\nSERVICE: CARDIOLOGY\n\nHPI: He has gout."
    assert of_kind(summarise(nlp(text), 3), "sentence") == ["He has gout."]


def test_a_repeated_sentence_stands_once(nlp):
    text = (
        "HPI: A 40-year-old man with gout and a painful toe.\n\nA 40-year-old man with gout and a painful toe.\nWell."
    )
    sentences = of_kind(summarise(nlp(text), 3), "sentence")
    assert sentences == ["A 40-year-old man with gout and a painful toe.", "Well."]


def test_without_the_sentence_component_sentences_are_found_all_the_same():
    nlp = clinnlp.load(exclude=["clinnlp_sentences"])
    assert len(of_kind(summarise(nlp("He has gout. He is well.")), "sentence")) == 2


@pytest.mark.parametrize("text", ["", "   \n", "12 / 5", "ASSESSMENT:"])
def test_nothing_to_say_gives_no_sentence(text, nlp):
    assert of_kind(summarise(nlp(text)), "sentence") == []


def test_the_number_of_sentences(nlp):
    doc = nlp(NOTE)
    assert of_kind(summarise(doc, 0), "sentence") == []
    assert [len(of_kind(summarise(doc, n), "sentence")) for n in (1, 2)] == [1, 2]
    assert 2 <= len(of_kind(summarise(doc, 4), "sentence")) <= 4
    with pytest.raises(InputError, match="-1 sentences"):
        summarise(doc, -1)


def test_a_doc_of_another_pipeline_is_summarised_by_place():
    assert of_kind(summarise(spacy.blank("en")("First things first. Then others.")), "sentence")[0].startswith("First")


def test_a_budget_of_words_or_a_share_of_the_note(nlp):
    doc = nlp(NOTE)
    words = [len(text.split()) for text in of_kind(summarise(doc, 4, max_words=12), "sentence")]
    assert words
    assert sum(words) <= 12
    assert of_kind(summarise(doc, 4, max_share=0.001), "sentence") == []
    assert of_kind(summarise(doc, 2, max_share=1), "sentence") == of_kind(summarise(doc, 2), "sentence")
    for limit in ({"max_words": -1}, {"max_share": 1.5}):
        with pytest.raises(InputError, match="0 to 1 as share"):
            summarise(doc, **limit)


def test_the_course_of_a_patient_leaves_out_what_was_copied(nlp):
    import pandas as pd

    story = "A 71-year-old woman with heart failure comes with four days of orthopnea and swollen legs."
    texts = [f"HPI: {story}", f"HPI: {story}\nShe was given furosemide, and her breathing is better today."]
    notes = pd.DataFrame(
        {"note_id": ["b", "a"], "patient_id": "p", "date": ["2021-01-01", "2021-01-02"], "text": texts}
    )
    course = summarise_patient(clinnlp.read_notes(notes), nlp, 1)
    assert course["note_id"].tolist() == ["b", "a"]
    assert course["text"].tolist() == [story, "She was given furosemide, and her breathing is better today."]
