"""The site is built strictly and without a network; what it promises is there, and no page needs another host."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import clinnlp

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb")) + sorted((ROOT / "notebooks").glob("solutions/*.ipynb"))
LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "object": "data"}
OUTSIDE = re.compile(r"(?:https?:)?//")


class PageReader(HTMLParser):
    """Collect the ids of a page, its links, what it loads, its style sheets and its figures."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.loaded, self.styles, self.figures = set(), [], [], [], []
        self.inside = None

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.inside = (tag, attributes.get("type"))
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if attributes.get(LOADING.get(tag, "")) and attributes.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(attributes[LOADING[tag]])
        if "style" in attributes:
            self.styles.append(attributes["style"])

    def handle_data(self, data):
        if self.inside and self.inside[0] == "style":
            self.styles.append(data)
        if self.inside == ("script", "application/json") and data.startswith('{"data"'):
            self.figures.append(json.loads(data))

    def handle_endtag(self, tag):
        self.inside = None


@cache
def read_page(path):
    reader = PageReader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: read_page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


def test_every_public_name_is_in_the_reference(pages):
    described = set().union(*(page.ids for path, page in pages.items() if path.parent.name == "reference"))
    assert {f"clinnlp.{name}" for name in clinnlp.__all__} - described == set()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_a_page_with_its_figures(site, notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    saved = [data["application/vnd.plotly.v1+json"] for data in outputs if "application/vnd.plotly.v1+json" in data]
    page = site / "course" / notebook.relative_to(ROOT / "notebooks").with_suffix(".html")
    drawn = read_page(page).figures
    assert [figure["data"] for figure in drawn] == [figure["data"] for figure in saved]
    text = page.read_text(encoding="utf-8")
    assert text.count('<div class="nb-figure"') == len(saved)
    assert "data-output" not in text
    shown = sum(bool(data.keys() & {"text/html", "text/plain"}) for data in outputs) - len(saved)
    assert text.count('class="nb-output"') >= shown
    assert page.with_suffix(".ipynb").read_bytes() == notebook.read_bytes()


def test_figures_are_drawn_by_one_plotly_of_the_site(site, pages):
    assert [path.name for path in site.rglob("*plotly*.js")] == ["plotly.min.js"]
    assert all("plotly.js v" not in path.read_text(encoding="utf-8") for path in pages)


def test_nothing_is_loaded_from_another_host(site, pages):
    loaded = [(path.name, address) for path, page in pages.items() for address in page.loaded]
    assert [found for found in loaded if OUTSIDE.match(found[1])] == []
    sheets = [(path.name, path.read_text(encoding="utf-8")) for path in site.rglob("*.css")]
    sheets += [(path.name, style) for path, page in pages.items() for style in page.styles]
    assert [name for name, css in sheets if re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", css)] == []
    assert [path.name for path in pages if 'class="mermaid"' in path.read_text(encoding="utf-8")] == []


def test_links_within_the_site_resolve(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            anchored = address.fragment and target.suffix == ".html"
            if not target.is_file() or (anchored and unquote(address.fragment) not in read_page(target).ids):
                broken.append((path.name, link))
    assert broken == []


def test_the_front_page_begins_with_a_picture(site):
    article = (site / "index.html").read_text(encoding="utf-8").partition("<article")[2]
    assert article.index("images/note.png") < article.index("Thirty seconds") < article.index("How well it works")


def test_pictures_are_small_enough_and_described():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"!\[([^\]]*)\]\((docs/images/[^)]+\.png)\)", readme)
    shown = {address: text for text, address in found}
    assert {ROOT / address for address in shown} == set((ROOT / "docs" / "images").glob("*.png"))
    assert all((ROOT / address).stat().st_size < 250_000 and len(text) > 80 for address, text in shown.items())


def test_the_example_of_the_readme_gives_what_it_shows(monkeypatch, capsys):
    example = (ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- begin example -->")[2]
    code, shown = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", example, re.DOTALL).groups()
    assert "annotate(notes, " in code
    monkeypatch.chdir(ROOT)
    exec(
        code.replace("annotate(notes, ", "annotate(notes.query(\"patient_id == 'p06'\"), "), {}
    )  # a twelfth of the time
    assert capsys.readouterr().out == shown
