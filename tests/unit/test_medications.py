"""Drugs: dose, form, route, frequency, duration, status, and what is not a treatment."""

import json
import re
from pathlib import Path

import pytest
from spacy.tokens import Doc

from clinnlp.components import medications
from clinnlp.components.medications import find_medications
from clinnlp.resources import read_yaml
from clinnlp.schema import Section
from clinnlp.sig import fill, read_sig
from clinnlp.tokenizer import blank

CASES = [json.loads(line) for line in Path(__file__).parents[1].joinpath("cases/medications.jsonl").open()]
RESOURCE = read_yaml("medications.yml")
ATTRIBUTES = [(kind, rule) for kind, rules in RESOURCE["attributes"].items() for rule in rules]
NLP = blank()


def make_doc(marked: str, section: str | None = None, header: str = "") -> Doc:
    """Make a doc from a text with its drugs in double braces, all of it in one section."""
    parts = re.split(r"\{\{|\}\}", marked)
    doc = NLP.make_doc("".join(parts))
    starts = [sum(map(len, parts[:i])) for i in range(1, len(parts), 2)]
    doc.ents = [
        doc.char_span(start, start + len(drug), label="MEDICATION", alignment_mode="expand")
        for start, drug in zip(starts, parts[1::2], strict=True)
    ]
    if section:
        doc._.sections = (Section(0, len(header), header, section, len(header), len(doc.text)),)
    return doc


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_case(case):
    doc = make_doc(case["text"], case.get("section"), case.get("header", ""))
    found = find_medications(doc)
    fields = ("text", "dose", "form", "route", "frequency", "duration", "status")
    got = [{f: getattr(m, f) for f in fields if getattr(m, f) is not None} for m in found]
    want = [{"status": "active", **m} for m in case["expect"]]
    assert [{k: g[k] for k in w if k in g} for g, w in zip(got, want, strict=True)] == want
    for m, w in zip(found, want, strict=True):
        assert doc.text[m.start : m.end] == m.text
        assert all(getattr(m, f) is None for f in ("dose", "route", "frequency", "duration") if f not in w)


@pytest.mark.parametrize(("kind", "rule"), ATTRIBUTES, ids=lambda x: x["id"] if isinstance(x, dict) else x)
def test_each_attribute_has_an_example_and_a_counter_example(kind, rule):
    written, _, _ = rule["example"].partition("]")
    text = "Drugname " + rule["example"].strip().replace("[", "").replace("]", "")
    sig = read_sig(text, 0, 8, 0, len(text))
    assert sig.quote(text)[kind] == written.partition("[")[2]
    pattern = re.compile(rf"(?<![A-Za-z])(?:{fill(rule['pattern'], RESOURCE)})", re.IGNORECASE | re.VERBOSE)
    assert not pattern.search(rule["counter"])


@pytest.mark.parametrize("rule", RESOURCE["status"], ids=lambda r: r["id"])
def test_each_cue_has_an_example_and_a_counter_example(rule, monkeypatch):
    fired = []
    decide = medications._status
    monkeypatch.setattr(
        medications, "_status", lambda t, m, *a: (fired.append(m.cue and m.cue.id), decide(t, m, *a))[1]
    )
    for text in (rule["example"], rule["counter"]):
        find_medications(make_doc(text.replace("[", "{{").replace("]", "}}")))
    assert fired[0] == rule["id"]
    assert fired[1] != rule["id"]


def test_codes_come_from_the_entity():
    doc = make_doc("{{aspirin}} 81 mg daily")
    doc.ents[0]._.code_system, doc.ents[0]._.code, doc.ents[0]._.code_name = "MeSH", "D001241", "Aspirin"
    (found,) = find_medications(doc)
    assert (found.code_system, found.code, found.code_name) == ("MeSH", "D001241", "Aspirin")


@pytest.mark.parametrize(
    ("axis", "status"),
    [("negated", "negated"), ("historical", "past"), ("hypothetical", "other"), ("family", "other")],
)
def test_the_assertion_decides_where_no_cue_does(axis, status):
    doc = make_doc("{{aspirin}}")
    doc.ents[0]._.set(f"is_{axis}", True)
    assert [m.status for m in find_medications(doc)] == [status]


def test_component_stores_what_is_found():
    nlp = blank()
    nlp.add_pipe("clinnlp_medications")
    assert [m.text for m in nlp("Foobarol 10 mg PO BID")._.medications] == ["Foobarol"]


@pytest.mark.parametrize(
    "text", ["", "\x00", "{{aspirin}}", "{{aspirin}} ", "{{aspirin}}\r\n81 mg", "{{a}}/{{b}}", "½ mg", "{{x}} ١٠ mg"]
)
def test_odd_text_does_not_raise(text):
    doc = make_doc(text)
    for m in find_medications(doc):
        assert doc.text[m.start : m.end] == m.text


@pytest.mark.parametrize(
    "piece", ["{{aspirin}} 81 mg daily, ", "10 mg ", "{{aspirin}} ", "daily ", "Abcdef 1-2 ", "one or two or "]
)
def test_long_text_on_one_line_takes_linear_time(piece):
    find_medications(make_doc(piece * 500))
