"""Assertion scores of clinnlp, negspaCy and medspaCy on the same sentences, with paired bootstrap intervals.

    python benchmarks/scoreboard.py ROWS.jsonl [--negspacy PYTHON] [--medspacy PYTHON]

Each row gives `text`, `start` and `end` of a mention, and truth values for some of the axes. Every system is given the
mention and says only how it is asserted. PYTHON is the interpreter of an environment that holds the named package:

    python3.11 -m venv env_negspacy && env_negspacy/bin/pip install negspacy "setuptools<81"
    python3.11 -m venv env_medspacy && env_medspacy/bin/pip install medspacy==1.3.1 "setuptools<81"

With Python 3.11, pip took negspacy 1.1.0 and spaCy 3.8.18, and for medspaCy spaCy 3.7.5 (it asks for less than 3.8).

Prints a row a system and axis: precision, recall, F1 with its 95 % interval, and the difference of F1 (the system minus
clinnlp) with the interval of that difference, both systems on the same resampled rows. Sentences a second are the best
of three passes, a sentence at a time and without loading.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

AXES = ("negated", "uncertain", "historical", "hypothetical", "family")
SAMPLES, SEED, PASSES = 1000, 13, 3
Row = Mapping[str, Any]


def load_clinnlp() -> tuple[Any, dict[str, str]]:
    """Give the pipeline without its finders of entities, and the attribute of each axis."""
    import clinnlp

    return clinnlp.load(exclude=["clinnlp_ner", "clinnlp_lexicon"]), {axis: f"is_{axis}" for axis in AXES}


def load_negspacy() -> tuple[Any, dict[str, str]]:
    """Give Negex with its default clinical terms, and the attribute of its only axis."""
    import spacy
    from negspacy.negation import Negex  # noqa: F401 (makes the factory known)
    from negspacy.termsets import termset

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("negex", config={"neg_termset": termset("en_clinical").get_patterns()})
    return nlp, {"negated": "negex"}


def load_medspacy() -> tuple[Any, dict[str, str]]:
    """Give medspaCy's default pipeline (tokeniser, PyRuSH, ConText) without its finder of entities."""
    import medspacy
    from loguru import logger

    logger.remove()  # PyRuSH logs each token otherwise, which slows it down
    return medspacy.load(medspacy_disable=["medspacy_target_matcher"]), {axis: f"is_{axis}" for axis in AXES}


LOADERS: dict[str, Callable[[], tuple[Any, dict[str, str]]]] = {
    "clinnlp": load_clinnlp, "negspacy": load_negspacy, "medspacy": load_medspacy
}  # fmt: skip


def assess(nlp: Any, attributes: Mapping[str, str], row: Row) -> dict[str, bool]:
    """Run a pipeline on a row and give the axes of its mention."""
    doc = nlp.make_doc(row["text"])
    doc.ents = [doc.char_span(row["start"], row["end"], label="DISEASE", alignment_mode="expand")]
    for _, component in nlp.pipeline:
        doc = component(doc)
    return {axis: bool(doc.ents[0]._.get(name)) for axis, name in attributes.items()}


def work(system: str) -> None:
    """Read rows from standard input, and write the axes of each and then the speed to standard output."""
    rows = [json.loads(line) for line in sys.stdin]
    with contextlib.redirect_stdout(sys.stderr):
        nlp, attributes = LOADERS[system]()
        seconds = float("inf")
        for _ in range(PASSES):
            start = time.perf_counter()
            found = [assess(nlp, attributes, row) for row in rows]
            seconds = min(seconds, time.perf_counter() - start)
    for line in [*found, {"sentences_per_second": len(rows) / seconds}]:
        print(json.dumps(line))


def ask(system: str, python: str, rows: Sequence[Row]) -> tuple[list[dict[str, bool]], float]:
    """Run the worker of a system in its environment; give the axes that it found and its sentences a second."""
    mentions = "\n".join(json.dumps({key: row[key] for key in ("text", "start", "end")}) for row in rows)
    done = subprocess.run([python, __file__, "--worker", system], input=mentions, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"the worker of {system} failed")
    *found, last = map(json.loads, done.stdout.splitlines())
    return found, last["sentences_per_second"]


def count(rows: Sequence[Row], found: Sequence[Mapping[str, bool]], axis: str) -> np.ndarray:
    """Give whether each row that labels the axis is right, found and wanted, of shape (rows, 3)."""
    pairs = [(axes[axis], row[axis]) for row, axes in zip(rows, found, strict=True) if row.get(axis) is not None]
    return np.array([(said and true, said, true) for said, true in pairs], dtype=int).reshape(-1, 3)


def f1(sums: np.ndarray) -> np.ndarray:
    """Give F1 of sums of right, found and wanted."""
    return 2 * sums[..., 0] / np.maximum(1, sums[..., 1] + sums[..., 2])


def draw(counts: np.ndarray) -> np.ndarray:
    """Give F1 of bootstrap samples; the same rows are drawn for tables of equal length."""
    size = len(counts)
    drawn = np.random.default_rng(SEED).integers(0, size, (SAMPLES, size))
    return f1(np.stack([np.bincount(rows, minlength=size) @ counts for rows in drawn]))


def interval(values: np.ndarray, sign: str = "") -> str:
    """Write the 95 % interval of some values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return f"[{low:{sign}.3f}, {high:{sign}.3f}]"


def table_row(system: str, axis: str, counts: np.ndarray, ours: np.ndarray) -> list[str]:
    """Write the scores of a system on an axis."""
    sums, draws = counts.sum(axis=0), draw(counts)
    right, found, wanted = sums.tolist()
    figures = [f"{value:.3f}" for value in (right / max(1, found), right / max(1, wanted), f1(sums))]
    cells = [system, axis, str(wanted), *figures, interval(draws)]
    if system == "clinnlp":
        return [*cells, "", ""]
    return [*cells, f"{f1(sums) - f1(ours.sum(axis=0)):+.3f}", interval(draws - draw(ours), "+")]


def print_table(lines: Sequence[Sequence[str]]) -> None:
    """Print lines of cells in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def compare(rows: Sequence[Row], pythons: Mapping[str, str]) -> None:
    """Run the systems, and print their scores and speeds."""
    found, speeds = {}, {}
    for system, python in pythons.items():
        found[system], speeds[system] = ask(system, python, rows)
    lines = [["system", "axis", "support", "precision", "recall", "F1", "95 % of F1", "minus ours", "95 % of that"]]
    for axis in AXES:
        if not any(row.get(axis) for row in rows):
            continue
        known = {system: count(rows, axes, axis) for system, axes in found.items() if axis in axes[0]}
        lines += [table_row(system, axis, counts, known["clinnlp"]) for system, counts in known.items()]
    print(f"rows {len(rows)}, bootstrap samples {SAMPLES}, seed {SEED}")
    print_table(lines)
    for system, speed in speeds.items():
        print(f"{system}: {speed:.0f} sentences/s")


def main() -> None:
    """Compare the systems, or be the worker of one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path, nargs="?")
    parser.add_argument("--negspacy", metavar="PYTHON", help="interpreter of an environment with negspaCy")
    parser.add_argument("--medspacy", metavar="PYTHON", help="interpreter of an environment with medspaCy")
    parser.add_argument("--worker", choices=LOADERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker)
    if arguments.rows is None:
        parser.error("rows are needed")
    pythons = {"clinnlp": sys.executable, "negspacy": arguments.negspacy, "medspacy": arguments.medspacy}
    lines = arguments.rows.read_text(encoding="utf-8").splitlines()
    compare([json.loads(line) for line in lines], {name: python for name, python in pythons.items() if python})


if __name__ == "__main__":
    main()
