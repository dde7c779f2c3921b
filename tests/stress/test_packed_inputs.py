"""Files that unpack without end, and names that lead out of a folder."""

import gzip
import io
import json
import os
import subprocess
import sys
import zlib

import pandas as pd
import pytest

from clinnlp import formats
from clinnlp.errors import InputError
from clinnlp.formats import files
from small_result import build

HUGE = 10 << 30  # bytes that ten megabytes of gzip unpack to
MEMORY = 3 << 30  # bytes that a process may have more than it has, to refuse them


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """10 GB of zeros, as members that are copies of one."""
    member = gzip.compress(b"\0" * (64 << 20), 9, mtime=0)
    path = tmp_path_factory.mktemp("bomb") / "a.json.gz"
    path.write_bytes(member * (HUGE >> 26))
    assert path.stat().st_size < 12 << 20
    return path


def test_ten_gigabytes_are_refused_before_they_are_unpacked(bomb):
    code = (
        "import sys, resource; from clinnlp import formats; from clinnlp.errors import InputError\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n"
        "try: formats.read(sys.argv[1], 'fhir')\nexcept InputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, bomb], capture_output=True, text=True, check=True)
    assert "holds more than 1024 MiB" in done.stdout


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(files, "LIMIT", 1 << 20)
    monkeypatch.setattr(files, "RATIO", 5)


@pytest.mark.parametrize("inside", [gzip.compress, zlib.compress])
def test_what_is_packed_twice_is_not_text(tmp_path, inside):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(inside(b"note_id,text\n1,No fever.\n" * 50)))
    for format in (None, "table", "mimic-iv", "omop"):
        with pytest.raises(InputError, match=r"a\.csv\.gz"):
            formats.read(tmp_path / "a.csv.gz", format)


@pytest.mark.parametrize("format", ["table", "omop", "parquet"])
def test_parquet_that_unpacks_without_end(tmp_path, small, format):
    columns = {
        "note_id": range(5000),
        "text": ["No fever. " * 1000] * 5000,
        "note_text": [""] * 5000,
        "person_id": [1] * 5000,
    }
    path = tmp_path / "notes.parquet"
    pd.DataFrame(columns).to_parquet(path)
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match="holds more than 1 MiB"):
        formats.read(tmp_path if format == "parquet" else path, format)


def test_no_archive_is_opened(tmp_path):
    """There is no reader of zip or tar whose entries could have paths."""
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("../../outside.txt", "No fever.")
    for name in ("a.zip", "a.csv", "a.json", "a.xml", "a.parquet", "a.spacy", "a.xlsx"):
        (tmp_path / name).write_bytes(data.getvalue())
        with pytest.raises(InputError):
            formats.read(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "a.json", "a.parquet", "a.spacy", "a.xlsx", "a.xml", "a.zip"]
    assert not (tmp_path.parents[1] / "outside.txt").exists()


@pytest.mark.parametrize(
    "note_id", ["../up", "/etc/passwd", "..", ".", "a/b", "a\\b", "c:x", "a\0b", "con\n", "~", "." * 50, "é"]
)
def test_ids_that_are_paths_stay_in_the_folder(tmp_path, note_id):
    folder = formats.write(build({"notes": [{"note_id": note_id, "text": "No fever."}]}), tmp_path / "out", "brat")
    assert os.listdir(tmp_path) == ["out"]
    assert all(path.parent == folder and path.is_file() for path in folder.rglob("*"))
    assert formats.read(folder)[["note_id", "text"]].to_numpy().tolist() == [[note_id, "No fever."]]


@pytest.mark.parametrize("name", ["a.txt", "a.ann", "a.xml"])
def test_what_is_no_file_is_passed_over(tmp_path, name):
    (tmp_path / "b.txt").write_text("No fever.")
    (tmp_path / "b.ann").write_text("T1\tX 3 8\tfever\n")
    (tmp_path / name).mkdir()
    assert formats.read(tmp_path, "brat")["text"].tolist() == ["No fever."]


def test_links_in_references_of_resources_are_not_followed(tmp_path):
    (tmp_path / "secret.txt").write_text("Zebrafish")
    urls = ["secret.txt", "file:///etc/passwd", str(tmp_path / "secret.txt"), "http://localhost:1/x"]
    contents = [[{"attachment": {"contentType": "text/plain", "url": url}}] for url in urls]
    rows = [{"resourceType": "DocumentReference", "id": str(i), "content": c} for i, c in enumerate(contents)]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, rows)))
    assert formats.read(tmp_path / "a.ndjson")["text"].isna().all()
