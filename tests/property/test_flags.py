"""What every flag of the sample notes, and of the development notes where they lie, must hold."""

import json
from pathlib import Path

import pytest

import clinnlp

ROOT = Path(__file__).parents[2]
DEV = ROOT.parent / "shared/data/gold"
NOT_THE_PATIENTS = {"family", "absent", "hypothetical", "nothing"}


@pytest.fixture(scope="module")
def nlp():
    return clinnlp.load(exclude=["clinnlp_ner"])


def check(notes, nlp):
    result = clinnlp.annotate(notes, nlp)
    assert len(result.errors) == 0
    assert len(result.flags) > 50
    texts = dict(notes[["note_id", "text"]].to_numpy())
    for table, words in ((result.flags, "evidence"), (result.evidence, "text")):
        for row in table.to_dict("records"):
            assert texts[row["note_id"]][row["start"] : row["end"]] == row[words]
    by_flag = dict(iter(result.evidence.groupby(["note_id", "condition"])))
    for flag in result.flags.to_dict("records"):
        evidence = by_flag[flag["note_id"], flag["condition"]]
        assert ((evidence["start"] == flag["start"]) & (evidence["end"] == flag["end"])).any()
        if flag["status"] in ("present", "historical", "uncertain"):
            assert set(evidence["assertion"]) - NOT_THE_PATIENTS, (flag["note_id"], flag["condition"])


def test_flags_of_the_sample_notes(nlp):
    check(clinnlp.read_notes(ROOT / "sample_data/notes.csv"), nlp)


@pytest.mark.bench
@pytest.mark.parametrize("name", ["notes.dev.jsonl", "conditions.dev.jsonl"])
def test_flags_of_the_development_notes(name, nlp):
    if not (DEV / name).exists():
        pytest.skip("needs the development corpora")
    rows = [json.loads(line) for line in (DEV / name).read_text(encoding="utf-8").splitlines()]
    import pandas as pd

    frame = pd.DataFrame([{"note_id": row["id"], "text": row["text"]} for row in rows])
    check(clinnlp.read_notes(frame), nlp)
