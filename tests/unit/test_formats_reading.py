"""Reading the formats of others: small invented files in each, found out without being told which they are."""

import base64
import gzip
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from clinnlp import formats
from clinnlp.errors import InputError
from clinnlp.schema import TABLES

DATA = Path(__file__).parents[1] / "data" / "formats"


def spans(path, format=None):
    """Read what is marked in each document: label and words."""
    return {
        d["id"]: [(e["label"], d["text"][e["start"] : e["end"]], *([e["assertion"]] if "assertion" in e else []))
                  for e in d["entities"]]
        for d in formats.read_documents(path, format)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("NOTEEVENTS.csv", "mimic-iii"), ("discharge.csv", "mimic-iv"), ("mtsamples.csv", "mtsamples"),
        ("omop", "omop"), ("omop/note.csv", "omop"), ("bundle.json", "fhir"), ("export.ndjson", "fhir"),
        ("single.json", "fhir"), ("brat", "brat"), ("i2b2-2010", "i2b2-2010"), ("i2b2-2012.xml", "i2b2-xml"),
        ("i2b2-2014.xml", "i2b2-xml"), ("n2c2-2018.xml", "i2b2-xml"), ("passages.bioc.xml", "bioc"),
        ("conll2003.conll", "conll"), ("label_studio.json", "label-studio"), ("prodigy.jsonl", "prodigy"),
        ("two.pubtator", "pubtator"), ("ccda.xml", "c-cda"),
    ],
)  # fmt: skip
def test_each_format_is_found_out_and_gives_the_table_of_notes(name, format):
    assert formats.detect(DATA / name) == format
    notes = formats.read(DATA / name)
    assert list(notes.columns)[:5] == list(TABLES["notes"])
    assert (notes.dtypes[list(TABLES["notes"])].astype(str) == list(TABLES["notes"].values())).all()
    assert len(notes)


def test_mimic_iii():
    notes = formats.read(DATA / "NOTEEVENTS.csv")
    assert notes[["note_id", "patient_id", "note_type"]].values.tolist() == [
        ["1", "22", "Discharge summary"], ["2", "22", "Nursing"],
    ]  # fmt: skip
    assert notes["text"][0] == 'Admitted for pneumonia.\nDenies "chest pain".'
    assert notes["date"].tolist() == [pd.Timestamp("2101-10-20"), pd.Timestamp("2101-10-21 08:30")]
    assert notes["iserror"].tolist()[1] == "1"


def test_mimic_iv_packed_and_in_chunks(tmp_path):
    path = tmp_path / "discharge.csv.gz"
    path.write_bytes(gzip.compress((DATA / "discharge.csv").read_bytes()))
    assert formats.detect(path) == "mimic-iv"
    chunks = list(formats.read_chunks(path, size=1))
    assert [chunk["note_id"].tolist() for chunk in chunks] == [["22-DS-1"], ["23-RR-4"]]
    assert [chunk["note_type"][0] for chunk in chunks] == ["Discharge summary", "Radiology report"]


def test_reading_in_chunks_does_not_read_ahead(tmp_path):
    path = tmp_path / "discharge.csv"
    rows = "".join(f"n{i},1,,DS,1,2131-04-12,,text\n" for i in range(5000))
    path.write_text(
        f"note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n{rows}n,1\n\x00,,,,,,,,,,\n"
    )
    assert len(next(formats.read_chunks(path, size=1000))) == 1000


def test_mtsamples():
    notes = formats.read(DATA / "mtsamples.csv")
    assert notes[["note_id", "note_type"]].values.tolist() == [["0", "Cardiovascular / Pulmonary"], ["1", "Orthopedic"]]
    assert notes.attrs["errors"] == [{"note_id": "1", "stage": "read", "error": "The note has no text."}]


def test_omop_as_csv_and_parquet(tmp_path):
    assert spans(DATA / "omop") == {"5": [("TERM", "chest pain", "absent")]}
    notes = formats.read(DATA / "omop")
    assert notes[["note_id", "patient_id", "note_type"]].values.tolist() == [["5", "9", "Progress note"]]
    assert notes["date"][0] == pd.Timestamp("2020-02-03")
    for name in ("note", "note_nlp"):
        pd.read_csv(DATA / "omop" / f"{name}.csv").rename(columns=str.upper).to_parquet(
            tmp_path / f"{name.upper()}.parquet"
        )
    assert spans(tmp_path) == {"5": [("TERM", "chest pain", "absent")]}


def test_omop_with_tabs_and_the_quotes_of_a_column_that_is_a_word_of_sql(tmp_path):
    for name in ("note", "note_nlp"):
        table = pd.read_csv(DATA / "omop" / f"{name}.csv", dtype="str").rename(columns={"offset": '"OFFSET"'})
        table.to_csv(tmp_path / f"{name}.csv", index=False, sep="\t")
    assert formats.detect(tmp_path / "note.csv") == "omop"
    assert spans(tmp_path) == {"5": [("TERM", "chest pain", "absent")]}


def test_tables_in_utf_16_as_spreadsheets_save_them(tmp_path):
    text = (DATA / "omop" / "note.csv").read_text(encoding="utf-8").replace(",", "\t").replace("pain", "pain ☹")
    (tmp_path / "note.csv").write_text(text, encoding="utf-16")
    assert formats.detect(tmp_path / "note.csv") == "omop"
    assert formats.read(tmp_path / "note.csv")["text"].tolist() == ["No chest pain ☹."]


@pytest.mark.parametrize(
    ("modifiers", "assertion"),
    [
        ("Negation = true, Subject = patient", "absent"), ("Negation=false;Subject=Mother", "family"),
        ("CONDITIONAL=TRUE", "hypothetical"), ("Rule_out=true", "uncertain"), ("Uncertain=low", "uncertain"),
        ("History=true,Negation=false", "historical"), ("Negation=false;Uncertain=false", "present"),
        ("dose=5 mg", None), (None, None),
    ],
)  # fmt: skip
def test_omop_modifiers_give_the_assertion(tmp_path, modifiers, assertion):
    shutil.copy(DATA / "omop" / "note.csv", tmp_path)
    pd.read_csv(DATA / "omop" / "note_nlp.csv").assign(term_modifiers=modifiers, offset="3.0").to_csv(
        tmp_path / "note_nlp.csv", index=False
    )
    (document,) = formats.read_documents(tmp_path)
    assert [e.get("assertion") for e in document["entities"]] == [assertion]


def test_omop_type_without_a_title_is_the_source_value(tmp_path):
    notes = pd.read_csv(DATA / "omop" / "note.csv").assign(note_title=None, note_source_value="Letter")
    notes.to_csv(tmp_path / "note.csv", index=False)
    assert formats.read(tmp_path)["note_type"].tolist() == ["Letter"]


def test_omop_terms_without_an_offset_are_left_out(tmp_path):
    shutil.copytree(DATA / "omop", tmp_path / "o")
    table = pd.read_csv(tmp_path / "o" / "note_nlp.csv", dtype="str")
    table["offset"] = None
    table.to_csv(tmp_path / "o" / "note_nlp.csv", index=False)
    assert spans(tmp_path / "o") == {"5": []}


def test_fhir():
    notes = formats.read(DATA / "bundle.json").set_index("note_id")
    assert notes["text"].dropna().to_dict() == {
        "plain": "Café: no fever.", "html": "No chest pain.\nBP < 120", "binary": "From a Binary.",
        "rad": "Clear lungs.",
    }  # fmt: skip
    assert notes.loc["plain", ["patient_id", "note_type", "encounter_id"]].tolist() == ["p1", "Progress note", "e1"]
    assert notes.loc["rad", ["patient_id", "note_type", "encounter_id"]].tolist() == ["p2", "Chest X-ray", "e3"]
    assert notes.loc["html", "encounter_id"] == "e2"
    assert notes["date"]["plain"] == pd.Timestamp("2023-01-05 10:00")
    errors = {e["note_id"]: e["error"] for e in formats.read(DATA / "bundle.json").attrs["errors"]}
    assert list(errors) == ["damaged", "elsewhere", "pdf"]
    assert "base64" in errors["damaged"]
    assert "not opened" in errors["elsewhere"]
    assert "application/pdf" in errors["pdf"]


def test_fhir_export_in_a_folder_with_its_binaries(tmp_path):
    note = {"resourceType": "DocumentReference", "id": "n", "content": [{"attachment": {
        "contentType": "text/plain", "url": "Binary/b"}}]}  # fmt: skip
    data = base64.b64encode(b"No fever.").decode()
    (tmp_path / "DocumentReference.ndjson").write_text(json.dumps(note))
    (tmp_path / "Binary.ndjson").write_text(json.dumps({"resourceType": "Binary", "id": "b", "data": data}))
    assert formats.read(tmp_path)["text"].tolist() == ["No fever."]
    for file in tmp_path.glob("*.ndjson"):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert formats.detect(tmp_path) == "fhir"
    assert formats.read(tmp_path)["text"].tolist() == ["No fever."]


@pytest.mark.parametrize(
    "context", [[{"reference": "Appointment/a"}, {"reference": "Encounter/e"}],
                [{"type": "EpisodeOfCare", "identifier": {"value": "c"}}, {"identifier": {"value": "e"}}],
                {"encounter": [{"reference": "EpisodeOfCare/c"}, {"reference": "https://x.invalid/Encounter/e"}]}],
)  # fmt: skip
def test_fhir_encounters_are_no_appointments_nor_episodes(tmp_path, context):
    form = {"contentType": "text/plain", "data": base64.b64encode(b"Clear.").decode()}
    document = {"resourceType": "DocumentReference", "content": [{"attachment": form}], "context": context}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert formats.read(tmp_path / "a.json")["encounter_id"].tolist() == ["e"]


def test_fhir_status_of_a_document_and_period_of_a_report(tmp_path):
    form = {"contentType": "text/plain", "data": base64.b64encode(b"Clear.").decode()}
    document = {"resourceType": "DocumentReference", "id": "a", "status": "current", "docStatus": "preliminary",
                "content": [{"attachment": form}]}  # fmt: skip
    report = {"resourceType": "DiagnosticReport", "id": "b", "status": "final", "presentedForm": [form],
              "effectivePeriod": {"start": "2021-04-05T06:00:00Z"}, "issued": "2021-04-09T06:00:00Z"}  # fmt: skip
    (tmp_path / "a.ndjson").write_text(f"\ufeff{json.dumps(document)}\r\n{json.dumps(report)}\r\n", encoding="utf-8")
    notes = formats.read(tmp_path / "a.ndjson").set_index("note_id")
    assert notes.loc["a", ["status", "doc_status"]].tolist() == ["current", "preliminary"]
    assert notes["date"]["b"] == pd.Timestamp("2021-04-05 06:00")


def test_brat():
    assert spans(DATA / "brat") == {
        "n1": [("Drug", "aspirin"), ("Drug", "aspirin\nand metformin"), ("Reason", "diabetes", "present")], "n2": [],
    }  # fmt: skip


def test_brat_of_other_tools(tmp_path):
    (tmp_path / "a.txt").write_text("No rash.")
    (tmp_path / "a.ann").write_bytes("\ufeffT1\tSIGN 3 7\r\nM1\tAssertion T1 absent\r\nE1\tSIGN:T1\r\n".encode())
    assert spans(tmp_path) == {"a": [("SIGN", "rash", "absent")]}


def test_i2b2_lines_and_words_become_characters():
    expected = [("problem", "chest pain", "absent"), ("problem", "pneumonia", "uncertain"),
                ("problem", "breast cancer", "family")]  # fmt: skip
    assert spans(DATA / "i2b2-2010") == {"n1": expected}


def test_i2b2_files_side_by_side(tmp_path):
    for folder in ("txt", "concept"):
        for file in (DATA / "i2b2-2010" / folder).iterdir():
            shutil.copy(file, tmp_path)
    assert spans(tmp_path)["n1"] == [("problem", w) for w in ("chest pain", "pneumonia", "breast cancer")]


def test_i2b2_names_of_the_folders_of_the_test_part(tmp_path):
    shutil.copytree(DATA / "i2b2-2010", tmp_path / "a")
    (tmp_path / "a" / "concept").rename(tmp_path / "a" / "concepts")
    (tmp_path / "a" / "ast" / "n1.ast").unlink()
    shutil.move(tmp_path / "a" / "txt" / "n1.txt", tmp_path / "a")
    assert formats.detect(tmp_path / "a") == "i2b2-2010"
    assert [words for _, words in spans(tmp_path / "a")["n1"]] == ["chest pain", "pneumonia", "breast cancer"]


def test_i2b2_files_with_carriage_returns(tmp_path):
    for file in DATA.glob("i2b2-2010/*/*"):
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert spans(tmp_path)["n1"] == spans(DATA / "i2b2-2010")["n1"]


def test_i2b2_events_have_assertions(tmp_path):
    kinds = [("NEG", "FACTUAL"), ("POS", "POSSIBLE"), ("POS", "PROPOSED"), ("POS", "CONDITIONAL"), ("POS", "FACTUAL")]
    tags = "".join(
        f'<EVENT start="0" end="4" text="rash" type="PROBLEM" polarity="{p}" modality="{m}"/>' for p, m in kinds
    )
    (tmp_path / "a.xml").write_text(f"<a><TEXT>rash</TEXT><TAGS>{tags}</TAGS></a>")
    found = [assertion for *_, assertion in spans(tmp_path / "a.xml")["a"]]
    assert found == ["absent", "uncertain", "hypothetical", "hypothetical", "present"]


def test_i2b2_files_that_are_not_quite_xml(tmp_path):
    (tmp_path / "a.xml").write_text(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<?xml version='1.0' encoding='UTF-8'?>\n<a><TEXT><![CDATA[\n"
        "T&A, <?xml 1?> &amp; mother&apos;s.]]></TEXT><TAGS>\n"
        '<EVENT start="1" end="4" text="T&A" type="PROBLEM"/>\n'
        '<EVENT start="22" end="35" text="mother\'s" type="OTHER"/></TAGS></a>'
    )
    assert spans(tmp_path / "a.xml")["a"] == [("PROBLEM", "T&A"), ("OTHER", "mother&apos;s")]


def test_i2b2_tags_within_tags_and_of_the_whole_document(tmp_path):
    (tmp_path / "a.xml").write_text(
        '<root><TEXT>On statins.</TEXT><TAGS><MEDICATION time="before DCT" type1="statin">'
        '<MEDICATION start="3" end="10" text="statins" type1="statin"/></MEDICATION>'
        '<SMOKER start="-1" end="-1" text="" status="unknown"/></TAGS></root>'
    )
    assert spans(tmp_path / "a.xml") == {"a": [("MEDICATION", "statins")]}


def test_i2b2_and_n2c2_xml():
    assert spans(DATA / "i2b2-2012.xml") == {"i2b2-2012": [("OCCURRENCE", "Admission", "present")]}
    assert spans(DATA / "i2b2-2014.xml") == {"i2b2-2014": [("DOCTOR", "Amber Vale"), ("DATE", "2/3")]}
    assert formats.read(DATA / "n2c2-2018.xml")["alcohol-abuse"].tolist() == ["not met"]


def test_bioc_passages_stand_at_their_offsets():
    assert spans(DATA / "passages.bioc.xml") == {"d1": [("SYMPTOM", "Chest pain"), ("SYMPTOM", "fever")]}
    assert formats.read(DATA / "passages.bioc.xml")["ward"].tolist() == ["B"]


def bioc(*passages, **more):
    """Make a document of passages, each an offset, a text, and annotations: offset, length, words, infons."""
    return {"id": "d1", "infons": None, **more, "passages": [
        {"offset": offset, "text": text, "annotations": [
            {"text": words, "infons": infons, "locations": [{"offset": start, "length": length}]}
            for start, length, words, infons in annotations]}
        for offset, text, annotations in passages]}  # fmt: skip


def test_bioc_offsets_in_bytes_become_characters(tmp_path):
    infons = {"type": "SYMPTOM"}
    first = (0, "Café: rash.", [(7, 4, "rash", infons)])
    second = (13, "Naïve, no rash.", [(24, 4, "rash", infons)])
    (tmp_path / "a.json").write_text(json.dumps({"documents": [bioc(first, second)]}))
    assert spans(tmp_path / "a.json") == {"d1": [("SYMPTOM", "rash"), ("SYMPTOM", "rash")]}


@pytest.mark.parametrize(
    "wrap", [lambda d: {"PubTator3": [d]}, lambda d: [{"documents": [d]}], lambda d: d, lambda d: [d]],
    ids=["PubTator 3", "collections", "document", "documents"],
)  # fmt: skip
def test_bioc_json_in_its_several_wraps(tmp_path, wrap):
    document = bioc((0, "Rash.", [(0, 4, "Rash", {"type": "Disease", "identifier": "MESH:D005076"})]))
    (tmp_path / "a.json").write_text(json.dumps(wrap(document)))
    assert formats.detect(tmp_path / "a.json") == "bioc"
    (read,) = formats.read_documents(tmp_path / "a.json")
    assert [(e["label"], e["code"]) for e in read["entities"]] == [("Disease", "MESH:D005076")]


def test_bioc_folders_and_annotations_of_no_length(tmp_path):
    shutil.copy(DATA / "passages.bioc.xml", tmp_path / "a.xml")
    document = bioc((0, "Rash.", [(2, 0, "", {"type": "BREAK"}), (0, 4, "Rash", {"type": "X", "identifier": "-"})]))
    (tmp_path / "b.json").write_text(json.dumps({"documents": [{**document, "id": "d2"}]}))
    assert formats.detect(tmp_path) == "bioc"
    documents = {d["id"]: d["entities"] for d in formats.read_documents(tmp_path)}
    assert documents["d2"] == [{"start": 0, "end": 4, "label": "X"}]
    assert len(documents["d1"]) == 2


def test_conll_tags():
    found = [("SYMPTOM", "chest pain"), ("SYMPTOM", "fever"), ("DRUG", "aspirin")]
    assert spans(DATA / "conll2003.conll") == {"conll2003-1": found}
    assert spans(DATA / "bilou.conll") == {"a": [("X", "fever cough rash"), ("X", "wheeze")]}


@pytest.mark.parametrize("text", ["No O \nrash B-X\t\n", "\ufeffNo\tO\t\r\nrash\tB-X\r\n", "No NN O\nrash NN I-X\n"])
def test_conll_with_spaces_behind_tags_and_old_tags(tmp_path, text):
    (tmp_path / "a.conll").write_bytes(text.encode())
    assert spans(tmp_path / "a.conll") == {"a": [("X", "rash")]}


def test_label_studio_takes_what_was_not_cancelled_and_either_way_to_count():
    assert spans(DATA / "label_studio.json") == {"7": [("SYMPTOM", "chest pain")], "8": [("SYMPTOM", "chest pain")]}


def test_label_studio_short_form(tmp_path):
    task = {"id": 3, "report": "No fever.", "label": [{"start": 3, "end": 8, "text": "fever", "labels": ["SYMPTOM"]}],
            "created_at": "2021-08-23T12:19:18Z", "updated_at": "2021-08-23T12:19:18Z"}  # fmt: skip
    (tmp_path / "min.json").write_text(json.dumps([task]))
    assert spans(tmp_path / "min.json", "label-studio") == {"3": [("SYMPTOM", "fever")]}


def test_label_studio_labels_of_html_are_refused(tmp_path):
    value = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 3, "endOffset": 8,
             "hypertextlabels": ["SYMPTOM"]}  # fmt: skip
    task = {"id": 3, "data": {"text": "<p>No fever.</p>"},
            "annotations": [{"result": [{"type": "hypertextlabels", "value": value}]}]}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps([task]))
    with pytest.raises(InputError, match="Task 3 has labels in HTML"):
        formats.read(tmp_path / "a.json")


def test_prodigy_leaves_out_what_was_rejected():
    assert spans(DATA / "prodigy.jsonl") == {"x1": [("SYMPTOM", "fever")]}


def test_pubtator():
    assert spans(DATA / "two.pubtator") == {"11": [("Disease", "Chest pain"), ("Disease", "fever")]}
    (document,) = formats.read_documents(DATA / "two.pubtator")
    assert [e["code"] for e in document["entities"]] == ["D002637", "D005334"]


def test_pubtator_says_in_several_ways_that_there_is_no_code(tmp_path):
    marks = "".join(f"1\t0\t4\tRash\tDisease{code}\r\n" for code in ("", "\t", "\t-", "\t-1", "\tD005076"))
    (tmp_path / "a.pubtator").write_bytes(f"\ufeff1|t|Rash.\r\n1|a|\r\n{marks}\r\n".encode())
    (document,) = formats.read_documents(tmp_path / "a.pubtator")
    assert [e.get("code") for e in document["entities"]] == [None, None, None, None, "D005076"]


def test_ccda_narrative():
    (note,) = formats.read(DATA / "ccda.xml").to_dict("records")
    assert note["text"] == "Problems:\nAsthma, mild\nNo fever\n\nResults:\nTest\tValue\nHbA1c\t8.2 %"
    assert (note["patient_id"], note["date"]) == ("p7", pd.Timestamp("2023-01-05 10:30"))
    assert (note["note_type"], note["document_id"]) == ("Summarization of Episode Note", "doc-9")


def test_ccda_without_what_a_revision_deleted(tmp_path):
    narrative = (
        'Onset in his <content revised="delete">twenties</content><content revised="insert">teens</content>, mild.'
    )
    (tmp_path / "a.xml").write_text(
        f'<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section><text>{narrative}'
        "</text></section></component></structuredBody></component></ClinicalDocument>"
    )
    assert formats.read(tmp_path / "a.xml")["text"].tolist() == ["Onset in his teens, mild."]


def test_plain_tables_and_jsonl_with_entities(tmp_path):
    row = {"id": "a", "text": "No fever.", "entities": [{"start": 3, "end": 8, "label": "SYMPTOM"}]}
    (tmp_path / "d.jsonl").write_text(json.dumps(row))
    assert spans(tmp_path / "d.jsonl") == {"a": [("SYMPTOM", "fever")]}
    assert list(formats.read(tmp_path / "d.jsonl").columns) == list(TABLES["notes"])


def test_the_list_of_formats():
    table = formats.list_formats().set_index("format")
    assert table.loc["brat", "reads"] == "notes and entities"
    assert not table.loc["c-cda", "writes"]


def test_an_unknown_file_or_format_gets_the_list_of_formats(tmp_path):
    (tmp_path / "x.docx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"x\.docx is not known.*omop, fhir, brat"):
        formats.read(tmp_path / "x.docx")
    with pytest.raises(InputError, match=r"'hl7v2' is not a format to read.*omop"):
        formats.read(DATA / "brat", "hl7v2")
    with pytest.raises(InputError, match="has no labels"):
        list(formats.read_documents(DATA / "ccda.xml"))
    with pytest.raises(InputError, match="does not exist"):
        formats.read(tmp_path / "nothing.csv")


def test_the_command_reads_a_format(tmp_path):
    from typer.testing import CliRunner

    from clinnlp.cli import app

    notes = tmp_path / "notes.txt"
    notes.write_text("1|t|Gout of the toe.\n1|a|No fever.\n\n", encoding="utf-8")
    arguments = [
        "analyse",
        str(notes),
        "--format",
        "pubtator",
        "--exclude",
        "clinnlp_ner",
        "--out",
        str(tmp_path / "o"),
    ]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert "gout" in (tmp_path / "o/flags.csv").read_text(encoding="utf-8").lower()
    assert CliRunner().invoke(app, [*arguments[:3], "nonsense", *arguments[4:]]).exit_code == 2
