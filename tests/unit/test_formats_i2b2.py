"""The i2b2 challenges of 2008 (obesity) and 2009 (medications): what they label becomes gold that can be scored."""

import json
import shutil
from pathlib import Path

import pytest

from clinnlp import conditions, formats
from clinnlp.annotations import Annotations
from clinnlp.errors import InputError
from clinnlp.evaluate import read_gold, score_annotations
from clinnlp.formats.i2b2_2008 import DISEASES
from clinnlp.schema import TABLES
from small_result import build

DATA = Path(__file__).parents[1] / "data" / "formats"
SECRET = "Zebrafish"
TEXT = f"Takes {SECRET} 5 mg\ndaily for pain."


def documents(path, format=None):
    return {d["id"]: d for d in formats.read_documents(path, format)}


def statuses(document):
    return {row["condition"]: row["status"] for row in document["conditions"]}


def put(folder, *lines, text=TEXT, name="7_gold.entries"):
    (folder / "7").write_text(text)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


def rows_of(folder):
    return documents(folder)["7"]["medications"]


@pytest.mark.parametrize(
    ("name", "format"),
    [("i2b2-2008", "i2b2-2008"), ("i2b2-2008/records.xml", "i2b2-2008"), ("i2b2-2008/standoff.xml", "i2b2-2008"),
     ("i2b2-2009", "i2b2-2009"), ("i2b2-2009/entries", "i2b2-2009"),
     ("i2b2-2009/entries/101_gold.entries", "i2b2-2009")],
)  # fmt: skip
def test_both_are_found_out(name, format):
    assert formats.detect(DATA / name) == format


def test_notes_have_no_columns_of_labels():
    for name, ids in (("i2b2-2008", ["1", "2", "3"]), ("i2b2-2009", ["101"])):
        notes = formats.read(DATA / name)
        assert list(notes.columns) == list(TABLES["notes"])
        assert notes["note_id"].tolist() == ids


def test_a_column_of_the_user_that_is_called_gold_is_kept(tmp_path):
    (tmp_path / "a.csv").write_text("note_id,text,gold\n1,No fever.,yes\n")
    assert formats.read(tmp_path / "a.csv")["gold"].tolist() == ["yes"]
    assert documents(tmp_path / "a.csv")["1"] == {"id": "1", "text": "No fever.", "entities": []}


def test_each_disease_of_2008_is_a_condition():
    assert len(DISEASES) == 16
    assert set(DISEASES.values()) <= set(conditions.load())


def test_judgements_of_2008_by_source():
    found = documents(DATA / "i2b2-2008")
    assert statuses(found["1"]) == {
        "asthma": "present", "gallstones": "uncertain", "gout": "absent", "hyperlipidemia": "present",
    }  # fmt: skip
    assert found["1"]["text"].endswith("BMI > 40.\n")
    assert statuses(found["1"]["intuitive"]) == {"coronary_artery_disease": "absent", "obesity": "present"}
    assert (found["2"]["conditions"], found["2"]["judged"]) == ([], ["asthma"])  # unmentioned, yet judged
    assert not {"conditions", "judged", "intuitive"} & set(found["3"])


def test_judgements_of_2008_beside_a_file_of_notes(tmp_path):
    shutil.copytree(DATA / "i2b2-2008", tmp_path / "a")
    (tmp_path / "a" / "other.xml").write_text("<broken")
    assert documents(tmp_path / "a" / "records.xml") == documents(DATA / "i2b2-2008")


def test_of_two_diseases_that_are_one_condition_the_first_status_of_a_flag_holds(tmp_path):
    def judge(*judgments):
        names = ("Hypercholesterolemia", "Hypertriglyceridemia")
        diseases = "".join(f'<disease name="{n}"><doc id="1" judgment="{j}"/></disease>'
                           for n, j in zip(names, judgments, strict=True))  # fmt: skip
        (tmp_path / "b.xml").write_text(f'<diseaseset><diseases source="textual">{diseases}</diseases></diseaseset>')
        return statuses(documents(tmp_path)["1"]).get("hyperlipidemia")

    (tmp_path / "a.xml").write_text('<root><docs><doc id="1"><text>Well.</text></doc></docs></root>')
    assert [judge(*pair) for pair in ("YN", "NY", "QN", "NU", "UU")] == [
        "present", "present", "uncertain", "absent", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "name", "judgment"), [("guess", "Gout", "Y"), ("textual", SECRET, "Y"), ("textual", "Gout", "y")]
)
def test_other_judgements_are_refused(tmp_path, source, name, judgment):
    (tmp_path / "a.xml").write_text('<root><docs><doc id="1"><text>Well.</text></doc></docs></root>')
    (tmp_path / "b.xml").write_text(
        f'<diseaseset><diseases source="{source}"><disease name="{name}"><doc id="1" judgment="{judgment}"/></disease>'
        "</diseases></diseaseset>"
    )
    with pytest.raises(InputError, match=r"b\.xml has a judgement that is not of 2008.*textual, intuitive") as caught:
        formats.read(tmp_path)
    assert SECRET not in str(caught.value)


def test_judgements_without_notes_are_refused():
    with pytest.raises(InputError, match=r"standoff\.xml has no notes"):
        formats.read(DATA / "i2b2-2008" / "standoff.xml")


def test_entries_of_2009_become_rows_at_their_words():
    document = documents(DATA / "i2b2-2009")["101"]
    text, rows = document["text"], document["medications"]
    assert [text[e["start"] : e["end"]] for e in document["entities"]] == [
        "Aspirin", "Insulin", "Coumadin", "potassium\nchloride",
    ]  # fmt: skip
    assert {e["label"] for e in document["entities"]} == {"MEDICATION"}
    assert [(r["start"], r["end"], r["text"]) for r in rows] == [
        (e["start"], e["end"], text[e["start"] : e["end"]]) for e in document["entities"]
    ]
    parts = ("dose", "route", "frequency", "duration", "reason")
    assert [[row[part] for part in parts] for row in rows] == [
        ["81 mg", "PO", "daily", "for 2\nweeks", None],
        ["10 units 8 units", None, "in the morning at night", None, None],
        [None, None, None, None, None],
        [None, None, None, None, "low potassium."],
    ]
    assert [row["status"] for row in rows] == [None] * 4
    assert [(row.get("event"), row.get("temporal"), row["found_in"]) for row in rows] == [
        (None, None, "list"), (None, None, "list"), ("start", "past", "narrative"), ("stop", None, "narrative"),
    ]  # fmt: skip


def test_texts_and_entries_of_2009_side_by_side_or_deep_below(tmp_path):
    text, entries = (DATA / "i2b2-2009" / name for name in ("texts/101", "entries/101_gold.entries"))
    (tmp_path / "beside").mkdir()
    shutil.copy(text, tmp_path / "beside" / "101.txt")
    shutil.copy(text, tmp_path / "beside" / "102")
    shutil.copy(entries, tmp_path / "beside" / "101.i2b2.entries")
    (tmp_path / "deep" / "annotations" / "sorted").mkdir(parents=True)
    shutil.copy(text, tmp_path / "deep")
    shutil.copy(entries, tmp_path / "deep" / "annotations" / "sorted" / "101.m")
    expected = documents(DATA / "i2b2-2009")
    assert documents(tmp_path / "beside") == expected
    assert documents(tmp_path / "beside" / "101.i2b2.entries") == expected
    assert documents(tmp_path / "deep", "i2b2-2009") == expected
    shutil.copy(entries, tmp_path / "beside" / "101.m")
    assert documents(tmp_path / "beside" / "101.m") == expected  # found out by how it begins
    with pytest.raises(InputError, match=r"Both 101\.i2b2\.entries and 101\.m are entries of 101"):
        formats.read(tmp_path / "beside")


def test_entries_of_2009_with_carriage_returns_and_none_at_all(tmp_path):
    (tmp_path / "7").write_bytes(TEXT.replace("\n", "\r\n").encode())
    (tmp_path / "7.entries").write_bytes(b'm="zebrafish" 1:1 1:1||do="5 mg" 1:2 1:3||f="daily" 2:0 2:0\r\n\r\n')
    (row,) = rows_of(tmp_path)
    assert (row["text"], row["dose"], row["frequency"]) == (SECRET, "5 mg", "daily")
    (tmp_path / "7.entries").write_bytes(b"\n")
    assert rows_of(tmp_path) == []


def test_a_drug_with_two_doses_has_two_rows_and_is_one_entity(tmp_path):
    put(tmp_path, 'm="b" 1:0 1:0||do="5" 1:2 1:2', 'm="b" 1:0 1:0||do="2" 1:1 1:1', 'm="a" 1:3 1:3', text="B 2 5 a")
    assert [(row["text"], row["dose"]) for row in rows_of(tmp_path)] == [("B", "5"), ("B", "2"), ("a", None)]
    assert len(documents(tmp_path)["7"]["entities"]) == 2


@pytest.mark.parametrize(
    ("text", "entry", "words"),
    [
        ("On coumadin.", 'm="coumadin" 1:1 1:1', "coumadin"), ("On coumadin.", 'm="coumadin." 1:1 1:1', "coumadin."),
        ("(aspirin),", 'm="aspirin" 1:0 1:0', "aspirin"), ("On A&amp;B", 'm="a&b" 1:1 1:1', "A&amp;B"),
        ("beta\n  blocker", 'm="beta blocker" 1:0 2:0', "beta\n  blocker"),
        ("with PCA\nanalgesia", 'm="pca analgesia" 1:1 1:2', "PCA\nanalgesia"),  # counts on into the next line
        ('the "pill" daily', 'm=""pill"" 1:1 1:1', '"pill"'),
        ("iron and zinc", 'm="iron...zinc" 1:0 1:0,1:2 1:2', "iron and zinc"),
        ("B.I.D. aspirin", 'm="bid aspirin" 1:0 1:1', "B.I.D. aspirin"),
    ],
)  # fmt: skip
def test_words_of_2009_are_found_as_they_are_written(tmp_path, text, entry, words):
    (row,) = rows_of(put(tmp_path, entry, text=text))
    assert text[row["start"] : row["end"]] == row["text"] == words


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        (f'm="{SECRET}" 9:0 9:0', "the text has no words 9:0 9:0"),
        (f'm="{SECRET}" 2:1 2:9', "the text has no words"),
        (f'm="{SECRET}" 0:0 0:0', "the text has no words"),
        (f'm="{SECRET}" 1:1 0:1', "the text has no words"),
        (f'm="{SECRET}" 1:0 1:0', "what it quotes is not at 1:0 1:0"),
        (f'm="{SECRET}" 2:0 1:1', "what it quotes is not at"),
        (f'm="{SECRET}" 1:1 1:1||do="{SECRET}" 1:2 1:2', "what it quotes is not at 1:2 1:2"),
        (f'm="{SECRET}" 1:1', "whose places are not"),
        (f'm="{SECRET}"||do="5 mg" 1:2 1:3', "whose places are not"),
        ('m="nm"||do="5 mg" 1:2 1:3', "names no medication"),
        (f'do="{SECRET}" 1:1 1:1', "is not: m="),
        (f'm="{SECRET}" 1:1 1:1||x="y"', "is not: m="),
        (f'm="{SECRET}" -1:-1 -1:-1', "is not: m="),
        (SECRET, "is not: m="),
    ],
)
def test_entries_that_do_not_fit_the_text(tmp_path, entry, match):
    put(tmp_path, 'm="5" 1:2 1:2', entry)
    with pytest.raises(InputError, match=rf"Line 2 of 7_gold\.entries.*{match}") as caught:
        formats.read(tmp_path)
    assert SECRET.lower() not in str(caught.value).lower()


def test_entries_without_their_text_or_none(tmp_path):
    put(tmp_path, name="8.entries")
    with pytest.raises(InputError, match=r"8\.entries has no text: neither 8 nor 8\.txt"):
        formats.read(tmp_path)
    with pytest.raises(InputError, match="7 has no entries"):
        formats.read(tmp_path / "7", "i2b2-2009")


def result_for(gold, **tables):
    rows = {"notes": [{"note_id": d["id"], "text": d["text"]} for d in gold], **tables}
    return Annotations(**vars(build(rows)))


def scored(gold, path, **tables):
    """Write the gold, read it as `clinnlp evaluate` does, and score tables by it."""
    path.write_text("".join(json.dumps(document) + "\n" for document in gold), encoding="utf-8")
    return score_annotations(read_gold(path), result_for(gold, **tables)).set_index("measure")


def test_conditions_of_2008_are_gold(tmp_path):
    gold = [d for d in formats.read_documents(DATA / "i2b2-2008") if "conditions" in d]
    found = [("1", "asthma", "present"), ("1", "gout", "absent"), ("2", "asthma", "present")]
    found += [(n, "epilepsy", "present") for n in "12"]  # which was not judged
    flags = [{"note_id": n, "condition": c, "status": s, "start": 0, "end": 1} for n, c, s in found]
    table = scored(gold, tmp_path / "gold.jsonl", flags=flags)
    has = table.loc["conditions that the patient has or had"]
    assert (has["precision"], has["recall"], has["support"]) == (0.5, 0.5, 2)
    assert table.loc["status of conditions, accuracy", ["f1", "support"]].tolist() == [0.5, 4]
    intuitive = [{**d, **d["intuitive"]} for d in gold]
    assert scored(intuitive, tmp_path / "gold.jsonl", flags=flags).loc[has.name, "support"] == 2


def test_medications_of_2009_are_gold(tmp_path):
    gold = list(formats.read_documents(DATA / "i2b2-2009"))
    rows = [{**{k: row[k] for k in ("start", "end", "text", "dose", "route", "frequency")}, "note_id": "101",
             "status": "active"} for row in gold[0]["medications"]]  # fmt: skip
    table = scored(gold, tmp_path / "gold.jsonl", medications=rows[:3])
    measures = ["medications", "dose of medications", "route of medications", "frequency of medications"]
    assert table.loc[measures, "support"].tolist() == [4, 2, 1, 2]
    assert table.loc[measures, "recall"].tolist() == [0.75, 1, 1, 1]
    assert table.loc[measures, "precision"].tolist() == [1, 1, 1, 1]
    assert "status of medications, accuracy" not in table.index


def test_the_list_of_formats_says_what_is_labelled():
    reads = formats.list_formats().set_index("format")["reads"]
    assert reads[["i2b2-2008", "i2b2-2009", "i2b2-2010"]].tolist() == [
        "notes and conditions", "notes and medications", "notes and entities",
    ]  # fmt: skip
