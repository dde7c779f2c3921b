"""Read notes of up to 5 MB by rules alone, and print seconds a MB: `python benchmarks/stress.py`.

`python benchmarks/stress.py 1 "a note many times" digits` reads notes of 1 MB of these kinds alone. The shipped model
reads about as many characters a second whatever they are, and is left out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pandas as pd

import clinnlp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "stress"))
from texts import PIECES, make


def main() -> None:
    """Print a row a kind of text and size: megabytes, seconds of CPU time, seconds a MB, rows found, errors."""
    largest, *names = sys.argv[1:] or ["5"]
    nlp = clinnlp.load(exclude=["clinnlp_ner"])
    for name in names or PIECES:
        for megabytes in (float(largest) / 4, float(largest)):
            text = make(name, int(megabytes * 1_000_000))
            start = time.process_time()
            with nlp.memory_zone():
                result = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp)
            took = time.process_time() - start
            rows = sum(len(table) for table in result.tables().values())
            print(f"{name:28} {megabytes:5.2f} MB {took:8.2f} s {took / megabytes:8.2f} s/MB {rows:8} rows "
                  f"{len(result.errors)} errors", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
