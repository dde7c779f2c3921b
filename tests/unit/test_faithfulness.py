"""The faithfulness check: the statement pairs of `cases/faithfulness.jsonl`, and what a user can rely on."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest

import clinnlp
from clinnlp.errors import InputError
from clinnlp.faithfulness import check_summary, faithfulness_score, show_check

CASES = Path(__file__).parents[1] / "cases"
PAIRS = [json.loads(line) for line in (CASES / "faithfulness.jsonl").read_text(encoding="utf8").splitlines()]
KNOWN_FAILURES = set((CASES / "faithfulness.known_failures.txt").read_text(encoding="utf8").split())
VERDICTS = ("contradicted", "unsupported", "supported")  # the worst first
NOTE = (
    "HPI: 67 yo man with HTN. Denies chest pain. Possible pneumonia on CXR. Left hip fracture in 2015.\n"
    "Metoprolol 25 mg BID. BP 169/74.\nFAMILY HISTORY: Mother had breast cancer.\nReturn if fever develops.\n"
)


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load(exclude=["clinnlp_ner"])


@pytest.fixture(scope="module")
def verdicts(nlp):
    found = {}
    for pair in PAIRS:
        told = set(check_summary(pair["statement"], pair["text"], nlp)["verdict"])
        found[pair["id"]] = next((v for v in VERDICTS if v in told), "unsupported")
    return found


def test_known_failures_match_exactly(verdicts):
    assert {pair["id"] for pair in PAIRS if verdicts[pair["id"]] != pair["label"]} == KNOWN_FAILURES


def test_precision_and_recall(verdicts):
    told = Counter(verdicts.values())
    gold = Counter(pair["label"] for pair in PAIRS)
    right = Counter(pair["label"] for pair in PAIRS if verdicts[pair["id"]] == pair["label"])
    assert len({pair["id"] for pair in PAIRS}) == len(PAIRS) >= 240
    for label in VERDICTS:
        assert right[label] / told[label] >= 0.9, label
        assert right[label] / gold[label] >= 0.9, label


@pytest.mark.parametrize(
    ("statement", "verdict", "at", "reason"),
    [
        ("He has high blood pressure.", "supported", "HTN", "the note says so"),
        ("He has chest pain.", "contradicted", "chest pain", "the note denies it"),
        ("He has pneumonia.", "contradicted", "pneumonia", "only possible in the note"),
        ("He may have pneumonia.", "supported", "pneumonia", "the note says so"),
        ("He has a fever.", "contradicted", "fever", "the note names it as a condition only"),
        ("He takes metoprolol 50 mg twice daily.", "contradicted", "Metoprolol", "dose differs: 25 mg in the note"),
        ("He takes metoprolol 25 mg daily.", "contradicted", "Metoprolol", "frequency differs: BID in the note"),
        ("He takes warfarin.", "unsupported", None, "warfarin is not in the note"),
        ("His blood pressure was 120/80.", "contradicted", "169/74", "blood pressure differs: 169/74 in the note"),
        ("He is 76 years old.", "contradicted", "67 yo", "age differs: 67 in the note"),
        ("The patient is a woman.", "contradicted", "man", "sex differs: male in the note"),
        ("He broke his right hip.", "contradicted", "fracture", "left in the note"),
        ("His father had breast cancer.", "contradicted", "breast cancer", "said of the mother in the note"),
        ("He has breast cancer.", "contradicted", "breast cancer", "said of the mother in the note"),
        ("He has no history of diabetes.", "unsupported", None, "not in the note"),
    ],
)
def test_verdict_place_and_reason(nlp, statement, verdict, at, reason):
    rows = check_summary(statement, NOTE, nlp).to_dict("records")
    worst = min(rows, key=lambda row: VERDICTS.index(row["verdict"]))
    assert (worst["verdict"], worst["reason"]) == (verdict, reason)
    if at:
        assert at in NOTE[worst["start"] : worst["end"]]


def test_columns_and_offsets(nlp):
    summary = "A 67-year-old man with high blood pressure. Takes metoprolol 25 mg twice daily and warfarin."
    claims = check_summary(summary, NOTE, nlp)
    assert {c: str(t) for c, t in claims.dtypes.items()} == {
        "claim": "str", "verdict": "str", "start": "Int64", "end": "Int64", "reason": "str",
    }  # fmt: skip
    assert all(claim in summary for claim in claims["claim"])
    placed = claims.dropna(subset=["start"])
    assert ((placed["start"] >= 0) & (placed["start"] < placed["end"]) & (placed["end"] <= len(NOTE))).all()
    assert (claims["start"].isna() == (claims["verdict"] == "unsupported")).all()
    assert faithfulness_score(claims) == (claims["verdict"] == "supported").mean() < 1


@pytest.mark.parametrize("summary", ["", " \n", "...", "\0", "He is.", "-" * 2_000, "İ no fever " * 20])
def test_odd_summaries(nlp, summary):
    claims = check_summary(summary, NOTE, nlp)
    assert set(claims["verdict"]) <= set(VERDICTS)
    assert set(check_summary("He has gout.", summary, nlp)["verdict"]) == {"unsupported"}


def test_nothing_claimed(nlp):
    claims = check_summary("", NOTE, nlp)
    assert len(claims) == 0
    assert math.isnan(faithfulness_score(claims))
    assert repr(show_check("", NOTE, nlp)) == "<summary: 0 claims, none supported>"


@pytest.mark.parametrize(("summary", "note"), [(None, "Secret gout."), ("Secret gout.", 7), (["Secret gout."], "x")])
def test_not_a_string(nlp, summary, note):
    with pytest.raises(InputError, match="should be a string") as caught:
        check_summary(summary, note, nlp)
    assert "gout" not in str(caught.value)


def test_view_marks_and_escapes(nlp):
    summary, note = (
        'Has gout <b>"now"</b>. Takes aspirin & ibuprofen.',
        "<script>x</script> Gout & aspirin. No ibuprofen.",
    )
    view = show_check(summary, note, nlp)
    body = view._repr_html_().split("<h4>Summary</h4>")[1]
    assert "<script>" not in body
    assert "<b>" not in body
    assert re.search(r'<mark class="supported" title="supported: [^"]+">gout</mark>', body)
    assert re.search(r'<mark class="contradicted" title="contradicted: [^"]+">ibuprofen</mark>', body)
    assert all(sign in view.html for sign in "✓✗?")
    assert "supported" in repr(view)


def test_note_is_read_once(nlp, monkeypatch):
    check_summary("He has gout.", NOTE, nlp)
    calls = []
    monkeypatch.setattr(type(nlp), "__call__", lambda self, text: calls.append(text) or self.make_doc(text))
    check_summary("He has gout and asthma.", NOTE, nlp)
    assert calls == ["He has gout and asthma."]
