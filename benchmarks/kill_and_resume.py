"""Kill `clinnlp analyse` at random moments, resume it, and compare its tables with those of an uninterrupted run.

    python benchmarks/kill_and_resume.py [NOTES] [--times 20] [--jobs 2] [--kills 1] [--seed 0] [--exclude COMPONENT]

Each turn kills a run with SIGKILL as often as `--kills` says, at moments drawn evenly from the time that an
uninterrupted run takes, then lets `--resume` end it. Prints a line a turn, and fails where any file differs by a byte.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "clinnlp", "analyse"]
SAMPLE = Path(__file__).parents[1] / "sample_data" / "notes.csv"
ENDED = (0, 1)  # exit codes: done, and done with notes in the table errors


def start(arguments: list[str], *more: str) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen([*COMMAND, *arguments, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a run, and stop where it failed."""
    _, said = process.communicate()
    if process.returncode not in ENDED:
        raise SystemExit(f"A run ended with {process.returncode}: {said.strip()}")


def contents(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def turn(arguments: list[str], out: Path, moments: list[float]) -> list[str]:
    """Kill at these moments, then resume; gives what there was at each."""
    seen = []
    for moment in moments:
        process = start(arguments, "--out", str(out), "--resume")
        time.sleep(moment)
        process.kill()
        process.communicate()
        size = (out / "run.sqlite").stat().st_size if (out / "run.sqlite").exists() else 0
        seen.append(f"{moment:.1f} s ({size >> 10} kB kept)")
    finish(start(arguments, "--out", str(out), "--resume"))
    return seen


def main() -> None:
    """Run the turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", nargs="?", default=str(SAMPLE))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--exclude", action="append", default=[])
    given = parser.parse_args()
    arguments = [given.notes, "--jobs", str(given.jobs), "--chunk-size", "8"]
    arguments += [part for name in given.exclude for part in ("--exclude", name)]
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        began = time.perf_counter()
        finish(start(arguments, "--out", str(whole)))
        duration = time.perf_counter() - began
        expected = contents(whole)
        print(f"uninterrupted: {duration:.1f} s, {len(expected)} files")
        unlike = 0
        for number in range(1, given.times + 1):
            out = Path(folder) / str(number)
            seen = turn(arguments, out, [draw.uniform(0, duration) for _ in range(given.kills)])
            found = contents(out)
            differ = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
            unlike += bool(differ)
            print(f"{number:3} killed at {', '.join(seen)}: {'equal' if not differ else f'DIFFERS in {differ}'}")
    print(f"{given.times - unlike} of {given.times} equal to the uninterrupted run, byte for byte")
    sys.exit(bool(unlike))


if __name__ == "__main__":
    main()
