"""Notes of any length and of anything give a result, in time that grows with their length."""

import signal

import pandas as pd
import pytest
from texts import PIECES, make

import clinnlp

SIZE = 60_000  # characters
PATIENCE = 60  # seconds of CPU time, many times what one takes: for what grows with the square of the length
QUOTED = {"sections": "header", "entities": "text", "medications": "text", "measurements": "value", "flags": "evidence",
          "evidence": "text", "summaries": "text"}  # fmt: skip


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load(exclude=["clinnlp_ner"])


@pytest.fixture(autouse=True)
def watch():
    def stop(*_):
        pytest.fail("takes too long", pytrace=False)

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def check(text, nlp):
    result = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp)
    assert result.errors.empty
    for name, quote in QUOTED.items():
        table = getattr(result, name)
        assert [text[a:b] for a, b in zip(table["start"], table["end"], strict=True)] == list(table[quote])
    return result


@pytest.mark.parametrize("name", PIECES)
def test_a_long_note(name, nlp):
    check(make(name, SIZE), nlp)


def test_a_note_longer_than_spacy_reads_by_default(nlp):
    text = "a" * 1_100_000 + " denies fever"
    assert list(check(text, nlp).entities["assertion"]) == ["absent"]


def test_what_a_long_note_says_is_what_its_parts_say(nlp):
    once, often = check(make("a note many times", 1), nlp), check(make("a note many times", 20_000), nlp)
    kinds = ["text", "label", "assertion", "section"]
    assert set(map(tuple, once.entities[kinds].to_numpy())) <= set(map(tuple, often.entities[kinds].to_numpy()))
    assert dict(once.flags[["condition", "status"]].to_numpy()) == dict(often.flags[["condition", "status"]].to_numpy())
