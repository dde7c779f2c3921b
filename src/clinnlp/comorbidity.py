"""Comorbidity indices of patients, by Charlson and by Elixhauser, and the mention behind each of their points.

An item is given by a condition that a note states of the patient, or by a finding with a code or name of the item. What
is uncertain, or only implied by a drug or a value, never counts; what is over counts where the index asks for history.
The weights stand in the condition definitions, the other rules in `resources/comorbidity.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clinnlp.conditions import Conditions
from clinnlp.conditions import load as load_conditions
from clinnlp.errors import InputError, ResourceError
from clinnlp.icd10 import SYSTEM
from clinnlp.resources import read_yaml

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

INDICES = ("charlson", "elixhauser")
POINTS = {
    "patient_id": "str", "item": "str", "points": "int64", "note_id": "str", "start": "int64", "end": "int64",
    "text": "str", "rule": "str",
}  # fmt: skip
MENTION = ["patient_id", "note_id", "start", "end", "text", "condition", "code", "is_past", "rule"]
FINDINGS = ("DISEASE", "SYMPTOM")  # as dictionaries have it; cachexia and dehydration are symptoms there
NOTHING = "(?!x)x"  # a pattern that nothing has; Python 3.13 reads (?!) as one that Arrow does not know
RIGHT_AFTER = 12  # characters after a mention in which `but_not` is looked for, too


@dataclass(frozen=True, slots=True)
class Item:
    """An item of an index: its weight, and what gives it. The keys are those of `resources/comorbidity.yml`."""

    id: str
    name: str
    points: int
    conditions: tuple[str, ...] = ()
    history: bool = False
    words: str | None = None
    complications: str | None = None
    but_not: str | None = None
    codes: tuple[str, ...] = ()
    names: str | None = None
    replaces: tuple[str, ...] = ()


def charlson(
    result: Annotations, ages: pd.Series | str | None = None, *, conditions: Conditions | None = None
) -> pd.DataFrame:
    """Score patients by the Charlson index, with the weights of 1987.

    Parameters
    ----------
    result
        What `annotate` gave; its notes need a `patient_id`.
    ages
        The age in years of each patient, by `patient_id`, or the column of `result.notes` that holds it, of which the
        highest of a patient counts.
    conditions
        The definitions with the weights; those that are shipped if None.

    Returns
    -------
    DataFrame
        A row a patient: `patient_id` and `score`. With ages also `age`, `age_points` (1 for each decade from 50 years,
        4 at most; Charlson 1994), `age_adjusted_score` and `ten_year_survival`, the share expected to live for ten
        years, 0.983 to the power of exp(0.9 x age-adjusted score). All four are missing where no age is known.

    Raises
    ------
    InputError
        When no note has a patient, or the ages are no ages.

    Notes
    -----
    Charlson ME et al. J Chronic Dis 1987;40:373-83; Charlson M et al. J Clin Epidemiol 1994;47:1245-51.

    Examples
    --------
    >>> import clinnlp, pandas as pd
    >>> text = "MI in 2019. CHF. Type 2 diabetes with retinopathy."
    >>> notes = pd.DataFrame({"note_id": ["n1"], "patient_id": ["p1"], "text": [text]})
    >>> result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    >>> charlson(result, pd.Series({"p1": 72})).round(3).values.tolist()
    [['p1', 4, 72, 3, 7, 0.0]]
    """
    import numpy as np

    scores = _scores(result, "charlson", conditions)
    if ages is None:
        return scores
    scores["age"] = scores["patient_id"].map(_ages(result, ages))
    scores["age_points"] = (scores["age"] // 10 - 4).clip(0, 4).astype("Int64")
    scores["age_adjusted_score"] = scores["score"] + scores["age_points"]
    scores["ten_year_survival"] = 0.983 ** np.exp(0.9 * scores["age_adjusted_score"].astype("float64"))
    return scores


def elixhauser(result: Annotations, *, conditions: Conditions | None = None) -> pd.DataFrame:
    """Score patients by the Elixhauser comorbidities, with the weights of van Walraven.

    Parameters
    ----------
    result
        What `annotate` gave; its notes need a `patient_id`.
    conditions
        The definitions with the weights; those that are shipped if None.

    Returns
    -------
    DataFrame
        A row a patient: `patient_id` and `score`, which may be below 0.

    Raises
    ------
    InputError
        When no note has a patient.

    Notes
    -----
    van Walraven C et al. Med Care 2009;47:626-33; coding by Quan H et al. Med Care 2005;43:1130-9.
    """
    return _scores(result, "elixhauser", conditions)


def points(result: Annotations, index: str = "charlson", *, conditions: Conditions | None = None) -> pd.DataFrame:
    """List the mentions behind the points of each patient.

    Parameters
    ----------
    result
        What `annotate` gave; its notes need a `patient_id`.
    index
        "charlson" or "elixhauser".
    conditions
        The definitions with the weights; those that are shipped if None.

    Returns
    -------
    DataFrame
        A row a patient, item and note, with the first mention there: `patient_id`, `item`, `points`, `note_id`,
        `start`, `end`, `text` and `rule` (that of the condition, the code of the finding, or the item's `names`). The
        points of an item count once for a patient. An item that a graver one replaces has no row.

    Raises
    ------
    InputError
        When no note has a patient, or there is no such index.
    """
    import pandas as pd

    items = find_items(index, conditions)
    mentions = _mentions(result, load_conditions() if conditions is None else conditions)
    texts: dict[str, str] = dict(zip(result.notes["note_id"], result.notes["text"], strict=True))
    rows = [row for item in items for row in _rows(item, mentions, texts)]
    replaced = {item.id: item.replaces for item in items}
    void = {(patient, other) for patient, item, *_ in rows for other in replaced[item]}
    table = pd.DataFrame([row for row in rows if row[:2] not in void], columns=list(POINTS)).astype(POINTS)
    table = table.sort_values(["patient_id", "item", "note_id", "start", "end"], kind="stable")
    return table.drop_duplicates(["patient_id", "item", "note_id"], ignore_index=True)


def find_items(index: str, conditions: Conditions | None = None) -> tuple[Item, ...]:
    """Give the items of an index, with their weights.

    Parameters
    ----------
    index
        "charlson" or "elixhauser".
    conditions
        The definitions with the weights; those that are shipped if None.

    Raises
    ------
    InputError
        When there is no such index.
    ResourceError
        When the conditions of one item have different weights.

    Examples
    --------
    >>> len(find_items("charlson")), len(find_items("elixhauser"))
    (17, 30)
    """
    if index not in INDICES:
        raise InputError(f"There is no index {index!r}. Use one of {', '.join(INDICES)}.")
    known = load_conditions() if conditions is None else conditions
    weights = {name: w for name, d in known.items() if (w := getattr(d, index)) is not None}
    entries = read_yaml("comorbidity.yml")[index]["items"]
    items = [item for entry in entries if (item := _item(entry, weights, index))]
    taken = {name for entry in entries if "points" not in entry for name in entry["conditions"]}
    return (*items, *(Item(n, known[n].name, w, conditions=(n,)) for n, w in weights.items() if n not in taken))


def _item(entry: dict[str, Any], weights: dict[str, int], index: str) -> Item | None:
    """Make an entry an item; None where it takes its weight from conditions, and they have none."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    if "points" in values:
        return Item(**values)
    own = [name for name in values["conditions"] if name in weights]
    if len({weights[name] for name in own}) > 1:
        told = ", ".join(f"{name} {weights[name]}" for name in own)
        raise ResourceError(
            f"The item {entry['id']!r} has conditions of different {index} weight: {told}. Agree on one."
        )
    return Item(**{**values, "conditions": tuple(own)}, points=weights[own[0]]) if own else None


def _mentions(result: Annotations, conditions: Conditions) -> pd.DataFrame:
    """Give what the notes state of their patients: conditions by evidence, and findings with their codes."""
    import pandas as pd

    patients = result.notes.loc[result.notes["patient_id"].notna(), ["note_id", "patient_id"]]
    if len(result.notes) and patients.empty:
        raise InputError("No note has a patient_id. Read the notes with read_notes(..., patient_column=...).")
    flags = result.flags[["note_id", "condition", "status"]]
    stated = result.evidence[result.evidence["polarity"] == "for"].merge(flags, on=["note_id", "condition"])
    lasts = stated["condition"].isin([d.id for d in conditions.values() if d.chronic])
    over = (stated["status"] == "historical") | ((stated["assertion"] == "historical") & ~lasts)
    found = result.entities[result.entities["label"].isin(FINDINGS)]
    found = found[found["assertion"].isin(["present", "historical"])]
    found = found.assign(
        code=found["code"].where(found["code_system"] == SYSTEM),
        is_past=found["assertion"] == "historical",
        rule=f"{SYSTEM} " + found["code"],
    )
    both = pd.concat([stated.assign(is_past=over), found])
    return both.merge(patients, on="note_id").reindex(columns=MENTION)


def _rows(item: Item, mentions: pd.DataFrame, texts: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    """Give the rows of `points` for an item, of all mentions that give it."""
    coded = mentions["code"].fillna("").str.startswith(item.codes or (NOTHING,))
    named = mentions["condition"].isna() & mentions["text"].str.contains(f"(?i:{item.names or NOTHING})")
    chosen = mentions.assign(by_name=named & ~coded)[mentions["condition"].isin(item.conditions) | coded | named]
    if not item.history:
        chosen = chosen[~chosen["is_past"].astype(bool)]
    records: list[dict[str, Any]] = chosen.to_dict("records")  # type: ignore[assignment]  # the stubs allow any key
    for m in records:
        text, start, end = texts[m["note_id"]], m["start"], m["end"]
        reach = _reach(item, text, start, end) if m["condition"] in item.conditions else end
        if reach is not None:
            rule = f"{item.id}.names" if m["by_name"] else m["rule"]
            yield m["patient_id"], item.id, item.points, m["note_id"], start, reach, text[start:reach], rule


def _reach(item: Item, text: str, start: int, end: int) -> int | None:
    """Give where a mention that counts ends, its complication with it; None for one that does not count."""
    if item.but_not and re.search(item.but_not, text[start : end + RIGHT_AFTER], re.IGNORECASE):
        return None
    if item.words is None or re.search(item.words, text[start:end], re.IGNORECASE):
        return end
    if item.complications:
        tied = re.compile(f"{read_yaml('comorbidity.yml')['tied']}(?:{item.complications})", re.IGNORECASE)
        if found := tied.match(text, end):
            return found.end()
    return None


def _scores(result: Annotations, index: str, conditions: Conditions | None) -> pd.DataFrame:
    """Give the score of each patient, 0 for one without an item."""
    once = points(result, index, conditions=conditions).drop_duplicates(["patient_id", "item"])
    patients = result.notes[["patient_id"]].dropna().drop_duplicates().sort_values("patient_id", ignore_index=True)
    score = patients["patient_id"].map(once.groupby("patient_id")["points"].sum())
    return patients.assign(score=score.fillna(0).astype("int64"))


def _ages(result: Annotations, ages: pd.Series | str) -> pd.Series:
    """Give the age of each patient, checked."""
    import pandas as pd

    if isinstance(ages, str):
        if ages not in result.notes:
            raise InputError(
                f"The notes have no column {ages!r}. Columns: {', '.join(map(str, result.notes.columns))}."
            )
        given = result.notes.set_index("patient_id")[ages]
    else:
        given = ages
    try:
        years = pd.to_numeric(given)
    except (ValueError, TypeError) as error:
        raise InputError("Some ages are not numbers. Give years, and nothing where the age is not known.") from error
    if (years < 0).any():
        raise InputError("Some ages are below 0. Give years, and nothing where the age is not known.")
    return years.groupby(years.index.astype("str")).max()
