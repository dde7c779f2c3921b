"""What the site takes from elsewhere while it is built, so that nothing is kept twice.

The notebooks become pages, with one copy of plotly.js for all their figures; the tables of `clinnlp.schema` and the
commands of `clinnlp.cli` become tables; links between files of the repository become links between pages.
"""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import yaml
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
NOTEBOOKS = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *sorted((ROOT / "notebooks/solutions").glob("*.ipynb"))]
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
ADDRESSES = {
    path.stem: f"course/{path.relative_to(ROOT / 'notebooks').with_suffix('.md').as_posix()}" for path in NOTEBOOKS
}
FILES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
PLOTLY = "application/vnd.plotly.v1+json"
TYPES = {"str": "text", "int64": "whole number", "float64": "number", "bool": "true or false", "datetime64[us]": "time"}
ANSI = re.compile(r"\x1b\[[0-9;]*m")
outputs: dict[str, list[str]] = {}  # of each notebook's page, the HTML that Markdown must not touch


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the notebooks in the course."""
    course = next(entry["Course"] for entry in config.nav or [] if "Course" in entry)
    course[1:1] = [ADDRESSES[path.stem] for path in LESSONS]
    if len(NOTEBOOKS) > len(LESSONS):
        course.append({"Solutions": [ADDRESSES[path.stem] for path in NOTEBOOKS if path not in LESSONS]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page and a download for each notebook, and plotly.js."""
    from plotly.offline import get_plotlyjs

    for path in NOTEBOOKS:
        address = ADDRESSES[path.stem]
        files.append(File.generated(config, address, content=notebook_page(path)))
        files.append(File.generated(config, address.replace(".md", ".ipynb"), abs_src_path=str(path)))
    files.append(File.generated(config, "javascripts/plotly.min.js", content=get_plotlyjs()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is made from the code, and let links lead to pages."""
    markdown = re.sub(r"<!-- (\w+\.md)(?: (\w+))? -->", included, markdown)
    parts = {"course": course_table, "columns": columns_tables, "values": values_table, "commands": commands}
    for name, make in parts.items():
        if (place := f"<!-- {name} -->") in markdown:
            markdown = markdown.replace(place, make())
    here = os.path.dirname(page.file.src_uri)

    def to_page(match: re.Match[str]) -> str:
        path = Path(match[1])
        address = ADDRESSES.get(path.stem) if path.suffix == ".ipynb" else FILES.get(path.name)
        if match[1].startswith("docs/"):
            address = match[1].removeprefix("docs/")
        return f"]({os.path.relpath(address, here or '.')}{match[2]}" if address else match[0]

    return re.sub(r"\]\(([\w./-]+\.(?:ipynb|md|png))(#[^)\s]*\)|\))", to_page, markdown)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the outputs of a notebook in their places."""
    made = outputs.get(page.file.src_uri, [])
    return re.sub(r'<div data-output="(\d+)"></div>', lambda match: made[int(match[1])], content)


def included(place: re.Match[str]) -> str:
    """Read a file of the repository, or the part of it between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    text = (ROOT / place[1]).read_text(encoding="utf-8")
    if place[2]:
        text = text.partition(f"<!-- begin {place[2]} -->")[2].partition(f"<!-- end {place[2]} -->")[0].strip()
        if not text:
            raise PluginError(f"{place[1]} has no part between <!-- begin {place[2]} --> and <!-- end {place[2]} -->.")
    return text


# ---------- notebooks ----------


def notebook_page(path: Path) -> str:
    """Write a notebook as Markdown, with a mark where each output belongs."""
    made = outputs[ADDRESSES[path.stem]] = []
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source.replace("<details>", '<details markdown="1">'))
            continue
        code = f"````python\n{cell.source}\n````"
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            code = f'<details markdown="1"><summary>Code</summary>\n\n{code}\n\n</details>'
        parts.append(code)
        for output in cell.outputs:
            parts.append(f'<div data-output="{len(made)}"></div>')
            made.append(output_html(output))
    title, *rest = parts[0].split("\n", 1)
    where = "solutions/" if path not in LESSONS else ""
    download = f'<a href="{path.name}" download>Download this notebook</a>'
    about = f"{download}, or open <code>notebooks/{where}{path.name}</code> with <code>make lab</code>."
    number = re.match(r"\d+", path.stem)
    heading = title.replace("# ", f"# {int(number[0])}. ", 1) if number and not where else title
    return "\n\n".join([heading, f'<p class="nb-about">{about}</p>', *rest, *parts[1:]])


def output_html(output: Any) -> str:
    """Show an output: a figure, else its HTML, else its text."""
    data = output.get("data", {})
    if PLOTLY in data:
        figure = data[PLOTLY]
        height = figure.get("layout", {}).get("height", 450)
        text = json.dumps({"data": figure["data"], "layout": figure["layout"]}, separators=(",", ":"))
        text = text.replace("<", "\\u003c")
        return (
            f'<div class="nb-figure" style="min-height: {height + 14}px" data-search-exclude>'
            f'<script type="application/json">{text}</script></div>'
        )
    if "text/html" in data:
        shown = re.sub(r"<style scoped>.*?</style>", "", data["text/html"], flags=re.DOTALL)
        shown = shown.replace('<table border="1" class="dataframe">', "<table>")
        return f'<div class="nb-output" data-search-exclude>{shown}</div>'
    text = data.get("text/plain") or output.get("text") or "\n".join(output.get("traceback", []))
    return f'<pre class="nb-output" data-search-exclude>{html.escape(ANSI.sub("", text))}</pre>'


def course_table() -> str:
    """List the notebooks with their goals, as their first cells give them."""
    rows = ["| | notebook | goal | time |", "| --- | --- | --- | --- |"]
    for path in LESSONS:
        text = nbformat.read(path, as_version=4).cells[0].source
        title = text.partition("\n")[0].removeprefix("# ")
        facts = dict(re.findall(r"\*\*([\w ]+):\*\*\s*(.*?)(?=\s*\*\*[\w ]+:\*\*|\n\n|\Z)", text, re.DOTALL))
        goal, time = (" ".join(facts.get(name, "").split()).replace("|", "\\|") for name in ("Goal", "Time"))
        rows.append(f"| {path.stem[:2]} | [{title}]({path.name}) | {goal} | {time.rstrip('.')} |")
    return "\n".join(rows)


# ---------- tables and commands ----------


def columns_tables() -> str:
    """Describe the tables of `clinnlp.schema`; a column that `columns.yml` does not explain stops the build."""
    from clinnlp.schema import TABLES

    known = yaml.safe_load((ROOT / "docs" / "columns.yml").read_text(encoding="utf-8"))
    parts = []
    for table, columns in TABLES.items():
        parts.append(
            f"## `{table}`\n\n{_meaning(known, 'tables', table)}\n\n| column | type | meaning |\n| --- | --- | --- |"
        )
        parts += [f"| `{name}` | {TYPES[kind]} | {_meaning(known, table, name)} |" for name, kind in columns.items()]
    text = "\n".join(parts)
    return re.sub(r"\n(?=## )", "\n\n", text)


def _meaning(known: dict[str, dict[str, str]], table: str, name: str) -> str:
    meaning = known.get(table, {}).get(name) or known["any table"].get(name)
    if meaning is None:
        raise PluginError(f"docs/columns.yml does not explain {name!r} of {table!r}. Add a line.")
    return meaning


def values_table() -> str:
    """List the values that a column of categories may have."""
    from clinnlp import schema

    values = {
        "`entities.label`": schema.ENTITY_LABELS, "`entities.assertion`": schema.ASSERTIONS,
        "`sections.category`": schema.SECTION_CATEGORIES, "`medications.status`": schema.MEDICATION_STATUSES,
        "`flags.status`, `patient_flags.status`": schema.FLAG_STATUSES, "`summaries.kind`": schema.SUMMARY_KINDS,
    }  # fmt: skip
    rows = [f"| {name} | {', '.join(f'`{one}`' for one in some)} |" for name, some in values.items()]
    return "\n".join(["| column | values |", "| --- | --- |", *rows])


def commands() -> str:
    """Describe the commands as their own help does."""
    from typer.main import get_command

    from clinnlp.cli import app

    parts = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        arguments = [p for p in command.params if not p.opts[0].startswith("-")]
        usage = " ".join(["clinnlp", name, *(p.opts[0].upper() for p in arguments)])
        needed = "".join(
            f" {p.opts[0]} {p.opts[0][2:].upper()}" for p in command.params if p.required and p not in arguments
        )
        parts.append(f"## `clinnlp {name}`\n\n{command.help}\n\n```\n{usage}{needed}\n```\n")
        if command.params:
            rows = [f"| {_option(p)} | {p.help or ''} | {_default(p)} |" for p in command.params]
            parts.append("\n".join(["| | meaning | default |", "| --- | --- | --- |", *rows]) + "\n")
    return "\n".join(parts)


def _option(parameter: Any) -> str:
    names = parameter.opts if parameter.opts[0].startswith("-") else [parameter.opts[0].upper()]
    return ", ".join(f"`{name}`" for name in [*names, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    return (
        ""
        if parameter.default in (None, False)
        else f"`{str(parameter.default).lower() if parameter.default is True else parameter.default}`"
    )
