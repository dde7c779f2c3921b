"""The result of annotating notes: one table for each kind of finding."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Annotations:
    """The tables of `clinnlp.schema.TABLES`, as DataFrames.

    Offsets are characters of the note's text, half-open: `text[start:end]` is what was found.
    """

    notes: pd.DataFrame
    sections: pd.DataFrame
    entities: pd.DataFrame
    medications: pd.DataFrame
    measurements: pd.DataFrame
    flags: pd.DataFrame
    evidence: pd.DataFrame
    patient_flags: pd.DataFrame
    summaries: pd.DataFrame
    errors: pd.DataFrame

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {len(table)}" for name, table in self.tables().items())
        return f"Annotations({rows})"

    def tables(self) -> dict[str, pd.DataFrame]:
        """Give the tables by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def show(self, note_id: str) -> Any:
        """Open a note in the explorer, with its findings highlighted; a static view of it where widgets do not run.

        See `clinnlp.explorer.explore`.

        Raises
        ------
        InputError
            When there is no such note.
        """
        from clinnlp.explorer import explore

        return explore(self, note_id)

    def save(self, folder: str | Path, *, parquet: bool = False, report: bool = True) -> Path:
        """Write the tables as CSV (or Parquet) into a folder, with `report.html` beside them.

        The text of the notes is in the table `notes` and in the report: keep the folder where the notes may be kept.
        Cells of the CSV files are the words of the note, character for character, also those that begin as a formula
        does ("=", "+", "-", "@"), since offsets must hold: a spreadsheet should import these columns as text, or be
        given `clinnlp.formats.write(result, path, "excel")`, in which no cell is a formula.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables().items():
            if parquet:
                table.to_parquet(folder / f"{name}.parquet", index=False)
            else:
                table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\r\n")  # quotes a lone \r, too
        if report:
            from clinnlp.report import write_report

            write_report(self, folder / "report.html")
        return folder
