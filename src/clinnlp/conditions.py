"""The condition definitions: read, check and explain them; `clinnlp.condition_terms` finds their terms in a text.

A definition says in data by which words a note states a condition, which words only look like it, and which drugs and
values point to it. `docs` of the format: the comment at the top of `resources/conditions/heart.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from clinnlp.alternatives import expand, is_balanced, plurals
from clinnlp.condition_terms import LOOK_ALIKE, STATES, Conditions
from clinnlp.errors import InputError, ResourceError
from clinnlp.resources import read_yaml
from clinnlp.schema import FLAG_STATUSES
from clinnlp.vocabulary import WORD


@dataclass(frozen=True, slots=True)
class Phrase:
    """A regular expression that states a condition.

    `status` is what the phrase states, whatever stands around it ("nonsmoker" is absent); None leaves that to the
    context; `look_alike` says that the words do not mean the condition.
    """

    id: str
    pattern: str
    example: str
    counter: str
    status: str | None = None


@dataclass(frozen=True, slots=True)
class DrugRule:
    """Drugs that point to a condition, and where that is from."""

    names: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class ValueRule:
    """A test result that points to a condition: one that is `at_least`, or `at_most`, the number given."""

    tests: tuple[str, ...]
    source: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two things that cannot both hold of a patient: the patterns `of`, found in what the notes state.

    Both are looked for in the evidence of the condition; with `other`, the second in that of the other condition.
    """

    id: str
    of: tuple[str, ...]
    source: str
    example: str
    counter: str
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """The definition of a condition; its terms are written out, one for each way of saying them."""

    id: str
    name: str
    group: str
    chronic: bool
    example: str
    counter: str
    names: tuple[str, ...] = ()
    abbreviations: tuple[str, ...] = ()
    wider: tuple[str, ...] = ()
    states_it: tuple[str, ...] = ()
    look_alikes: tuple[str, ...] = ()
    phrase_words: tuple[str, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    icd10cm: tuple[str, ...] = ()
    medications: tuple[DrugRule, ...] = ()
    measurements: tuple[ValueRule, ...] = ()
    parents: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    charlson: int | None = None
    elixhauser: int | None = None


def load(path: str | Path | None = None) -> Conditions:
    """Read the shipped definitions, and those of a file of one's own.

    Parameters
    ----------
    path
        A YAML file with a list of definitions. One with the id of a shipped condition replaces it, or with
        `extend: true` adds its lists to it.

    Raises
    ------
    ResourceError
        When the file cannot be read or a definition is not valid; the message names the condition and the key.
    """
    return _shipped_conditions() if path is None else Conditions(_with_own(dict(_shipped()), Path(path)))


@lru_cache(maxsize=1)
def _shipped_conditions() -> Conditions:
    return Conditions(_shipped().values())


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Condition]:
    """Read the shipped definitions, checked, by id."""
    found: dict[str, Condition] = {}
    for name in sorted(f.name for f in files("clinnlp.resources").joinpath("conditions").iterdir()):
        for entry in read_yaml(f"conditions/{name}"):
            definition = _read_condition(entry, name, own=False)
            if definition.id in found:
                raise ResourceError(f"{name}: the condition {definition.id!r} is defined twice. Keep one definition.")
            found[definition.id] = definition
    _check_names(found, "the shipped definitions")
    return found


def _with_own(found: dict[str, Condition], path: Path) -> Iterable[Condition]:
    """Replace or extend shipped definitions by those of a user's file."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResourceError(f"Cannot read the condition file {path}: {error.strerror}. Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ResourceError(f"{path} is not valid YAML in UTF-8. Check it with a YAML linter.") from error
    if not isinstance(entries, list):
        raise ResourceError(f"{path} holds a {type(entries).__name__}, not a list. Start each definition with `- id:`.")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("extend"):
            more = {k: v for k, v in entry.items() if k != "extend"}
            definition = _extend(found, more, path.name)
        else:
            definition = _read_condition(entry, path.name)
        found[definition.id] = definition
    _check_names(found, path.name)
    return found.values()


def _extend(found: Mapping[str, Condition], entry: dict[str, Any], where: str) -> Condition:
    """Add the lists of an entry to a definition, and let its other values replace the old ones."""
    name = str(entry.get("id"))
    if name not in found:
        raise ResourceError(f"{where}: cannot extend the unknown condition {name!r}. Known: {', '.join(found)}.")
    old = found[name]
    basis = {f.name: v for f in fields(Condition) if f.default != () and (v := getattr(old, f.name)) is not None}
    new = _read_condition({**basis, **entry}, where)
    lists: dict[str, Any] = {
        f.name: (*getattr(old, f.name), *getattr(new, f.name)) for f in fields(Condition) if f.default == ()
    }
    return replace(new, **lists)


def _read_condition(entry: Any, where: str, *, own: bool = True) -> Condition:
    """Check one entry of a file, a user's own down to its patterns, and make it a definition."""
    where = f"{where}, condition {entry.get('id')!r}" if isinstance(entry, dict) else where
    values = _checked(Condition, entry, where)
    for key in (*STATES, "look_alikes", "phrase_words"):
        for term in values.get(key, ()):
            _check_term(term, f"{where}, {key}")
    for word in values.get("phrase_words", ()):
        if not WORD.fullmatch(word):
            raise ResourceError(f"{where}, phrase_words: {word!r} is not one word. Give the words one by one.")
    for key in ("names", "wider", "states_it", "look_alikes"):
        values[key] = tuple(dict.fromkeys(p for t in values.get(key, ()) for e in expand(t) for p in plurals(e)))
    values["abbreviations"] = tuple(p for t in values.get("abbreviations", ()) for a in expand(t) for p in (a, f"{a}s"))
    values["phrases"] = tuple(_read_phrase(p, where, own) for p in values.get("phrases", ()))
    values["conflicts"] = tuple(_read_conflict(c, where, own) for c in values.get("conflicts", ()))
    for key, cls, names in (("medications", DrugRule, "names"), ("measurements", ValueRule, "tests")):
        values[key] = tuple(cls(**_checked(cls, rule, f"{where}, {key}")) for rule in values.get(key, ()))
        for name in (n for rule in values[key] for n in getattr(rule, names)):
            _check_term(name, f"{where}, {key}")
    return Condition(**values)


def _check_term(term: Any, where: str) -> None:
    """Check that a term is text with closed brackets, and that each of its alternatives has a word."""
    if not isinstance(term, str):
        raise ResourceError(f"{where}: the term {term!r} is no text. Put it in quotes.")
    if not is_balanced(term):
        raise ResourceError(f"{where}: a bracket of the term {term!r} is not closed or not opened. Correct it.")
    if not all(WORD.search(written) for written in expand(term)):
        raise ResourceError(f"{where}: the term {term!r}, or an alternative of it, has no word. Remove it.")


def _read_phrase(entry: Any, where: str, own: bool) -> Phrase:
    """Check a phrase; the shipped patterns are compiled when a note first needs them."""
    phrase = entry if isinstance(entry, Phrase) else Phrase(**_checked(Phrase, entry, f"{where}, phrases"))
    if own:
        _check_pattern(phrase.pattern, f"{where}, phrase {phrase.id!r}")
    allowed = (None, LOOK_ALIKE, *FLAG_STATUSES[:-1])
    if phrase.status not in allowed:
        raise ResourceError(f"{where}, phrase {phrase.id!r}: unknown status {phrase.status!r}. Use one of {allowed}.")
    return phrase


def _read_conflict(entry: Any, where: str, own: bool) -> Conflict:
    """Check a conflict; the shipped patterns are compiled when conflicts are looked for."""
    conflict = Conflict(**_checked(Conflict, entry, f"{where}, conflicts"))
    where = f"{where}, conflict {conflict.id!r}"
    if len(conflict.of) != 2:
        raise ResourceError(f"{where}: 'of' should be two patterns, got {len(conflict.of)}. Correct it.")
    for pattern in conflict.of if own else ():
        _check_pattern(pattern, where)
    return conflict


def _check_pattern(pattern: str, where: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ResourceError(f"{where}: bad regular expression, {error}. Correct it.") from error


def _checked(cls: type, entry: Any, where: str) -> dict[str, Any]:
    """Check that an entry is a mapping with the keys of `cls`; lists become tuples."""
    if not isinstance(entry, dict):
        raise ResourceError(f"{where}: got a {type(entry).__name__} where a mapping should be. See the shipped files.")
    known = {f.name: f for f in fields(cls)}
    if unknown := [str(k) for k in entry if k not in known]:
        raise ResourceError(f"{where}: unknown key {unknown[0]!r}. Known keys: {', '.join(known)}.")
    if missing := [k for k, f in known.items() if f.default is MISSING and entry.get(k) is None]:
        raise ResourceError(f"{where}: missing key {missing[0]!r}. Add it.")
    values = {}
    for key, value in entry.items():
        is_list = isinstance(value, list | tuple)
        if is_list != str(known[key].type).startswith("tuple"):
            wanted = "one value" if is_list else "a list"
            raise ResourceError(f"{where}: {key!r} should be {wanted}, got {type(value).__name__}. Correct it.")
        if str(known[key].type).startswith("int") and type(value) is not int:
            raise ResourceError(f"{where}: {key!r} should be a whole number, got {type(value).__name__}. Correct it.")
        values[key] = tuple(value) if is_list else value
    return values


def _check_names(found: Mapping[str, Condition], where: str) -> None:
    """Check that the conditions which others name are there."""
    for definition in found.values():
        named = [("parent", parent) for parent in definition.parents]
        named += [("condition in conflict", c.other) for c in definition.conflicts if c.other is not None]
        for role, name in named:
            if name not in found:
                raise ResourceError(f"{where}: {definition.id!r} has no known {role} {name!r}. Define or remove it.")


def explain(condition: str, conditions: Conditions | None = None) -> str:
    """Say in plain words what states a condition, what only looks like it, and what points to it.

    Parameters
    ----------
    condition
        The id of a condition, such as "heart_failure".
    conditions
        The definitions to look in; those that are shipped if None.

    Raises
    ------
    InputError
        When there is no such condition.
    """
    known = load() if conditions is None else conditions
    if condition not in known:
        raise InputError(f"There is no condition {condition!r}. Known conditions: {', '.join(known)}.")
    d = known[condition]
    kind = "a chronic condition" if d.chronic else "an event or passing state"
    lines = [f"{d.name} ({d.id}): {kind}, group {d.group}."]
    weights = (("Charlson", d.charlson), ("Elixhauser (van Walraven)", d.elixhauser))
    for label, terms in (
        ("Stated by", d.names), ("Abbreviations", d.abbreviations), ("Procedures that state it", d.states_it),
        ("Wider terms (denied: absent; stated: uncertain)", d.wider), ("Not meant by", d.look_alikes),
        ("Phrases", [f"{p.id} ({p.status or 'read in context'}), as in {p.example!r}" for p in d.phrases]),
        ("Counts as this too", [c.name for c in known.values() if d.id in c.parents]),
        ("Implied by the drugs", [f"{', '.join(r.names)} ({r.source})" for r in d.medications]),
        ("Implied by the results", [_explain_value(r) for r in d.measurements]), ("ICD-10-CM", d.icd10cm),
        ("Weight in comorbidity indices", [f"{name} {w}" for name, w in weights if w is not None]),
        ("Cannot both hold", [f"{c.id}, as in {c.example!r}" for c in d.conflicts]),
    ):  # fmt: skip
        if terms:
            lines.append(f"{label}: {'; '.join(terms)}.")
    return "\n".join(lines)


def _explain_value(rule: ValueRule) -> str:
    limit = f">= {rule.at_least:g}" if rule.at_least is not None else f"<= {rule.at_most:g}"
    return f"{' or '.join(rule.tests)} {limit}{f' {rule.unit}' if rule.unit else ''} ({rule.source})"
