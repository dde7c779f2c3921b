"""Abbreviations: every example of the table, what the note defines, and what stays ambiguous."""

import time

import pytest

from clinnlp.abbreviations import abbreviations_table, find_abbreviations
from clinnlp.resources import read_yaml
from clinnlp.schema import ENTITY_LABELS, SECTION_CATEGORIES
from clinnlp.tokenizer import blank

TABLE = read_yaml("abbreviations.yml")["abbreviations"]
AMBIGUOUS = [entry for entry in TABLE if len(entry["senses"]) > 1]
EXAMPLES = [
    pytest.param(example["text"], example["is"], id=f"{entry['short']}-{example['is']}-{i}")
    for entry in AMBIGUOUS
    for i, example in enumerate(entry["examples"])
]
UNCLEAR = [pytest.param(entry["unclear"], entry, id=entry["short"]) for entry in AMBIGUOUS]
nlp = blank()
nlp.add_pipe("clinnlp_sentences")
nlp.add_pipe("clinnlp_sections")


def marked(text):
    """Give the abbreviation found at the braces."""
    start, end = text.index("{"), text.index("}") - 1
    (found,) = [a for a in find_abbreviations(nlp(text.replace("{", "").replace("}", ""))) if a.start == start]
    assert found.end == end
    return found


def read(text):
    return [(a.short, a.long, a.how) for a in find_abbreviations(nlp(text))]


@pytest.mark.parametrize(("text", "long"), EXAMPLES)
def test_examples_are_resolved(text, long):
    found = marked(text)
    assert found.long == long
    assert found.how in ("neighbour", "section")


@pytest.mark.parametrize(("text", "entry"), UNCLEAR)
def test_where_nothing_decides_it_stays_ambiguous(text, entry):
    found = marked(text)
    assert (found.short, found.long, found.how) == (entry["short"], None, "ambiguous")
    assert found.senses == tuple(sense["long"] for sense in entry["senses"])


def test_the_table_is_sound():
    shorts = [entry["short"] for entry in TABLE]
    assert len(shorts) == len(set(shorts)) >= 60
    assert len(AMBIGUOUS) >= 30
    for entry in TABLE:
        longs = [sense["long"] for sense in entry["senses"]]
        assert len(longs) == len(set(longs))
        for sense in entry["senses"]:
            assert sense["label"] in (*ENTITY_LABELS, "other")
            assert set(sense.get("sections", ())) <= set(SECTION_CATEGORIES)
            assert all(isinstance(word, str) for word in sense.get("neighbours", ())), entry["short"]
    for entry in AMBIGUOUS:
        assert {example["is"] for example in entry["examples"]} == {sense["long"] for sense in entry["senses"]}
        assert all("{" + entry["short"] + "}" in text for text in (entry["unclear"], entry["examples"][0]["text"]))


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("Known congestive heart failure (CHF).", "CHF", "congestive heart failure"),
        ("CHF (congestive heart failure) is stable.", "CHF", "congestive heart failure"),
        ("Long-standing hypertension (HTN).", "HTN", "hypertension"),
        ("Has shortness of breath (SOB, worse at night).", "SOB", "shortness of breath"),
        ("Echo: heart failure with preserved ejection\nfraction (HFpEF)", "HFpEF",
         "heart failure with preserved ejection fraction"),
        ("Rare premature ventricular contractions (PVCs).", "PVC", "premature ventricular contractions"),
        ("She has Münchmeyer syndrome (MS).", "MS", "münchmeyer syndrome"),
        ("MS (mitral stenosis; mild)", "MS", "mitral stenosis"),
        ("prolonged prothrombin time (PT)", "PT", "prothrombin time"),
    ],
)  # fmt: skip
def test_what_the_note_defines(text, short, long):
    assert read(text)[-1] == (short, long, "defined")


@pytest.mark.parametrize(
    "text",
    [
        "Chest pain at rest (CHF).", "The patient (PT) left.", "Hypertension well controlled (HTN).",
        "HTN (controlled)", "Diabetes, heart failure (DHF)", "MS (mild).", "Was seen (by us).", "Cramps. Pain (CP)",
    ],
)  # fmt: skip
def test_what_is_in_brackets_need_not_be_a_definition(text):
    assert "defined" not in [how for *_, how in read(text)]


def test_a_definition_holds_from_there_on_and_outranks_the_table():
    text = "MS noted. Mitral stenosis (MS) since 1990. Neurology saw her, no relapse of MS.\nPVC? Plan: MS stable"
    assert [how for short, _, how in read(text) if short == "MS"] == ["ambiguous", "defined", "defined", "defined"]
    assert [long for short, long, _ in read(text) if short == "MS"] == [None, *["mitral stenosis"] * 3]
    assert read("Premature atrial contractions (PACs). One PAC today. BID")[-2:] == [
        ("PAC", "premature atrial contractions", "defined"), ("BID", "twice a day", "only"),
    ]  # fmt: skip


def test_offsets_give_the_text():
    text = "Pt w/ HTN/CHF, PEs in 2010; N/V. [**MS Name**] post-MI\nbid s/p CABG. D/C home"
    found = find_abbreviations(nlp(text))
    assert [text[a.start : a.end] for a in found] == ["HTN", "CHF", "PEs", "N/V", "MI", "bid", "s/p", "CABG", "D/C"]
    assert [a.short for a in found][2] == "PE"


def test_neighbours_outrank_the_section():
    assert read("PMH:\nPE in 2010")[-1] == ("PE", "pulmonary embolism", "section")
    assert read("PMH:\nPE tubes")[-1] == ("PE", "pressure equalization", "neighbour")


@pytest.mark.parametrize(
    "text", ["Echo and interferon for MS", "MEDICATIONS:\ninterferon for MS, MS 15 mg", "Abdomen and lungs: BS present"]
)
def test_conflicting_evidence_leaves_it_ambiguous(text):
    assert read(text)[-1][1:] == (None, "ambiguous")


def test_neighbours_are_of_the_sentence_and_near():
    assert read("Echo: mild MR")[-1][1] == "mitral regurgitation"  # a header on the line counts
    assert read("CC: blood in urine") == [("CC", "chief complaint", "section")]  # but is no neighbour of its body
    assert read("MS is stable. Echo is done.") == [("MS", None, "ambiguous")]
    assert read("MS " + "and so on " * 4 + "echo") == [("MS", None, "ambiguous")]


def test_lower_case_and_words_in_capitals_are_not_taken():
    assert read("as seen by us, pe and ms with ra; Ms. A") == []
    assert read("TAKE ASPIRIN AS NEEDED") == []
    assert [short for short, *_ in read("CAD, HTN, AS")] == ["CAD", "HTN", "AS"]
    assert read("The pt is well") == [("pt", "patient", "only")]


def test_the_table_of_a_note():
    table = abbreviations_table(nlp("HTN. MS"))
    assert list(table.columns) == ["start", "end", "short", "long", "how", "senses"]
    assert table["long"].isna().tolist() == [False, True]
    assert table["senses"][0] == ("hypertension",)
    assert abbreviations_table(nlp("")).empty


@pytest.mark.parametrize(
    "text",
    [
        "", " \n", "()", "( )", "(((" * 5000, ")))" * 5000, "()" * 5000, "(A" * 5000, "[**" * 5000, "A/" * 10_000,
        "MS " * 6667, "a" * 20_000, "a" * 20_000 + " (AAAAAAAAAB)", "MS (ms) " * 2500, "AS AI " * 3333, "(MS)\n" * 4000,
        "-" * 20_000, "é" * 20_000, "CHF (" * 4000, ("b " * 12 + "(AAAAAAAAAA) ") * 500,
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_odd_texts_stay_quick(text):
    doc = nlp(text)
    started = time.perf_counter()
    found = find_abbreviations(doc)
    assert time.perf_counter() - started < 2
    assert all(0 <= a.start < a.end <= len(text) for a in found)
