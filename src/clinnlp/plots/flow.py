"""The picture of how mentions become flags: from the mention to the note, and from the note to the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from clinnlp.plots.style import PALE_INK, STYLES, blank_figure, condition_name, message_figure, plain

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

NO_FLAG = "no flag"
AS_CONTEXT = " as context"
COLOURS = {name: style.colour for name, style in STYLES.items()} | {NO_FLAG: "#B6BCC6"}
STEPS = {"mention to note": ("mention", "note"), "note to patient": ("note", "patient")}
HEADS = {
    "left": (0, "mentions, by assertion"),
    "center": (0.5, "flag of the note"),
    "right": (1, "flag of the patient"),
}


def flow_counts(result: Annotations, condition: str | None = None) -> pd.DataFrame:
    """Count which mentions end in which flags of notes, and these in which flags of patients.

    A mention that is only context for the flag though its assertion is present (a drug, a value or a broader term) is
    told apart, as "present as context".

    Parameters
    ----------
    result
        The annotations.
    condition
        The condition to look at, or None for all.

    Returns
    -------
    DataFrame
        step (mention to note, note to patient), source, target (an assertion, a status or "no flag"), mentions,
        note_flags and patient_flags (to how many flags of notes and patients these mentions belong, each a condition
        of a note or patient).
    """
    return _counted(_traced(result, condition))


def flow_to_flags(result: Annotations, condition: str | None = None) -> go.Figure:
    """Draw how mentions become the flags of notes and patients (see `flow_counts`).

    The width of a band is its mentions; its other counts show when it is pointed at.
    """
    of = "all conditions" if condition is None else plain(condition_name(condition))
    title = f"From mentions to flags: {of}"
    mentions = _traced(result, condition)
    if mentions.empty:
        return message_figure(title, "The notes do not mention it." if condition else "The notes mention no condition.")
    nodes = _nodes(mentions)
    rows = int(nodes["column"].value_counts().max())
    figure = blank_figure(
        title, 260 + 34 * rows, "width: mentions; numbers: mentions, flags of notes, flags of patients", top=104
    )
    figure.add_sankey(
        node={
            "label": nodes["label"].tolist(), "color": nodes["name"].map(_colour).tolist(), "sort": "input", "pad": 24,
            "thickness": 14, "line": {"color": PALE_INK, "width": 0.5}, "hovertemplate": "%{label}<extra></extra>",
        },
        link=_links(_counted(mentions), nodes),
    )  # fmt: skip
    for anchor, (x, text) in HEADS.items():
        figure.add_annotation(
            text=f"<b>{text}</b>", x=x, y=1, xref="paper", yref="paper", xanchor=anchor, yanchor="bottom", yshift=6,
            showarrow=False,
        )  # fmt: skip
    return figure


def _traced(result: Annotations, condition: str | None) -> pd.DataFrame:
    """Give each mention the status of its note and of its patient, and keys that tell these flags apart."""
    table = result.evidence
    if condition is not None:
        table = table[table["condition"] == condition]
    table = table.merge(result.notes[["note_id", "patient_id"]], on="note_id", how="left")
    flags = result.flags[["note_id", "condition", "status"]].rename(columns={"status": "note"})
    table = table.merge(flags, on=["note_id", "condition"], how="left")
    flags = result.patient_flags[["patient_id", "condition", "status"]].rename(columns={"status": "patient"})
    table = table.merge(flags, on=["patient_id", "condition"], how="left")
    context = (table["polarity"] == "context") & table["assertion"].isin(["present", "historical", "absent"])
    return table.assign(
        mention=table["assertion"].mask(context, table["assertion"] + AS_CONTEXT),
        note=table["note"].fillna(NO_FLAG),
        patient=table["patient"].fillna(NO_FLAG),
        note_key=table["note_id"] + "\n" + table["condition"],
        patient_key=table["patient_id"] + "\n" + table["condition"],
    )


def _counted(mentions: pd.DataFrame) -> pd.DataFrame:
    """Count the mentions of each band, bands in the order of the statuses at their ends."""
    counts = []
    for step, (source, target) in STEPS.items():
        groups = mentions.groupby([mentions[source].rename("source"), mentions[target].rename("target")])
        count = groups.agg(
            mentions=("note_id", "size"), note_flags=("note_key", "nunique"), patient_flags=("patient_key", "nunique")
        ).reset_index()
        count.insert(0, "step", step)
        counts.append(count.sort_values(["source", "target"], key=lambda names: names.map(_rank), kind="stable"))
    return pd.concat(counts, ignore_index=True)


def _nodes(mentions: pd.DataFrame) -> pd.DataFrame:
    """List the nodes from left to right and top to bottom: column, name, label (with the number of what it holds)."""
    counts = {
        "mention": mentions.groupby("mention").size(),
        "note": mentions.groupby("note")["note_key"].nunique(),
        "patient": mentions.groupby("patient")["patient_key"].nunique(),
    }
    rows = [
        {"column": column, "name": name, "label": f"{column}: {name} ({numbers[name]})"}
        for column, numbers in counts.items()
        for name in sorted(numbers.index, key=_rank)
    ]
    return pd.DataFrame(rows)


def _links(table: pd.DataFrame, nodes: pd.DataFrame) -> dict[str, object]:
    """Describe the bands, in the colour of where they come from."""
    place = {key: i for i, key in enumerate(zip(nodes["column"], nodes["name"], strict=True))}
    ends = table["step"].map(STEPS)
    colours = table["source"].map(_colour)
    counts = table[["mentions", "note_flags", "patient_flags"]].to_numpy().tolist()
    return {
        "source": [place[end[0], name] for end, name in zip(ends, table["source"], strict=True)],
        "target": [place[end[1], name] for end, name in zip(ends, table["target"], strict=True)],
        "value": table["mentions"].tolist(),
        "label": [f"{a} mentions, {b} flags of notes, {c} flags of patients" for a, b, c in counts],
        "color": [f"rgba({int(c[1:3], 16)},{int(c[3:5], 16)},{int(c[5:], 16)},0.4)" for c in colours],
        "hovertemplate": "%{source.label} → %{target.label}<br>%{label}<extra></extra>",
    }


def _colour(name: str) -> str:
    return COLOURS[name.removesuffix(AS_CONTEXT)]


def _rank(name: str) -> int:
    """Place a name among the statuses, and after its own where it is context."""
    return 2 * list(COLOURS).index(name.removesuffix(AS_CONTEXT)) + name.endswith(AS_CONTEXT)
