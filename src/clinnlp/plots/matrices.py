"""Pictures of a cohort as matrices of numbers: conditions by status, and conditions by condition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from clinnlp.errors import InputError
from clinnlp.plots.overview import count_flags
from clinnlp.plots.style import INK, blank_figure, condition_name, message_figure, plain
from clinnlp.schema import FLAG_STATUSES

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

HAS = ("present", "historical")
FEW = 5  # expected patients; below it a ratio of counts says little (Cochran's rule for tables)
SHADES = [[0, "#FFFFFF"], [1, "#56B4E9"]]  # dark text reads on every shade
BOTH_WAYS = [[0, "#56B4E9"], [0.5, "#FFFFFF"], [1, "#E69F00"]]
LIFT_TICKS = {"tickvals": [-2, -1, 0, 1, 2], "ticktext": ["¼ or less", "½", "1", "2", "4 or more"]}


def status_shares(result: Annotations, unit: str = "patients") -> pd.DataFrame:
    """Count the patients (or notes) of each condition and status, and their share within the condition.

    Parameters
    ----------
    result
        The annotations.
    unit
        What is counted: patients or notes.

    Returns
    -------
    DataFrame
        condition, status, patients (or notes), share (of those with any flag of the condition); the conditions that
        most have come first. Statuses that nobody has are left out.

    Raises
    ------
    InputError
        When `unit` is neither patients nor notes.
    """
    flags = {"patients": result.patient_flags, "notes": result.flags}
    if unit not in flags:
        raise InputError(f"unit is {unit!r}. Give one of: {', '.join(flags)}.")
    table = count_flags(flags[unit], unit)
    return table.assign(share=table[unit] / table.groupby("condition")[unit].transform("sum"))


def status_matrix(result: Annotations, unit: str = "patients") -> go.Figure:
    """Draw how many patients (or notes) have each condition with each status (see `status_shares`).

    A cell holds the number; its shade is the share of the row.
    """
    table = status_shares(result, unit)
    if table.empty:
        return message_figure(f"Conditions and statuses: {unit}", "No condition was flagged.")
    names = table["condition"].drop_duplicates().tolist()
    count, share = (
        table.pivot(index="condition", columns="status", values=column).reindex(index=names, columns=FLAG_STATUSES)
        for column in (unit, "share")
    )
    figure = blank_figure(
        f"Conditions and statuses: {unit}",
        170 + 22 * max(len(names), 7),
        f"shade: share of the {unit} in the row",
        top=120,
    )
    figure.add_heatmap(
        x=list(FLAG_STATUSES), y=[plain(condition_name(name)) for name in names], z=_cells(share), text=_texts(count),
        colorscale=SHADES, zmin=0, zmax=1, colorbar=_colour_bar("share of the row", tickformat=".0%"), **_CELLS,
        hovertemplate=f"%{{y}}, %{{x}}: %{{text}} {unit} (%{{z:.0%}} of the row)<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="status", type="category", side="top", showgrid=False)
    figure.update_yaxes(title="condition", **_ROWS)
    return figure


def co_occurrence(result: Annotations, n: int = 12) -> pd.DataFrame:
    """Count the patients who have two conditions, for each pair of the `n` most frequent ones.

    A patient has a condition whose status is present or historical. Were two conditions independent, `expected`
    patients would have both; lift is observed / expected.

    Returns
    -------
    DataFrame
        condition, other, patients, expected, lift, unreliable (expected below 5); the most frequent conditions come
        first. Where both are the same condition, patients are those who have it, and expected and lift are missing.
    """
    flags = result.patient_flags
    flags = flags[flags["status"].isin(HAS)]
    has = pd.crosstab(flags["patient_id"], flags["condition"]) > 0
    total = result.notes["patient_id"].nunique()
    common = has.sum().sort_values(ascending=False, kind="stable").head(n)
    rows = []
    for condition, patients in common.items():
        for other, others in common.items():
            both = int((has[condition] & has[other]).sum())
            expected = math.nan if condition == other else patients * others / total
            rows.append((condition, other, both, expected, both / expected, expected < FEW))
    columns = {
        "condition": "str", "other": "str", "patients": "int64", "expected": "float64", "lift": "float64",
        "unreliable": "bool",
    }  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def co_occurrence_map(result: Annotations, n: int = 12, measure: str = "count") -> go.Figure:
    """Draw which of the `n` most frequent conditions patients have together (see `co_occurrence`).

    Parameters
    ----------
    result
        The annotations.
    n
        How many conditions are drawn.
    measure
        count, or lift: how many times as many patients have both as would if the conditions were independent. An
        asterisk marks a lift with fewer than 5 expected patients.

    Raises
    ------
    InputError
        When `measure` is neither count nor lift.
    """
    if measure not in ("count", "lift"):
        raise InputError(f"measure is {measure!r}. Give one of: count, lift.")
    title = "Patients with both conditions" + (": observed / expected" if measure == "lift" else "")
    table = co_occurrence(result, n)
    if table.empty:
        return message_figure(title, "No patient has a condition.")
    drawn = _lifts(table) if measure == "lift" else _counts(table)
    names = table["condition"].drop_duplicates().tolist()
    by_pair = table.assign(z=drawn["z"], text=drawn["text"]).set_index(["condition", "other"])
    z, text = (by_pair[column].unstack().loc[names, names] for column in ("z", "text"))
    labels = [plain(condition_name(name)) for name in names]
    figure = blank_figure(title, 260 + 30 * len(names), drawn["note"])
    figure.add_heatmap(
        x=labels, y=labels, z=_cells(z), text=text.to_numpy().tolist(), **drawn["look"], **_CELLS,
        hovertemplate="%{y} and %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="other condition", type="category", tickangle=-45, showgrid=False, dtick=1)
    figure.update_yaxes(title="condition", **_ROWS)
    return figure


def _counts(table: pd.DataFrame) -> dict[str, Any]:
    """Say how counts are drawn; those of one condition are bold."""
    same = table["condition"] == table["other"]
    text = table["patients"].astype("str")
    top = int(table["patients"].max())
    bar = _colour_bar("patients", tickformat="d", dtick=1 if top <= 6 else None)
    return {
        "z": table["patients"],
        "text": text.where(~same, "<b>" + text + "</b>"),
        "note": "bold: patients with the one condition",
        "look": {"colorscale": SHADES, "zmin": 0, "zmax": top, "colorbar": bar},
    }


def _lifts(table: pd.DataFrame) -> dict[str, Any]:
    """Say how ratios are drawn: on a scale of doublings, and with a mark where few patients were expected."""
    same = table["condition"] == table["other"]
    text = table["lift"].map("{:.1f}".format) + table["unreliable"].map({True: "*", False: ""})
    scale = table["lift"].where(table["lift"] > 0, 2.0**-9).map(math.log2).clip(-2, 2)
    bar = _colour_bar("observed /<br>expected", **LIFT_TICKS)
    return {
        "z": scale.mask(same),
        "text": text.where(~same, "<b>" + table["patients"].astype("str") + "</b>"),
        "note": f"* unreliable: fewer than {FEW} patients expected; bold: patients with the one condition",
        "look": {"colorscale": BOTH_WAYS, "zmin": -2, "zmax": 2, "colorbar": bar},
    }


def _cells(grid: pd.DataFrame) -> list[list[float | None]]:
    """Give the rows of a grid with nothing where a cell is missing."""
    return [[None if pd.isna(cell) else cell for cell in row] for row in grid.to_numpy().tolist()]


def _texts(grid: pd.DataFrame) -> list[list[str]]:
    return [["" if cell is None else f"{cell:.0f}" for cell in row] for row in _cells(grid)]


def _colour_bar(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title, "font": {"size": 12}}, "thickness": 12, "outlinewidth": 0, **_BAR_PLACE, **more}


_CELLS = {
    "texttemplate": "%{text}", "xgap": 1, "ygap": 1, "hoverongaps": False,
    "textfont": {"color": INK, "size": 12},
}  # fmt: skip
_BAR_PLACE = {"lenmode": "pixels", "len": 190, "y": 1, "yanchor": "top"}
_ROWS = {"type": "category", "autorange": "reversed", "showgrid": False, "dtick": 1}
