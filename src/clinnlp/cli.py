"""The command line: `clinnlp analyse` and its companions. Progress goes to stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from clinnlp.errors import ClinnlpError, InputError, MissingExtraError

app = typer.Typer(help="Find, summarise and flag conditions in de-identified clinical notes.", no_args_is_help=True)
console = Console(stderr=True)

T = TypeVar("T")

DONE_WITH_ERRORS, COULD_NOT_RUN, INTERRUPTED = 1, 2, 130
CHECKED = 500  # notes that are read together when identifiers are counted


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
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, with a thread each; without it one that uses all cores.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run in --out.")] = False,
    cache: Annotated[Path | None, typer.Option(help="File of findings, for texts that later runs meet again.")] = None,
    chunk_size: Annotated[int, typer.Option(min=1, help="Notes that are read, and kept, together at most.")] = 64,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse notes that may hold identifiers.")] = False,
    mask: Annotated[bool, typer.Option("--mask", help="Analyse the notes with placeholders for identifiers.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Kind of identifier to leave out, such as date; may be repeated.")
    ] = None,
) -> None:
    """Annotate notes and write tables and, for up to 1,000 notes, a report.

    What may identify a person in the first 500 notes is counted first, by kind; in all of them with --strict. With
    --mask placeholders stand in its place in all that is written, and the offsets in the tables are those of the masked
    notes.

    Exit codes: 0 done, 1 done but some notes are in the table errors, 2 could not run, 130 interrupted: the tables hold
    what was read until then, and --resume goes on.
    """
    from clinnlp.scale import Recipe, annotate_corpus
    from clinnlp.scale.store import NAME as RUN

    columns = {
        "id_column": id_column, "text_column": text_column, "patient_column": patient_column,
        "date_column": date_column, "type_column": type_column,
    }  # fmt: skip
    recipe = Recipe(ner, tuple(exclude or ()), conditions, summary_sentences=summary_sentences)
    try:
        if strict and mask:
            raise InputError("--strict refuses what --mask would mask. Give one of them.")
        if strict or not (mask or (resume and (out / RUN).exists())):
            _screen(notes, format, columns, strict=strict, ignore=ignore or ())
        outcome = _with_progress(
            lambda tick: annotate_corpus(
                notes, out, recipe=recipe, columns=columns, format=format, jobs=jobs, resume=resume, cache=cache,
                chunk_size=chunk_size, parquet=parquet, mask=mask, ignore=ignore or (), progress=tick,
            ), "Reading",
        )  # fmt: skip
    except (ClinnlpError, OSError) as error:
        console.print(f"clinnlp: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    except KeyboardInterrupt:
        console.print("clinnlp: interrupted, and no tables are written. --resume goes on.")
        raise typer.Exit(INTERRUPTED) from None
    counts = ", ".join(f"{outcome.rows[name]} {name}" for name in ("notes", "entities", "flags", "errors"))
    where = f"Report: {outcome.report}" if outcome.report else f"Tables: {out}; there are too many notes for a report"
    console.print(f"{counts}. {where}", highlight=False, soft_wrap=True)
    if outcome.waiting:
        console.print(f"Interrupted: {outcome.waiting} notes are not read yet. --resume goes on.", highlight=False)
        raise typer.Exit(INTERRUPTED)
    if outcome.rows["errors"]:
        raise typer.Exit(DONE_WITH_ERRORS)


def _screen(
    notes: Path, format: str | None, columns: dict[str, str | None], *, strict: bool, ignore: Iterable[str]
) -> None:
    """Say how many identifiers of each kind the first notes may hold; `strict`: all notes, and as an error."""
    from clinnlp.formats import read_chunks
    from clinnlp.notes import read_note_chunks
    from clinnlp.privacy import check, count_kinds

    chunks = read_note_chunks(notes, CHECKED, **columns) if format is None else read_chunks(notes, format, CHECKED)
    kinds: Counter[str] = Counter()
    try:
        for chunk in chunks if strict else islice(chunks, 1):
            kinds.update(check(chunk, ignore=ignore)["kind"])
    except MissingExtraError as error:
        if strict:
            raise
        console.print(f"The notes were not checked for identifiers. {error}", markup=False, highlight=False)
        return
    if not kinds:
        return
    message = f"The notes may hold identifiers: {count_kinds(kinds)}. clinnlp privacy lists them, --mask masks them."
    if strict:
        raise InputError(message)
    console.print(message, highlight=False, soft_wrap=True)


def _with_progress(run: Callable[[Callable[..., None]], T], title: str) -> T:
    """Run with a progress bar on stderr, which has rate and time left, and no thread, so that processes can fork.

    What runs gets a function to call with what is done and of how much, and where it has several parts their titles.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, auto_refresh=False, speed_estimate_period=600) as bar:
        task = bar.add_task(title, rate="")

        def tick(done: int, total: int | None, part: str = title) -> None:
            if bar.tasks[0].description != part:
                bar.reset(task, description=part, rate="")
            bar.update(task, completed=done, total=total)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:.1f}/s" if speed else "", refresh=True)

        return run(tick)


@app.command()
def privacy(
    notes: Annotated[
        Path, typer.Argument(help="CSV, TSV, JSONL or Parquet file, folder of .txt files, or notebook (its outputs).")
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Fail when something is found.")] = False,
    mask: Annotated[bool, typer.Option("--mask", help="Write a copy with placeholders to --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file of what was found, or with --mask of the notes.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Kind to leave out, such as date; may be repeated.")] = None,
) -> None:
    """List what may identify a person in notes or in the outputs of a notebook, without their text."""
    from clinnlp.notes import read_notes
    from clinnlp.privacy import check, count_kinds, refuse_found
    from clinnlp.privacy import mask as masked
    from clinnlp.privacy_notebook import mask_outputs

    ignored = ignore or []
    try:
        if mask and out is None:
            raise InputError("--mask writes a new file. Name it with --out.")
        if notes.suffix == ".ipynb":
            if out and not mask:
                raise InputError("The identifiers of a notebook are not listed. Give --mask, or leave --out out.")
            kinds = mask_outputs(notes, out, ignore=ignored)
            if strict and kinds and not mask:
                raise InputError(f"The outputs may hold identifiers: {count_kinds(kinds)}.")
            console.print(f"{notes.name}. Identifiers found in outputs: {count_kinds(kinds)}.", highlight=False)
            return
        table = read_notes(notes)
        found = check(table, ignore=ignored)
        if out:
            (masked(table, ignore=ignored) if mask else found).to_csv(out, index=False)
        if strict:
            refuse_found(found, len(table))
    except (ClinnlpError, OSError) as error:
        console.print(f"clinnlp: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    console.print(f"{len(table)} notes. Identifiers found: {count_kinds(found['kind'])}.", highlight=False)


@app.command()
def evaluate(
    gold: Annotated[Path, typer.Argument(help="Labelled notes, a JSON object a line, as in sample_data/gold.jsonl.")],
    ner: Annotated[str, typer.Option(help="Model of the entities: a shipped pack, a folder or a hub id.")] = "mini",
    exclude: Annotated[list[str] | None, typer.Option(help="Component to leave out; may be given again.")] = None,
    conditions: Annotated[str | None, typer.Option(help="YAML file with your own condition definitions.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for the scores.")] = None,
) -> None:
    """Annotate labelled notes, and score what is found, with 95 % intervals over notes."""
    import pandas as pd
    from rich.table import Table

    from clinnlp.evaluate import read_gold, score_annotations
    from clinnlp.notes import read_notes
    from clinnlp.pipeline import annotate, load

    try:
        labelled = read_gold(gold)
        notes = read_notes(pd.DataFrame(labelled)[["id", "text"]], id_column="id", text_column="text")
        with console.status("Loading the pipeline"):
            nlp = load(ner=ner, exclude=exclude or (), conditions=conditions)
        scores = score_annotations(
            labelled, _with_progress(lambda tick: annotate(notes, nlp, progress=tick), "Annotating")
        )
        if out:
            scores.to_csv(out, index=False)
    except (ClinnlpError, OSError) as error:
        console.print(f"clinnlp: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    table = Table("measure", "precision", "recall", "F1", "95 % interval", "support", box=None)
    for row in scores.to_dict("records"):
        figures = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(row["measure"], *figures, f"{row['low']:.3f}-{row['high']:.3f}", str(row["support"]))
    Console(width=110).print(table)


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
    for pattern in ("notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "sample_data/*.*"):
        for source in sorted(root.glob(pattern)):
            target = folder / source.relative_to(root)
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
