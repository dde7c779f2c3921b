"""Pictures of shares with their intervals: how common conditions are, and how right a model's scores are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from clinnlp.errors import InputError
from clinnlp.plots.style import (
    PALE_INK,
    STYLES,
    blank_figure,
    check_table,
    condition_name,
    message_figure,
    named_rows,
    plain,
)

PREVALENCE = ("condition", "n", "cases", "prevalence", "low", "high")
RELIABILITY = ("predicted", "observed", "low", "high", "n")
GROUPS = (  # the colour and the marker of each group
    ("#0072B2", "circle"), ("#E69F00", "diamond"), ("#009E73", "square"), ("#D55E00", "triangle-up"),
    ("#CC79A7", "star"), ("#000000", "x"), ("#56B4E9", "pentagon"),
)  # fmt: skip
PERCENT = {"tickformat": ".2~%", "rangemode": "tozero"}
SMALL = {"size": 11, "color": PALE_INK}


def prevalence_intervals(table: pd.DataFrame) -> go.Figure:
    """Draw the share that has each condition, with its interval, by group (see `clinnlp.cohort.prevalence`).

    Parameters
    ----------
    table
        condition, n, cases, prevalence, low, high (shares from 0 to 1) and, unless all are one group, group. The most
        frequent conditions are drawn first, groups in the order of the table; a missing group is "not known".

    Raises
    ------
    InputError
        When a column is missing, a share is not one, or there are more groups than can be told apart.

    Examples
    --------
    >>> row = {"condition": "gout", "n": 40, "cases": 10, "prevalence": 0.25, "low": 0.14, "high": 0.4}
    >>> figure = prevalence_intervals(pd.DataFrame([row]))
    >>> figure.data[0].x, figure.data[1].text
    ((0.25,), ('\\u200210 / 40',))
    """
    check_table(table, PREVALENCE, ("prevalence", "low", "high"))
    if table.empty:
        return message_figure("Share with each condition", "There is no prevalence to draw.")
    table = table.assign(group=_group_names(table))
    groups = table["group"].drop_duplicates().tolist()
    if len(groups) > len(GROUPS):
        raise InputError(f"There are {len(groups)} groups; at most {len(GROUPS)} can be told apart. Join some of them.")
    names = _most_frequent(table)
    step = 0.8 / len(groups)
    place = table["condition"].map(names.index) + step * (table["group"].map(groups.index) - (len(groups) - 1) / 2)
    figure = blank_figure(
        "Share with each condition", 150 + max(26, 18 * len(groups)) * len(names), "line: interval; number: cases / n"
    )
    for (colour, symbol), group in zip(GROUPS, groups, strict=False):
        rows = table.assign(place=place)[table["group"] == group]
        figure.add_scatter(**_dots(rows, colour, symbol), name=plain(group), legendgroup=group)
        figure.add_scatter(**_beside(rows), legendgroup=group)
    figure.update_layout(showlegend=len(groups) > 1)
    top = float(table["high"].fillna(table["prevalence"]).max())
    figure.update_xaxes(title="share with the condition", range=[0, 1.16 * (top if top > 0 else 1)], **PERCENT)
    figure.update_yaxes(title="condition", **named_rows([plain(condition_name(name)) for name in names]))
    return figure


def _group_names(table: pd.DataFrame) -> list[str]:
    """Name the group of each row; without any there is one group."""
    if "group" not in table or table["group"].isna().all():
        return ["all"] * len(table)
    return ["not known" if pd.isna(name) else str(name) for name in table["group"]]


def _most_frequent(table: pd.DataFrame) -> list[str]:
    """List the conditions by the share that has them over all groups, then by name."""
    sums = table.groupby("condition")[["cases", "n"]].sum().sort_index()
    return (sums["cases"] / sums["n"].where(sums["n"] > 0)).sort_values(ascending=False, kind="stable").index.tolist()


def _dots(rows: pd.DataFrame, colour: str, symbol: str) -> dict[str, Any]:
    return {
        "mode": "markers",
        "x": _numbers(rows["prevalence"]),
        "y": rows["place"].tolist(),
        "marker": {"color": colour, "symbol": symbol, "size": 10},
        "cliponaxis": False,
        "error_x": _error(rows, "prevalence", colour),
        "customdata": [
            [plain(condition_name(row["condition"])), plain(row["group"]), *(row[name] for name in PREVALENCE[1:])]
            for row in rows.to_dict("records")
        ],
        "hovertemplate": "%{customdata[0]}, %{customdata[1]}: %{x:.1%} (%{customdata[5]:.1%} to %{customdata[6]:.1%})"
        "<br>%{customdata[3]} of %{customdata[2]}<extra></extra>",
    }


def _beside(rows: pd.DataFrame) -> dict[str, Any]:
    """Write the cases to the right of each interval."""
    return {
        "mode": "text",
        "x": _numbers(rows["high"].fillna(rows["prevalence"]).fillna(0)),
        "y": rows["place"].tolist(),
        "text": [f"\u2002{row.cases:.0f} / {row.n:.0f}" for row in rows.itertuples()],
        "textposition": "middle right",
        "textfont": SMALL,
        "cliponaxis": False,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def reliability(table: pd.DataFrame) -> go.Figure:
    """Draw how often a model was right against how sure it was (see `clinnlp.evaluate.reliability`).

    On the diagonal the two agree; below it the model is too sure of itself, above it not sure enough.

    Parameters
    ----------
    table
        A row a bin of the model's confidence: predicted (its mean), observed (the share that was right), low, high
        (the interval of observed), n. All but n are shares from 0 to 1.

    Raises
    ------
    InputError
        When a column is missing or a share is not one.

    Examples
    --------
    >>> row = {"predicted": 0.9, "observed": 0.8, "low": 0.7, "high": 0.87, "n": 70}
    >>> figure = reliability(pd.DataFrame([row]))
    >>> figure.data[1].x, figure.data[1].y, figure.data[1].text
    ((0.9,), (0.8,), ('70',))
    """
    check_table(table, RELIABILITY, ("predicted", "observed", "low", "high"))
    title = "How often the model was right, by how sure it was"
    table = table[table["n"] > 0].sort_values("predicted", kind="stable")
    if table.empty:
        return message_figure(title, "There is no prediction to draw.")
    few, many = int(table["n"].min()), int(table["n"].max())
    alike = many - few <= 1
    told = f"n = {few}{f' or {many}' * (many > few)} a point" if alike else "number and size of a point: n"
    figure = blank_figure(title, 520, f"line: interval; {told}")
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="as sure as right", hoverinfo="skip",
        line={"color": PALE_INK, "dash": "dash", "width": 1},
    )  # fmt: skip
    figure.add_scatter(**_bins(table), mode="markers" if alike else "markers+text", name="bin of confidence")
    figure.update_xaxes(title="mean confidence", range=[0, 1.1], dtick=0.2, **PERCENT)
    figure.update_yaxes(title="share that was right", range=[0, 1.04], dtick=0.2, **PERCENT)
    return figure


def _bins(table: pd.DataFrame) -> dict[str, Any]:
    """Describe a point a bin, with its number on the side away from the diagonal."""
    colour, above = STYLES["present"].colour, table["observed"] > table["predicted"]
    return {
        "x": _numbers(table["predicted"]),
        "y": _numbers(table["observed"]),
        "marker": {"color": colour, "size": _sizes(table["n"]), "opacity": 1, "line": {"color": "white", "width": 1}},
        "error_y": _error(table, "observed", colour),
        "text": [f"{n:.0f}" for n in table["n"]],
        "textfont": SMALL,
        "textposition": above.map({True: "top left", False: "bottom right"}).tolist(),
        "cliponaxis": False,
        "customdata": table[["low", "high"]].to_numpy().tolist(),
        "hovertemplate": "sure: %{x:.1%}, right: %{y:.1%} (%{customdata[0]:.1%} to %{customdata[1]:.1%})"
        "<br>n = %{text}<extra></extra>",
    }


def _sizes(n: pd.Series) -> list[float]:
    """Give the diameters in pixels of points whose areas are as `n`; the smallest stay visible."""
    return (18 * (n / n.max()) ** 0.5).clip(lower=7).round(1).tolist()


def _error(rows: pd.DataFrame, middle: str, colour: str) -> dict[str, Any]:
    """Describe the bars from low to high."""
    up, down = rows["high"] - rows[middle], rows[middle] - rows["low"]
    lengths = {"array": _numbers(up.clip(lower=0)), "arrayminus": _numbers(down.clip(lower=0))}
    return {"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 4, **lengths}


def _numbers(column: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in column]
