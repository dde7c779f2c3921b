"""The pack that ships: it loads without torch, says what it is, and reads plain sentences."""

import json
import subprocess
import sys

import pytest

from clinnlp.models import load_classifier
from clinnlp.models.pack import PACKS


@pytest.fixture(scope="module")
def mini():
    return load_classifier("mini/bc5cdr")


def test_it_finds_drugs_and_diseases(mini):
    text = "Naloxone reverses the antihypertensive effect of clonidine in patients with hypertension."
    found = {(text[p.start : p.end], p.label) for p in mini.predict(text)}
    assert found == {("Naloxone", "MEDICATION"), ("clonidine", "MEDICATION"), ("hypertension", "DISEASE")}


def test_it_needs_neither_torch_nor_transformers():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from clinnlp.models import load_classifier; print(len(load_classifier('mini').predict('She has gout.')))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "1"


def test_long_notes_are_read_to_their_end(mini):
    text = "The weather was fine and nothing happened on that day. " * 400 + "Then she had a stroke."
    assert [text[p.start : p.end] for p in mini.predict(text)] == ["stroke"]


def test_the_card_has_the_scores_of_the_manifest():
    manifest = json.loads((PACKS / "mini" / "manifest.json").read_text(encoding="utf-8"))
    card = (PACKS / "mini" / "README.md").read_text(encoding="utf-8")
    for scores in manifest["scores"].values():
        for row in scores["entities"]:
            assert f"| {row['label']} | {row['match']} | {row['precision']:.3f} | {row['recall']:.3f} |" in card
