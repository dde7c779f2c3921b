"""Read damaged files and odd notes, and see that nothing but our errors comes out: `python benchmarks/fuzz.py SECONDS`.

With atheris (`pip install atheris`) what is tried is led by what code it reaches; without it, by chance.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "stress"))

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["clinnlp"]) if atheris else contextlib.nullcontext():
    import clinnlp
    from clinnlp import formats

from mutations import DATA, FILES, damage
from texts import PIECES

Draw = Callable[[int], int]
WORDS = [*PIECES.values(), "no ", "denies ", ":", "\n", "\r\n", " ", "(", ")", "[x] ", "fever", ", ", ". ", "10 mg ",
         "\0", "İ", "\u2028", "1.4 -> ", "PMH:\n", "mother had ", "h/o ", "BP 169/74 ", "%", "-", "+"]  # fmt: skip
QUOTED = {"sections": "header", "entities": "text", "medications": "text", "measurements": "value", "flags": "evidence",
          "evidence": "text", "summaries": "text"}  # fmt: skip


def read_damaged(draw: Draw, folder: Path) -> None:
    """Damage a file of some format and read it."""
    name = list(FILES)[draw(len(FILES))]
    format, inside = FILES[name]
    path = folder / name
    if (DATA / name).is_dir():
        shutil.copytree(DATA / name, path)
        file = sorted(path.glob(inside))[0]
        file.write_bytes(damage(file.read_bytes(), draw))
    else:
        path.write_bytes(damage((DATA / name).read_bytes(), draw))
    for read in (lambda: formats.read(path, format), lambda: formats.read(path), lambda: clinnlp.read_notes(path),
                 lambda: list(formats.read_documents(path, format))):  # fmt: skip
        with contextlib.suppress(clinnlp.ClinnlpError):
            read()


def annotate(draw: Draw, nlp: Any) -> None:
    """Annotate a note of odd pieces; every row must lead back to its characters."""
    text = "".join(WORDS[draw(len(WORDS))] if draw(4) else chr(draw(0x250) or 32) for _ in range(draw(60)))
    result = clinnlp.annotate(pd.DataFrame({"note_id": ["n"], "text": [text]}), nlp)
    assert result.errors.empty, result.errors["error"].tolist()
    for name, quote in QUOTED.items():
        table = getattr(result, name)
        assert [text[a:b] for a, b in zip(table["start"], table["end"], strict=True)] == table[quote].tolist()


def main() -> None:
    """Try for so many seconds; what fails is printed, one of a kind."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    nlp = clinnlp.load(exclude=["clinnlp_ner"])
    warnings.simplefilter("ignore")
    kinds: dict[str, int] = {}
    end, tries = time.time() + seconds, 0

    def one(draw: Draw) -> None:
        nonlocal tries
        tries += 1
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            try:
                read_damaged(draw, Path(folder)) if draw(4) else annotate(draw, nlp)
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] == 1:
                    traceback.print_exc(file=sys.stdout)
        if time.time() > end:
            print(f"{tries} tries; found: {kinds or 'nothing'}")
            sys.stdout.flush()
            os._exit(1 if kinds else 0)  # libFuzzer takes any other end for a crash

    if atheris is None:
        numbers = random.Random(0)
        while True:
            one(numbers.randrange)
    atheris.Setup([sys.argv[0], "-len_control=0", "-max_len=3000"], lambda data: one(_draw(data)))
    atheris.Fuzz()


def _draw(data: bytes) -> Draw:
    """Draw whole numbers from bytes."""
    provider = atheris.FuzzedDataProvider(data)
    return lambda n: provider.ConsumeIntInRange(0, n - 1)


if __name__ == "__main__":
    main()
