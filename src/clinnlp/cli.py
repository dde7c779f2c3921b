"""The command line: `clinnlp analyse` and its companions. Progress goes to stderr."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from clinnlp.errors import ClinnlpError, InputError

app = typer.Typer(help="Find, summarise and flag conditions in de-identified clinical notes.", no_args_is_help=True)
console = Console(stderr=True)

T = TypeVar("T")

DONE_WITH_ERRORS, COULD_NOT_RUN = 1, 2


@app.callback()
def main() -> None:
    """Find, summarise and flag conditions in de-identified clinical notes. Not for clinical decisions."""


@app.command()
def analyse(
    notes: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder of .txt files.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables and report.html.")],
    id_column: Annotated[str | None, typer.Option(help="Column with the note ids.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text.")] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column with the patient ids.")] = None,
    date_column: Annotated[str | None, typer.Option(help="Column with the dates.")] = None,
    type_column: Annotated[str | None, typer.Option(help="Column with the note types.")] = None,
    format: Annotated[str | None, typer.Option(help="Format of the notes, such as omop, fhir or mimic-iv.")] = None,
    ner: Annotated[str, typer.Option(help="Model of the entities: a shipped pack, a folder or a hub id.")] = "mini",
    exclude: Annotated[list[str] | None, typer.Option(help="Component to leave out; may be given again.")] = None,
    conditions: Annotated[str | None, typer.Option(help="YAML file with your own condition definitions.")] = None,
    summary_sentences: Annotated[int, typer.Option(min=0, help="Sentences in the summary of a note.")] = 2,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet tables instead of CSV.")] = False,
) -> None:
    """Annotate notes and write tables and a report."""
    from clinnlp.formats import read
    from clinnlp.notes import read_notes
    from clinnlp.pipeline import annotate, load

    try:
        table = read(notes, format) if format else read_notes(
            notes, id_column=id_column, text_column=text_column, patient_column=patient_column,
            date_column=date_column, type_column=type_column,
        )  # fmt: skip
        with console.status("Loading the pipeline"):
            nlp = load(ner=ner, exclude=exclude or (), conditions=conditions)
        result = _with_progress(
            lambda tick: annotate(table, nlp, summary_sentences=summary_sentences, progress=tick), "Annotating"
        )
        with console.status("Writing tables and report"):
            result.save(out, parquet=parquet)
    except (ClinnlpError, OSError) as error:
        console.print(f"clinnlp: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    console.print(
        f"{len(result.notes)} notes, {len(result.entities)} entities, {len(result.flags)} flags, "
        f"{len(result.errors)} errors. Report: {out / 'report.html'}",
        highlight=False,
    )
    if len(result.errors):
        raise typer.Exit(DONE_WITH_ERRORS)


def _with_progress(run: Callable[[Callable[[int, int], None]], T], title: str) -> T:
    """Run with a progress bar on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title)
        return run(lambda done, total: bar.update(task, completed=done, total=total))


@app.command()
def privacy(
    notes: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder of .txt files.")],
    strict: Annotated[bool, typer.Option("--strict", help="Fail when something is found.")] = False,
    mask: Annotated[bool, typer.Option("--mask", help="Write the notes with placeholders to --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file of what was found, or with --mask of the notes.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Kind to leave out, such as date; may be repeated.")] = None,
) -> None:
    """List what may identify a person in notes, without their text."""
    from clinnlp.notes import read_notes
    from clinnlp.privacy import check, refuse
    from clinnlp.privacy import mask as masked

    ignored = ignore or []
    try:
        if mask and out is None:
            raise InputError("--mask writes a new file. Name it with --out.")
        table = read_notes(notes)
        found = check(table, ignore=ignored)
        if out:
            (masked(table, ignore=ignored) if mask else found).to_csv(out, index=False)
        if strict:
            refuse(table, ignore=ignored)
    except (ClinnlpError, OSError) as error:
        console.print(f"clinnlp: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    counts = ", ".join(f"{n} {kind}" for kind, n in found["kind"].value_counts().sort_index().items()) or "none"
    console.print(f"{len(table)} notes. Identifiers found: {counts}.", highlight=False)


@app.command()
def lab(
    folder: Annotated[Path, typer.Option(help="Folder for your copy of the notebooks.")] = Path("lab"),
    start: Annotated[bool, typer.Option(help="Open JupyterLab after copying.")] = True,
) -> None:
    """Copy the notebooks and the sample data to a folder and open JupyterLab there; your own changes are kept."""
    import shutil
    import subprocess
    import sys
    from importlib.util import find_spec

    root = Path(__file__).parents[2]
    if not (root / "notebooks").is_dir():
        console.print("clinnlp: the notebooks come with the repository, not with the package. Clone it, then run this.")
        raise typer.Exit(COULD_NOT_RUN)
    for name, pattern in (("notebooks", "*.ipynb"), ("sample_data", "*.*")):
        for source in sorted((root / name).glob(pattern)):
            target = folder / name / source.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    console.print(f"Notebooks are in {folder / 'notebooks'}.")
    if start:
        if find_spec("jupyterlab") is None:
            console.print('clinnlp: JupyterLab is not installed. Run: pip install "clinnlp[notebooks]"', markup=False)
            raise typer.Exit(COULD_NOT_RUN)
        raise typer.Exit(subprocess.call([sys.executable, "-m", "jupyter", "lab"], cwd=folder / "notebooks"))


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="YAML file that says what to learn; see docs/training.md.")],
    data: Annotated[Path, typer.Option(help="Folder that the files of the recipe lie in.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; an interrupted run there goes on.")],
) -> None:
    """Train a token classifier, and write it as a pack that `--ner` takes."""
    from clinnlp.models.training import read_recipe
    from clinnlp.models.training import train as run

    try:
        content = read_recipe(recipe)
        _with_progress(lambda tick: run(content, data, out, tick), "Training")
    except ClinnlpError as error:
        console.print(f"clinnlp: {error}", markup=False, highlight=False)
        raise typer.Exit(COULD_NOT_RUN) from None
    console.print(f"The model is in {out}: clinnlp analyse NOTES --ner {out} --out DIR", markup=False)


@app.command()
def models() -> None:
    """List open models that find entities, with their size, licence, task and training data."""
    from rich.table import Table

    from clinnlp.resources import read_yaml

    table = Table("model", "size", "licence", "finds", "trained on", box=None)
    for model in read_yaml("models.yml"):
        name = f"{model['id']} (ships)" if model.get("ships") else model["id"]
        table.add_row(name, model["parameters"], model["licence"], model["task"], model["trained_on"])
    Console().print(table)
