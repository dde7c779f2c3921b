"""Build the course from its percent sources: the same source gives the same bytes.

Run `python notebooks/build.py` for all of it, or name sources. From each source come the notebook of the learner and
one with the solutions, run from top to bottom, so that the outputs that are saved are the ones the code gives; the
glossary is made of the tables "New words" of all of them. Cells are told apart by tags:

exercise          what the learner changes; ends with `attempt(check, answer)`; not in the solutions
check             defines a check; Jupyter folds it, since it knows the answer
solution          not in the learner's notebook; its last cell for an exercise ends with `attempt(check, answer)`
raises-exception  breaks on purpose; Jupyter goes on after it
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
SOLUTIONS = HERE / "solutions"
GLOSSARY = HERE.parent / "docs" / "glossary.md"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FOLDED = {"jupyter": {"source_hidden": True}}
UNSHOWN = {**FOLDED, "tags": ["nbval-ignore-output"]}  # what the lesson shows is compared in the lesson
MODEL_OF_WIDGET = "application/vnd.jupyter.widget-view+json"
LESSON = 'import os\n\nos.chdir("..")  # the lesson runs in the folder above\n\n'
WORDS = "**New words**"


def build(source: Path) -> list[Path]:
    """Run one percent source and write its notebooks: the lesson, and the solutions if it has any."""
    cells = jupytext.read(source, fmt="py:percent").cells
    name = source.stem
    written = [_write(HERE / f"{name}.ipynb", [cell for cell in cells if "solution" not in tags(cell)])]
    if any("solution" in tags(cell) for cell in cells):
        SOLUTIONS.mkdir(exist_ok=True)
        written.append(_write(SOLUTIONS / f"{name}_solutions.ipynb", _solutions(name, cells)))
    return written


def tags(cell: Any) -> list[str]:
    """Give the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def _solutions(name: str, cells: list[Any]) -> list[Any]:
    """Keep the exercises with their solutions; the code of the lesson goes before them as one folded cell."""
    title = cells[0].source.splitlines()[0].lstrip("# ")
    exercises = next(i for i, cell in enumerate(cells) if cell.source.startswith("## Exercises"))
    last = max(i for i, cell in enumerate(cells) if "solution" in tags(cell))
    lesson = [
        cell.source for cell in cells[:exercises] if cell.cell_type == "code" and "raises-exception" not in tags(cell)
    ]
    about = (
        f"# Solutions: {title}\n\nTo the exercises of [the lesson](../{name}.ipynb): try them there first. The folded "
        "cell below holds the code of the lesson, which the solutions need."
    )
    folded = new_code_cell(LESSON + "\n\n".join(lesson), metadata=UNSHOWN)
    kept = [cell for cell in cells[exercises : last + 1] if "exercise" not in tags(cell)]
    for cell in kept:
        cell.source = cell.source.replace("](solutions/", "](")
    return [new_markdown_cell(about), folded, *kept]


def _write(target: Path, cells: list[Any]) -> Path:
    """Run cells, and write them with their outputs."""
    for number, cell in enumerate(cells):
        folded = FOLDED if "check" in tags(cell) or cell.metadata.get("jupyter") else {}
        cell.metadata = {**folded, **({"tags": tags(cell)} if tags(cell) else {})}
        cell["id"] = f"{target.stem}-{number:02d}".replace("_", "-")
    notebook = new_notebook(cells=[nbformat.from_dict(cell) for cell in cells], metadata=METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    client = NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(target.parent)}},
        kernel_name="python3",
    )
    client.execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        if cell.metadata == UNSHOWN:
            cell.outputs = []
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(MODEL_OF_WIDGET, None)  # its id is random; the static view beside it stays
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]  # without the paths of this machine
    nbformat.write(notebook, target)
    return target


def glossary(sources: list[Path]) -> str:
    """Put the tables "New words" of all sources together, in the order of the alphabet."""
    words: dict[str, tuple[str, str]] = {}
    for source in sources:
        cells = jupytext.read(source, fmt="py:percent").cells
        table = next((cell.source.partition(WORDS)[2] for cell in cells if WORDS in cell.source), "")
        for word, meaning in re.findall(r"^\| (.+?) \| (.+) \|$", table, flags=re.MULTILINE)[2:]:
            if word in words:
                raise SystemExit(f"{source.stem} explains {word!r}, which {words[word][1]} does already.")
            words[word] = (meaning, source.stem)
    rows = [
        f"| {word} | {meaning} | [{lesson[:2]}](../notebooks/{lesson}.ipynb) |"
        for word, (meaning, lesson) in sorted(words.items(), key=lambda item: item[0].casefold())
    ]
    head = "# Glossary\n\nThe words of the course, and the lesson that needs them first.\n\n"
    return head + "| word | meaning | lesson |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    os.environ |= {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}  # sums in another order give another model
    every = sorted((HERE / "src").glob("*.py"))
    for path in [Path(p) for p in sys.argv[1:]] or every:
        print(*(written.name for written in build(path)))
    GLOSSARY.write_text(glossary(every), encoding="utf-8")
