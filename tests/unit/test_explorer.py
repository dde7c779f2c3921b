import sys

import numpy as np
import pandas as pd
import pytest

import clinnlp
from clinnlp import explorer
from clinnlp.errors import InputError
from clinnlp.explorer import Session, explore, pieces
from clinnlp.search import TextIndex
from small_result import HOSTILE, ROWS, TEXTS, build, evidence

QUERIES = [  # what is asked, the sentence that means it, and one that shares its words but means something else
    ("heart attack", "Anterior MI in 2012, stented to the LAD.", "Panic attack on the ward, heart sounds regular."),
    ("high blood pressure", "HTN, on amlodipine.", "Blood drawn, tube under pressure, result high."),
    ("stroke", "Hx of CVA with left-sided weakness.", "Breast stroke twice a week at the pool."),
    ("kidney failure", "CKD stage 4, followed by nephrology.", "Failure to attend the kidney donor talk."),
    ("shortness of breath", "SOB on one flight of stairs.", "Short breath-hold images were obtained."),
    ("irregular heartbeat", "AF, rate controlled with metoprolol.", "Heartbeat regular, pupils irregular."),
    ("blood clot in the leg", "DVT of the right popliteal vein.", "Blood on the leg dressing, no clot."),
    ("urine infection", "UTI treated with nitrofurantoin.", "Urine dip clear, no sign of infection control breach."),
    ("acid reflux", "GERD, better on omeprazole.", "Knee reflex brisk, folic acid given."),
    ("clogged heart arteries", "CAD s/p CABG x3.", "IV line clogged, arteries of the heart not seen."),
    ("blood sugar disease", "Type 2 diabetes mellitus, diet controlled.", "Blood bank called about a rare disease."),
    ("cancer of the breast", "Infiltrating ductal carcinoma, left mastectomy.", "Breast feeding went well."),
    ("trouble sleeping", "She complains of insomnia since the move.", "Trouble with parking at the sleep clinic."),
    ("throwing up", "Emesis three times overnight.", "Throwing arm sore, lifts it up well."),
    ("belly pain", "Diffuse abdominal tenderness and discomfort.", "Chest pain free, belly soft."),
    ("broken hip", "Femoral neck fracture after a fall.", "Hip replaced by a broken-line plan."),
    ("fever", "Temperature up to 39.4 overnight.", "Hay fever each spring."),
    ("passing out", "Syncope while standing in line.", "Passing urine freely, ruled out retention."),
    ("itchy skin", "Generalised pruritus without rash.", "Skin warm and dry."),
    ("swollen ankles", "2+ pitting oedema to the mid-shins.", "Ankles stable, full range."),
    ("lives alone", "Widowed, no one else at home.", "Left alone to rest, family lives nearby and cooks."),
    ("cannot afford medicine", "Ran out of pills because of the cost.", "Medicine team will see him."),
    ("refused treatment", "Declined surgery against advice.", "Treatment with heat was tried."),
    ("lost weight", "Trousers are two sizes too big since May.", "Weight bearing as tolerated, stick lost."),
    ("walks with help", "Ambulates with a rollator.", "Helps his son with the dog walks."),
    ("drinks too much", "Six beers nightly and a bottle of wine at weekends.", "Drinks tea, not too hot."),
    ("stopped smoking", "Quit cigarettes ten years ago.", "Alarm stopped; smoking toaster removed."),
    ("feels sad", "Low mood and tearful most days.", "Feels the left foot less."),
    ("go home", "Discharged to her own flat with nursing visits.", "Home oxygen tank let go."),
    ("follow up with heart doctor", "Cardiology clinic in two weeks.", "Doctor will follow the heart murmur song."),
]


def table(*texts):
    return pd.DataFrame({"note_id": [f"n{i}" for i in range(len(texts))], "text": list(texts)})


def found(texts, query):
    """The notes that have the words of a query, with the words found."""
    rows = TextIndex(table(*texts)).words(query)
    for row in rows.itertuples():
        assert texts[int(row.note_id[1:])][row.start : row.end] == row.text
    return rows[["note_id", "text"]].values.tolist()


@pytest.mark.parametrize(
    ("query", "notes"),
    [
        ("fever", ["n0", "n1"]),
        ("FEV", ["n0", "n1"]),  # capitals do not count, and the word goes on
        ("ever", []),
        ("cough fever", ["n0", "n1"]),  # in any order
        ("fever rash", []),  # each is somewhere, but not in one note
        ('"fever cough"', ["n1"]),
        ('"fever cou"', []),  # a phrase does not go on
        ('"fever, cough', ["n1"]),  # while it is typed
        ("rash straße", ["n2"]),
        ("STRASSE", ["n2"]),
        ("142/88", ["n2"]),
        ("142/8", ["n2"]),
        ("88/142", []),
        ("", []),
        ("!?", []),
        ('""', []),
    ],
)
def test_words_find_notes(query, notes):
    texts = ["Cough, no fever.", "\U0001f600 Fever; cough", "Straße: rash, BP 142/88", ""]
    assert [note for note, _ in found(texts, query)] == notes


def test_phrase_does_not_go_over_the_end_of_a_note():
    assert found(["no chest", "pain at all"], '"chest pain"') == []


def test_note_with_more_places_comes_first_and_the_closest_place_is_given():
    texts = ["pain. " + "x " * 30 + "chest", "Pain in knee. Chest clear. Pain, chest", "chest: no pain"]
    assert found(texts, "chest pain") == [["n1", "Pain, chest"], ["n0", "chest"], ["n2", "chest: no pain"]]


def test_words_of_notes_without_text_are_none():
    for notes in (table(), table(""), table(None)):
        index = TextIndex(notes.astype("str"))
        assert (len(index.words("a")), len(index.meaning("fever"))) == (0, 0)


@pytest.fixture(scope="module")
def sentences():
    wrong_first = table(*(wrong for *_, wrong in QUERIES), *(right for _, right, _ in QUERIES))
    return TextIndex(wrong_first.assign(note_id=[f"{kind}{i}" for kind in ("wrong", "right") for i in range(30)]))


def reciprocal_rank(index):
    ranks = []
    for i, (query, *_) in enumerate(QUERIES):
        notes = index.meaning(query, 60)["note_id"].tolist()
        ranks.append(1 / (1 + notes.index(f"right{i}")) if f"right{i}" in notes else 0)
    return sum(ranks) / len(ranks)


def test_meaning_is_found_better_by_concepts_and_words_together_than_by_either(sentences, monkeypatch):
    parts = {query: list(sentences._parts(query)) for query, *_ in QUERIES}
    monkeypatch.setattr(sentences, "_parts", parts.get)
    both = reciprocal_rank(sentences)
    with monkeypatch.context() as without:
        without.setattr(sentences, "_alike", lambda query: np.zeros(60))
        concepts = reciprocal_rank(sentences)
    with monkeypatch.context() as without:
        without.setattr(sentences, "_named", lambda query: (np.zeros(60), 0.0))
        vectors = reciprocal_rank(sentences)
    assert [both, concepts, vectors] == pytest.approx([0.49, 0.28, 0.28], abs=0.05)


def test_other_words_for_the_same_disease_are_found(sentences):
    for i in (0, 1, 3):
        first, second = sentences.meaning(QUERIES[i][0], 2).itertuples()
        assert first.text == QUERIES[i][1]
        assert 1 >= first.score > second.score


def test_meaning_of_the_same_sentence_is_listed_once_and_scores_fall():
    index = TextIndex(table("No fever. Fever overnight.", "No fever.", "Felt hot."))
    rows = index.meaning("fever")
    assert set(rows["text"][:2]) == {"Fever overnight.", "No fever."}
    assert rows["text"].is_unique
    assert rows["score"].is_monotonic_decreasing
    assert len(index.meaning("fever", 1)) == 1
    assert index.meaning("").empty


def test_result_is_not_annotated_again(monkeypatch):
    notes = table("Anterior MI in 2012.", "Mild cough.")
    nlp = clinnlp.load(exclude=["clinnlp_ner"])
    index = TextIndex(clinnlp.annotate(notes, nlp), nlp)
    read, annotate = [], clinnlp.annotate

    def listen(notes, nlp):
        read.extend(notes["text"])
        return annotate(notes, nlp)

    monkeypatch.setattr("clinnlp.pipeline.annotate", listen)
    assert index.meaning("heart attack", 1)["text"].tolist() == ["Anterior MI in 2012."]
    assert read == ["heart attack"]


def listed(session, kind="notes", name="id"):
    return [row[name] for row in session.lists()[kind]]


def test_first_note_of_the_first_patient_is_shown(result):
    session = Session(result)
    assert session.note()["id"] == "p01-01"
    assert session.note()["about"] == ["patient p01", "2023-01-05 · Progress note"]
    assert listed(session, "patients", "name") == ["p01", "p02", "p03"]
    assert listed(session) == ["p01-01", "p01-02", "p01-03"]
    session.choose_patient(1)
    assert (session.note()["id"], listed(session)) == ("p02-01", ["p02-01"])


@pytest.mark.parametrize("note_id", TEXTS)
def test_pieces_are_the_text_and_say_what_stands_where(result, note_id):
    note = Session(result, note_id).note()
    assert "".join(piece["text"] for piece in note["pieces"]) == TEXTS[note_id]
    for number, row in enumerate(note["entities"]):
        assert "".join(p["text"] for p in note["pieces"] if number in p["entities"]) == row["text"]
    for number, row in enumerate(note["evidence"]):
        assert "".join(p["text"] for p in note["pieces"] if number in p["evidence"]) == row["text"]


def test_inner_entity_comes_first_and_headers_and_the_place_are_marked():
    text = "PLAN: lisinopril 10 mg \U0001f600"
    spans = [{"start": 6, "end": 22}, {"start": 6, "end": 16}]
    found = pieces(text, spans, [], [{"start": 0, "end": 4}], (17, 22))
    assert [(p["text"], p["entities"], p["header"], p["found"]) for p in found] == [
        ("PLAN", [], True, False), (": ", [], False, False), ("lisinopril", [1, 0], False, False),
        (" ", [0], False, False), ("10 mg", [0], False, True), (" \U0001f600", [], False, False),
    ]  # fmt: skip


def test_entity_tells_why_it_is_what_it_is(result):
    note = Session(result, "p01-01").note()
    of = {row["text"]: row for row in note["entities"]}
    pain, cancer, drug = of["chest pain"], of["breast cancer"], of["lisinopril"]
    assert (pain["cue"], pain["section"], pain["source"], pain["score"]) == ("Denies", "present_illness", "model", 0.9)
    assert (drug["code_system"], drug["code"], drug["code_name"]) == ("RxNorm", "29046", "lisinopril")
    assert pain["evidence"] == []
    (number,) = cancer["evidence"]
    speaks = note["evidence"][number]
    assert (speaks["name"], speaks["polarity"], speaks["status"]) == ("cancer", "context", "family")
    assert speaks["rule"] == "term:cancer"


def test_flags_lead_to_their_evidence_the_best_first():
    rows = {**ROWS, "evidence": [evidence("p01-02", "hypertension", "PLAN"), *ROWS["evidence"]]}
    note = Session(build(rows), "p01-02").note()
    assert [(flag["status"], flag["name"]) for flag in note["flags"]] == [
        ("present", "heart failure"), ("present", "hypertension"), ("uncertain", "pneumonia"),
    ]  # fmt: skip
    texts = [note["evidence"][number]["text"] for number in note["flags"][1]["evidence"]]
    assert texts == ["Hypertension", "PLAN"]


def test_flag_without_a_row_of_evidence_leads_to_its_own_words():
    rows = {**ROWS, "evidence": [row for row in ROWS["evidence"] if row["condition"] != "diabetes"]}
    note = Session(build(rows), "p02-01").note()
    diabetes = next(flag for flag in note["flags"] if flag["name"] == "diabetes")
    (number,) = diabetes["evidence"]
    assert (note["evidence"][number]["text"], note["evidence"][number]["polarity"]) == ("metformin", "context")


def shown(session):
    return [row["text"] for row in session.note()["entities"] if row["shown"]]


def test_filters_narrow_the_entities_the_notes_and_the_patients(result):
    session = Session(result)
    session.filter("label", ["DISEASE"])
    assert shown(session) == ["hypertension", "breast cancer"]
    assert listed(session) == ["p01-01", "p01-02", "p01-03"]
    assert [row["entities"] for row in session.lists()["notes"]] == [2, 3, 1]
    session.filter("assertion", ["absent"])
    assert (shown(session), listed(session), listed(session, "patients", "name")) == ([], [], [])
    session.filter("assertion", ["historical", "family"])
    assert shown(session) == ["breast cancer"]
    assert (listed(session), listed(session, "patients", "name")) == (["p01-01"], ["p01", "p02"])
    session.filter("label", ["DISEASE", "SYMPTOM"])
    session.filter("assertion", [])
    assert shown(session) == ["chest pain", "hypertension", "breast cancer"]
    session.filter("section", ["present_illness"])
    assert shown(session) == ["chest pain"]
    for kind in ("label", "section"):
        session.filter(kind, [])
    assert len(shown(session)) == 5
    assert listed(session, "patients", "name") == ["p01", "p02", "p03"]


def test_patient_opens_at_the_first_note_that_the_filters_leave(result):
    session = Session(result, "p02-01")
    session.filter("assertion", ["hypothetical"])
    session.choose_patient(0)
    assert session.note()["id"] == "p01-02"


def test_filters_count_what_the_note_has(result):
    options = {(row["kind"], row["value"]): row for row in Session(result).lists()["filters"]}
    assert options["label", "DISEASE"]["count"] == 2
    assert options["assertion", "absent"]["count"] == 1
    assert [value for kind, value in options if kind == "section"] == ["present_illness"]


def test_unknown_note_filter_and_search_are_explained(result, empty_result):
    session = Session(result)
    for call, words in [
        (lambda: explore(result, "x"), r"no note 'x'.*p01-01"),
        (lambda: session.open("x"), "no note 'x'"),
        (lambda: session.filter("label", ["HEART"]), "no label HEART.*DISEASE"),
        (lambda: session.filter("colour", ["red"]), "no colour red.*label, assertion, section"),
        (lambda: session.search("x", "smell"), "no search by 'smell'.*words or meaning"),
        (lambda: explore(empty_result), "nothing to explore"),
    ]:
        with pytest.raises(InputError, match=words):
            call()
    assert session.note()["id"] == "p01-01"


def test_lists_are_narrowed_by_typing_and_never_long():
    notes = [(f"n{i:03}", f"p{i:03}", None, "Letter", "text") for i in range(150)]
    notes += [(f"m{i:03}", None, None, None, "text") for i in range(120)]
    columns = ("note_id", "patient_id", "date", "note_type", "text")
    session = Session(build({"notes": [dict(zip(columns, note, strict=True)) for note in notes]}))
    assert (len(listed(session, "patients", "name")), session.lists()["patients_in_all"]) == (100, 151)
    session.find("patient", " P14")
    assert listed(session, "patients", "name") == [f"p14{i}" for i in range(10)]
    session.find("patient", "no patient")
    session.choose_patient(session.lists()["patients"][0]["number"])
    assert session.note()["about"] == ["no patient", ""]
    assert (len(listed(session)), session.lists()["notes_in_all"]) == (100, 120)
    session.find("note", "m11")
    assert listed(session) == [f"m11{i}" for i in range(10)]


def test_search_lists_snippets_and_opens_the_place(result):
    session = Session(result)
    session.search("pneumonia")
    assert session.found["message"] == "2 notes"
    first = session.found["results"][0]
    assert (first["note"], first["about"]) == ("p01-02", "2023-06-20 · Discharge summary")
    assert (first["before"], first["text"]) == ("COURSE: Treated for heart failure. Possible ", "pneumonia")
    assert first["after"].startswith(".\nNothing else")
    session.open(first["note"], *first["place"])
    note = session.note()
    assert note["id"] == "p01-02"
    assert [p["text"] for p in note["pieces"] if p["found"]] == ["pneumonia"]
    assert session.lists()["patient"] == 0
    session.open("p01-02")
    assert not any(p["found"] for p in session.note()["pieces"])
    session.search("nothing at all")
    assert (session.found["message"], session.found["results"]) == ("Nothing was found.", [])
    session.search("")
    assert session.found["message"] == ""


def test_results_are_listed_up_to_a_limit_and_quoted_in_part(monkeypatch, result):
    monkeypatch.setattr(explorer, "LISTED", 1)
    monkeypatch.setattr(explorer, "LONGEST", 5)
    session = Session(result)
    session.search("pneumonia")
    assert session.found["message"] == "2 notes, the first 1 shown"
    assert [row["text"] for row in session.found["results"]] == ["pneum"]


def test_widget_does_what_the_browser_sends(result):
    widget = explore(result)
    widget._handle_custom_msg({"do": "open", "with": ["p02-01"]}, [])
    assert (widget.note["id"], widget.lists["note"]) == ("p02-01", "p02-01")
    widget._handle_custom_msg({"do": "search", "with": ["metformin", "words"]}, [])
    assert [row["note"] for row in widget.found["results"]] == ["p02-01"]
    widget._handle_custom_msg({"do": "open", "with": ["p02-01", *widget.found["results"][0]["place"]]}, [])
    assert [p["text"] for p in widget.note["pieces"] if p["found"]] == ["metformin"]
    widget._handle_custom_msg({"do": "__setattr__", "with": ["note_id", "hacked"]}, [])
    assert widget.note["id"] == "p02-01"
    widget.show("p03-01")
    assert widget.note["pieces"] == []


def test_opening_the_same_note_again_is_heard_of(result):
    widget = explore(result, "p01-01")
    before = widget.note["opened"]
    widget.show("p01-01")
    assert widget.note["opened"] != before


def test_only_the_shown_note_travels(result):
    widget = explore(result, "p02-01")
    state = str({name: value for name, value in widget.get_state().items() if not name.startswith("_")})
    assert "HbA1c" in state
    assert not any(words in state for words in ("Denies chest pain", "Treated for", "onerror"))


def test_note_text_never_becomes_markup(result):
    widget = explore(result, "p01-03")
    assert "".join(piece["text"] for piece in widget.note["pieces"]) == HOSTILE
    assert not any(tag in widget._repr_html_() for tag in ("<script", "<img"))
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http:", "https:"):
        assert way not in widget._esm + widget._css


def test_output_holds_the_widget_and_a_static_view_of_the_note(result):
    from IPython.core.formatters import DisplayFormatter

    widget = explore(result, "p01-02")
    bundle, _ = DisplayFormatter().format(widget)
    assert bundle["text/plain"] == "<explorer of 5 notes: note 'p01-02' is shown>"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == result_html(result, "p01-02")


def result_html(result, note_id):
    from clinnlp.display import show

    return show(result, note_id)._repr_html_()


def test_static_view_is_shown_where_anywidget_is_missing(result, monkeypatch):
    explorer._widget_class.cache_clear()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.warns(UserWarning, match=r'pip install "clinnlp\[notebooks\]"'):
        view = explore(result)
    assert view._repr_html_() == result_html(result, "p01-01")


def test_note_without_text_is_shown_empty():
    widget = explore(build({"notes": [{**row, "text": None} for row in ROWS["notes"]]}), "p01-01")
    assert widget.note["pieces"] == []
    assert "p01-01" in widget._repr_html_()
