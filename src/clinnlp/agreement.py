"""How far flags and reviewers agree: what a hand-checked sample says of the flags, and of a prevalence counted by them.

Reviews are a table, such as the CSV that a review writes: note_id, condition, status (the flag that the note has, or
"silent"), verdict (agree, disagree, unsure) and reviewer. A verdict is on whether the note shows a case: to disagree
with a flag of the `statuses` says that it does not, to disagree with any other flag, or with none, that it does. A
reviewer's last verdict on a note counts; a note whose reviewers are unsure, or differ, counts as not checked.

Flagged notes (those with a status of `statuses`) and unflagged notes are two strata. A sample may hold any share of
either, if it was drawn at random within each: a checked note stands for all notes of its stratum, with the weight
notes / checked notes (Horvitz and Thompson 1952; for verification by test result Begg and Greenes 1983). Without the
weights, checking 50 of 60 flagged and 50 of 900 unflagged notes makes any system look sensitive.

The unit is the note, or with `unit="patients"` the patient, who is flagged, or a case, where any note is. Intervals
take units as independent of each other: notes of one patient are not, which makes intervals over notes too narrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from clinnlp.cohort import CASES, check_conditions, check_confidence, check_statuses, groups, needed, some
from clinnlp.errors import InputError

if TYPE_CHECKING:
    from clinnlp.annotations import Annotations

Unit: TypeAlias = Literal["notes", "patients"]
SILENT = "silent"
VERDICTS = ("agree", "disagree", "unsure")
COLUMNS = ("note_id", "condition", "status", "verdict", "reviewer")
STRATA = ("flagged", "unflagged")
FEWEST = 5  # checked units of a stratum below which nothing is said
SUPPOSED = {"flagged": 0.8, "unflagged": 0.05}  # share of cases before any verdict, with the weight of ten verdicts
DRAWS = 100_000


class Stratum(NamedTuple):
    """How many units there are, how many of them are checked, and how many of these are cases."""

    size: int
    checked: int
    true: int


def flag_accuracy(
    result: Annotations, condition: str, reviews: pd.DataFrame, *,
    unit: Unit = "notes", statuses: Iterable[str] = CASES, confidence: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Measure how well the flags find a condition, by a hand-checked sample.

    Parameters
    ----------
    result
        What `clinnlp.annotate` returned.
    condition
        The id of the condition.
    reviews
        The verdicts on a sample drawn at random among the flagged and among the unflagged (see `next_to_review`).
    unit
        "notes", or "patients": then all notes of a patient must be checked, or one that shows a case.
    statuses
        The flag statuses that make a note a case.
    confidence
        That of the intervals: quantiles of draws by the prior of Jeffreys (Brown, Cai and DasGupta 2001) for the share
        flagged and for that of cases in each stratum, widened to hold the estimate.

    Returns
    -------
    DataFrame
        measure (precision; npv, the share of unflagged that are no case; sensitivity; specificity), estimate, low,
        high, checked, of (how many were checked, of how many).

    Raises
    ------
    InputError
        When the reviews do not fit the result, or are too few; the message says what to check.
    """
    check_confidence(confidence)
    _, strata = _sample(result, condition, reviews, unit, statuses)
    size, checked, true = np.array([*strata.values()]).T
    point = _measures(size[:1] / size.sum(), *(true / checked)[:, None])
    drawn = _measures(_draw(size[:1], size.sum(keepdims=True)), *_draw(true, checked, seed=1))
    rows = [(m, point[m].item(), *np.ravel(_interval(drawn[m], point[m], confidence))) for m in point]
    table = pd.DataFrame(rows, columns=["measure", "estimate", "low", "high"])
    return table.assign(checked=[*checked, checked.sum(), checked.sum()], of=[*size, size.sum(), size.sum()])


def corrected_prevalence(
    result: Annotations, condition: str, reviews: pd.DataFrame, by: str | pd.Series | None = None, *,
    unit: Unit = "notes", statuses: Iterable[str] = CASES, confidence: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Estimate the prevalence that is true when the flags err as the hand-checked sample says.

    It is (apparent + specificity - 1) / (sensitivity + specificity - 1), kept between 0 and 1 (Rogan and Gladen 1978),
    with the figures of `flag_accuracy`. Over all notes that is the weighted share of the checked ones that are cases.
    In groups it supposes that the flags find a case, or no case, as well in one group as in another.

    Parameters
    ----------
    result, condition, reviews, unit, statuses
        As in `flag_accuracy`.
    by
        Groups of patients, as in `clinnlp.cohort.prevalence`.
    confidence
        That of the interval, by draws as in `flag_accuracy`. (The interval of Lang and Reiczigel 2014 is for a
        sensitivity and a specificity measured in samples of their own, of known cases and others.)

    Returns
    -------
    DataFrame
        A row a group: condition, group (unless `by` is None), unit, n (notes or patients), flagged, apparent (the
        share flagged), prevalence (corrected), low, high.

    Raises
    ------
    InputError
        When the reviews do not fit the result, or are too few; the message says what to check.

    Examples
    --------
    >>> import clinnlp, pandas as pd
    >>> notes = pd.DataFrame({"note_id": [f"n{i}" for i in range(40)], "text": ["Asthma."] * 10 + ["Well."] * 30})
    >>> result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    >>> reviews = next_to_review(result, "asthma").assign(verdict="agree", reviewer="Ada")
    >>> corrected_prevalence(result, "asthma", reviews).round(2).values.tolist()
    [['asthma', 'notes', 40, 10, 0.25, 0.25, 0.14, 0.43]]
    """
    check_confidence(confidence)
    units, strata = _sample(result, condition, reviews, unit, statuses)
    group = units["patient_id"].map(groups(result, by)) if by is not None else pd.Series("all", index=units.index)
    is_flagged = units["stratum"] == "flagged"
    table = is_flagged.groupby(group.rename("group"), dropna=False, observed=True).agg(n="size", flagged="sum")
    n, flagged = table["n"].to_numpy(), table["flagged"].to_numpy()
    _, checked, true = np.array([*strata.values()]).T
    point = _corrected(flagged / n, flagged.sum() / n.sum(), *(true / checked))
    shares = _draw(flagged, n)
    drawn = _corrected(shares, n @ shares / n.sum(), *_draw(true, checked, seed=1))
    low, high = _interval(drawn, point, confidence)
    table = table.assign(apparent=flagged / n, prevalence=point, low=low, high=high).reset_index()
    table.insert(0, "condition", condition)
    table.insert(2, "unit", unit)
    return table if by is not None else table.drop(columns="group")


def next_to_review(
    result: Annotations, condition: str, reviews: pd.DataFrame | None = None, n: int = 20, random_state: int = 0, *,
    unit: Unit = "notes", statuses: Iterable[str] = CASES,
) -> pd.DataFrame:  # fmt: skip
    """Draw the notes to check next, so that the interval of the corrected prevalence gets as narrow as it can.

    Once `FEWEST` of both are checked, flagged and unflagged notes are drawn in the shares of Neyman (1934), by how many
    there are and how much the verdicts on them vary so far (at first: as `SUPPOSED`), one by one (Wright 2012).

    Parameters
    ----------
    result, condition, statuses
        As in `flag_accuracy`.
    reviews
        The verdicts so far; their notes are left out.
    n
        How many notes to draw, or patients with all their notes; patients who are half checked come first.
    random_state
        The seed of the draw.
    unit
        That of the figures to be estimated: those of patients need the notes of whole patients.

    Returns
    -------
    DataFrame
        note_id, condition, status (the flag, or "silent"), stratum (flagged, unflagged), weight (how many units of the
        stratum each checked one stands for, once these are checked). The order is by chance: who stops half-way still
        has a random sample.

    Raises
    ------
    InputError
        When the condition is unknown, or the reviews do not fit the result.
    """
    reviews = pd.DataFrame(columns=list(COLUMNS)) if reviews is None else reviews
    notes, units = _units(result, condition, reviews, unit, statuses)
    strata, key = _strata(units), unit.removesuffix("s") + "_id"
    halved = sorted(units.index[units["halved"]])
    free = {s: sorted(units.index[(units["stratum"] == s) & ~units["seen"]]) for s in STRATA}
    drawn = _allocate(strata, {s: len(ids) for s, ids in free.items()}, n - len(halved))
    rng = np.random.default_rng(random_state)
    chosen = [i for s in STRATA for i in rng.choice(free[s], drawn[s], replace=False).tolist()]
    order = {i: k for k, i in enumerate([*halved, *rng.permutation(np.array(chosen, dtype="object"))])}
    rows = notes[notes["verdict"].isna() & notes[key].isin(order)].sort_values(key, key=lambda i: i.map(order))
    added = units.loc[list(order), "stratum"].value_counts()
    weights = {s: strata[s].size / max(1, strata[s].checked + added.get(s, 0)) for s in STRATA}
    table = rows[["note_id", "status"]].assign(stratum=rows[key].map(units["stratum"])).reset_index(drop=True)
    table.insert(1, "condition", condition)
    return table.assign(weight=table["stratum"].map(weights).astype("float64"))


def kappa(reviews: pd.DataFrame) -> pd.DataFrame:
    """Compute Cohen's kappa of two reviewers over the verdicts on the notes and conditions that both checked.

    "unsure" is a verdict like the others. To look at one condition, give its rows.

    Returns
    -------
    DataFrame
        One row: reviewer_1, reviewer_2, n (verdicts that both gave), agreement (the share that are the same), kappa,
        low, high (its 95 % interval, by the variance of Fleiss, Cohen and Everitt 1969; it has no width where they
        never differ).

    Raises
    ------
    InputError
        When there are not exactly two reviewers, they checked nothing in common, or both only ever gave one verdict.
    MissingExtraError
        When statsmodels is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> first, second = ["agree"] * 25 + ["disagree"] * 25, ["agree"] * 20 + ["disagree"] * 20 + ["agree"] * 10
    >>> reviews = pd.DataFrame({
    ...     "note_id": [f"n{i}" for i in range(50)] * 2, "condition": "asthma", "status": "present",
    ...     "verdict": first + second, "reviewer": ["Ada"] * 50 + ["Ben"] * 50,
    ... })
    >>> kappa(reviews).round(3).values.tolist()
    [['Ada', 'Ben', 50, 0.7, 0.4, 0.151, 0.649]]
    """
    cohens_kappa = needed("statsmodels.stats.inter_rater").cohens_kappa
    both = _side_by_side(reviews)
    one, two = both.columns
    used = [v for v in VERDICTS if (both == v).any(axis=None)]
    if len(used) == 1:
        raise InputError(f"{one} and {two} gave {used[0]!r} all {len(both)} times: no kappa. Let both check more.")
    counts = pd.crosstab(both[one], both[two]).reindex(index=used, columns=used, fill_value=0)
    found = cohens_kappa(counts.to_numpy())
    row = (one, two, len(both), (both[one] == both[two]).mean(), found.kappa, found.kappa_low, min(1, found.kappa_upp))
    return pd.DataFrame([row], columns=["reviewer_1", "reviewer_2", "n", "agreement", "kappa", "low", "high"])


def disagreements(reviews: pd.DataFrame) -> pd.DataFrame:
    """List the notes and conditions on which the two reviewers gave different verdicts.

    Returns
    -------
    DataFrame
        note_id, condition, status, and the verdict of each reviewer in a column of the reviewer's name.
    """
    both = _side_by_side(reviews)
    return both[both.iloc[:, 0] != both.iloc[:, 1]].reset_index()


def _side_by_side(reviews: pd.DataFrame) -> pd.DataFrame:
    """Give the verdicts of both reviewers, a column each, by note, condition and status."""
    table = _verdicts(reviews)
    names = sorted(table["reviewer"].unique())
    if len(names) != 2:
        raise InputError(
            f"Two reviewers are compared; these verdicts are by {len(names)}: {some(names) or 'nobody'}. "
            "Join the reviews of two with pd.concat, or keep their rows."
        )
    both = table.pivot(index=["note_id", "condition", "status"], columns="reviewer", values="verdict").dropna()
    if both.empty:
        raise InputError(f"{names[0]} and {names[1]} checked no note in common. Let both check the same notes.")
    return both.rename_axis(columns=None)


def _verdicts(reviews: pd.DataFrame) -> pd.DataFrame:
    """Check a table of reviews, and give the last verdict of each reviewer on each note and condition."""
    if missing := [c for c in COLUMNS if c not in reviews.columns]:
        raise InputError(f"The reviews lack the column {', '.join(missing)}. They need {', '.join(COLUMNS)}.")
    table = reviews.loc[reviews["verdict"].notna(), list(COLUMNS)].fillna({"reviewer": ""}).astype("str")
    if len(bad := table.loc[~table["verdict"].isin(VERDICTS), "note_id"]):
        raise InputError(
            f"{len(bad)} verdicts are not one of {', '.join(VERDICTS)}: those on {some(bad)}. Correct them."
        )
    return table.drop_duplicates(["note_id", "condition", "reviewer"], keep="last")


def _sample(
    result: Annotations, condition: str, reviews: pd.DataFrame, unit: Unit, statuses: Iterable[str]
) -> tuple[pd.DataFrame, dict[str, Stratum]]:
    """Give the units and their strata; refuse a sample from which sensitivity and specificity cannot be measured."""
    _, units = _units(result, condition, reviews, unit, statuses)
    if len(halved := units.index[units["halved"]]):
        raise InputError(
            f"{len(halved)} patients are half checked for {condition}: {some(halved)}. Check all their notes, or one "
            "with a case; next_to_review(..., unit='patients') lists them first. For a sample of notes: unit='notes'."
        )
    strata = _strata(units)
    how = f"next_to_review(result, {condition!r}, reviews, unit={unit!r}) draws them."
    more = {name: min(FEWEST, s.size) - s.checked for name, s in strata.items()}
    if wanted := ", ".join(f"{k} {name}" for name, k in more.items() if k > 0):
        raise InputError(f"Too few {unit} are checked for {condition}. Still to check, at least: {wanted}; {how}")
    found, missed = (s.true / max(1, s.checked) for s in strata.values())
    if missed >= found or not all(s.size for s in strata.values()):
        seen = " and ".join(f"{s.true} of {s.checked} {name}" for name, s in strata.items())
        raise InputError(
            f"Of the {unit} checked for {condition}, {seen} are cases: sensitivity and specificity need both kinds, "
            f"and more cases among the flagged. Check more; {how}"
        )
    return units, strata


def _units(
    result: Annotations, condition: str, reviews: pd.DataFrame, unit: Unit, statuses: Iterable[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the notes that have a text, and the units: patient_id, stratum, true (1, 0, missing), seen and halved."""
    if unit not in ("notes", "patients"):
        raise InputError(f"unit is {unit!r}. Give 'notes' or 'patients'.")
    check_conditions(result, [condition])
    cases = check_statuses(statuses)
    shown = result.flags[result.flags["condition"] == condition].set_index("note_id")["status"]
    notes = result.notes.loc[result.notes["text"].fillna("").str.strip() != "", ["note_id", "patient_id"]].copy()
    notes["status"] = notes["note_id"].map(shown).astype("str").fillna(SILENT)
    notes["verdict"] = notes["note_id"].map(_joint_verdicts(_verdicts(reviews), condition, notes))
    flagged, agreed = notes["status"].isin(cases), notes["verdict"] == "agree"
    notes["true"] = (flagged == agreed).astype("float64").where(notes["verdict"].isin(["agree", "disagree"]))
    notes["seen"] = notes["verdict"].notna()
    notes["stratum"] = flagged.map({True: "flagged", False: "unflagged"})
    return notes, _patients(notes) if unit == "patients" else notes.set_index("note_id").assign(halved=False)


def _joint_verdicts(verdicts: pd.DataFrame, condition: str, notes: pd.DataFrame) -> pd.Series:
    """Give the verdict on each note that was checked for the condition: that of all reviewers, else unsure."""
    own = verdicts[verdicts["condition"] == condition]
    shown = own["note_id"].map(notes.set_index("note_id")["status"])
    if len(unknown := own.loc[shown.isna(), "note_id"].unique()):
        raise InputError(
            f"{len(unknown)} reviewed notes are not in the result, or have no text: {some(unknown)}. Read the reviews "
            "with dtype=str, and give the result that was reviewed."
        )
    if len(other := own.loc[shown != own["status"], "note_id"].unique()):
        raise InputError(
            f"{len(other)} notes were reviewed with another status for {condition} than they have in this result: "
            f"{some(other)}. Give the result that was reviewed, or review them again."
        )
    return own.groupby("note_id")["verdict"].agg(lambda v: v.iloc[0] if v.nunique() == 1 else "unsure")


def _patients(notes: pd.DataFrame) -> pd.DataFrame:
    """Sum up the notes of each patient: one case makes a case, and no case takes all of them."""
    of = notes.groupby("patient_id")
    if not of.ngroups:
        raise InputError("No note has a patient_id, which unit='patients' needs. Use unit='notes'.")
    units = of.agg(stratum=("stratum", "min"), seen=("seen", "any"), all_seen=("seen", "all"))  # flagged < unflagged
    case, complete = of["true"].max() == 1, of["true"].count() == of.size()
    units["true"] = case.astype("float64").where(case | complete)
    units["halved"] = units["seen"] & ~units["all_seen"] & ~case
    return units.assign(patient_id=units.index)


def _strata(units: pd.DataFrame) -> dict[str, Stratum]:
    """Count the units of both strata, those checked, and the cases among these."""
    truth = {s: units.loc[units["stratum"] == s, "true"] for s in STRATA}
    return {s: Stratum(len(t), int(t.count()), int(t.sum())) for s, t in truth.items()}


def _measures(share: np.ndarray, found: np.ndarray, missed: np.ndarray) -> dict[str, np.ndarray]:
    """Give precision and so on from the share flagged, and the share of cases among flagged and unflagged."""
    cases = share * found + (1 - share) * missed
    return {
        "precision": found, "npv": 1 - missed, "sensitivity": share * found / cases,
        "specificity": (1 - share) * (1 - missed) / (1 - cases),
    }  # fmt: skip


def _corrected(apparent: np.ndarray, share: np.ndarray, found: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Correct apparent prevalences by the formula of Rogan and Gladen."""
    measures = _measures(share, found, missed)
    sensitivity, specificity = measures["sensitivity"], measures["specificity"]
    return np.clip((apparent + specificity - 1) / (sensitivity + specificity - 1), 0, 1)


def _draw(k: np.ndarray, n: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Draw the shares that `k` of `n` leave possible. Shape (shares, draws)."""
    return np.random.default_rng(seed).beta((k + 0.5)[:, None], (n - k + 0.5)[:, None], (len(n), DRAWS))


def _interval(drawn: np.ndarray, point: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the limits within which the middle of the draws lies, and the estimate."""
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=-1)
    return np.minimum(low, point), np.maximum(high, point)


def _allocate(strata: dict[str, Stratum], free: dict[str, int], n: int) -> dict[str, int]:
    """Share `n` draws out: each to the stratum in which it lowers the variance most."""
    drawn = dict.fromkeys(free, 0)

    def gain(name: str) -> float:
        s, k = strata[name], strata[name].checked + drawn[name]
        share = (s.true + SUPPOSED[name] * 10) / (s.checked + 10)
        return s.size * (share * (1 - share) / (k * (k + 1))) ** 0.5 if k >= FEWEST else float("inf")

    for _ in range(min(n, sum(free.values()))):
        drawn[max((name for name in free if drawn[name] < free[name]), key=gain)] += 1
    return drawn
