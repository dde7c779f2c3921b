"""Measure the whole pipeline over corpora of growing size: rate, memory, processes, and notes copied forward.

    python benchmarks/corpus.py NOTES.jsonl --jobs 2                                 # a quarter of an hour on two cores
    python benchmarks/corpus.py NOTES.jsonl --sizes 100 1000 --jobs 1 2              # the gain of a second process
    python benchmarks/corpus.py NOTES.jsonl --sizes 1000 --jobs 1 --exclude clinnlp_ner

NOTES.jsonl has notes with `text`, such as MTSamples. They are repeated with edits until there are enough: every
sentence gets a made-up word, so that no window of the model stands twice. For notes copied forward three of them make
a note of a hospital stay and ten such notes a patient; each is the one before but for a fifth, half of it at its
beginning and half at its end. Every run is a process of its own, and what one note takes is its start. Memory is the
largest resident set of any process of the run, looked at twice a second.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

SENTENCE_END = re.compile(r"(?<=[a-z])\.(?=\s)")
SENTENCE = re.compile(r"[^.\n]*(?:[.\n]+\s*|$)")
COPIED = 0.8  # of the sentences of the note before
VISITS = 10  # notes of a patient
STAY = 3  # notes that make a long one
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def edited(texts: list[str], size: int) -> Iterator[str]:
    """Repeat texts with a new word at the end of each sentence."""
    draw = random.Random(0)

    def word(match: re.Match[str]) -> str:
        return " " + "".join(draw.choice(letters) for letters in (CONSONANTS, VOWELS) * 3) + match[0]

    for number in range(size):
        yield SENTENCE_END.sub(word, texts[number % len(texts)])


def copied_forward(texts: list[str]) -> Iterator[str]:
    """Give notes of which each is the one before, with a new beginning and a new end."""
    before: list[str] = []
    for number, text in enumerate(texts):
        own = SENTENCE.findall(text)
        if number % VISITS:
            new, gone = (max(1, round(len(some) * (1 - COPIED) / 2)) for some in (own, before))
            own = own[:new] + before[gone:-gone] + own[-new:]
        before = own
        yield "".join(own)


def write(texts: Iterator[str], path: Path) -> None:
    """Write notes, ten of a patient."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            note = {"note_id": f"n{number:06}", "patient_id": f"p{number // VISITS:05}", "text": text}
            print(json.dumps(note), file=file)


def run(notes: Path, jobs: int, options: list[str]) -> tuple[float, float]:
    """Analyse notes in a process of its own; give the seconds and the megabytes of the largest process."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "clinnlp", "analyse", str(notes), "--out", out, "--jobs", str(jobs)]
        start = time.perf_counter()
        process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
        peak = Peak(process.pid)
        if process.wait() != 0:
            raise SystemExit(f"clinnlp analyse ended with {process.returncode}.")
        return time.perf_counter() - start, peak.stop()


class Peak(threading.Thread):
    """Watches the memory of a process and its children: the largest resident set of one of them, in MB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.largest, self.is_over = psutil.Process(pid), 0, threading.Event()
        self.start()

    def run(self) -> None:
        """Look twice a second."""
        while not self.is_over.wait(0.5):
            try:
                for process in (self.process, *self.process.children(recursive=True)):
                    self.largest = max(self.largest, process.memory_info().rss)
            except psutil.Error:
                continue

    def stop(self) -> float:
        """Give the megabytes."""
        self.is_over.set()
        self.join()
        return self.largest / 1e6


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--copied", type=int, default=0, help="long notes of the corpus copied forward")
    parser.add_argument("--exclude", action="append", default=[], help="component to leave out")
    given = parser.parse_args()
    options = [part for name in given.exclude for part in ("--exclude", name)]
    texts = [json.loads(line)["text"] for line in given.notes.read_text(encoding="utf-8").splitlines()]
    corpora = {f"{size:,} notes": list(edited(texts, size)) for size in given.sizes}
    if given.copied:
        stays = ["\n\n".join(texts[i : i + STAY]) for i in range(0, len(texts), STAY)]
        corpora["long notes"] = list(edited(stays, given.copied))
        corpora["copied forward"] = list(copied_forward(corpora["long notes"]))
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.jsonl"
        for jobs in given.jobs:
            write(iter(texts[:1]), notes)
            start = min(run(notes, jobs, options)[0] for _ in range(2))
            print(f"jobs {jobs}: start {start:.1f} s", flush=True)
            for name, corpus in corpora.items():
                write(iter(corpus), notes)
                seconds, megabytes = run(notes, jobs, options)
                characters, own = sum(map(len, corpus)), seconds - start
                print(
                    f"jobs {jobs}, {name} of {characters / len(corpus):,.0f} characters: {seconds:.1f} s, beyond the "
                    f"start {1000 * own / len(corpus):.1f} ms a note, {1e6 * own / characters:.2f} s a million "
                    f"characters, largest process {megabytes:.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
