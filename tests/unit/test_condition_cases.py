"""Condition flags of short hand-written notes: what states each condition, and what only looks like it."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import clinnlp
from clinnlp.conditions import load
from clinnlp.flags import find_flags

CASES = Path(__file__).parents[1] / "cases"
NOTES = [json.loads(line) for line in (CASES / "conditions.jsonl").read_text(encoding="utf8").splitlines()]
KNOWN_FAILURES = set((CASES / "conditions.known_failures.txt").read_text(encoding="utf8").split())
DEFINITIONS = load()
POSITIVE = ("present", "historical", "uncertain", "implied")
NEGATIVE = ("absent", "family", "silent")  # silent: the note says nothing of the condition
ENOUGH = 3


@pytest.fixture(scope="module")
def read():
    nlp = clinnlp.load(exclude=["clinnlp_ner"])
    return cache(lambda text: {flag.condition: flag for flag in find_flags(nlp(text), DEFINITIONS)[0]})


@pytest.mark.parametrize("case", NOTES, ids=[case["id"] for case in NOTES])
def test_status(read, case):
    found = read(case["text"]).get(case["condition"])
    status = found.status if found else "silent"
    if case["id"] in KNOWN_FAILURES:
        assert status != case["status"], "passes now: take it off the list of known failures"
    else:
        assert status == case["status"], (case["why"], found)


def test_cases_are_named_after_what_they_say():
    assert len({case["id"] for case in NOTES}) == len(NOTES)
    assert {case["id"] for case in NOTES} >= KNOWN_FAILURES
    for case in NOTES:
        condition, kind, _ = case["id"].split(".")
        assert condition == case["condition"]
        assert case["status"] in {"pos": POSITIVE, "neg": NEGATIVE}[kind], case["id"]


@pytest.mark.parametrize("condition", DEFINITIONS)
def test_definition_has_cases_for_and_against(condition):
    of_kind = Counter(case["status"] in POSITIVE for case in NOTES if case["condition"] == condition)
    assert min(of_kind[True], of_kind[False]) >= ENOUGH
