"""The notebooks as they lie there: complete, small, without traces of the machine that ran them, and in step.

That their outputs are what the code gives is checked by nbval; here is checked what they hold.
"""

import json
import re
import sys
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
SOLUTIONS = sorted((FOLDER / "solutions").glob("*.ipynb"))
SOURCES = sorted((FOLDER / "src").glob("*.py"))
LARGEST = 200_000  # bytes
MACHINE = re.compile(r"(?<![\w./*<])/(?:home|root|tmp|work|usr|opt|Users|var|mnt)/|\b[A-Z]:\\\w|0x[0-9a-f]{6,}")
every = pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: path.stem)
lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)

sys.path.insert(0, str(FOLDER))
from build import FOLDED, GLOSSARY, METADATA, UNSHOWN, WORDS, glossary, tags  # noqa: E402


def cells(path, tag=None):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found if tag is None else [cell for cell in found if tag in cell["metadata"].get("tags", [])]


def strings(value):
    """Give all strings of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def source(cell):
    return "".join(cell["source"])


def shown(cell):
    """Give what a code cell shows at its end, as text."""
    last = cell["outputs"][-1]
    return "".join(last.get("data", {}).get("text/plain", last.get("text", "")))


def test_every_source_has_its_lesson_and_solutions():
    names = [path.stem for path in SOURCES]
    assert [path.stem for path in LESSONS] == names
    assert [path.stem.removesuffix("_solutions") for path in SOLUTIONS] == names


@every
def test_it_is_small_and_its_kernel_is_any_python(path):
    assert path.stat().st_size < LARGEST
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"] == METADATA


@every
def test_nothing_of_the_machine_or_of_a_widget_is_saved(path):
    text = path.read_text(encoding="utf-8")
    assert not [found for s in strings(json.loads(text)) for found in MACHINE.findall(s)]
    assert "widget-view+json" not in text
    assert "widget-state" not in text
    for cell in cells(path):
        assert set(cell["metadata"]) <= {"tags", "jupyter"}
        assert not [out for out in cell.get("outputs", []) if out.get("name") == "stderr"], source(cell)


@every
def test_it_breaks_only_on_purpose(path):
    for cell in cells(path):
        breaks = any(out["output_type"] == "error" for out in cell.get("outputs", []))
        assert breaks == ("raises-exception" in cell["metadata"].get("tags", [])), source(cell)


@lessons
def test_lesson_says_goal_needs_and_time_and_ends_with_what_was_learnt(path):
    prose = "\n".join(source(cell) for cell in cells(path) if cell["cell_type"] == "markdown")
    first = source(cells(path)[0])
    for words in ("# ", "**Goal:**", "**You need:**", "**Time:**", "minutes"):
        assert words in first, words
    for words in ("**What to notice:**", "Limits", "**Recap.**", WORDS):
        assert words in prose, words
    assert cells(path, "raises-exception"), "no cell breaks on purpose"


@lessons
def test_unanswered_exercise_says_not_yet_and_its_solution_well_done(path):
    exercises = cells(path, "exercise")
    solved = [
        cell
        for cell in cells(FOLDER / "solutions" / f"{path.stem}_solutions.ipynb", "solution")
        if source(cell).splitlines()[-1].startswith("attempt(") or "\nattempt(" in source(cell)
    ]
    assert len(exercises) in (2, 3)
    assert all(shown(cell).startswith("Not yet: ") for cell in exercises)
    assert not any("your code stopped" in shown(cell) for cell in exercises)
    assert len(solved) == len(exercises)
    assert all(shown(cell).startswith("Well done: ") for cell in solved)


@lessons
def test_each_exercise_has_a_hint_and_a_folded_check_and_no_solution(path):
    number = len(cells(path, "exercise"))
    questions = [source(cell) for cell in cells(path) if "<details><summary>Hint</summary>" in source(cell)]
    assert len(questions) == number
    assert len(cells(path, "check")) == number
    assert all(cell["metadata"]["jupyter"] == FOLDED["jupyter"] for cell in cells(path, "check"))
    assert not cells(path, "solution")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_built_cells_are_those_of_the_source(path):
    kept = [cell for cell in jupytext.read(path, fmt="py:percent").cells if "solution" not in tags(cell)]
    assert [source(cell) for cell in cells(FOLDER / f"{path.stem}.ipynb")] == [cell.source for cell in kept]


@every
def test_links_lead_to_files(path):
    prose = "\n".join(source(cell) for cell in cells(path) if cell["cell_type"] == "markdown")
    targets = [link for link in re.findall(r"\]\(([^)#\s]+)", prose) if "://" not in link]
    assert [link for link in targets if not (path.parent / link).exists()] == []


@every
def test_outputs_are_fit_to_be_compared(path):
    for cell in cells(path):
        if cell["cell_type"] == "code":
            assert not source(cell).rstrip().endswith(";"), "nbval fails on it"
            assert "NBVAL_" not in source(cell)
            assert cell["execution_count"]


@every
def test_every_output_is_compared_but_for_figures_of_training(path):
    unlike = [c for c in cells(path, "nbval-ignore-output") if c["metadata"] != UNSHOWN]
    assert len(unlike) == (2 if path.stem == "08_fine_tune" else 0), "what it shows must be the same on every machine"


def test_glossary_holds_the_new_words_of_all_lessons():
    assert GLOSSARY.read_text(encoding="utf-8") == glossary(SOURCES)
