"""From the flags of notes to patients: what each has, where their notes disagree, and what nothing states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clinnlp.schema import FLAG_STATUSES, POLARITY, make_table

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations
    from clinnlp.conditions import Conditions

COPIED = 60  # characters from which a line or paragraph that an earlier note has counts as copied from there
SIDE = ["note_id", "start", "end", "text"]


def find_copies(notes: pd.DataFrame) -> dict[str, list[tuple[int, int, str]]]:
    """Find the text of each note that was copied forward from an earlier note of the same patient.

    Parameters
    ----------
    notes
        The table `notes`.

    Returns
    -------
    dict
        By note_id start, end and the first note that has the text: each paragraph and each line of 60 characters or
        more that an earlier note has too; white space and capitals do not count. Notes without a date come last.
    """
    ordered = notes.sort_values(["patient_id", "date", "note_id"], na_position="last")
    ordered = ordered[ordered["patient_id"].duplicated(keep=False) & ordered["patient_id"].notna()]
    copies: dict[str, list[tuple[int, int, str]]] = {}
    for _, group in ordered.groupby("patient_id", sort=False):
        first: dict[str, str] = {}  # a block of text -> the note that had it first
        for note_id, text in group[["note_id", "text"]].dropna().to_numpy().tolist():
            blocks = [(a, b, " ".join(text[a:b].lower().split())) for a, b in _blocks(text)]
            copies[note_id] = [(a, b, first[block]) for a, b, block in blocks if block in first]
            for _, _, block in blocks:
                first.setdefault(block, note_id)
    return copies


def mark_copies(evidence: pd.DataFrame, notes: pd.DataFrame) -> pd.DataFrame:
    """Give the table `evidence` with the note in `copied_from` that the text was copied from; see `find_copies`."""
    copies = find_copies(notes)
    copied_from = evidence["copied_from"].copy()
    for row, (note, start, end) in enumerate(evidence[["note_id", "start", "end"]].to_numpy().tolist()):
        copied_from[row] = next((n for a, b, n in copies.get(note, ()) if a <= start and end <= b), None)
    return evidence.assign(copied_from=copied_from)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Give start and end of each paragraph and each line that is long enough to tell a copy by."""
    for separator in ("\n\n", "\n"):
        start = 0
        for piece in text.replace("\r", " ").split(separator):
            if len(piece.strip()) >= COPIED:
                yield start, start + len(piece)
            start += len(piece) + len(separator)


def patient_flags(flags: pd.DataFrame, evidence: pd.DataFrame, notes: pd.DataFrame) -> pd.DataFrame:
    """Sum up the flags of the notes of each patient; what was only copied from an earlier note does not count again.

    Parameters
    ----------
    flags, evidence, notes
        The tables of these names.

    Returns
    -------
    DataFrame
        The table `patient_flags`: a row a patient and condition. `status` is the first that holds over the notes;
        `first_date` and `last_date` are those of the notes with that status, `notes_for` counts notes in which the
        condition is present or historical, `notes_against` those in which it is absent, and `confidence` is the highest
        of the notes with the status.
    """
    dated = _own(flags, evidence).merge(notes[["note_id", "date"]], on="note_id", how="left")
    order = {status: i for i, status in enumerate(FLAG_STATUSES)}
    rows = []
    for (patient, condition), group in dated.groupby(["patient_id", "condition"], sort=True):
        status = min(group["status"], key=order.__getitem__)
        decisive = group[group["status"] == status]
        rows.append(
            {
                "patient_id": patient,
                "condition": condition,
                "status": status,
                "first_date": decisive["date"].min(),
                "last_date": decisive["date"].max(),
                "notes_for": int(group["status"].isin(["present", "historical"]).sum()),
                "notes_against": int((group["status"] == "absent").sum()),
                "confidence": decisive["confidence"].max(),
            }
        )
    return make_table("patient_flags", rows)


def _own(flags: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Leave out the flags whose whole evidence was copied from an earlier note."""
    keys = ["note_id", "condition", "polarity"]
    own = evidence.loc[evidence["copied_from"].isna(), keys].drop_duplicates()
    kept = flags.assign(polarity=flags["status"].map(POLARITY)).merge(own, on=keys)
    copied_at_all = evidence["copied_from"].notna().any()
    return kept.drop(columns="polarity") if copied_at_all else flags


def contradictions(result: Annotations, conditions: Conditions | None = None) -> pd.DataFrame:
    """List where a note, or the notes of a patient, say both that a condition is there and that it is not.

    What is denied must be the condition as a whole, or the very words that are stated: fatty liver without cirrhosis is
    no contradiction. Nor is a passing illness that is over, or that another note denies. Copied text does not count.

    Parameters
    ----------
    result
        What `annotate` gives.
    conditions
        The definitions; those that are shipped if None.

    Returns
    -------
    DataFrame
        A row a note and condition (`kind` is "within a note": the first evidence of each side), and a row a patient
        and chronic condition (`kind` is "between notes": the last note for it, and the last one against it):
        patient_id, condition, kind, for_note_id, for_start, for_end, for_text, against_note_id, against_start,
        against_end, against_text.
    """
    import pandas as pd

    from clinnlp.conditions import load

    known = load() if conditions is None else conditions
    chronic = {d.id for d in known.values() if d.chronic}
    said = result.evidence.merge(result.notes[["note_id", "patient_id", "date"]], on="note_id")
    said = said[said["copied_from"].isna() & ((said["polarity"] != "for") | (said["assertion"] == "present"))]
    said = said.sort_values(["date", "note_id", "start"], na_position="first")
    said["words"] = said["text"].str.lower().str.rstrip("s")
    wholes = {(d.id, term.lower().rstrip("s")) for d in known.values() for term in (d.name, *d.abbreviations[:1])}
    said["whole"] = [
        (condition, words) in wholes or known.statuses.get(rule) == "absent"
        for condition, words, rule in said[["condition", "words", "rule"]].itertuples(index=False)
    ]
    within = _pairs(said, ["patient_id", "note_id", "condition"], "within a note").drop_duplicates(
        ["note_id", "condition"]
    )
    lasting = said[said["condition"].isin(chronic)]
    between = _pairs(lasting, ["patient_id", "condition"], "between notes")
    between = between[between["for_note_id"] != between["against_note_id"]].drop_duplicates(
        ["patient_id", "condition"], keep="last"
    )
    columns = ["patient_id", "condition", "kind", *(f"{side}_{c}" for side in ("for", "against") for c in SIDE)]
    found = pd.concat([within, between])[columns]
    return found.sort_values(["patient_id", "condition", "kind", "for_note_id"]).reset_index(drop=True)


def _pairs(said: pd.DataFrame, keys: list[str], kind: str) -> pd.DataFrame:
    """Pair each evidence for with each against it in its group, where they speak of the same."""
    columns = [*dict.fromkeys([*keys, *SIDE])]
    sides = [
        said.loc[said["polarity"] == side, [*columns, "words", "whole"]].rename(
            columns={c: f"{side}_{c}" for c in [*SIDE, "words", "whole"] if c not in keys}
        )
        for side in ("for", "against")
    ]
    pairs = sides[0].merge(sides[1], on=keys).assign(kind=kind)
    pairs = pairs[pairs["against_whole"] | (pairs["for_words"] == pairs["against_words"])]
    if "note_id" in keys:
        pairs = pairs.assign(for_note_id=pairs["note_id"], against_note_id=pairs["note_id"])
    return pairs


def implied(result: Annotations) -> pd.DataFrame:
    """List the conditions that a drug or a value points to and that no note of the patient states.

    Parameters
    ----------
    result
        What `annotate` gives.

    Returns
    -------
    DataFrame
        The rows of `flags` with the status `implied`, without `status` and `confidence`, of patients in none of whose
        notes anything is said of the condition.
    """
    flags = result.flags
    who = flags["patient_id"].fillna(flags["note_id"])
    only = (flags["status"] == "implied").groupby([who, flags["condition"]]).transform("all")
    return flags[only.astype(bool)].drop(columns=["status", "confidence"]).reset_index(drop=True)
