"""Measure the whole pipeline over corpora of growing size: rate, memory, processes, and notes copied forward.

    python benchmarks/corpus.py NOTES.jsonl                     # some hours of one core: 100 to 10,000 notes
    python benchmarks/corpus.py NOTES.jsonl --sizes 100 1000    # less

NOTES.jsonl has notes with `text`, such as MTSamples. They are repeated with edits until there are enough: every
sentence gets a made-up word, so that no window of the model stands twice. For the corpus copied forward ten notes make
a patient, and each note is
the one before but for a fifth, half of it at its beginning and half at its end. Every run is a process of its own;
memory is the largest resident set of any process of it, as the kernel counts it.
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
        command = [sys.executable, "-m", "clinnlp.cli", "analyse", str(notes), "--out", out, "--jobs", str(jobs)]
        start = time.perf_counter()
        process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
        peak = Peak(process.pid)
        if process.wait() != 0:
            raise SystemExit(f"clinnlp analyse ended with {process.returncode}.")
        return time.perf_counter() - start, peak.stop()


class Peak(threading.Thread):
    """Watches the memory of a process and its children: the largest proportional set of one of them, in MB."""

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notes", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--copied", type=int, default=500, help="notes of the corpus copied forward")
    parser.add_argument(
        "options", nargs="*", help="after --: options of clinnlp analyse, such as --exclude clinnlp_ner"
    )
    arguments = parser.parse_args()
    texts = [json.loads(line)["text"] for line in arguments.notes.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.jsonl"
        corpora = [(f"{size:,} fresh", list(edited(texts, size))) for size in arguments.sizes]
        fresh = list(edited(texts, arguments.copied))
        copied = list(copied_forward(fresh))
        corpora += [(f"{len(fresh):,} fresh", fresh), (f"{len(copied):,} copied forward", copied)]
        for name, corpus in corpora:
            write(iter(corpus), notes)
            characters = sum(map(len, corpus))
            for jobs in arguments.jobs:
                seconds, megabytes = run(notes, jobs, arguments.options)
                print(
                    f"{name} notes, {characters / len(corpus):,.0f} characters each, jobs {jobs}: {seconds:.1f} s, "
                    f"{len(corpus) / seconds:.2f} notes/s, {1e6 * seconds / characters:.1f} s a million characters, "
                    f"largest process {megabytes:.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
