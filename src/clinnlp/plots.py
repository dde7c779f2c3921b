"""Pictures of a result, each beside the small table that it draws.

Every picture reads without colour too: bars are hatched and markers have shapes. The colours are those of Okabe and Ito
(https://jfly.uni-koeln.de/color/), which people with any colour vision tell apart.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from clinnlp.errors import InputError
from clinnlp.schema import FLAG_STATUSES

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations


class Style(NamedTuple):
    """How a category looks: its colour, its hatching in a bar, and the plotly name of its marker."""

    colour: str
    pattern: str
    symbol: str


STYLES = {
    "present": Style("#0072B2", "", "circle"),
    "historical": Style("#56B4E9", "/", "square"),
    "uncertain": Style("#E69F00", ".", "diamond"),
    "hypothetical": Style("#F0E442", "+", "pentagon"),
    "implied": Style("#CC79A7", "\\", "triangle-up"),
    "absent": Style("#999999", "x", "x"),
    "family": Style("#009E73", "-", "star"),
}
NOTE_TYPES = tuple(Style(s.colour, s.pattern, s.symbol) for name, s in STYLES.items() if name != "absent")
OTHER = STYLES["absent"]
PERIODS = (  # the longest span of days that is drawn with the period; its name, pandas name, plotly name and days
    (45, "day", "D", 86_400_000, 1), (1_100, "month", "M", "M1", 30), (3_700, "quarter", "Q", "M3", 91),
    (10**9, "year", "Y", "M12", 365),
)  # fmt: skip
ACRONYMS = {
    "copd": "COPD", "gerd": "GERD", "hiv_aids": "HIV/AIDS", "stroke_tia": "stroke/TIA",
    "rheumatoid_arthritis_lupus": "rheumatoid arthritis/lupus",
}  # fmt: skip
AXIS = {"gridcolor": "#E5E7EB", "zeroline": False, "automargin": True, "title": {"standoff": 8}}
NOTE_AXIS = {"type": "category", "title": {"text": "note (none has a date)"}}
TEMPLATE = {
    "layout": {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1F2937"},
        "title": {"x": 0, "xref": "paper", "font": {"size": 15}},
        "margin": {"l": 8, "r": 8, "t": 48, "b": 8},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": AXIS,
        "yaxis": AXIS,
        "hoverlabel": {"bgcolor": "white", "align": "left", "font": {"color": "#1F2937"}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "barmode": "stack",
        "bargap": 0.25,
    }
}


def condition_name(condition: str) -> str:
    """Write the name of a condition as people read it.

    >>> condition_name("heart_failure"), condition_name("copd")
    ('heart failure', 'COPD')
    """
    return ACRONYMS.get(condition, condition.replace("_", " "))


def counts_by_status(result: Annotations) -> pd.DataFrame:
    """Count the patients of each condition and status.

    Returns
    -------
    DataFrame
        condition, status, patients; the conditions that most patients have come first.
    """
    counts = result.patient_flags.groupby(["condition", "status"]).size().reset_index(name="patients")
    return _ranked(counts, "condition", "status", "patients", first=("present", "historical"))


def conditions_by_status(result: Annotations) -> go.Figure:
    """Draw how many patients have each condition, by status (see `counts_by_status`)."""
    table = counts_by_status(result)
    if table.empty:
        return _message("Conditions", "No condition was flagged.")
    table = table.assign(condition=table["condition"].map(condition_name))
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
        return _message("Notes over time", "No note has a date." if undated else "There are no notes.")
    common = table.groupby("note_type")["notes"].sum().sort_values(ascending=False, kind="stable").index
    styles = dict(zip(common, NOTE_TYPES, strict=False))
    if rest := [kind for kind in common if kind not in styles]:
        table = table.replace({"note_type": dict.fromkeys(rest, "other types")})
        table = table.groupby(["period", "note_type"])["notes"].sum().reset_index()
        styles["other types"] = OTHER
    name, _, xperiod, days = _period(result.notes["date"])
    figure = _figure(f"Notes per {name}{_left_out(undated)}", 360)
    for kind, style in styles.items():
        rows = table[table["note_type"] == kind]
        figure.add_bar(
            x=_dates(rows["period"]), y=rows["notes"].tolist(), name=_plain(kind), marker=_hatched(style),
            xperiod=xperiod, xperiodalignment="middle", width=0.8 * days * 86_400_000, hovertemplate="%{y} notes, %{x}",
        )  # fmt: skip
    figure.update_xaxes(
        **_date_axis(table["period"], max(7, days), max(7, 2 * days)), showgrid=False, ticklabelmode="period"
    )
    figure.update_yaxes(title="notes", **_count_axis(table.groupby("period")["notes"].sum()))
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
        return _message("Most frequent entities", "No disease, symptom or medication was found.")
    short = table["entity"].map(lambda name: _plain(textwrap.shorten(name, 40, placeholder="…") or name[:40]))
    table = table.assign(entity=short + " (" + table["label"].str.lower() + ")")
    return _row_bars(table, "Most frequent entities: mentions by assertion", "entity", "assertion", "mentions")


def condition_history(result: Annotations, patient_id: str) -> pd.DataFrame:
    """List what each note of a patient says of each condition, by date.

    Returns
    -------
    DataFrame
        date, note_id, condition, status, basis, evidence, start, end.

    Raises
    ------
    InputError
        When no note has this `patient_id`.
    """
    patients = result.notes["patient_id"]
    if not (patients == patient_id).any():
        known = ", ".join(sorted(patients.dropna().unique())[:20]) or "no note has a patient_id"
        raise InputError(f"There is no patient {patient_id!r}. Patients: {known}.")
    dates = result.notes.loc[patients == patient_id, ["note_id", "date"]]
    table = result.flags[result.flags["patient_id"] == patient_id].merge(dates, on="note_id")
    columns = ["date", "note_id", "condition", "status", "basis", "evidence", "start", "end"]
    return table.sort_values(["date", "note_id", "condition"], kind="stable")[columns].reset_index(drop=True)


def timeline(result: Annotations, *, patient_id: str) -> go.Figure:
    """Draw what the notes of a patient say of each condition over time (see `condition_history`).

    Notes without a date are left out, unless no note has one: then the notes stand side by side. A point's `customdata`
    are its hover text, note_id, start and end.
    """
    return go.Figure(timeline_spec(result, patient_id))


def timeline_spec(result: Annotations, patient_id: str) -> dict[str, Any]:
    """Describe the figure `timeline` as plain data, which is what a page with hundreds of them needs: it is quick."""
    table = condition_history(result, patient_id)
    title = f"Conditions of patient {_plain(patient_id)} over time"
    if table.empty:
        return _message(title, "The notes of this patient have no flags.").to_plotly_json()
    undated = table["date"].isna()
    dated = not undated.all()
    if dated:
        title += _left_out(table.loc[undated, "note_id"].nunique())
        table = table[~undated]
    x = _dates(table["date"]) if dated else table["note_id"].map(_plain).tolist()
    points = list(zip(x, table.to_dict("records"), strict=True))
    conditions = list(dict.fromkeys(condition_name(row["condition"]) for _, row in points))  # as they first appear
    statuses = [status for status in FLAG_STATUSES if any(row["status"] == status for _, row in points)]
    return {
        "data": [_trace(status, [point for point in points if point[1]["status"] == status]) for status in statuses],
        "layout": {
            "template": TEMPLATE,
            "title": {"text": title},
            "height": 110 + 24 * len(conditions),
            "showlegend": True,
            "xaxis": _date_axis(table["date"]) if dated else NOTE_AXIS,
            "yaxis": {"type": "category", "categoryarray": conditions, "autorange": "reversed", "dtick": 1},
        },
    }


def _trace(status: str, points: list[tuple[str, dict[Hashable, Any]]]) -> dict[str, Any]:
    """Describe the points of one status; each is its place on the x axis and its row of the history."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": status,
        "x": [x for x, _ in points],
        "y": [condition_name(row["condition"]) for _, row in points],
        "marker": {"color": STYLES[status].colour, "symbol": STYLES[status].symbol, "size": 12},
        "customdata": [[_hover(row), row["note_id"], row["start"], row["end"]] for _, row in points],
        "hovertemplate": "%{customdata[0]}<extra></extra>",
    }


def _hover(row: dict[Hashable, Any]) -> str:
    """What a point of the timeline says when pointed at, with the note's words escaped."""
    head = f"<b>{condition_name(str(row['condition']))}</b>: {row['status']} ({row['basis']})"
    when = f", {row['date']:%Y-%m-%d}" if pd.notna(row["date"]) else ""
    words = textwrap.wrap(textwrap.shorten(str(row["evidence"]), 200, placeholder=" …"), 60)
    return "<br>".join([head, *(_plain(line) for line in words), f"{_plain(str(row['note_id']))}{when}"])


def _figure(title: str, height: int) -> go.Figure:
    layout = {"template": TEMPLATE, "title": {"text": title}, "height": height, "showlegend": True}
    return go.Figure(layout=layout)


def _row_bars(table: pd.DataFrame, title: str, row: str, split: str, count: str) -> go.Figure:
    """Draw horizontal bars, a row for each `row` of the table in its order, split by status or assertion."""
    rows = table[row].drop_duplicates().tolist()
    figure = _figure(title, 130 + 22 * len(rows))
    for name, style in STYLES.items():
        part = table[table[split] == name]
        if not part.empty:
            figure.add_bar(
                y=part[row].tolist(), x=part[count].tolist(), name=name, orientation="h", marker=_hatched(style),
                hovertemplate=f"%{{y}}: %{{x}} {count}",
            )  # fmt: skip
    figure.update_xaxes(title=count, **_count_axis(table.groupby(row)[count].sum()))
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


def _count_axis(totals: pd.Series) -> dict[str, object]:
    """Lay out an axis of counts, without ticks between whole numbers."""
    return {"rangemode": "tozero", "tickformat": "d", "dtick": 1 if totals.max() <= 6 else None}


def _date_axis(dates: pd.Series, before: int = 7, after: int = 7) -> dict[str, Any]:
    """Lay out an axis of dates with days to spare at both ends, so that a single date is not drawn in milliseconds."""
    span = dates.max() - dates.min()
    first = dates.min() - max(span * 0.03, pd.Timedelta(days=before))
    last = dates.max() + max(span * 0.03, pd.Timedelta(days=after))
    return {"type": "date", "range": _dates(pd.Series([first, last]))}


def _dates(dates: pd.Series) -> list[str]:
    return dates.dt.strftime("%Y-%m-%d").tolist()


def _hatched(style: Style) -> dict[str, object]:
    return {
        "color": style.colour,
        "line": {"color": style.colour, "width": 1},
        "pattern": {"shape": style.pattern, "fillmode": "overlay", "fgcolor": "white", "size": 7, "solidity": 0.25},
    }


def _left_out(undated: int) -> str:
    return f" ({undated} note{'s' * (undated > 1)} without a date left out)" if undated else ""


def _plain(text: str) -> str:
    """Escape what plotly would read as markup."""
    return html.escape(text, quote=False)


def _message(title: str, message: str) -> go.Figure:
    """Draw nothing but a sentence that says why there is nothing to draw."""
    figure = _figure(title, 160)
    figure.add_annotation(text=message, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
