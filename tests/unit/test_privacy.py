"""Identifiers: every case and rule, placeholders, tables, masks and refusals that quote no text, and long texts."""

import json
import re
from importlib.metadata import PackageNotFoundError
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from clinnlp.errors import InputError, ResourceError
from clinnlp.name_lists import load_lists
from clinnlp.names import lower_case
from clinnlp.notes import read_notes
from clinnlp.privacy import check, find_identifiers, guard, load_rules, mask, refuse
from clinnlp.privacy_notebook import mask_outputs
from clinnlp.resources import read_yaml

ROOT = Path(__file__).parents[2]
CASES = [json.loads(line) for line in (ROOT / "tests/cases/privacy.jsonl").open(encoding="utf-8")]
DRAWN = [json.loads(line) for line in (ROOT / "tests/cases/privacy_drawn.jsonl").open(encoding="utf-8")]
DATA = read_yaml("privacy.yml")
RULES = [(kind, rule) for kind in ("patterns", "cues") for rule in DATA[kind]]
HIDDEN = [*DATA["placeholders"], *DATA["harmless"]]
PARTS = [("mended", 0.96, 0.99), ("unseen", 0.88, 0.96), ("unseen-2", 0.82, 0.95)]
NOTE = "Pt seen by Dr. Castellano on 3/14/2019, MRN 4482190."


def find(text):
    return [(text[i.start : i.end], i.kind) for i in find_identifiers(text)]


def unmark(example):
    start, end = example.index("{"), example.rindex("}") - 1
    return example[:start] + example[start + 1 : end + 1] + example[end + 2 :], start, end


def covered(text, spans):
    return {(i, kind) for start, end, kind in spans for i in range(start, end) if text[i].isalnum()}


def spans_of(found):
    return [(i.start, i.end, i.kind) for i in found]


def is_read(case):
    """All that is wanted is found, and at least half of each finding is wanted: it may hold the state behind a town."""
    text, found = case["text"], spans_of(find_identifiers(case["text"]))
    wanted = covered(text, [(s["start"], s["end"], s["kind"]) for s in case["spans"]])
    parts = [covered(text, [span]) for span in found]
    return wanted <= set().union(*parts) and all(2 * len(part & wanted) >= len(part) for part in parts)


def test_every_case_is_read():
    assert [case["id"] for case in CASES if not is_read(case)] == []


@pytest.mark.parametrize(("part", "recall", "precision"), PARTS)
def test_drawn_sentences_are_read_as_well_as_before(part, recall, precision):
    wanted = hit = found = right = 0
    for case in (c for c in DRAWN if c["part"] == part):
        text, findings = case["text"], spans_of(find_identifiers(case["text"]))
        spans = [(s["start"], s["end"], s["kind"]) for s in case["spans"]]
        wanted, found = wanted + len(spans), found + len(findings)
        hit += sum(covered(text, [span]) <= covered(text, findings) for span in spans)
        right += sum(2 * len(covered(text, [f]) & covered(text, spans)) >= len(covered(text, [f])) for f in findings)
    assert hit / wanted >= recall
    assert right / found >= precision


def test_cases_have_ids_of_their_own_and_half_of_them_no_identifier():
    assert len({c["id"] for c in CASES}) == len({c["text"] for c in CASES}) == len(CASES) >= 500
    assert 0.4 < sum(not c["spans"] for c in CASES) / len(CASES) < 0.6
    assert {s["kind"] for c in CASES for s in c["spans"]} == set(DATA["kinds"])


def fires(group, rule):
    """The rule finds its example, by itself and where it should."""
    text, start, end = unmark(rule["example"])
    if group == "patterns":
        (pattern,) = [p for p in load_rules().patterns if p.id == rule["id"]]
        matches = pattern.finder.find(text, text.lower())
        alone = (start, end) in [m.span(g) for m in matches for g in (0, *pattern.groups)]
    else:
        (cue,) = [c for c in load_rules().names.cues if c.id == rule["id"]]
        alone = start in [m.end() for m in cue.finder.find(text, text.lower())]
    return alone and (text[start:end], rule.get("kind", "name")) in find(text)


def test_each_rule_has_an_example_and_a_counter_example():
    assert [rule["id"] for group, rule in RULES if not fires(group, rule)] == []
    assert {rule["id"]: found for _, rule in RULES if (found := find(rule["counter"]))} == {}


def test_each_placeholder_is_known():
    for finder, rule in zip(load_rules().hidden, HIDDEN, strict=True):
        text, start, end = unmark(rule["example"])
        assert (start, end) in [m.span() for m in finder.find(text, lower_case(text))], rule["id"]
        assert find(text) == [], rule["id"]


def test_long_lists_are_those_of_installed_packages():
    lists = load_lists()
    assert {"mary", "susan"} <= lists.given
    assert {"castellano", "ruiz"} <= lists.surnames
    assert not {"pain", "hope", "rest"} & (lists.given | lists.surnames)
    assert all(map(lists.is_word, ["pain", "catheter", "hope", "abdication"]))
    assert not any(map(lists.is_word, ["mary", "isolde", "castellano"]))
    assert {"boston", "chicago"} <= lists.cities < lists.towns
    assert not {"reading", "split", "bath"} & lists.cities


def _not_installed(package):
    raise PackageNotFoundError(package)


@pytest.mark.parametrize("files", [lambda package: [], _not_installed], ids=["damaged", "not installed"])
def test_a_missing_list_names_the_package(monkeypatch, files):
    monkeypatch.setattr("clinnlp.vocabulary.files", files)
    load_lists.cache_clear()
    with pytest.raises(ResourceError, match="pip install names"):
        load_lists()


def test_all_eighteen_paragraphs_of_safe_harbor_have_rules():
    assert sorted({k["paragraph"] for k in DATA["kinds"].values()}) == list("ABCDEFGHIJKLMNOPQR")
    assert {rule["kind"] for rule in DATA["patterns"]} == set(DATA["kinds"])


def test_what_masking_writes_is_a_placeholder():
    for kind in DATA["kinds"].values():
        assert find(f"Mr. {kind['mask']} is well, fax {kind['mask']}.") == []


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


@pytest.mark.parametrize(
    "text",
    [
        "Sutured with Vicryl; treated with Humira by Infusion.",
        "Parkinson's medications, Foley's advice on the Gerota's fascia.",
        "Culture grew Klebsiella; told to stop Lipitor.",
        "Penrose was removed. Richter hernia. Weber exam lateralizes.",
        "Lives in New Jersey; travelled to Kenya; from Puerto Rico.",
        "PHQ-9 12/27, RR 12/14, exploration of 3/17 nodes.",
    ],
)
def test_words_that_look_like_names_places_and_dates_are_none(text):
    assert find(text) == []


def test_refusing_counts_kinds_and_names_notes_without_their_text():
    notes = pd.DataFrame({"note_id": ["a", "b", "c"], "text": [NOTE, "Fine.", "Mrs. Okafor"]})
    with pytest.raises(InputError) as error:
        refuse(notes)
    assert "2 of 3 notes may hold identifiers: 2 name, 1 date, 1 mrn. Notes: a, c." in str(error.value)
    assert not re.search("Castellano|Okafor|4482190", str(error.value))
    refuse(notes.iloc[[1]])


def test_notes_are_guarded_when_they_are_read():
    notes = pd.DataFrame({"note_id": ["a"], "text": [NOTE]})
    with pytest.warns(UserWarning, match=r"^Notes may hold identifiers: 1 name, 1 date, 1 mrn\.$"):
        assert read_notes(notes, privacy="warn")["text"].tolist() == [NOTE]
    assert read_notes(notes, privacy="mask")["text"].tolist() == [mask(NOTE)]
    with pytest.raises(InputError, match="1 of 1 notes may hold identifiers"):
        read_notes(notes, privacy="strict")
    with pytest.raises(InputError, match="Got the privacy mode 'quiet'"):
        read_notes(notes, privacy="quiet")
    assert guard(notes, "strict", ignore=["name", "date", "mrn"]) is notes


def test_outputs_of_a_notebook_are_masked(tmp_path):
    table = '<style>td {color: #4482190}</style><td title="Dr. Castellano">MRN 4482190</td><td>Mr. O&#x27;Brien</td>'
    figure = {"data": [{"text": ["Dr. Castellano<br>3/14/2019"], "y": {"bdata": "4482190048219000", "dtype": "f8"}}]}
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["Pt seen by Dr.", " Castellano\n", "fax 555-867-5309\n"]},
        {"output_type": "error", "ename": "KeyError", "evalue": "MRN 4482190", "traceback": ["Mrs. Okafor", "line 2"]},
        {"output_type": "execute_result", "data": {"text/plain": "Mrs. Okafor", "text/html": [table]}},
        {
            "output_type": "display_data",
            "data": {"application/vnd.plotly.v1+json": figure, "image/png": "iVBOR4482190"},
        },
        {"output_type": "display_data", "data": {"text/html": "<script>x = 'Mrs. Okafor'</script>"}},
    ]
    cells = [{"cell_type": "markdown", "source": "By Dr. Castellano"}, {"cell_type": "code", "outputs": outputs}]
    source, out = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    source.write_text(
        json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}), encoding="utf-8"
    )
    kinds = mask_outputs(source, out)
    code = json.loads(out.read_text(encoding="utf-8"))["cells"][1]
    shown = json.dumps(code, ensure_ascii=False)
    assert not re.search("Castellano|Okafor|Brien|5309|3/14/2019|MRN 4482190", shown)
    assert code["outputs"][0]["text"] == ["Pt seen by Dr. [NAME]\n", "fax [FAX]\n"]
    assert '<td title="Dr. [NAME]">MRN [MRN]</td><td>Mr. [NAME]</td>' in code["outputs"][2]["data"]["text/html"][0]
    assert "#4482190" in shown
    assert "iVBOR4482190" in shown
    assert "4482190048219000" in shown
    assert kinds.count("name") == 6
    assert mask_outputs(out) == []
    assert "By Dr. Castellano" in out.read_text(encoding="utf-8")


def test_what_is_no_notebook_or_would_be_lost_is_refused(tmp_path):
    file = tmp_path / "a.ipynb"
    file.write_text('{"cells": []}', encoding="utf-8")
    with pytest.raises(InputError, match="is the notebook itself"):
        mask_outputs(file, file)
    file.write_text("[1]", encoding="utf-8")
    with pytest.raises(InputError, match="is no notebook of version 4"):
        mask_outputs(file)


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


def test_the_command_masks_outputs(tmp_path):
    from typer.testing import CliRunner

    from clinnlp.cli import app

    notebook, out = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    outputs = [{"output_type": "stream", "name": "stdout", "text": "Mrs. Okafor"}]
    notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": outputs}]}), encoding="utf-8")
    run = CliRunner().invoke
    assert run(app, ["privacy", str(notebook), "--strict"]).exit_code == 2
    masked = run(app, ["privacy", str(notebook), "--mask", "--out", str(out)])
    assert masked.exit_code == 0
    assert "Identifiers found in outputs: 1 name" in masked.stderr
    assert "Mrs. [NAME]" in out.read_text(encoding="utf-8")


def test_the_command_refuses_to_analyse_notes_with_identifiers(tmp_path):
    from typer.testing import CliRunner

    from clinnlp.cli import app

    notes = tmp_path / "notes.csv"
    notes.write_text("note_id,text\nn1,Call her at 555-867-5309.\n", encoding="utf-8")
    refused = CliRunner().invoke(app, ["analyse", str(notes), "--out", str(tmp_path / "out"), "--strict"])
    assert refused.exit_code == 2
    assert "may hold identifiers: 1 phone" in refused.stderr
    assert "5309" not in refused.stderr
    assert not (tmp_path / "out").exists()
