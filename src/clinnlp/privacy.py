"""Residual identifiers in notes that are meant to be de-identified: finding, listing, masking, refusing.

The kinds are the eighteen of the Safe Harbor method, 45 CFR 164.514(b)(2); they, the patterns, the cues of names and
the lists of names are data: `resources/privacy.yml`. A note in which nothing is found may still identify somebody: a
rare story does, and so does a name that stands where no rule looks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from clinnlp.errors import InputError
from clinnlp.name_lists import load_lists
from clinnlp.names import Finder, NameReader, lower_case
from clinnlp.resources import read_yaml

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"note_id": "str", "start": "int64", "end": "int64", "kind": "str", "score": "float64", "rule": "str"}
SHOWN = 10  # note ids in a message
NUMERIC_DATE = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2}")
RANGE_OF_GRADES = re.compile(
    r"(?i)\b(?:pain|scale|strength|scores?d?|vision|acuity|power|severity|reflexes|rr|resp\w*|phq-?\d?|gad-?7?|gcs|mmse|moca"
    r"|braden|tinetti|nihss|bipap|cpap|peep|iop|snellen|ratio|nodes?|cores?|va|bp|apgars?)\b[^.\n]*$"
)


@dataclass(frozen=True, slots=True)
class Identifier:
    """What may identify a person: its place in the note, its kind, how sure the rule is (0 to 1), and the rule."""

    start: int
    end: int
    kind: str
    score: float
    rule: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern of `privacy.yml`."""

    id: str
    kind: str
    score: float
    finder: Finder
    groups: tuple[int, ...]  # of which the one that matched is the identifier; none: all of it is
    check: str | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The compiled content of `privacy.yml`."""

    patterns: tuple[Pattern, ...]
    hidden: tuple[Finder, ...]  # placeholders, and what looks like an identifier and is none
    names: NameReader
    masks: dict[str, str]


@cache
def load_rules() -> Rules:
    """Read and compile `privacy.yml`."""
    data = read_yaml("privacy.yml")
    parts = data["parts"]
    return Rules(
        patterns=tuple(_compile(rule, parts) for rule in data["patterns"]),
        hidden=tuple(Finder.of(rule, "pattern", parts) for rule in (*data["placeholders"], *data["harmless"])),
        names=NameReader(data, load_lists()),
        masks={kind: entry["mask"] for kind, entry in data["kinds"].items()},
    )


def _compile(rule: dict[str, Any], parts: dict[str, str]) -> Pattern:
    finder = Finder.of(rule, "pattern", parts)
    groups = tuple(number for name, number in finder.regex.groupindex.items() if name[0] == "x")
    return Pattern(rule["id"], rule["kind"], rule["score"], finder, groups, rule.get("check"))


def find_identifiers(text: str) -> list[Identifier]:
    """Find what may identify a person in a note; what de-identification put in its place is not reported.

    Years, weekdays, states, countries and ages up to 89 are none; the day and month of a date are, unless its year is
    one to which de-identified corpora shift dates (2131).

    Returns
    -------
    list of Identifier
        In the order of the text, without overlaps; `text[start:end]` is the identifier without its title or label.

    Examples
    --------
    >>> text = "Mrs. Okafor, 93 y/o, seen 3/14/2019 for Parkinson's disease by Dr. [**Last Name**]."
    >>> [(text[i.start : i.end], i.kind) for i in find_identifiers(text)]
    [('Okafor', 'name'), ('93', 'age'), ('3/14/2019', 'date')]
    """
    rules, lower = load_rules(), lower_case(text)
    hidden = [m.span() for finder in rules.hidden for m in finder.find(text, lower)]
    found = [*_match(text, lower, rules), *(Identifier(*name) for name in rules.names.find(text, lower))]
    return _apart(found, hidden, len(text))


def check(notes: pd.DataFrame, *, ignore: Iterable[str] = ()) -> pd.DataFrame:
    """List what may identify a person in a table of notes; the text itself is not in the list.

    Parameters
    ----------
    notes
        The table of `read_notes`, or any table with the columns `note_id` and `text`. Only the text is looked at, not
        the dates and patient ids beside it.
    ignore
        Kinds that identify nobody here, such as "date" where de-identification shifted the dates.

    Returns
    -------
    DataFrame
        note_id, start, end (characters of the note), kind, score (0 to 1), rule: a row an identifier.

    Raises
    ------
    InputError
        When `note_id` or `text` is missing from the table, or a kind to ignore does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> notes = pd.DataFrame({"note_id": ["a", "b"], "text": ["MRN: 4482190", "Parkinson's disease."]})
    >>> check(notes)[["note_id", "start", "end", "kind", "rule"]].values.tolist()
    [['a', 5, 12, 'mrn', 'mrn']]
    """
    import pandas as pd

    ignored = known_kinds(ignore)
    rows = [
        (note_id, i.start, i.end, i.kind, i.score, i.rule)
        for note_id, text in _texts(notes)
        for i in _find(text, ignored)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


@overload
def mask(notes: str, *, ignore: Iterable[str] = ...) -> str: ...
@overload
def mask(notes: pd.DataFrame, *, ignore: Iterable[str] = ...) -> pd.DataFrame: ...
def mask(notes: str | pd.DataFrame, *, ignore: Iterable[str] = ()) -> str | pd.DataFrame:
    """Write a placeholder such as [NAME] in the place of each identifier.

    Masking moves offsets: what was annotated in the old text does not fit the new one. A table is therefore not
    changed but copied, and the copy has `.attrs["masked"]`, the number of placeholders written.

    Parameters
    ----------
    notes
        A text, or a table with the columns `note_id` and `text`.
    ignore
        Kinds that are left as they are.

    Raises
    ------
    InputError
        When `note_id` or `text` is missing from the table, or a kind to ignore does not exist.

    Examples
    --------
    >>> mask("Mrs. Okafor, 93 y/o, seen 3/14/2019.")
    'Mrs. [NAME], [AGE] y/o, seen [DATE].'
    """
    ignored = known_kinds(ignore)
    if isinstance(notes, str):
        return _mask(notes, ignored)[0]
    _require_columns(notes)
    masked = [_mask(text, ignored) if isinstance(text, str) else (text, 0) for text in notes["text"]]
    table = notes.copy()
    table["text"] = type(notes["text"])([text for text, _ in masked], index=notes.index, dtype=notes["text"].dtype)
    table.attrs["masked"] = sum(count for _, count in masked)
    return table


def refuse(notes: pd.DataFrame, *, ignore: Iterable[str] = ()) -> None:
    """Raise an error when notes hold what may identify a person; the error says how many of each kind, and where.

    Parameters
    ----------
    notes
        A table with the columns `note_id` and `text`.
    ignore
        Kinds that identify nobody here, such as "date" where de-identification shifted the dates.

    Raises
    ------
    InputError
        When something is found, the table lacks `note_id` or `text`, or a kind to ignore does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> refuse(pd.DataFrame({"note_id": ["a"], "text": ["Seen by Dr. ___ for Bell's palsy."]}))
    """
    refuse_found(check(notes, ignore=ignore), len(notes))


def refuse_found(found: pd.DataFrame, notes: int) -> None:
    """Raise the error of `refuse` for what `check` found in so many notes."""
    if not len(found):
        return
    ids = list(dict.fromkeys(found["note_id"]))
    some = ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
    raise InputError(
        f"{len(ids)} of {notes} notes may hold identifiers: {count_kinds(found['kind'])}. Notes: {some}. "
        "See clinnlp.privacy.check(notes) for the places; de-identify the notes, or use clinnlp.privacy.mask(notes)."
    )


def guard(notes: pd.DataFrame, mode: Literal["warn", "strict", "mask"], *, ignore: Iterable[str] = ()) -> pd.DataFrame:
    """Look for what may identify a person before notes are used; give the notes, with "mask" their masked copy.

    Parameters
    ----------
    notes
        A table with the columns `note_id` and `text`.
    mode
        "warn" says in a warning how many of each kind were found, "strict" refuses as `refuse`, "mask" is `mask`.
    ignore
        Kinds that identify nobody here, such as "date" where de-identification shifted the dates.

    Raises
    ------
    InputError
        When the mode is unknown, or as `refuse` and `mask` raise it.

    Examples
    --------
    >>> import pandas as pd
    >>> guard(pd.DataFrame({"note_id": ["a"], "text": ["Mrs. Okafor is well."]}), "mask")["text"].tolist()
    ['Mrs. [NAME] is well.']
    """
    if mode == "mask":
        return mask(notes, ignore=ignore)
    if mode == "strict":
        refuse(notes, ignore=ignore)
    elif mode != "warn":
        raise InputError(f"Got the privacy mode {mode!r}. Give 'warn', 'strict' or 'mask'.")
    elif len(found := check(notes, ignore=ignore)):
        import warnings

        warnings.warn(f"Notes may hold identifiers: {count_kinds(found['kind'])}.", stacklevel=2)
    return notes


def count_kinds(kinds: Iterable[str]) -> str:
    """Write how many of each kind there are, the most frequent first.

    >>> count_kinds(["name", "date", "name"]), count_kinds([])
    ('2 name, 1 date', 'none')
    """
    return ", ".join(f"{n} {kind}" for kind, n in Counter(kinds).most_common()) or "none"


def _texts(notes: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Give the id and text of each note that has a text."""
    _require_columns(notes)
    for note_id, text in zip(notes["note_id"], notes["text"], strict=True):
        if isinstance(text, str):
            yield note_id, text


def _require_columns(notes: pd.DataFrame) -> None:
    """See that the notes have ids and texts."""
    if missing := {"note_id", "text"} - set(notes.columns):
        raise InputError(
            f"The notes lack the column {' and '.join(sorted(missing))}; found: {', '.join(map(str, notes.columns))}. "
            "Read them with clinnlp.read_notes(frame, id_column=..., text_column=...)."
        )


def known_kinds(ignore: Iterable[str]) -> frozenset[str]:
    """Give the kinds to ignore as a set, all of which must exist."""
    ignored, kinds = frozenset([ignore] if isinstance(ignore, str) else ignore), load_rules().masks
    if unknown := ignored - kinds.keys():
        raise InputError(f"No kind {', '.join(sorted(unknown))} to ignore. There are: {', '.join(kinds)}")
    return ignored


def _find(text: str, ignored: frozenset[str]) -> list[Identifier]:
    return [i for i in find_identifiers(text) if i.kind not in ignored]


def _mask(text: str, ignored: frozenset[str]) -> tuple[str, int]:
    """Give the masked text, and how many identifiers were masked."""
    masks = load_rules().masks
    found = _find(text, ignored)
    for i in reversed(found):
        text = text[: i.start] + masks[i.kind] + text[i.end :]
    return text, len(found)


def _match(text: str, lower: str, rules: Rules) -> Iterator[Identifier]:
    """Give what the patterns find."""
    for pattern in rules.patterns:
        for match in pattern.finder.find(text, lower):
            group = next((g for g in pattern.groups if match[g] is not None), 0)
            span: tuple[int, int] | None = match.span(group)
            if pattern.check:
                span = _checked(text, match, group, pattern.check, rules.names)
            if span:
                yield Identifier(*span, pattern.kind, pattern.score, pattern.id)


def _checked(text: str, match: re.Match[str], group: int, check: str, names: NameReader) -> tuple[int, int] | None:
    """Give the span of an identifier that passes its check, else None."""
    start, end = match.span(group)
    value = match[group]
    match check:
        case "person":
            return names.person(text, start, end)
        case "town":
            return names.town(text, start)
        case "in-town":
            passed = names.town(text, start) is not None
        case "subject" | "owner" | "actor":
            passed = names.is_alone(text, start, end, listed=check == "subject", doubtful=check == "actor")
            start = names.with_initials(text, start)
        case "inverted":
            passed = names.is_inverted(value)
        case "named":
            passed = names.is_named_place(value)
        case "date":
            passed = _is_date(match)
        case "range":
            days = {day.rpartition("/")[2] for day in re.findall(r"\d+/\d+", match[0])}
            passed = days not in ({"10"}, {"5"}) and not RANGE_OF_GRADES.search(text, max(0, start - 60), start)
        case "long":
            passed = len(value) > 3 and sum(c.isdigit() for c in value) > 2 and not NUMERIC_DATE.fullmatch(value)
        case _:
            passed = CHECK_DIGITS[check](value)
    return (start, end) if passed else None


def _is_date(match: re.Match[str]) -> bool:
    """Say whether the numbers are a day and month, in either order, of a year that is no shifted one."""
    year, first, second = (int(match[name]) for name in ("y", "m", "d"))
    if len(match["y"]) == 4 and not 1900 <= year < read_yaml("privacy.yml")["shifted_from"]:
        return False
    return 1 <= min(first, second) <= 12 and max(first, second) <= 31


def _is_card(value: str) -> bool:
    """Say whether the last digit of a card number is right (ISO/IEC 7812-1, Luhn)."""
    digits = [int(c) for c in reversed(value) if c.isdigit()]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def _is_iban(value: str) -> bool:
    """Say whether the check digits of an international bank account number are right (ISO 13616, mod 97)."""
    plain = value.replace(" ", "")
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _is_ip(value: str) -> bool:
    """Say whether a text is an IP address, version 4 or 6."""
    from ipaddress import ip_address

    try:
        return bool(ip_address(value))
    except ValueError:
        return False


CHECK_DIGITS = {"luhn": _is_card, "iban": _is_iban, "ip": _is_ip}


def _apart(found: Iterable[Identifier], hidden: Iterable[tuple[int, int]], size: int) -> list[Identifier]:
    """Give what was found outside placeholders, the surest and longest where some overlap; its own kind widens it."""
    owner = [0] * size  # of each character: 0 nobody, -1 a placeholder, else the number of an identifier
    for start, end in hidden:
        owner[start:end] = [-1] * (end - start)
    kept: dict[int, Identifier] = {}
    for number, new in enumerate(sorted(found, key=lambda i: (-i.score, i.start - i.end, i.start)), 1):
        over = set(owner[new.start : new.end]) - {0}
        if len(over) == 1 and (old := kept.get(max(over))) and old.kind == new.kind:
            number = max(over)
            new = replace(old, start=min(old.start, new.start), end=max(old.end, new.end))
        if set(owner[new.start : new.end]) <= {0, number}:
            kept[number] = new
            owner[new.start : new.end] = [number] * (new.end - new.start)
    return sorted(kept.values(), key=lambda i: i.start)
