"""Whatever a file holds, readers give a table or one of our errors, and never a word of a note in it."""

import gzip
import io
import json
import random
import shutil
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import DATA, FILES, damage, damaged

from clinnlp import formats, read_notes
from clinnlp.errors import ClinnlpError, InputError

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SECRET = "Zebrafish stripes"
ROWS = [
    {"note_id": "a1", "patient_id": "p1", "date": "2020-01-02", "text": f"No {SECRET} today."},
    {"note_id": "a2", "patient_id": "p1", "date": "2020-03-04", "text": 'Said "well",\r\nwith cough.'},
]
CSV = pd.DataFrame(ROWS).to_csv(index=False).encode()
TABLES = {
    "a.csv": CSV, "a.tsv": pd.DataFrame(ROWS).to_csv(index=False, sep="\t").encode(),
    "a.csv.gz": gzip.compress(CSV, mtime=0), "a.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
}  # fmt: skip
PIECES = 16  # characters of a note that no message may hold


def contained(read, secrets):
    """Read, and see that what is raised is ours and quotes nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read()
        except ClinnlpError as error:
            raised = error
    message = str(raised).lower()
    assert not any(piece in message for piece in secrets)
    assert raised.__suppress_context__ or raised.__context__ is None
    return None


def pieces(texts):
    """Cut texts into all their pieces of `PIECES` characters."""
    return {
        t[i : i + PIECES].lower() for t in texts for i in range(0, max(1, len(t) - PIECES)) if t[i : i + PIECES].strip()
    }


def test_the_first_row_of_a_table_without_a_header_is_not_quoted(tmp_path):
    (tmp_path / "a.csv").write_text(f"7,No {SECRET} today.\n8,Well.\n")
    with pytest.raises(InputError) as caught:
        read_notes(tmp_path / "a.csv")
    assert SECRET not in str(caught.value)


def parquet():
    file = io.BytesIO()
    pd.DataFrame(ROWS).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("name", [*TABLES, "a.parquet"])
@QUIET
@given(data=st.data())
def test_tables(name, data):
    content = data.draw(damaged(TABLES.get(name) or parquet()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        table = contained(lambda: read_notes(path), {SECRET.lower()})
        assert table is None or list(table.columns[:5]) == ["note_id", "patient_id", "date", "note_type", "text"]


@pytest.mark.parametrize("name", FILES)
def test_formats(name, tmp_path):
    format, inside = FILES[name]
    secrets = pieces(formats.read(DATA / name, format)["text"].dropna())
    random_numbers = random.Random(name)
    for number in range(60):
        path = tmp_path / f"{number}-{name}"
        if (DATA / name).is_dir():
            shutil.copytree(DATA / name, path)
            file = sorted(path.glob(inside))[0]
        else:
            file = path
        source = DATA / name / file.relative_to(path) if inside else DATA / name
        file.write_bytes(damage(source.read_bytes(), random_numbers.randrange))
        for given_format in (format, None):
            contained(lambda path=path, f=given_format: formats.read(path, f), secrets)
        if formats.FORMATS[format].labelled:
            contained(lambda path=path: list(formats.read_documents(path, format)), secrets)
