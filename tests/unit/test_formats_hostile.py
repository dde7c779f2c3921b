"""Files that are damaged or mean harm: one clear error, and never a word of the note in it."""

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest

from clinnlp import formats
from clinnlp.errors import InputError
from clinnlp.formats import files

DATA = Path(__file__).parents[1] / "data" / "formats"
SECRET = "Zebrafish"


def refuse(path, match, format=None, read=formats.read):
    with pytest.raises(InputError, match=match) as caught:
        list(read(path, format))
    assert SECRET.lower() not in str(caught.value).lower()
    assert caught.value.__cause__ is None


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(files, "LIMIT", 10_000)
    monkeypatch.setattr(files, "RATIO", 5)


@pytest.mark.parametrize("name", ["d.csv", "d.json", "d.jsonl", "d.xml", "d.conll", "d.pubtator"])
def test_files_that_unpack_without_end(tmp_path, small, name):
    begins = {"d.csv": "note_id,subject_id,note_seq,text\n1,1,1,", "d.json": '{"resourceType": "', "d.jsonl": '{"a": "',
              "d.xml": "<collection>"}  # fmt: skip
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(begins.get(name, "x").encode() + b"x" * 200_000))
    refuse(path, "holds more than")


def test_large_files(tmp_path, small):
    path = tmp_path / "d.json"
    path.write_text('{"resourceType": "' + "x" * 20_000)
    refuse(path, "holds more than")


def test_a_docbin_that_unpacks_without_end(tmp_path, small):
    import zlib

    (tmp_path / "a.spacy").write_bytes(zlib.compress(b"x" * 200_000))
    refuse(tmp_path / "a.spacy", "holds more than")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz", "a.spacy"])
def test_damaged_packing(tmp_path, name):
    whole = gzip.compress(b"note_id,subject_id,note_seq,text\n" + os.urandom(5000).hex().encode())
    (tmp_path / name).write_bytes(whole[:-2000])
    refuse(tmp_path / name, "damaged", {"a.csv.gz": "mimic-iv", "a.json.gz": "fhir", "a.spacy": "docbin"}[name])


@pytest.mark.parametrize("root", ["collection", "ClinicalDocument", "TEXT"])
def test_xml_entities(tmp_path, root):
    outside = tmp_path / "secret.txt"
    outside.write_text(SECRET)
    for declared in (f'<!ENTITY x SYSTEM "{outside.as_uri()}">', '<!ENTITY x "ha"><!ENTITY y "&x;&x;">',
                     f'<!ENTITY % p SYSTEM "{outside.as_uri()}"> %p;'):  # fmt: skip
        path = tmp_path / "a.xml"
        path.write_text(f"<?xml version='1.0'?><!DOCTYPE {root} [{declared}]><{root}>&x;</{root}>")
        refuse(path, "declares XML entities")


def test_xml_that_is_deep_or_broken(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<collection>" + "<a>" * 100_000)
    refuse(path, "deep")
    path.write_text(f"<collection>\n<document>{SECRET}")
    refuse(path, "not valid XML at line 2")


@pytest.mark.parametrize("format", ["fhir", "bioc", "label-studio"])
def test_json_that_is_deep_or_broken(tmp_path, format):
    path = tmp_path / "a.json"
    for content in ("[" * 200_000, f'{{"a": "{SECRET}', '"text"', "[1]", "{}", "null", f'[{{"data": "{SECRET}"}}]'):
        path.write_text(content)
        refuse(path, r"a\.json", format)


@pytest.mark.parametrize("format", [n for n, f in formats.FORMATS.items() if f.reader and n not in ("duckdb", "table")])
def test_any_other_content(tmp_path, format):
    for number, content in enumerate((f"{SECRET} 1\n{SECRET}", "", "\0\1\2", '{"text": 5}')):
        for name in (f"{number}.json", f"{number}.csv", f"{number}.xml"):
            (tmp_path / name).write_text(content)
            try:
                formats.read(tmp_path / name, format)
            except InputError as error:
                message = str(error)
            else:
                message = ""
            assert SECRET.lower() not in message.lower()


@pytest.mark.parametrize("extra", ['{"resourceType": "Bundle", "entry": [{"resource": {}}]}',
                                   '{"resourceType": "DocumentReference", "content": 5}',
                                   '{"resourceType": "Patient"}'])  # fmt: skip
def test_fhir_that_is_not(tmp_path, extra):
    (tmp_path / "a.json").write_text(extra)
    refuse(tmp_path / "a.json", r"a\.json")


@pytest.mark.parametrize("attachment", [
    {"contentType": "text/plain", "data": "####"}, {"contentType": "text/plain", "data": 5},
    {"contentType": "text/plain"}, {"contentType": "text/plain; charset=klingon", "data": "Tm8="},
    {"contentType": "text/plain; charset=utf-8", "data": "/////w=="}, {"contentType": "text/plain", "data": "AAEC"},
    {"contentType": "text/plain", "url": "../../../etc/passwd"}, {"contentType": "application/rtf", "data": "Tm8="},
])  # fmt: skip
def test_fhir_attachments_that_cannot_be_read_become_errors(tmp_path, attachment):
    good = {"contentType": "text/plain", "data": "Tm8="}
    rows = [{"resourceType": "DocumentReference", "id": i, "content": [{"attachment": a}]}
            for i, a in (("bad", attachment), ("good", good))]  # fmt: skip
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, rows)))
    notes = formats.read(tmp_path / "a.ndjson")
    assert notes["text"].isna().tolist() == [True, False]
    assert [e["note_id"] for e in notes.attrs["errors"]] == ["bad"]
    assert [d["id"] for d in formats.read_documents(tmp_path / "a.ndjson")] == ["good"]


def marked(start, end, quoted):
    """Make one document with one entity in each format that quotes its words."""
    text = f"No {SECRET}."
    return {
        "brat/a.txt": text, "brat/a.ann": f"T1\tX {start} {end}\t{quoted}\n",
        "a.pubtator": f"1|t|{text}\n1|a|\n1\t{start}\t{end}\t{quoted}\tX\n",
        "i2b2.xml": f'<r><TEXT>{text}</TEXT><TAGS><A start="{start}" end="{end}" text="{quoted}" TYPE="X"/></TAGS></r>',
        "bioc.xml": f"<collection><document><id>1</id><passage><offset>0</offset><text>{text}</text><annotation>"
                    f'<infon key="type">X</infon><location offset="{start}" length="{end - start}"/>'
                    f"<text>{quoted}</text></annotation></passage></document></collection>",
        "ls.json": json.dumps([{"data": {"text": text}, "annotations": [{"result": [{
            "type": "labels", "value": {"start": start, "end": end, "text": quoted, "labels": ["X"]}}]}]}]),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["brat", "a.pubtator", "i2b2.xml", "bioc.xml", "ls.json"])
def test_wrong_offsets(tmp_path, name):
    def put(*mark):
        for file, content in marked(*mark).items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(content)
        return tmp_path / name

    (document,) = formats.read_documents(put(3, 12, SECRET))
    assert document["entities"] == [{"start": 3, "end": 12, "label": "X"}]
    refuse(put(3, 99, SECRET), "outside the text of 13 characters", read=formats.read_documents)
    refuse(put(2, 11, SECRET), "not what the file quotes", read=formats.read_documents)


def test_i2b2_words_that_are_not_there(tmp_path):
    (tmp_path / "a.txt").write_text(f"No {SECRET} .\n")
    for place in ("9:0 9:0", "1:0 1:7", "0:0 0:0"):
        (tmp_path / "a.con").write_text(f'c="{SECRET}" {place}||t="problem"\n')
        refuse(tmp_path, r"Line 1 of a\.con: the text has no words")
    (tmp_path / "a.con").write_text(f"{SECRET}\n")
    refuse(tmp_path, r"Line 1 of a\.con is not")


def test_bioc_passages_far_away_or_over_each_other(tmp_path):
    for offset in (10**12, 2):
        passages = [{"offset": 0, "text": SECRET}, {"offset": offset, "text": "x"}]
        (tmp_path / "a.json").write_text(json.dumps({"documents": [{"id": "1", "passages": passages}]}))
        refuse(tmp_path / "a.json", "begins within the one before, or far behind it")


@pytest.mark.parametrize("line", [f"{SECRET}", f"{SECRET} B", f"{SECRET} noun", f"{SECRET} B-"])
def test_conll_lines_without_a_tag(tmp_path, line):
    (tmp_path / "a.conll").write_text(f"No O\n{line}\n")
    refuse(tmp_path / "a.conll", "Line 2")


def test_links_that_lead_out_of_the_folder(tmp_path):
    (tmp_path / "secret.txt").write_text(SECRET)
    for format in ("brat", "table", "i2b2-2010"):
        folder = tmp_path / format
        folder.mkdir()
        (folder / "a.txt").symlink_to(tmp_path / "secret.txt")
        refuse(folder, "link to a file elsewhere", format)


def test_columns_that_are_missing(tmp_path):
    (tmp_path / "a.csv").write_text("row_id,subject_id,words\n1,2,Zebrafish\n")
    for format in ("mimic-iii", "mimic-iv", "mtsamples", "omop"):
        refuse(tmp_path / "a.csv", "lacks", format)
    (tmp_path / "b.csv").write_text("note_id,subject_id,note_seq,text\n1,2,3,4,Zebrafish\n")
    refuse(tmp_path / "b.csv", "more fields than its header")


def test_ids_that_stand_twice(tmp_path):
    shutil.copytree(DATA / "omop", tmp_path / "o")
    with (tmp_path / "o" / "note.csv").open("a") as file:
        file.write("5,9,2020-02-03,,0,0,,Zebrafish,,,,,,,,\n")
    refuse(tmp_path / "o", "stand more than once")


def test_half_a_character_in_json(tmp_path):
    (tmp_path / "a.json").write_text('[{"data": {"text": "No \\ud83d fever."}}]')
    assert formats.read(tmp_path / "a.json")["text"].tolist() == ["No \ufffd fever."]
