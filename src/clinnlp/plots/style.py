"""How every picture looks, and the parts that pictures share.

Every picture reads without colour too: bars are hatched, markers have shapes and cells their numbers. The colours are
those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any colour vision tell apart.
"""

from __future__ import annotations

import html
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from clinnlp.errors import InputError


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
OTHER = STYLES["absent"]
ACRONYMS = {
    "copd": "COPD", "gerd": "GERD", "hiv_aids": "HIV/AIDS", "stroke_tia": "stroke/TIA",
    "rheumatoid_arthritis_lupus": "rheumatoid arthritis/lupus",
}  # fmt: skip
INK, PALE_INK = "#1F2937", "#4B5563"
AXIS = {"gridcolor": "#E5E7EB", "zeroline": False, "automargin": True, "title": {"standoff": 8}}
TEMPLATE = {
    "layout": {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "title": {"x": 0, "xref": "paper", "font": {"size": 15}},
        "margin": {"l": 8, "r": 8, "t": 48, "b": 8},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": AXIS,
        "yaxis": AXIS,
        "hoverlabel": {"bgcolor": "white", "align": "left", "font": {"color": INK}},
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


def blank_figure(title: str, height: int, note: str = "", top: int = 72) -> go.Figure:
    """Start a figure in the common look; a `note` below the title needs a `top` margin in pixels that holds both."""
    layout: dict[str, Any] = {"template": TEMPLATE, "title": {"text": title}, "height": height, "showlegend": True}
    if note:
        place = {"xref": "container", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 14, "l": 8}}
        layout["title"] |= {**place, "subtitle": {"text": note, "font": {"size": 12, "color": PALE_INK}}}
        layout["margin"] = {"t": top}
    return go.Figure(layout=layout)


def check_table(table: pd.DataFrame, columns: tuple[str, ...], shares: tuple[str, ...]) -> None:
    """Refuse a table that lacks one of the columns, or whose shares are not from 0 to 1."""
    if missing := [name for name in columns if name not in table.columns]:
        have = ", ".join(map(str, table.columns)) or "none"
        raise InputError(
            f"The table lacks {', '.join(missing)}. Give the columns {', '.join(columns)}; it has: {have}."
        )
    for name in shares:
        if not table[name].dropna().between(0, 1).all():
            raise InputError(f"The column {name} is not a share from 0 to 1. Divide percentages by 100.")


def message_figure(title: str, message: str) -> go.Figure:
    """Draw nothing but a sentence that says why there is nothing to draw."""
    figure = blank_figure(title, 160)
    figure.add_annotation(text=message, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def count_axis(totals: pd.Series) -> dict[str, object]:
    """Lay out an axis of counts, without ticks between whole numbers."""
    return {"rangemode": "tozero", "tickformat": "d", "dtick": 1 if totals.max() <= 6 else None}


def named_rows(names: list[str]) -> dict[str, Any]:
    """Lay out an axis of named rows from top to bottom, whose points may stand beside the middle of their row."""
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "ticklabelstandoff": 4}
    return {"range": [len(names) - 0.5, -0.5], **ticks}


def date_axis(dates: pd.Series, before: int = 7, after: int = 7) -> dict[str, Any]:
    """Lay out an axis of dates with days to spare at both ends, so that a single date is not drawn in milliseconds."""
    span = dates.max() - dates.min()
    first = dates.min() - max(span * 0.03, pd.Timedelta(days=before))
    last = dates.max() + max(span * 0.03, pd.Timedelta(days=after))
    return {"type": "date", "range": iso_days(pd.Series([first, last]))}


def iso_days(dates: pd.Series) -> list[str]:
    """Write dates as plotly reads them."""
    return dates.dt.strftime("%Y-%m-%d").tolist()


def hatched(style: Style) -> dict[str, object]:
    """Describe the bars of a style."""
    return {
        "color": style.colour,
        "line": {"color": style.colour, "width": 1},
        "pattern": {"shape": style.pattern, "fillmode": "overlay", "fgcolor": "white", "size": 7, "solidity": 0.25},
    }


def left_out(undated: int) -> str:
    """Say in a title how many notes are not drawn."""
    return f" ({undated} note{'s' * (undated > 1)} without a date left out)" if undated else ""


def plain(text: str) -> str:
    """Escape what plotly would read as markup."""
    return html.escape(text, quote=False)
