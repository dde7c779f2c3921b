"""Assertions from context: every rule by its example and counter-example, and hand-written trap sentences."""

import json
import re
from pathlib import Path

import pytest

from clinnlp.components.context import find_assertions, split_sentences
from clinnlp.resources import read_yaml
from clinnlp.schema import AXES, Section
from clinnlp.tokenizer import blank

CASES = Path(__file__).parents[1] / "cases"
TRAPS = [json.loads(line) for line in (CASES / "context.jsonl").read_text(encoding="utf8").splitlines()]
KNOWN_FAILURES = set((CASES / "context.known_failures.txt").read_text(encoding="utf8").split())
RULES = read_yaml("context.yml")["rules"]
nlp = blank()
pipeline = blank()
pipeline.add_pipe("clinnlp_context")


def assess(text, start, end):
    doc = nlp.make_doc(text)
    return find_assertions(doc, [doc.char_span(start, end, label="DISEASE", alignment_mode="expand")])[0]


def assess_marked(marked):
    start, end = marked.index("{"), marked.index("}") - 1
    return assess(re.sub(r"[{}]", "", marked), start, end)


def axes_of(rule):
    axis = rule.get("axis", ())
    return [a for a in ([axis] if isinstance(axis, str) else axis) if a in AXES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["id"])
def test_rule_example_and_counter(rule):
    example, counter = assess_marked(rule["example"]), assess_marked(rule["counter"])
    fired = {r.rule for axis in AXES if (r := getattr(example, axis)) and not r.rule.startswith("mention.")}
    if axes_of(rule):
        assert fired == {rule["id"]}
        assert all(getattr(example, axis) for axis in axes_of(rule))
        assert counter.is_background or not all(getattr(counter, axis) for axis in axes_of(rule))
    elif rule.get("axis") == "affirmed":
        assert not example.negated
        assert counter.negated
    else:
        assert not fired
        assert any(getattr(counter, axis) for axis in AXES) or rule["id"] == "pseudo.family"


@pytest.mark.parametrize("case", TRAPS, ids=[case["id"] for case in TRAPS])
def test_trap(case):
    start = -1
    for _ in range(case.get("nth", 0) + 1):
        start = case["text"].index(case["span"], start + 1)
    found = assess(case["text"], start, start + len(case["span"]))
    got = {axis: getattr(found, axis) is not None for axis in AXES}
    right = got == {axis: case[axis] for axis in AXES} and found.is_background == case.get("background", False)
    if case["id"] in KNOWN_FAILURES:
        assert not right, "passes now: take it off the list of known failures"
    else:
        assert right, (case["why"], got, found.reason)


def test_known_failures_exist():
    assert {case["id"] for case in TRAPS} >= KNOWN_FAILURES
    assert len({case["id"] for case in TRAPS}) == len(TRAPS) >= 100


def test_reason_points_into_text():
    text = "Patient denies fever. Possible pneumonia."
    found = assess(text, 15, 20)
    assert text[found.negated.start : found.negated.end] == found.negated.cue == "denies"
    assert found.negated.scope == (14, 21)
    assert found.reason is found.negated


def test_component_sets_ents_and_condition_terms():
    doc = pipeline.make_doc("No family history of gout. Denies chest pain, cough present.")
    doc.ents = [doc.char_span(34, 44, label="SYMPTOM"), doc.char_span(46, 51, label="SYMPTOM")]
    doc.spans["conditions"] = [doc.char_span(21, 25, label="gout")]
    for _, component in pipeline.pipeline:
        doc = component(doc)
    assert [e._.assertion for e in doc.ents] == ["absent", "present"]
    assert (doc.ents[0]._.cue, doc.ents[0]._.rule, doc.ents[1]._.cue) == ("Denies", "neg.deny", None)
    gout = doc.spans["conditions"][0]
    assert (gout._.is_family, gout._.is_negated, gout._.assertion) == (True, True, "family")


def test_rerun_forgets_old_values():
    doc = pipeline.make_doc("Cough today.")
    doc.ents = [doc.char_span(0, 5, label="SYMPTOM")]
    doc.ents[0]._.is_negated = True
    pipeline.get_pipe("clinnlp_context")(doc)
    assert not doc.ents[0]._.is_negated


@pytest.mark.parametrize(
    "text",
    [
        "", "\r\n\r\n", "\0", "no " * 9_000, "fever, " * 5_000, "[ ] [x] " * 3_000, "İ no fever " * 50, "-" * 20_000,
        "a" * 20_000, "((((" * 9_000, ": no " * 5_000, " " * 50_000 + "no", "\n" * 9_000, "denies:\n" * 3_000,
    ],
    ids=range(14),
)  # fmt: skip
def test_odd_text_never_raises(text):
    doc = nlp.make_doc(text)
    find_assertions(doc, [doc[i : i + 1] for i in range(0, len(doc), max(1, len(doc) // 50))])


@pytest.mark.parametrize(
    ("category", "text", "span", "assertion"),
    [
        ("family_history", "Breast cancer, gout", "gout", "family"),
        ("family_history", "Patient has gout", "gout", "present"),
        ("family_history", "No gout", "gout", "absent"),
        ("past_medical_history", "Hypertension; pneumonia", "pneumonia", "historical"),
        ("past_medical_history", "Hypertension; pneumonia", "Hypertension", "present"),
        ("past_surgical_history", "Hernia repair", "Hernia", "historical"),
        ("allergies", "Penicillin (hives)", "hives", "historical"),
        ("present_illness", "Pneumonia", "Pneumonia", "present"),
    ],
)
def test_section_defaults(category, text, span, assertion):
    doc = pipeline.make_doc(text)
    doc._.sections = [Section(0, 0, "", category, 0, len(text))]
    start = text.index(span)
    doc.ents = [doc.char_span(start, start + len(span), label="DISEASE")]
    pipeline.get_pipe("clinnlp_context")(doc)
    assert doc.ents[0]._.assertion == assertion


def test_questionnaire_columns():
    text = "                 YES   NO\nSeizures?              x\nGout?             x\n"
    assert assess(text, text.index("Seizures"), text.index("Seizures") + 8).negated.rule == "form.column"
    gout = assess(text, text.index("Gout"), text.index("Gout") + 4)
    assert gout.reason is None


def test_fallback_sentences_join_wraps_and_split_items():
    text = "He denies fever, chills,\nand cough. Dr. X agrees.\n- rash\n- edema"
    assert [text[a:b] for a, b in split_sentences(text)] == [
        "He denies fever, chills,\nand cough.", "Dr. X agrees.", "- rash", "- edema",
    ]  # fmt: skip
