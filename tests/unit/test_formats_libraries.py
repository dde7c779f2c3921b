"""What is written and read, judged by the libraries of the field: fhir.resources and bioc."""

import json
from importlib import import_module
from pathlib import Path

import bioc
import pytest
from bioc import biocjson, biocxml
from pydantic import ValidationError

from clinnlp import formats
from clinnlp.annotations import Annotations
from clinnlp.formats.fhir_resources import TAKEN
from clinnlp.schema import ASSERTIONS
from small_result import ROWS, TEXTS, build, entity, span

DATA = Path(__file__).parents[1] / "data" / "formats"
R4, R5 = "fhir.resources.R4B", "fhir.resources"  # R4B changed none of the resources that hold or come from notes
LOAD = {"xml": biocxml.load, "json": biocjson.load}
DUMP = {"xml": biocxml.dump, "json": biocjson.dump}


def is_valid(resource, release):
    """Say whether a resource is one of a release."""
    kind = resource["resourceType"]
    try:
        getattr(import_module(f"{release}.{kind.lower()}"), kind).model_validate(resource)
    except ValidationError:
        return False
    return True


def unpack(content):
    return [entry["resource"] for entry in content["entry"]] if content["resourceType"] == "Bundle" else [content]


def make(rows=ROWS):
    return Annotations(**vars(build(rows)))


@pytest.fixture
def rows():
    """Give the rows of the small result, with each assertion, status, interpretation and kind of code."""
    drug = {"form": "tablet", "route": "po", "frequency": "daily", "duration": "for 2 weeks"}
    codes = [("MeSH", "D020521"), ("DrugBank", "DB00331"), ("RxNorm", "29046/5487"), ("ICD-10-CM", "I63.9")]
    return {
        **ROWS,
        "entities": [*ROWS["entities"], *(entity("p02-01", "stroke", "DISEASE", a) for a in ASSERTIONS),
                     *(entity("p02-01", "stroke", "DISEASE", code_system=s, code=c, code_name="x") for s, c in codes)],
        "medications": [*ROWS["medications"],
                        *(span("p02-01", "metformin", status=s, dose="5 mg", **drug) for s in (*TAKEN, "allergy"))],
        "measurements": [*ROWS["measurements"], *(
            {**span("p02-01", "8.2"), "test": "HbA1c", "value": "8.2", "number": 8.2, "interpretation": i}
            for i in ("low", "normal", "high"))],
    }  # fmt: skip


def test_each_fhir_resource_that_is_written_is_valid_r4(rows, tmp_path):
    path = formats.write(make(rows), tmp_path / "a.json", "fhir")
    bundle = json.loads(path.read_text(encoding="utf-8"))
    kinds = {r["resourceType"] for r in unpack(bundle)}
    assert kinds == {"DocumentReference", "Condition", "MedicationStatement", "Observation"}
    assert [r["id"] for r in unpack(bundle) if not is_valid(r, R4)] == []
    assert is_valid(bundle, R4)


def test_of_what_is_written_notes_and_observations_are_valid_r5_too(rows, tmp_path):
    path = formats.write(make(rows), tmp_path / "a.ndjson", "fhir")
    resources = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    valid = {r["resourceType"] for r in resources if is_valid(r, R5)}
    assert valid == {"DocumentReference", "Observation"}
    assert all(is_valid(r, R5) for r in resources if r["resourceType"] in valid)


@pytest.mark.parametrize("change", [{"status": None}, {"content": None}, {"date": "2020-13-01"}, {"extra": 1}])
def test_the_library_sees_what_is_wrong(change):
    resource = json.loads((DATA / "single.json").read_text(encoding="utf-8"))
    assert is_valid(resource, R4)
    assert not is_valid({**resource, **change}, R4)


@pytest.mark.parametrize("name", ["bundle.json", "single.json", "export.ndjson"])
def test_the_synthetic_fhir_inputs_are_valid(name):
    text = (DATA / name).read_text(encoding="utf-8")
    contents = map(json.loads, text.splitlines() if name.endswith("ndjson") else [text])
    releases = {r["id"]: [is_valid(r, release) for release in (R4, R5)] for c in contents for r in unpack(c)}
    of_one = {name: found for name, found in releases.items() if found != [True, True]}
    assert of_one == ({"plain": [True, False], "html": [False, True]} if name == "bundle.json" else {})  # their context


@pytest.mark.parametrize("ending", LOAD)
def test_bioc_reads_the_same_notes_and_annotations(tmp_path, ending):
    path = formats.write(make(), tmp_path / f"a.{ending}", "bioc")
    with path.open("rb" if ending == "xml" else "r", **({} if ending == "xml" else {"encoding": "utf-8"})) as file:
        collection = LOAD[ending](file)
    found = []
    for document in collection.documents:
        (passage,) = document.passages
        assert (passage.offset, passage.text) == (0, TEXTS[document.id])
        for mark in passage.annotations:
            (place,) = mark.locations
            assert passage.text[place.offset : place.end] == mark.text
            found.append((document.id, place.offset, mark.text, mark.infons["type"], mark.infons["assertion"]))
    assert sorted(found) == sorted(
        (e["note_id"], e["start"], e["text"], e["label"], e["assertion"]) for e in ROWS["entities"]
    )
    assert collection.documents[0].infons["patient_id"] == "p01"


def annotation(name, words, *places, **infons):
    made = bioc.BioCAnnotation()
    made.id, made.text, made.infons = name, words, infons
    for offset, length in places:
        made.add_location(bioc.BioCLocation(offset, length))
    return made


@pytest.fixture
def collection():
    """Give a collection with a passage that has a text, and one that has sentences."""
    document, first, second = bioc.BioCDocument(), bioc.BioCPassage(), bioc.BioCPassage()
    document.id, document.infons = "d<1>", {"ward": "B & C"}
    first.text, first.offset = "Café: no rash\r\nor \U0001f600 fever.", 0
    first.add_annotation(annotation("T1", "rash", (9, 4), type="SYMPTOM", assertion="absent"))
    first.add_annotation(annotation("T2", "rash fever", (9, 4), (20, 5), type="SYMPTOM", identifier="MESH:D005076"))
    relation = bioc.BioCRelation()
    relation.id = "R1"
    relation.add_node(bioc.BioCNode("T1", "first"))
    first.add_relation(relation)
    second.offset = 30
    for offset, text, words in ((30, "Asthma.", "Asthma"), (40, "On oxygen.", "oxygen")):
        sentence = bioc.BioCSentence()
        sentence.offset, sentence.text = offset, text
        sentence.add_annotation(annotation(words, words, (offset + text.index(words), len(words)), type="TERM"))
        second.add_sentence(sentence)
    document.passages = [first, second]
    made = bioc.BioCCollection()
    made.source, made.date, made.key = "made up", "2020-01-02", "a.key"
    made.add_document(document)
    return made


@pytest.mark.parametrize("ending", DUMP)
def test_what_bioc_writes_is_read(collection, tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    with path.open("w", encoding="utf-8", newline="") as file:
        DUMP[ending](collection, file)
    assert formats.detect(path) == "bioc"
    (document,) = formats.read_documents(path)
    text = document["text"]
    assert document["id"] == "d<1>"
    assert text == "Café: no rash\r\nor \U0001f600 fever.    Asthma.   On oxygen."
    assert [text[e["start"] : e["end"]] for e in document["entities"]] == [
        "rash", "rash\r\nor \U0001f600 fever", "Asthma", "oxygen",
    ]  # fmt: skip
    assert document["entities"][0]["assertion"] == "absent"
    assert document["entities"][1]["code"] == "MESH:D005076"
    assert formats.read(path)["ward"].tolist() == ["B & C"]
