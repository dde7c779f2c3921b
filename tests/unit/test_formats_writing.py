"""Writing a result: what is read again has the same notes and spans, and no cell of a workbook is a formula."""

import base64
import json
import sys
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

from clinnlp import formats
from clinnlp.annotations import Annotations
from clinnlp.errors import InputError, MissingExtraError
from small_result import NOTES, ROWS, TEXTS, build, entity

FILES = {
    "omop": "omop", "fhir": "a.json", "brat": "brat", "bioc": "a.xml", "conll": "a.conll", "label-studio": "a.json",
    "pubtator": "a.pubtator", "docbin": "a.spacy", "parquet": "parquet",
}  # fmt: skip
NOTES_OF_ONE = [{"note_id": "p02-01", "text": TEXTS["p02-01"]}]
CASES = [*FILES.items(), ("fhir", "a.ndjson"), ("bioc", "a.json")]
EXACT = [case for case in CASES if case[0] not in ("conll", "pubtator")]  # these have no room for all line ends


def make(rows=ROWS):
    return Annotations(**vars(build(rows)))


@pytest.fixture
def written():
    """Give a result without entities that overlap."""
    return make({**ROWS, "entities": [e for e in ROWS["entities"] if e["label"] != "DOSAGE"]})


def spans_of(table):
    return sorted(zip(table["note_id"], table["start"], table["end"], table["label"], strict=True))


def spans_in(documents):
    return sorted((d["id"], e["start"], e["end"], e["label"]) for d in documents for e in d["entities"])


@pytest.mark.parametrize(("format", "name"), [case for case in CASES if case[0] not in ("fhir", "docbin")])
def test_spans_come_back(written, tmp_path, format, name):
    path = formats.write(written, tmp_path / name, format)
    assert formats.detect(path) == format
    assert spans_in(formats.read_documents(path)) == spans_of(written.entities)


@pytest.mark.parametrize(("format", "name"), EXACT)
def test_texts_come_back(written, tmp_path, format, name):
    notes = formats.read(formats.write(written, tmp_path / name, format))
    assert [text for text in notes["text"] if text] == [note[4] for note in NOTES if note[4]]


@pytest.mark.parametrize("format", ["conll", "pubtator"])
def test_words_come_back_where_line_ends_cannot(written, tmp_path, format):
    notes = formats.read(formats.write(written, tmp_path / FILES[format], format))
    assert [t.split() for t in notes["text"]] == [note[4].split() for note in NOTES if note[4]]


@pytest.mark.parametrize("format", ["omop", "fhir", "bioc", "label-studio", "parquet"])
def test_patients_dates_and_types_come_back(written, tmp_path, format):
    columns = ["note_id", "patient_id", "date", "note_type"]
    notes = formats.read(formats.write(written, tmp_path / FILES[format], format))
    expected = written.notes[written.notes["text"] != ""] if format != "parquet" else written.notes
    pd.testing.assert_frame_equal(notes[columns], expected[columns].reset_index(drop=True))


def test_docbin(written, tmp_path):
    import spacy
    from spacy.tokens import DocBin

    path = formats.write(written, tmp_path / "a.spacy", "docbin")
    docs = list(DocBin(store_user_data=True).from_disk(path).get_docs(spacy.blank("en").vocab))
    found = [(d.user_data["note_id"], e.start_char, e.end_char, e.label_) for d in docs for e in d.ents]
    assert sorted(found) == spans_of(written.entities)
    assert [d["text"] for d in formats.read_documents(path)] == [note[4] for note in NOTES if note[4]]


@pytest.mark.parametrize("format", ["conll", "docbin"])
def test_of_entities_that_overlap_the_longest_is_written_with_a_warning(result, tmp_path, format):
    with pytest.warns(UserWarning, match="1 entities of note p01-01 overlap"):
        path = formats.write(make(), tmp_path / FILES[format], format)
    first = next(iter(formats.read_documents(path)))
    words = [first["text"][e["start"] : e["end"]] for e in first["entities"]]
    assert "lisinopril 10 mg" in words
    assert "lisinopril" not in words


def test_omop_columns_and_terms(written, tmp_path):
    path = formats.write(written, tmp_path / "omop", "omop")
    terms = pd.read_csv(path / "note_nlp.csv")
    assert terms["note_nlp_id"].tolist() == list(range(1, len(terms) + 1))
    pain = terms[terms["lexical_variant"] == "chest pain"].iloc[0]
    assert (pain["term_exists"], pain["term_temporal"]) == ("N", "Present")
    assert "cue=Denies" in pain["term_modifiers"]
    stroke = terms[terms["lexical_variant"] == "stroke"].iloc[0]
    assert (stroke["term_exists"], stroke["term_temporal"]) == ("Y", "Past")
    assert set(terms["note_id"]) <= set(pd.read_csv(path / "note.csv")["note_id"])


@pytest.mark.parametrize(
    ("assertion", "cue", "exists", "modifier"),
    [
        ("absent", "no", "N", "Negation=true"), ("family", "mother", "N", "Subject=family"),
        ("hypothetical", "if", "N", "Conditional=true"), ("uncertain", "r/o", "N", "Rule_out=true"),
        ("uncertain", "rule out", "N", "Rule_out=true"), ("uncertain", "possible", "Y", "Uncertain=true"),
        ("uncertain", "cannot rule out", "Y", "Uncertain=true"), ("historical", "prior", "Y", "History=true"),
        ("present", None, "Y", None),
    ],
)  # fmt: skip
def test_omop_modifiers_are_those_of_the_model(tmp_path, assertion, cue, exists, modifier):
    row = entity("p02-01", "stroke", "DISEASE", assertion, cue=cue)
    path = formats.write(make({"notes": NOTES_OF_ONE, "entities": [row]}), tmp_path / "omop", "omop")
    (term,) = pd.read_csv(path / "note_nlp.csv").to_dict("records")
    axes = [m for m in term["term_modifiers"].split(";") if m[0].isupper()]
    assert (term["term_exists"], axes) == (exists, [modifier] if modifier else [])
    (document,) = formats.read_documents(path)
    assert document["entities"][0]["assertion"] == assertion


def test_omop_source_value_is_that_of_the_class(written, tmp_path):
    notes = pd.read_csv(formats.write(written, tmp_path / "omop", "omop") / "note.csv")
    assert notes["note_source_value"].dropna().tolist() == ["Progress note", "Discharge summary", "Letter"]


def test_omop_keeps_ids_that_are_numbers(tmp_path):
    rows = {"notes": [{"note_id": "71", "patient_id": "5", "text": "No fever."}]}
    path = formats.write(make(rows), tmp_path / "omop", "omop")
    assert pd.read_csv(path / "note.csv")[["note_id", "person_id"]].values.tolist() == [[71, 5]]
    assert not (path / "source_ids.csv").exists()


def test_a_lone_carriage_return_stays_in_its_cell(tmp_path):
    rows = {"notes": [{"note_id": "a", "text": "No\rfever."}]}
    assert formats.read(formats.write(make(rows), tmp_path / "o", "omop"))["text"].tolist() == ["No\rfever."]


def test_fhir_resources(written, tmp_path):
    path = formats.write(written, tmp_path / "a.json", "fhir")
    resources = [entry["resource"] for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]]
    kinds = [r["resourceType"] for r in resources]
    assert {k: kinds.count(k) for k in set(kinds)} == {
        "DocumentReference": 4, "Condition": 8, "MedicationStatement": 1, "Observation": 2,
    }  # fmt: skip
    conditions = {r["code"]["text"]: r for r in resources if r["resourceType"] == "Condition"}
    assert not {"breast cancer", "fever"} & set(conditions)  # of a relative; hypothetical
    status = {name: r["verificationStatus"]["coding"][0]["code"] for name, r in conditions.items()}
    assert (status["chest pain"], status["pneumonia"], status["heart failure"]) == (
        "refuted", "unconfirmed", "confirmed",
    )  # fmt: skip
    assert "clinicalStatus" not in conditions["chest pain"]
    assert conditions["stroke"]["clinicalStatus"]["coding"][0]["code"] == "inactive"
    medication = next(r for r in resources if r["resourceType"] == "MedicationStatement")
    assert (medication["status"], medication["dosage"]) == ("active", [{"text": "10 mg daily"}])
    quantity = [r["valueQuantity"] for r in resources if "valueQuantity" in r]
    assert quantity == [{"value": 8.2, "unit": "%"}]


def test_each_fhir_resource_leads_to_its_words(written, tmp_path):
    path = formats.write(written, tmp_path / "a.json", "fhir")
    resources = [entry["resource"] for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]]
    texts = {f"DocumentReference/{r['id']}": base64.b64decode(r["content"][0]["attachment"]["data"]).decode()
             for r in resources if r["resourceType"] == "DocumentReference"}  # fmt: skip
    for resource in resources[len(texts) :]:
        (note,) = resource.get("derivedFrom") or resource["evidence"][0]["detail"]
        place = {e["url"]: e.get("valueInteger") for e in resource["extension"][0]["extension"]}
        words = texts[note["reference"]][place["start"] : place["end"]]
        name = (resource.get("medicationCodeableConcept") or resource["code"])["text"]
        assert words == {"BP": "142/88", "HbA1c": "8.2"}.get(name, name)
    found = spans_in(formats.read_documents(path))
    assert ("p02-01", 20, 23, "RESULT") in found
    assert len(found) == len(resources) - len(texts)


def test_fhir_names_of_code_systems(tmp_path):
    codes = {"ICD-10-CM": ("I63.9", "http://hl7.org/fhir/sid/icd-10-cm"), "MeSH": ("D020521", "https://www.nlm.nih.gov/mesh"),
             "RxNorm": ("1/2", None), "DrugBank": ("DB1", "urn:clinnlp:DrugBank")}  # fmt: skip
    rows = [entity("p02-01", "stroke", "DISEASE", code_system=s, code=c) for s, (c, _) in codes.items()]
    path = formats.write(make({"notes": NOTES_OF_ONE, "entities": rows}), tmp_path / "a.ndjson", "fhir")
    _, *found = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    systems = [r["code"].get("coding", [{}])[0].get("system") for r in found]
    assert systems == [system for _, system in codes.values()]


def test_brat_assertions_and_codes(written, tmp_path):
    path = formats.write(written, tmp_path / "brat", "brat")
    marks = (path / "p01-01.ann").read_text(encoding="utf-8")
    assert "\tAssertion T1 absent\n" in marks
    assert "Reference T2 RxNorm:29046\tlisinopril\n" in marks
    assert next(iter(formats.read_documents(path)))["entities"][0]["assertion"] == "absent"


@pytest.mark.parametrize("note_id", ["../../up", "a/b", "con:1", ".hidden", "ü%41"])
def test_note_ids_are_no_paths(tmp_path, note_id):
    path = formats.write(make({"notes": [{"note_id": note_id, "text": "x"}]}), tmp_path / "in" / "brat", "brat")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    assert len(list(path.glob("*.txt")) + list(path.glob(".*"))) == 1
    assert formats.read(path, "brat")["note_id"].tolist() == [note_id]


def test_an_entity_over_a_line_end(tmp_path, monkeypatch):
    rows = {"notes": [{"note_id": "a", "text": "chest\r\npain"}],
            "entities": [{**entity("p01-01", "chest pain", "SYMPTOM"), "note_id": "a", "start": 0, "end": 11,
                          "text": "chest\r\npain"}]}  # fmt: skip
    path = formats.write(make(rows), tmp_path / "brat", "brat")
    assert (path / "a.ann").read_text(encoding="utf-8").startswith("T1\tSYMPTOM 0 5;7 11\tchest pain\n")
    for format in ("brat", "bioc", "conll", "pubtator"):
        path = formats.write(make(rows), tmp_path / f"new-{FILES[format]}", format)
        assert spans_in(formats.read_documents(path, format)) == [("a", 0, 11, "SYMPTOM")]


def test_bioc_holds_what_xml_cannot(tmp_path):
    path = formats.write(
        make({"notes": [{"note_id": 'a<&"', "text": "x\x00\x0b]]>&\r\n"}]}), tmp_path / "a.xml", "bioc"
    )
    assert formats.read(path)[["note_id", "text"]].values.tolist() == [['a<&"', "x\ufffd\ufffd]]>&\r\n"]]


def test_a_folder_with_files_is_not_written_to_and_a_file_is_replaced(written, tmp_path):
    (tmp_path / "old.txt").write_text("x")
    for format in ("brat", "omop", "parquet"):
        with pytest.raises(InputError, match="not an empty folder"):
            formats.write(written, tmp_path, format)
    with pytest.raises(InputError, match="is one file"):
        formats.write(written, tmp_path, "bioc")
    with pytest.raises(InputError, match=r"'c-cda' is not a format to write.*bioc"):
        formats.write(written, tmp_path / "x", "c-cda")
    for _ in range(2):
        formats.write(written, tmp_path / "a.json", "bioc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "old.txt"]


def test_what_fails_leaves_the_old_file(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(AttributeError):
        formats.write(SimpleNamespace(), tmp_path / "a.json", "bioc")
    assert (tmp_path / "a.json").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_duckdb(written, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = formats.write(written, tmp_path / "a.duckdb", "duckdb")
    assert spans_in(formats.read_documents(path)) == spans_of(written.entities)
    assert formats.read(path)["text"].dropna().tolist()[:4] == [note[4] for note in NOTES[:4]]
    with duckdb.connect(str(path), read_only=True) as connection:
        counts = {n: connection.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in written.tables()}
    assert counts == {name: len(table) for name, table in written.tables().items()}
    (tmp_path / "bad.duckdb").write_text("no database " * 1000)
    with pytest.raises(InputError, match="cannot be read as a DuckDB file"):
        formats.read(tmp_path / "bad.duckdb")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("x")', "#N/A", "  kept  "])
def test_no_cell_is_a_formula(tmp_path, text):
    openpyxl = pytest.importorskip("openpyxl")
    rows = {"notes": [{"note_id": text, "text": text}]}
    book = openpyxl.load_workbook(formats.write(make(rows), tmp_path / "a.xlsx", "excel"))
    cell = book["notes"].cell(2, 5)
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix == text.startswith(("=", "+", "-", "@", "\t"))


def test_excel_cuts_long_texts_and_holds_any_character(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    long = "\U0001f600" * 20_000  # two units each
    rows = {"notes": [{"note_id": "a", "text": long, "date": "2020-01-02"}, {"note_id": "b", "text": "x\x01\uffff"}]}
    with pytest.warns(UserWarning, match="1 texts are longer"):
        path = formats.write(make(rows), tmp_path / "a.xlsx", "excel")
    sheet = openpyxl.load_workbook(path)["notes"]
    cell = sheet.cell(2, 5).value
    assert len(cell.encode("utf-16-le")) <= 2 * 32_767
    assert cell.endswith("\U0001f600 [cut]")
    assert sheet.cell(3, 5).value == "x\ufffd\ufffd"
    assert sheet.cell(2, 3).value == pd.Timestamp("2020-01-02")


def test_excel_has_a_sheet_a_table(written, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        book = openpyxl.load_workbook(formats.write(written, tmp_path / "a.xlsx", "excel"))
    rows = {name: book[name].max_row - 1 for name in book.sheetnames}
    assert rows == {name: len(table) for name, table in written.tables().items()}
    assert [c.value for c in book["entities"][1]] == list(written.entities.columns)


@pytest.mark.parametrize(("format", "name"), CASES)
def test_a_result_without_notes(tmp_path, format, name):
    formats.write(make({}), tmp_path / name, format)


@pytest.mark.parametrize(("format", "package"), [("duckdb", "duckdb"), ("excel", "openpyxl")])
def test_a_missing_package_is_named(tmp_path, monkeypatch, format, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf'{package} is not installed. Run: pip install "clinnlp\[formats\]"'):
        formats.write(make(), tmp_path / "a", format)
