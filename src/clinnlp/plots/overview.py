"""Pictures of all the notes: what was flagged, when notes were written, and what was mentioned."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from clinnlp.plots.style import (
    OTHER,
    STYLES,
    Style,
    blank_figure,
    condition_name,
    count_axis,
    date_axis,
    hatched,
    iso_days,
    left_out,
    message_figure,
    plain,
)

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

NOTE_TYPES = tuple(Style(s.colour, s.pattern, s.symbol) for name, s in STYLES.items() if name != "absent")
PERIODS = (  # the longest span of days that is drawn with the period; its name, pandas name, plotly name and days
    (45, "day", "D", 86_400_000, 1), (1_100, "month", "M", "M1", 30), (3_700, "quarter", "Q", "M3", 91),
    (10**9, "year", "Y", "M12", 365),
)  # fmt: skip


def counts_by_status(result: Annotations) -> pd.DataFrame:
    """Count the patients of each condition and status.

    Returns
    -------
    DataFrame
        condition, status, patients; the conditions that most patients have come first.
    """
    return count_flags(result.patient_flags, "patients")


def conditions_by_status(result: Annotations) -> go.Figure:
    """Draw how many patients have each condition, by status (see `counts_by_status`)."""
    table = counts_by_status(result)
    if table.empty:
        return message_figure("Conditions", "No condition was flagged.")
    table = table.assign(condition=[plain(condition_name(name)) for name in table["condition"]])
    return _row_bars(table, "Conditions: patients by status", "condition", "status", "patients")


def notes_per_period(result: Annotations) -> pd.DataFrame:
    """Count the dated notes of each day, month, quarter or year (whichever suits the span) and type.

    Returns
    -------
    DataFrame
        period (its first day), note_type, notes.
    """
    notes = result.notes.dropna(subset=["date"])
    period = notes["date"].dt.to_period(_period(notes["date"])[1]).dt.start_time
    kinds = notes["note_type"].fillna("no type")
    counts = notes.groupby([period.rename("period"), kinds.rename("note_type")]).size()
    return counts.reset_index(name="notes")


def notes_over_time(result: Annotations) -> go.Figure:
    """Draw how many notes were written when, by type (see `notes_per_period`)."""
    undated = int(result.notes["date"].isna().sum())
    table = notes_per_period(result)
    if table.empty:
        return message_figure("Notes over time", "No note has a date." if undated else "There are no notes.")
    common = table.groupby("note_type")["notes"].sum().sort_values(ascending=False, kind="stable").index
    styles = dict(zip(common, NOTE_TYPES, strict=False))
    if rest := [kind for kind in common if kind not in styles]:
        table = table.replace({"note_type": dict.fromkeys(rest, "other types")})
        table = table.groupby(["period", "note_type"])["notes"].sum().reset_index()
        styles["other types"] = OTHER
    name, _, xperiod, days = _period(result.notes["date"])
    figure = blank_figure(f"Notes per {name}{left_out(undated)}", 360)
    for kind, style in styles.items():
        rows = table[table["note_type"] == kind]
        figure.add_bar(
            x=iso_days(rows["period"]), y=rows["notes"].tolist(), name=plain(kind), marker=hatched(style),
            xperiod=xperiod, xperiodalignment="middle", width=0.8 * days * 86_400_000, hovertemplate="%{y} notes, %{x}",
        )  # fmt: skip
    figure.update_xaxes(
        **date_axis(table["period"], max(7, days), max(7, 2 * days)), showgrid=False, ticklabelmode="period"
    )
    figure.update_yaxes(title="notes", **count_axis(table.groupby("period")["notes"].sum()))
    return figure


def entity_counts(result: Annotations, n: int = 15) -> pd.DataFrame:
    """Count the mentions of the `n` most frequent diseases, symptoms and medications, by assertion.

    Returns
    -------
    DataFrame
        entity (in lower case), label, assertion, mentions; the most frequent entities come first.
    """
    named = result.entities[result.entities["label"].isin(["DISEASE", "SYMPTOM", "MEDICATION"])]
    name = named["text"].str.lower().str.split().str.join(" ").rename("entity")
    counts = named.groupby([name, "label", "assertion"]).size().reset_index(name="mentions")
    totals = counts.groupby(["entity", "label"])["mentions"].sum().sort_values(ascending=False, kind="stable")
    kept = counts.merge(totals.head(n).index.to_frame(index=False))
    return _ranked(kept, "entity", "assertion", "mentions")


def top_entities(result: Annotations, n: int = 15) -> go.Figure:
    """Draw the mentions of the `n` most frequent entities, by assertion (see `entity_counts`)."""
    table = entity_counts(result, n)
    if table.empty:
        return message_figure("Most frequent entities", "No disease, symptom or medication was found.")
    short = table["entity"].map(lambda name: plain(textwrap.shorten(name, 40, placeholder="…") or name[:40]))
    table = table.assign(entity=short + " (" + table["label"].str.lower() + ")")
    return _row_bars(table, "Most frequent entities: mentions by assertion", "entity", "assertion", "mentions")


def count_flags(flags: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Count the rows of a table of flags into the column `unit`, the most frequent conditions first."""
    counts = flags.groupby(["condition", "status"]).size().reset_index(name=unit)
    return _ranked(counts, "condition", "status", unit, first=("present", "historical"))


def _row_bars(table: pd.DataFrame, title: str, row: str, split: str, count: str) -> go.Figure:
    """Draw horizontal bars, a row for each `row` of the table in its order, split by status or assertion."""
    rows = table[row].drop_duplicates().tolist()
    figure = blank_figure(title, 130 + 22 * len(rows))
    for name, style in STYLES.items():
        part = table[table[split] == name]
        if not part.empty:
            figure.add_bar(
                y=part[row].tolist(), x=part[count].tolist(), name=name, orientation="h", marker=hatched(style),
                hovertemplate=f"%{{y}}: %{{x}} {count}",
            )  # fmt: skip
    figure.update_xaxes(title=count, **count_axis(table.groupby(row)[count].sum()))
    figure.update_yaxes(type="category", categoryarray=rows, autorange="reversed", showgrid=False, dtick=1)
    return figure


def _ranked(table: pd.DataFrame, row: str, split: str, count: str, first: tuple[str, ...] = ()) -> pd.DataFrame:
    """Sort by the total of the row (over the `first` categories, then over all), its name, and the category."""
    total = table.groupby(row)[count].transform("sum")
    wanted = table[count].where(table[split].isin(first), 0).groupby(table[row]).transform("sum")
    order = table[split].map({name: i for i, name in enumerate(STYLES)})
    keys = table.assign(wanted=-wanted, total=-total, order=order)
    return table.loc[keys.sort_values(["wanted", "total", row, "order"]).index].reset_index(drop=True)


def _period(dates: pd.Series) -> tuple[str, str, str | int, int]:
    """Choose the period for bars over these dates: its name, pandas name, plotly name and days."""
    span = (dates.max() - dates.min()).days if dates.notna().any() else 0
    return next(period[1:] for period in PERIODS if span <= period[0])
