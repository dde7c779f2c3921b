"""Build the notebooks from their percent sources: the same source gives the same bytes.

Run `python notebooks/build.py` for all of them, or name sources. Each notebook is run from top to bottom, so that the
outputs that are saved are the ones the code gives.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def build(source: Path) -> Path:
    """Run one percent source and write the notebook beside the folder of the sources."""
    notebook = jupytext.read(source, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem}-{number:02d}".replace("_", "-")
        cell.metadata = {}
    notebook.metadata = METADATA
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    client = NotebookClient(
        notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(HERE)}}, kernel_name="python3"
    )
    client.execute()
    notebook.metadata = METADATA
    target = HERE / f"{source.stem}.ipynb"
    nbformat.write(notebook, target)
    return target


if __name__ == "__main__":
    os.environ |= {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}  # sums in another order give another model
    for path in [Path(p) for p in sys.argv[1:]] or sorted((HERE / "src").glob("*.py")):
        print(build(path).name)
