"""Whatever the text, every row of every table leads back to its characters, and nothing raises."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clinnlp
from clinnlp.schema import TABLES

PIECES = [
    "HPI: ",
    "PMH:\r\n",
    "Denies chest pain",
    ", fever",
    " or cough",
    "\n- ",
    "\t",
    "\r\n",
    "[x] HTN  [ ] DM ",
    "SOB (+) ",
    "h/o MI in 2019",
    "lisinopril 10 mg PO BID",
    "BP 169/74",
    "Cr 1.4 -> 2.1",
    "WBC 12.3 H",
    "Mother had breast cancer. ",
    "NKDA",
    "r/o PE",
    "😀",
    "é",
    "\u200d",
    "ﬀ",
    "İ",
    "ß",
    "\x00",
    "\ufeff",
    "[**Name**]",
    "___",
    "<DATE>",
    "(",
    "))",
    "%",
    "quit smoking",
    "A1c 8.2%",
    "metformin",
    "1. ",
    "q4-6h prn",
    "no",
    "\u2028",
    "\x85",
    "\x1c",
    " " * 60,
    "a" * 300,
]
TEXT = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
QUOTED = {"sections": "header", "entities": "text", "medications": "text", "measurements": "value", "flags": "evidence",
          "evidence": "text", "summaries": "text"}  # fmt: skip


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load()


def check(text, nlp):
    result = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp)
    assert result.errors.empty
    for name, quote in QUOTED.items():
        table = getattr(result, name)
        assert list(table.columns) == list(TABLES[name])
        assert [text[a:b] for a, b in zip(table["start"], table["end"], strict=True)] == list(table[quote])
    assert (result.sections["body_start"] <= result.sections["body_end"]).all()
    return result


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT)
def test_every_row_leads_back_to_its_characters(text, nlp):
    check(text, nlp)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\r\n ",
        "Denies fever, chills. " * 4600,
        "a" * 100_000,
        "no fever\n" * 11_000,
        "(" * 5_000,
        "é̂👩‍👩‍👧 fever" * 50,
    ],
    ids=["empty", "white space", "100,000 characters", "one long word", "many lines", "brackets", "marks and emoji"],
)
def test_extreme_notes(text, nlp):
    check(text, nlp)


def test_offsets_count_characters_whatever_stands_before(nlp):
    for before in ("", "😀 ", "é ", "\r\n\t", "[**Name**] "):
        result = check(f"{before}denies chest pain", nlp)
        assert list(result.entities["start"]) == [len(before) + len("denies ")]
