"""The picture of one patient: what the notes say of each condition over time."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from clinnlp.errors import InputError
from clinnlp.plots.style import (
    STYLES,
    TEMPLATE,
    condition_name,
    date_axis,
    iso_days,
    left_out,
    message_figure,
    named_rows,
    plain,
)
from clinnlp.schema import FLAG_STATUSES

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

NOTE_AXIS = {"type": "category", "title": {"text": "note (none has a date)"}}
DATE_TITLE = {"title": {"text": "date of the note"}}


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

    Notes without a date are left out, unless no note has one: then the notes stand side by side. What notes of one day
    say of a condition stands one below the other. A point's `customdata` are its hover text, note_id, start and end.
    """
    return go.Figure(timeline_spec(result, patient_id))


def timeline_spec(result: Annotations, patient_id: str) -> dict[str, Any]:
    """Describe the figure `timeline` as plain data, which is what a page with hundreds of them needs: it is quick."""
    table = condition_history(result, patient_id)
    title = f"Conditions of patient {plain(patient_id)} over time"
    if table.empty:
        return message_figure(title, "The notes of this patient have no flags.").to_plotly_json()
    undated = table["date"].isna()
    dated = not undated.all()
    if dated:
        title += left_out(table.loc[undated, "note_id"].nunique())
        table = table[~undated]
    x = iso_days(table["date"]) if dated else table["note_id"].map(plain).tolist()
    xaxis = DATE_TITLE | date_axis(table["date"]) if dated else NOTE_AXIS | {"categoryarray": list(dict.fromkeys(x))}
    conditions = list(dict.fromkeys(table["condition"]))  # as they first appear
    y, row = _heights(x, table["condition"], conditions)
    points = list(zip(x, y, table.to_dict("records"), strict=True))
    statuses = [status for status in FLAG_STATUSES if (table["status"] == status).any()]
    return {
        "data": [_trace(status, [point for point in points if point[2]["status"] == status]) for status in statuses],
        "layout": {
            "template": TEMPLATE,
            "title": {"text": title},
            "height": 132 + row * len(conditions),
            "showlegend": True,
            "xaxis": xaxis,
            "yaxis": named_rows([plain(condition_name(name)) for name in conditions]),
        },
    }


def _heights(x: list[str], conditions: Iterable[str], rows: list[str]) -> tuple[list[float], int]:
    """Place each point in the row of its condition, those of one day one below the other; give a row its pixels."""
    keys = list(zip(x, conditions, strict=True))
    meeting, drawn = Counter(keys), Counter[tuple[str, str]]()
    most = max(meeting.values())
    spread = min(10 * (most - 1), 40)
    step = spread / max(most - 1, 1) / (24 + spread)
    heights = []
    for key in keys:
        heights.append(rows.index(key[1]) + step * (drawn[key] - (meeting[key] - 1) / 2))
        drawn[key] += 1
    return heights, 24 + spread


def _trace(status: str, points: list[tuple[str, float, dict[Hashable, Any]]]) -> dict[str, Any]:
    """Describe the points of one status; each is its place on both axes and its row of the history."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": status,
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "marker": {
            "color": STYLES[status].colour,
            "symbol": STYLES[status].symbol,
            "size": 12,
            "line": {"color": "white", "width": 1},
        },
        "customdata": [[_hover(row), row["note_id"], row["start"], row["end"]] for _, _, row in points],
        "hovertemplate": "%{customdata[0]}<extra></extra>",
    }


def _hover(row: dict[Hashable, Any]) -> str:
    """What a point of the timeline says when pointed at, with the note's words escaped."""
    head = f"<b>{plain(condition_name(str(row['condition'])))}</b>: {row['status']} ({row['basis']})"
    when = f", {row['date']:%Y-%m-%d}" if pd.notna(row["date"]) else ""
    words = textwrap.wrap(textwrap.shorten(str(row["evidence"]), 200, placeholder=" …"), 60)
    return "<br>".join([head, *(plain(line) for line in words), f"{plain(str(row['note_id']))}{when}"])
