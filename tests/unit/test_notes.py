"""Reading notes: formats, encodings, columns, and what is said of bad input."""

import gzip
import json

import pandas as pd
import pytest

from clinnlp import read_notes
from clinnlp.errors import InputError
from clinnlp.schema import TABLES

TEXT = 'HPI: café,\r\n"quoted"\tand\nwrapped'
ROW = {"note_id": "007", "subject_id": "12", "charttime": "2131-04-12 08:30:00", "text": TEXT, "ward": "B"}


def write(path, encoding="utf-8", separator=","):
    frame = pd.DataFrame([ROW])
    data = frame.to_csv(index=False, sep=separator, lineterminator="\n").encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def check(notes):
    assert list(notes.columns) == [*TABLES["notes"], "ward"]
    row = notes.iloc[0]
    assert (row["note_id"], row["patient_id"], row["text"], row["ward"]) == ("007", "12", TEXT, "B")
    assert row["date"] == pd.Timestamp("2131-04-12 08:30")
    assert pd.isna(row["note_type"])
    assert notes.attrs["errors"] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings(tmp_path, encoding):
    check(read_notes(write(tmp_path / "n.csv", encoding)))


def test_tsv_gzip_jsonl_parquet_and_frame(tmp_path):
    check(read_notes(write(tmp_path / "n.tsv", separator="\t")))
    check(read_notes(write(tmp_path / "n.csv.gz")))
    (tmp_path / "n.jsonl").write_text(json.dumps(ROW) + "\n\n", encoding="utf-8")
    check(read_notes(tmp_path / "n.jsonl"))
    pd.DataFrame([ROW]).to_parquet(tmp_path / "n.parquet")
    check(read_notes(tmp_path / "n.parquet"))
    check(read_notes(pd.DataFrame([ROW])))


def test_folder(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"two\r\nlines")
    (tmp_path / "a.txt").write_bytes("café".encode("cp1252"))
    notes = read_notes(tmp_path)
    assert notes[["note_id", "text"]].values.tolist() == [["a", "café"], ["b", "two\r\nlines"]]


def test_an_empty_file_in_a_folder_is_kept_and_listed(tmp_path):
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    (tmp_path / "b.txt").write_text("x", encoding="utf-8")
    notes = read_notes(tmp_path)
    assert notes["note_id"].tolist() == ["a", "b"]
    assert [e["note_id"] for e in notes.attrs["errors"]] == ["a"]


def test_mtsamples_names_and_numbered_notes():
    notes = read_notes(pd.DataFrame({"medical_specialty": ["Surgery"] * 2, "transcription": ["x", "y"]}))
    assert notes["note_id"].tolist() == ["note-1", "note-2"]
    assert notes["note_type"].tolist() == ["Surgery"] * 2


def test_columns_can_be_named():
    frame = pd.DataFrame({"id": [1], "visit": [7.0], "words": ["x"], "text": ["other"]})
    notes = read_notes(frame, id_column="visit", text_column="words")
    assert notes.loc[0, ["note_id", "text"]].tolist() == ["7", "x"]


def test_rows_with_a_fault_are_kept_and_listed():
    frame = pd.DataFrame({"id": ["a", "b", "c"], "date": ["2020-02-30", "3/4/2021", None], "text": ["x", None, "z"]})
    notes = read_notes(frame)
    assert notes["note_id"].tolist() == ["a", "b", "c"]
    assert notes["date"].tolist()[1] == pd.Timestamp("2021-03-04")
    assert [(e["note_id"], e["stage"]) for e in notes.attrs["errors"]] == [("a", "read"), ("b", "read")]


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        ({"id": ["a"], "words": ["x"]}, {}, "text_column"),
        ({"id": ["a"], "text": ["x"]}, {"text_column": "txt"}, "'txt' is not a column. Found: id, text"),
        ({"id": ["a", "a", "b"], "text": ["x"] * 3}, {}, r"stand more than once: 1 \(a\)"),
        ({"id": ["a", 1], "text": ["x"] * 2}, {}, "mixed types: number, str"),
        ({"id": ["a", None], "text": ["x"] * 2}, {}, "Rows without an id in id: 1"),
        ({"id": [], "text": []}, {}, "no rows"),
    ],
    ids=["no text column", "wrong name", "duplicate ids", "mixed ids", "missing id", "no rows"],
)
def test_bad_frames(frame, options, message):
    with pytest.raises(InputError, match=message):
        read_notes(pd.DataFrame(frame), **options)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("n.csv", b"", "n.csv is empty"),
        ("n.csv", b"\x7fELF\x00\x01", "binary"),
        ("n.csv", b"id,text\n1,a,b,c\n2,d,e,f,g\n", "damaged"),
        ("n.csv", b"id,text\n1,x,secret\n2,y,secret\n", "more fields than its header"),
        ("n.csv", b"id,text\n1,\x81\n", "neither UTF-8 nor cp1252"),
        ("n.docx", b"x", "not a known kind"),
        ("n.jsonl", b'{"id": 1, "text": "a"}\nsecret\n', "Line 2 of n.jsonl"),
        ("n.csv.gz", b"not gzip", "damaged"),
        ("n.parquet", b"not parquet", "parquet"),
    ],
)
def test_bad_files(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        read_notes(tmp_path / name)
    assert "secret" not in str(error.value)


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_notes(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"no \.txt files"):
        read_notes(tmp_path)
