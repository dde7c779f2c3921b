"""Vital signs and laboratory results: what is one, its unit, number and interpretation."""

import json
from pathlib import Path

import pytest

from clinnlp import conditions
from clinnlp.catalogue import load_rules
from clinnlp.components.measurements import find_measurements
from clinnlp.resources import read_yaml
from clinnlp.tokenizer import blank

CASES = [json.loads(line) for line in Path(__file__).parents[1].joinpath("cases/measurements.jsonl").open()]
RESOURCE = read_yaml("measurements.yml")
NLP = blank()


def find(text):
    return find_measurements(NLP.make_doc(text))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_case(case):
    found = find(case["text"])
    assert [[m.test, m.value, m.unit, m.interpretation] for m in found] == case["expect"]
    assert all(case["text"][m.start : m.end] == m.value for m in found)


@pytest.mark.parametrize("entry", RESOURCE["tests"], ids=lambda t: t["id"])
def test_each_test_has_an_example_and_a_counter_example(entry):
    text, value, interpretation = entry["example"]
    assert (value, interpretation) in [(m.value, m.interpretation) for m in find(text)]
    assert find(entry["counter"]) == []


def test_ranges_name_a_source_and_are_in_order():
    for entry in RESOURCE["tests"]:
        for scale in entry.get("scales", ()):
            low, high = scale.get("range", (None, None))
            assert "range" not in scale or entry["source"] in RESOURCE["sources"], entry["id"]
            assert low is None or high is None or low < high, entry["id"]
            assert scale["plausible"][0] < scale["plausible"][1], entry["id"]


def test_names_are_unique():
    for key, fold in (("names", str.lower), ("exact", str)):
        names = [fold(n) for t in RESOURCE["tests"] for n in t.get(key, ())]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("WBC 12.3", 12.3),
        ("Plt 1,240,000", 1_240_000),
        ("BP 120/80", None),
        ("EF 35-40%", None),
        ("Trop <0.01", None),
        ("troponin less than 0.04", None),
        ("blood sugars in the 40s", None),
        ("Height: 5'5\"", None),
        ("T-score -2.8", -2.8),
        ("T-score − 2.8", -2.8),
        ("MMSE 18/30", 18),
        ("PHQ-9 15", 15),
        ("GAD-7: 12/21", 12),
        ("T-score -1.0 to -2.5", None),
        ("BP 120s/70s", None),
    ],
)
def test_number_only_where_the_value_is_one(text, number):
    assert [m.number for m in find(text)] == [number]


PAIRS = {"bp", "blood pressure"}  # their value is a pair ("178/96"), of which the flags take the first


@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for d in conditions.load().values() for rule in d.measurements for name in rule.tests],
)
def test_the_tests_of_the_definitions_are_found(name, rule):
    limit = rule.at_least if rule.at_most is None else rule.at_most
    reached = [
        m.number
        for written in {name, name.upper(), name.title()}
        for m in find(f"{written} {limit:g}{'/80' if name in PAIRS else ''}")
        if m.test.lower() == name
    ]
    assert reached
    assert all(number == (None if name in PAIRS else limit) for number in reached)


def test_component_stores_what_is_found():
    nlp = blank()
    nlp.add_pipe("clinnlp_measurements")
    doc = nlp("HR 104, BP 98/54")
    assert [m.value for m in doc._.measurements] == ["104", "98/54"]


@pytest.mark.parametrize(
    "text", ["", "\x00", "BP", "BP ", "Na\t", "K 4.9\x00", "T 38.2\r\n", "Ⅻ K ½ Cr ٣", "BP " + "9" * 5000]
)
def test_odd_text_does_not_raise(text):
    for m in find(text):
        assert text[m.start : m.end] == m.value


@pytest.mark.parametrize(
    "piece",
    [
        "Na 134 ",
        "BP ",
        "Cr - ",
        "of ",
        "WBC  ",
        "K 4.9 -> ",
        "(",
        "| ",
        "creatinine of a ",
        "UA with Na 1 ",
        "Na and K, ",
    ],
)
def test_long_text_on_one_line_takes_linear_time(piece):
    find(piece * 3_000)


def test_rules_are_read_once():
    assert load_rules() is load_rules()
