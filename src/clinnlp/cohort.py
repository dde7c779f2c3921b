"""Who has a condition, in which group how many, and how sure: the patients of a result as ordinary tables.

A patient is a case of a condition where `patient_flags` gives it one of the `statuses`, by default those of `CASES`.
Each patient with a note counts; notes without a `patient_id` do not. How far the flags themselves can be trusted, and
the prevalence corrected for it, is measured in `clinnlp.agreement`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pandas as pd

from clinnlp.errors import InputError, MissingExtraError
from clinnlp.schema import FLAG_STATUSES, TABLES

if TYPE_CHECKING:
    from tableone import TableOne

    from clinnlp.annotations import Annotations

CASES = ("present", "historical")
PER_PATIENT = "notes per patient"


def cohort_table(result: Annotations, *, statuses: Iterable[str] = CASES) -> pd.DataFrame:
    """Give a row a patient and a column a condition, to be filtered with pandas.

    Parameters
    ----------
    result
        What `clinnlp.annotate` returned.
    statuses
        The flag statuses that make a patient a case.

    Returns
    -------
    DataFrame
        Indexed by patient_id: notes (their number), first_date, last_date, those of the user's own columns of the
        notes that have one value a patient (sex), then a boolean for each condition known to clinnlp or flagged.

    Raises
    ------
    InputError
        When no note has a patient_id, a status is unknown, or a column of the user's has the name of one of these.

    Examples
    --------
    >>> import clinnlp, pandas as pd
    >>> notes = pd.DataFrame({
    ...     "note_id": ["n1", "n2"], "patient_id": ["p1", "p2"], "sex": ["F", "M"],
    ...     "text": ["Heart failure. No diabetes.", "Asthma."],
    ... })
    >>> result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    >>> table = cohort_table(result)
    >>> table[table["heart_failure"] & ~table["diabetes"]].index.tolist()
    ['p1']
    """
    return _patients(result).join(_cases(result, statuses))


def select(result: Annotations, patient_ids: str | Iterable[str]) -> Annotations:
    """Cut a result down to some patients, in all its tables.

    Raises
    ------
    InputError
        When a patient has no note in the result.
    """
    from clinnlp.annotations import Annotations

    wanted = {patient_ids} if isinstance(patient_ids, str) else set(patient_ids)
    patients = result.notes["patient_id"]
    if unknown := sorted(map(str, wanted - set(patients.dropna()))):
        raise InputError(f"{len(unknown)} of {len(wanted)} patients are not in the result: {some(unknown)}.")
    notes = set(result.notes.loc[patients.isin(wanted), "note_id"])
    tables = {}
    for name in TABLES:
        table = getattr(result, name)
        by_note = "note_id" in table.columns
        kept = table["note_id"].isin(notes) if by_note else table["patient_id"].isin(wanted)
        tables[name] = table[kept].reset_index(drop=True)
    attrs = tables["notes"].attrs
    attrs["errors"] = [error for error in attrs.get("errors", ()) if error["note_id"] in notes]
    return Annotations(**tables)


def prevalence(
    result: Annotations,
    condition: str | Iterable[str],
    by: str | pd.Series | None = None,
    *,
    statuses: Iterable[str] = CASES,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count the patients that are cases, in each group, with the share they are and its interval.

    Parameters
    ----------
    result
        What `clinnlp.annotate` returned.
    condition
        The id of a condition, or several.
    by
        The groups: a column of the notes that has one value a patient, or a Series indexed by patient_id, such as a
        column of `cohort_table`. Patients without a value are a group of their own, the last.
    statuses
        The flag statuses that make a patient a case.
    confidence
        That of the interval, which is the score interval of Wilson (1927).

    Returns
    -------
    DataFrame
        A row a condition and group: condition, group (unless `by` is None), n (patients), cases, prevalence, low, high.
        It counts what the flags say, right or wrong.

    Raises
    ------
    InputError
        When a condition, a status or the column is unknown, no note has a patient_id, or a patient has two groups.
    MissingExtraError
        When statsmodels is not installed.

    Examples
    --------
    >>> import clinnlp, pandas as pd
    >>> notes = pd.DataFrame({
    ...     "note_id": ["n1", "n2", "n3"], "patient_id": ["p1", "p2", "p3"], "sex": ["F", "M", "F"],
    ...     "text": ["Heart failure.", "Asthma.", "No heart failure."],
    ... })
    >>> result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
    >>> prevalence(result, "heart_failure", by="sex").round(2).values.tolist()
    [['heart_failure', 'F', 2, 1, 0.5, 0.09, 0.91], ['heart_failure', 'M', 1, 0, 0.0, 0.0, 0.79]]
    """
    check_confidence(confidence)
    proportion_confint = needed("statsmodels.stats.proportion").proportion_confint
    cases = _cases(result, statuses)
    wanted = [condition] if isinstance(condition, str) else list(condition)
    check_conditions(result, wanted)
    group = groups(result, by).rename("group")
    counts = {c: cases[c].groupby(group, dropna=False, observed=True).agg(n="size", cases="sum") for c in wanted}
    table = pd.concat(counts, names=["condition"]).reset_index()
    table["prevalence"] = table["cases"] / table["n"]
    table["low"], table["high"] = proportion_confint(table["cases"], table["n"], alpha=1 - confidence, method="wilson")
    table.loc[table["cases"] == 0, "low"] = 0.0  # not 1e-17
    return table if by is not None else table.drop(columns="group")


def table_one(
    result: Annotations,
    by: str | pd.Series | None = None,
    *,
    columns: Iterable[str] | None = None,
    conditions: Iterable[str] | None = None,
    statuses: Iterable[str] = CASES,
    **options: Any,
) -> TableOne:
    """Describe the cohort as the first table of a paper does, with the package tableone.

    Parameters
    ----------
    result
        What `clinnlp.annotate` returned.
    by
        The groups, as in `prevalence`.
    columns
        The user's own columns to describe, each with one value a patient; all of these if None. A column of numbers is
        given as mean (SD), also where the numbers were read as text; any other as n (%).
    conditions
        The conditions to describe; those of any patient if None, the most frequent first.
    statuses
        The flag statuses that make a patient a case.
    options
        Passed to `tableone.TableOne`: `pval=True`, `missing=False`, `nonnormal=["age"]`.

    Returns
    -------
    TableOne
        It shows itself as a table in Jupyter; `.tableone` is the DataFrame, `.to_excel(...)` and the like write it.

    Raises
    ------
    InputError
        When a column or a condition is unknown, or a patient has two values of a column.
    MissingExtraError
        When tableone is not installed.
    """
    from clinnlp.plots import condition_name

    table_class = needed("tableone").TableOne
    patients, cases = _patients(result), _cases(result, statuses)
    common = cases.sum().sort_values(ascending=False, kind="stable")
    group = groups(result, by)
    named = [c for c in (common[common > 0].index if conditions is None else conditions) if c != group.name]
    check_conditions(result, named)
    own = [c for c in (patients.columns[3:] if columns is None else columns) if c != group.name]
    data = pd.DataFrame({PER_PATIENT: patients["notes"], **{c: _numbers(groups(result, c)) for c in own}})
    data[named] = cases[named].replace({True: "yes", False: "no"}).astype("str")
    numbers = [c for c in own if pd.api.types.is_numeric_dtype(data[c]) and not pd.api.types.is_bool_dtype(data[c])]
    data[group.name] = group.astype("str").fillna("missing")
    layout = {
        "columns": [PER_PATIENT, *own, *named],
        "categorical": [c for c in (*own, *named) if c not in numbers],
        "groupby": None if by is None else group.name,
        "rename": {c: condition_name(c) for c in named},
        "limit": dict.fromkeys(named, 1),
        "order": {c: ["yes"] for c in named if common[c]},
        **options,
        "nonnormal": [PER_PATIENT, *options.get("nonnormal", ())],
    }
    with warnings.catch_warnings():  # spread of one patient, and rows set in a way that pandas 4 will refuse
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="tableone")
        return table_class(data, **layout)


def groups(result: Annotations, by: str | pd.Series | None) -> pd.Series:
    """Give the group of each patient of the result, missing where there is none; one group for all if `by` is None.

    Raises
    ------
    InputError
        When there is no such column, no patient has a group, or a patient has two.
    """
    patients = pd.Index(_patients_of(result), name="patient_id")
    if by is None:
        return pd.Series("all", index=patients, name="group")
    if isinstance(by, str):
        if by not in result.notes.columns:
            own = ", ".join(c for c in result.notes.columns if c not in TABLES["notes"]) or "none of your own"
            raise InputError(
                f"The notes have no column {by!r}. Columns: {own}. A Series indexed by patient_id works too."
            )
        values = result.notes.set_index("patient_id")[by]
    else:
        values = by.rename("group") if by.name is None else by
    values = values[values.index.isin(patients) & values.notna()]
    if values.empty:
        raise InputError(
            f"No patient has a value of {values.name!r}. Index the groups by patient_id, as strings: {some(patients)}."
        )
    kinds = values.astype("str").groupby(level=0).nunique()
    if len(mixed := kinds.index[kinds > 1]):
        raise InputError(
            f"{len(mixed)} patients have several values of {values.name!r}: {some(mixed)}. Choose one each, such as "
            f'by=result.notes.groupby("patient_id")[{values.name!r}].first().'
        )
    return values.groupby(level=0).first().reindex(patients)


def check_conditions(result: Annotations, conditions: Iterable[str]) -> None:
    """Refuse conditions that clinnlp does not know and the result does not have."""
    known = _known(result)
    if unknown := [c for c in conditions if c not in known]:
        raise InputError(f"There is no condition {unknown[0]!r}. Known conditions: {', '.join(known)}.")


def check_statuses(statuses: str | Iterable[str]) -> tuple[str, ...]:
    """Give the statuses as a tuple, refusing unknown ones."""
    given = (statuses,) if isinstance(statuses, str) else tuple(statuses)
    if (unknown := [s for s in given if s not in FLAG_STATUSES]) or not given:
        raise InputError(
            f"Unknown statuses: {', '.join(unknown) or 'none given'}. Use some of {', '.join(FLAG_STATUSES)}."
        )
    return given


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is not between 0 and 1."""
    if not 0 < confidence < 1:
        raise InputError(f"The confidence is {confidence}. Give a number between 0 and 1, such as 0.95.")


def some(ids: Iterable[str]) -> str:
    """Name the first five of some ids."""
    names = [str(i) for i in ids]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def needed(module: str) -> Any:
    """Import a module of the extra `cohort`."""
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(module.split(".")[0], "cohort") from None


def _known(result: Annotations) -> list[str]:
    """List the conditions that are shipped or stand in the result."""
    from clinnlp.conditions import load

    return sorted({*load(), *result.flags["condition"]})


def _patients_of(result: Annotations) -> list[str]:
    patients = sorted(result.notes["patient_id"].dropna().unique())
    if not patients:
        raise InputError(
            "No note has a patient_id. Name the column when reading: clinnlp.read_notes(..., patient_column=...). "
            'Where each note is a patient: notes["patient_id"] = notes["note_id"], before they are annotated.'
        )
    return patients


def _patients(result: Annotations) -> pd.DataFrame:
    """Give the number and dates of each patient's notes, and the user's columns that have one value a patient."""
    ids = pd.Index(_patients_of(result), name="patient_id")
    taken = {"notes", "first_date", "last_date", *_known(result)}
    own = [c for c in result.notes.columns if c not in TABLES["notes"]]
    if clash := [c for c in own if c in taken]:
        raise InputError(f"Your column {clash[0]!r} has the name of a column of the cohort table. Rename it.")
    notes = result.notes.groupby("patient_id")
    table = notes.agg(notes=("note_id", "size"), first_date=("date", "min"), last_date=("date", "max"))
    for column in own:
        values = result.notes[column].astype("str").groupby(result.notes["patient_id"])  # lists cannot be compared
        if values.nunique().max() == 1:
            table[column] = notes[column].first()
    return table.reindex(ids)


def _cases(result: Annotations, statuses: Iterable[str]) -> pd.DataFrame:
    """Say for each patient and known condition whether the patient is a case."""
    flags = result.patient_flags[result.patient_flags["status"].isin(check_statuses(statuses))]
    patients = pd.Index(_patients_of(result), name="patient_id")
    counts = pd.crosstab(flags["patient_id"], flags["condition"])
    return counts.reindex(index=patients, columns=_known(result), fill_value=0).rename_axis(columns=None) > 0


def _numbers(values: pd.Series) -> pd.Series:
    """Make numbers of text that holds nothing else."""
    if not pd.api.types.is_string_dtype(values):
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if numbers.notna().equals(values.notna()) else values
