"""Contradictions within a patient: two mentions of which the condition definitions say that both cannot hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clinnlp.conditions import Conditions
from clinnlp.conditions import load as load_conditions
from clinnlp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SPAN = {"condition": "str", "note_id": "str", "start": "int64", "end": "int64", "text": "str"}
GROUP = ["patient_id", "within"]  # a patient; the note where no patient is known
CONFLICTS = {"patient_id": "str", "conflict": "str", **SPAN, **{f"other_{c}": t for c, t in SPAN.items()}}


def find_conflicts(
    evidence: pd.DataFrame, notes: pd.DataFrame | None = None, *, conditions: Conditions | None = None
) -> pd.DataFrame:
    """Find what the notes state of a patient though both cannot hold, such as type 1 and type 2 diabetes.

    That a condition is present in one note and denied in another is no conflict in this sense.

    Parameters
    ----------
    evidence
        The table `evidence`. What is denied, uncertain or told of the family is left out.
    notes
        The table `notes`, for the patients; without it, and for notes without a patient, each note is looked at alone.
    conditions
        The definitions with the conflicts; those that are shipped if None.

    Returns
    -------
    DataFrame
        A row a patient and conflict, with the first mention of either side: `patient_id`, `conflict`, then
        `condition`, `note_id`, `start`, `end` and `text` of the one, and the same with `other_` of the other.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> import clinnlp, pandas as pd
    >>> text = "Type 1 diabetes since childhood. T2DM, on metformin."
    >>> notes = pd.DataFrame({"note_id": ["n1"], "text": [text]})
    >>> result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    >>> find_conflicts(result.evidence)[["condition", "conflict", "text", "other_text"]].values.tolist()
    [['diabetes', 'type_1_and_2', 'Type 1 diabetes', 'T2DM']]
    """
    import pandas as pd

    if missing := {*SPAN, "polarity"} - set(evidence.columns):
        raise InputError(f"The evidence lacks {', '.join(sorted(missing))}. Give the table `evidence` of a result.")
    stated = evidence.loc[evidence["polarity"] == "for", list(SPAN)]
    if notes is not None:
        stated = stated.merge(notes[["note_id", "patient_id"]], on="note_id", how="left")
    else:
        stated = stated.assign(patient_id=pd.Series(pd.NA, stated.index, dtype="str"))
    stated["within"] = stated["note_id"].where(stated["patient_id"].isna(), "")
    known = load_conditions() if conditions is None else conditions
    tables = []
    for definition in known.values():
        for conflict in definition.conflicts:
            one, other = conflict.of
            first = _first(stated, definition.id, one)
            second = _first(stated, conflict.other or definition.id, other)
            both = first.merge(second.rename(columns={c: f"other_{c}" for c in SPAN}), on=GROUP)
            tables.append(both.assign(conflict=conflict.id))
    found = pd.concat([t for t in tables if len(t)] or [stated.head(0)])
    found = found.reindex(columns=list(CONFLICTS)).astype(CONFLICTS)
    return found.sort_values(["patient_id", "note_id", "start", "conflict"], ignore_index=True)


def _first(stated: pd.DataFrame, condition: str, pattern: str) -> pd.DataFrame:
    """Give the first mention of a condition with a pattern, for each patient."""
    own = stated[stated["condition"] == condition]
    return own[own["text"].map(re.compile(pattern, re.IGNORECASE).search).notna()].drop_duplicates(GROUP)
