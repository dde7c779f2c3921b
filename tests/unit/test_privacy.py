"""Identifiers: every case and rule, placeholders, tables, masks and refusals that quote no text, and long texts."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from clinnlp.errors import InputError
from clinnlp.names import lower_case
from clinnlp.notes import read_notes
from clinnlp.privacy import check, find_identifiers, load_rules, mask, refuse
from clinnlp.resources import read_yaml

ROOT = Path(__file__).parents[2]
CASES = [json.loads(line) for line in (ROOT / "tests/cases/privacy.jsonl").open(encoding="utf-8")]
DATA = read_yaml("privacy.yml")
RULES = [(kind, rule) for kind in ("patterns", "cues") for rule in DATA[kind]]
HIDDEN = [*DATA["placeholders"], *DATA["harmless"]]
NOTE = "Pt seen by Dr. Castellano on 3/14/2019, MRN 4482190."


def find(text):
    return [(text[i.start : i.end], i.kind) for i in find_identifiers(text)]


def unmark(example):
    start, end = example.index("{"), example.rindex("}") - 1
    return example[:start] + example[start + 1 : end + 1] + example[end + 2 :], start, end


def covered(text, spans):
    return {(i, kind) for start, end, kind in spans for i in range(start, end) if text[i].isalnum()}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_case(case):
    text = case["text"]
    found = [(i.start, i.end, i.kind) for i in find_identifiers(text)]
    wanted = [(s["start"], s["end"], s["kind"]) for s in case["spans"]]
    assert covered(text, wanted) <= covered(text, found)
    for span in found:  # a finding may hold a little more than is asked for: the state behind a town
        mine = covered(text, [span])
        assert 2 * len(mine & covered(text, wanted)) >= len(mine)


def test_cases_have_ids_of_their_own_and_half_of_them_no_identifier():
    assert len({c["id"] for c in CASES}) == len({c["text"] for c in CASES}) == len(CASES) >= 500
    assert 0.4 < sum(not c["spans"] for c in CASES) / len(CASES) < 0.6
    assert {s["kind"] for c in CASES for s in c["spans"]} == set(DATA["kinds"])


@pytest.mark.parametrize(("group", "rule"), RULES, ids=lambda x: x["id"] if isinstance(x, dict) else x)
def test_each_rule_has_an_example_and_a_counter_example(group, rule):
    text, start, end = unmark(rule["example"])
    assert (text[start:end], rule.get("kind", "name")) in find(text)
    if group == "patterns":
        (pattern,) = [p for p in load_rules().patterns if p.id == rule["id"]]
        spans = [m.span(g) for m in pattern.finder.find(text, text.lower()) for g in (0, *pattern.groups)]
        assert (start, end) in spans
    else:
        (cue,) = [c for c in load_rules().names.cues if c.id == rule["id"]]
        assert start in [m.end() for m in cue.finder.find(text, text.lower())]
    assert find(rule["counter"]) == []


@pytest.mark.parametrize(
    ("finder", "rule"), list(zip(load_rules().hidden, HIDDEN, strict=True)), ids=lambda x: str(x)[:30]
)
def test_each_placeholder_is_known(finder, rule):
    text, start, end = unmark(rule["example"])
    assert (start, end) in [m.span() for m in finder.find(text, lower_case(text))]
    assert find(text) == []


def test_all_eighteen_paragraphs_of_safe_harbor_have_rules():
    assert sorted({k["paragraph"] for k in DATA["kinds"].values()}) == list("ABCDEFGHIJKLMNOPQR")
    assert {rule["kind"] for rule in DATA["patterns"]} == set(DATA["kinds"])


@pytest.mark.parametrize("kind", DATA["kinds"])
def test_what_masking_writes_is_a_placeholder(kind):
    assert find(f"Mr. {DATA['kinds'][kind]['mask']} is well, fax {DATA['kinds'][kind]['mask']}.") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Seen 3/14/2019, shifted 3/14/2131.", [("3/14/2019", "date")]),
        ("[**2131-4-12**]: Dr. [**Last Name**] and Dr. Ruiz", [("Ruiz", "name")]),
        ("89 y/o, 90 y/o", [("90", "age")]),
        ("Dr. Parkinson treats Parkinson's disease.", [("Parkinson", "name")]),
        ("Mary has Graves disease; Allen test normal.", [("Mary", "name")]),
        ("Susan reports pain in Boston.", [("Susan", "name"), ("Boston", "place")]),
        ("Boston criteria", []),
        ("4539 1488 0343 6467 and 4539 1488 0343 6468", [("4539 1488 0343 6467", "account")]),
        ("İİİ Dr. Ruiz", [("Ruiz", "name")]),
    ],
)
def test_pairs_of_a_kind(text, found):
    assert find(text) == found


def test_findings_are_in_order_and_apart():
    for case in CASES:
        found = find_identifiers(case["text"])
        assert all(0 <= i.start < i.end <= len(case["text"]) and 0 < i.score <= 1 for i in found)
        assert all(a.end <= b.start for a, b in pairwise(found))


def test_the_list_has_places_and_never_the_text():
    notes = pd.DataFrame({"note_id": ["a", "b", "c"], "text": [NOTE, None, "Bell's palsy in 2016."]})
    found = check(notes)
    assert list(found.columns) == ["note_id", "start", "end", "kind", "score", "rule"]
    assert found[["note_id", "kind"]].values.tolist() == [["a", "name"], ["a", "date"], ["a", "mrn"]]
    assert not re.search("Castellano|2019|4482190", found.to_csv())
    assert check(notes.iloc[1:]).empty
    assert check(notes.iloc[1:]).dtypes.equals(found.dtypes)


def test_kinds_can_be_ignored():
    notes = pd.DataFrame({"note_id": ["a"], "text": [NOTE]})
    assert set(check(notes, ignore=["date", "mrn"])["kind"]) == {"name"}
    assert mask(NOTE, ignore="date") == "Pt seen by Dr. [NAME] on 3/14/2019, MRN [MRN]."
    refuse(notes, ignore=["date", "mrn", "name"])
    with pytest.raises(InputError, match=r"No kind dates to ignore\. There are: name, place"):
        check(notes, ignore=["dates"])


def test_masking_makes_a_new_table_and_says_so():
    notes = pd.DataFrame(
        {"note_id": ["a", "a", "b"], "text": [NOTE, "Well.", None], "ward": [1, 2, 3]}, index=[5, 7, 9]
    )
    masked = mask(notes)
    assert masked["text"].tolist()[:2] == ["Pt seen by Dr. [NAME] on [DATE], MRN [MRN].", "Well."]
    assert masked["text"].isna().tolist() == [False, False, True]
    assert masked.attrs["masked"] == 3
    assert notes["text"].iloc[0] == NOTE
    assert "masked" not in notes.attrs
    assert masked.drop(columns="text").equals(notes.drop(columns="text"))
    assert masked.dtypes.equals(notes.dtypes)


def test_masking_twice_changes_nothing_more():
    for case in CASES:
        once = mask(case["text"])
        assert find(once) == []


def test_refusing_counts_kinds_and_names_notes_without_their_text():
    notes = pd.DataFrame({"note_id": ["a", "b", "c"], "text": [NOTE, "Fine.", "Mrs. Okafor"]})
    with pytest.raises(InputError) as error:
        refuse(notes)
    assert "2 of 3 notes may hold identifiers: 2 name, 1 date, 1 mrn. Notes: a, c." in str(error.value)
    assert not re.search("Castellano|Okafor|4482190", str(error.value))
    refuse(notes.iloc[[1]])


@pytest.mark.parametrize("function", [check, mask, refuse])
def test_a_table_without_texts_is_refused(function):
    with pytest.raises(InputError, match=r"lack the column text; found: note_id"):
        function(pd.DataFrame({"note_id": ["a"]}))


def test_sample_notes_hold_only_shifted_dates():
    notes = read_notes(ROOT / "sample_data/notes.csv")
    assert set(check(notes)["kind"]) == {"date"}


@pytest.mark.parametrize(
    "piece",
    [
        "a", "A", "Ab ", "Mary ", "1", "1 ", "1/", "1-", "1.", "(", "[**", "[name ", "<", "_", "@", "a@", "a.", " ",
        "\n", "Dr. ", "A. ", "name: ", "fax ", "MRN ", "#", ":", "0:", "A1 ", "de la ", "Smith, ", "Mary Smith and ",
        "+1 ", "1 Ab Cd ", "on 1/1 ", "Ab Hospital ", "mrn no no ", "X-",
    ],
)  # fmt: skip
def test_long_texts_of_one_piece_come_to_an_end(piece):
    find_identifiers(piece * (5000 // len(piece)))


def test_the_command_lists_refuses_and_masks(tmp_path):
    from typer.testing import CliRunner

    from clinnlp.cli import app

    notes = tmp_path / "notes.csv"
    notes.write_text("note_id,text\nn1,Call her at 555-867-5309.\nn2,No fever.\n", encoding="utf-8")
    run = CliRunner().invoke
    listed = run(app, ["privacy", str(notes)])
    assert listed.exit_code == 0
    assert "2 notes. Identifiers found: 1 phone" in listed.stderr
    assert run(app, ["privacy", str(notes), "--strict"]).exit_code == 2
    assert run(app, ["privacy", str(notes), "--mask"]).exit_code == 2
    out = tmp_path / "masked.csv"
    assert run(app, ["privacy", str(notes), "--mask", "--out", str(out)]).exit_code == 0
    assert "5309" not in out.read_text(encoding="utf-8")
