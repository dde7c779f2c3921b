"""Text that would be markup or a formula stays text, wherever it comes from."""

import html.parser
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import clinnlp
from clinnlp import display, formats, plots
from clinnlp.report import write_report
from clinnlp.schema import TABLES
from small_result import ROWS, build

EVIL = '</script><img src=x onerror="window.hacked=1"><a href="javascript:alert(1)">x</a>'
IDS = ("note_id", "patient_id")
FREE = (  # cells whose words a user's files may decide
    "note_type", "condition", "cue", "code", "code_name", "code_system", "rule", "category", "source", "error",
    "section", "unit", "test", "dose",
)  # fmt: skip
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0"]


class Tags(html.parser.HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture
def evil():
    """A result in which every id and every free cell is markup."""
    rows = {name: [{k: f"{v}{EVIL}" if k in IDS and v else v for k, v in row.items()} for row in some]
            for name, some in ROWS.items()}  # fmt: skip
    for name, some in rows.items():
        for row in some:
            row |= {c: EVIL for c in FREE if c in TABLES[name]}
    return build(rows)


def inert(page):
    found = Tags(page)
    assert found.tags <= {
        "div",
        "style",
        "p",
        "strong",
        "mark",
        "b",
        "span",
        "h3",
        "ul",
        "li",
        "table",
        "tr",
        "td",
        "th",
    }
    assert not any(name.startswith("on") or name in ("src", "href") for name in found.attributes)


def test_a_shown_note(evil):
    for note_id in evil.notes["note_id"]:
        inert(display.show(evil, note_id)._repr_html_())


def test_the_report(evil, tmp_path):
    page = write_report(evil, tmp_path / "r.html").read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="application/json" id="[\w-]+">(.*?)</script>', page, re.DOTALL)
    assert len(blocks) == 1 + evil.notes["patient_id"].nunique()
    assert "javascript" in "".join(blocks)
    for block in blocks:
        assert not set("<>&") & set(block)
        for note in json.loads(block).get("notes", ()):
            inert(note["html"])
    assert EVIL not in page


def strings(content):
    if isinstance(content, str):
        yield content
    for part in content.values() if isinstance(content, dict) else content if isinstance(content, list | tuple) else ():
        yield from strings(part)


@pytest.mark.parametrize("draw", [
    plots.conditions_by_status, plots.notes_over_time, plots.top_entities, plots.co_occurrence_map, plots.status_matrix,
    plots.flow_to_flags, lambda r: plots.flow_to_flags(r, EVIL),
    lambda r: plots.timeline(r, patient_id=r.notes["patient_id"].iloc[0]),
])  # fmt: skip
def test_figures(evil, draw):
    """Plotly reads <a href> and some more in any text that it draws."""
    figure = json.loads(draw(evil).to_json())
    for trace in figure["data"]:
        if trace.get("hovertemplate") == "%{customdata[0]}<extra></extra>":  # the rest leads to the note
            trace["customdata"] = [row[0] for row in trace["customdata"]]
    for text in strings(figure):
        assert "<img" not in text
        assert "<a " not in text


def test_the_static_view_of_the_explorer(evil):
    from clinnlp.explorer import Session

    inert(Session(evil, evil.notes["note_id"].iloc[0]).static().html)


@pytest.mark.parametrize("script", ["report/report.js", "explorer/explorer.js", "review/review.js"])
def test_scripts_make_markup_only_of_what_display_escaped(script):
    source = (Path(clinnlp.__file__).parent / "resources" / script).read_text(encoding="utf-8")
    made = re.findall(r"\.(?:innerHTML|outerHTML)\s*=\s*([^;\n]+)|insertAdjacentHTML|document\.write|\beval\(", source)
    assert set(made) <= {"note.html"}


def test_conditions_with_names_of_markup_are_refused_or_inert(tmp_path):
    (tmp_path / "mine.yml").write_text(json.dumps({"conditions": [
        {"id": EVIL, "name": EVIL, "group": "x", "chronic": True, "names": ["zebra fever"]}]}))  # fmt: skip
    notes = pd.DataFrame({"note_id": ["n"], "patient_id": ["p"], "text": ["Zebra fever."]})
    try:
        nlp = clinnlp.load(exclude=["clinnlp_ner"], conditions=str(tmp_path / "mine.yml"))
    except clinnlp.ClinnlpError:
        return
    result = clinnlp.annotate(notes, nlp)
    assert EVIL in set(result.flags["condition"])
    assert EVIL not in write_report(result, tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.fixture
def formulas():
    """A result whose notes and ids begin as formulas do."""
    notes = [{"note_id": f, "patient_id": f, "note_type": f, "text": f} for f in FORMULAS]
    entities = [{"note_id": f, "start": 0, "end": len(f), "text": f, "label": "TEST", "assertion": "present",
                 **{f"is_{a}": False for a in ("negated", "uncertain", "historical", "hypothetical", "family")}}
                for f in FORMULAS]  # fmt: skip
    return clinnlp.Annotations(**vars(build({"notes": notes, "entities": entities})))


def test_no_cell_of_a_workbook_is_a_formula(formulas, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(formats.write(formulas, tmp_path / "a.xlsx", "excel"))
    cells = [cell for sheet in book for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells if isinstance(cell.value, str)} == {"s"}
    texts = [cell.value.replace("_x000D_", "\r") for cell in next(iter(book["notes"].columns))[1:]]
    assert [t.replace("\n", "\r") for t in texts] == sorted(FORMULAS)
    assert all(cell.quotePrefix for cell in cells if str(cell.value).startswith(("=", "+", "-", "@")))


def test_csv_is_exact_so_that_offsets_hold(formulas, tmp_path):
    formulas.save(tmp_path, report=False)
    notes = pd.read_csv(tmp_path / "notes.csv", dtype="str", keep_default_na=False)
    entities = pd.read_csv(tmp_path / "entities.csv", keep_default_na=False)
    assert notes["text"].tolist() == sorted(FORMULAS)
    texts = dict(zip(notes["note_id"], notes["text"], strict=True))
    assert [texts[n][a:b] for n, a, b in entities[["note_id", "start", "end"]].to_numpy()] == entities["text"].tolist()
