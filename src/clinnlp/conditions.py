"""The condition definitions: read, check and explain them, and find their terms in a text.

A definition says in data by which words a note states a condition, which words only look like it, and which drugs and
values point to it. `docs` of the format: the comment at the top of `resources/conditions/heart.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache, lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from clinnlp.alternatives import expand, is_balanced, plurals
from clinnlp.errors import InputError, ResourceError
from clinnlp.resources import read_yaml
from clinnlp.schema import FLAG_STATUSES
from clinnlp.spelling import Spelling
from clinnlp.vocabulary import WORD, load_vocabulary

GAP = re.compile(r"[ \t'’‐–-]{0,3}(?:\r?\n[ \t>]{0,40})?")  # what may stand between two words of a name
WINDOW = 160  # characters before and after a phrase word in which its phrases are looked for
STATES = {"names": "name", "abbreviations": "abbreviation", "states_it": "procedure", "wider": "wider"}
LOOK_ALIKE = "look_alike"

Hit: TypeAlias = tuple[int, int, str, str]  # start, end, condition, rule
_compiled = cache(partial(re.compile, flags=re.IGNORECASE))


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


@dataclass(frozen=True, slots=True)
class Term:
    """A term in the index: its words, the rule it belongs to, and whether capitals count."""

    words: tuple[str, ...]
    condition: str
    rule: str
    cased: bool


class Conditions(Mapping[str, Condition]):
    """All definitions by id, ready to be matched.

    >>> load().match("Longstanding HTN; pulmonary hypertension was excluded.")
    [(13, 16, 'hypertension', 'hypertension.name')]
    """

    def __init__(self, definitions: Iterable[Condition]) -> None:
        self._by_id = {d.id: d for d in definitions}
        self._index: dict[str, list[Term]] = {}
        self._phrase_words: dict[str, list[str]] = {}
        self.statuses = {f"{d.id}.{p.id}": p.status for d in self.values() for p in d.phrases}
        self.statuses |= {f"{d.id}.{LOOK_ALIKE}": LOOK_ALIKE for d in self.values()}
        self._spelling = Spelling(
            (w for d in self.values() for t in d.names for w in WORD.findall(t)), real=load_vocabulary().words()
        )
        for definition in self.values():
            self._add(definition)
        for terms in self._index.values():
            terms.sort(key=lambda t: -len(t.words))

    def __getitem__(self, key: str) -> Condition:
        return self._by_id[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def match(self, text: str) -> list[Hit]:
        """Find what states a condition, its assertion left to the context: start, end, condition and rule."""
        words = self._words(text)
        hits = [*self._find_terms(text, words), *self._find_phrases(text, words, (None, LOOK_ALIKE))]
        look_alikes = [hit for hit in hits if self._is_look_alike(hit)]
        kept = [h for h in hits if not self._is_look_alike(h) and not _is_part(h, look_alikes)]
        return sorted(h for h in kept if not (self.is_wider(h[3]) and _is_inside(h, kept)))

    def is_wider(self, rule: str) -> bool:
        """Say whether a rule is that of a broader term, which leaves a condition open when it is stated."""
        return rule.endswith(".wider")

    def match_phrases(self, text: str) -> list[tuple[int, int, str, str, str]]:
        """Find phrases that carry their own status: start, end, condition, rule and status.

        >>> load().match_phrases("Ex-smoker.")
        [(0, 9, 'tobacco_use', 'tobacco_use.former', 'historical')]
        """
        hits = self._find_phrases(text, self._words(text), FLAG_STATUSES)
        return sorted((*hit, str(self.statuses[hit[3]])) for hit in hits)

    def _add(self, definition: Condition) -> None:
        for kind, rule in [*STATES.items(), ("look_alikes", LOOK_ALIKE)]:
            cased = kind == "abbreviations"
            for text in getattr(definition, kind):
                words = tuple(WORD.findall(text))
                fixed = words if cased else tuple(map(self._spelling.fix, words))
                term = Term(fixed, definition.id, f"{definition.id}.{rule}", cased)
                self._index.setdefault(self._spelling.fix(words[0]), []).append(term)
        for word in definition.phrase_words:
            self._phrase_words.setdefault(self._spelling.fix(word), []).append(definition.id)

    def _is_look_alike(self, hit: Hit) -> bool:
        return self.statuses.get(hit[3]) == LOOK_ALIKE

    def _words(self, text: str) -> list[tuple[int, int, str]]:
        fix = self._spelling.fix
        return [(m.start(), m.end(), fix(m.group())) for m in WORD.finditer(text)]

    def _find_terms(self, text: str, words: list[tuple[int, int, str]]) -> Iterator[Hit]:
        taken: dict[tuple[str, bool], int] = {}  # up to where the terms, or the look-alikes, of a condition reach
        for i, (start, _, word) in enumerate(words):
            after = words[i + 1][2] if i + 1 < len(words) else ""
            for term in self._index.get(word, ()):
                if not term.cased and term.words[1:2] not in ((), (after,)):
                    continue
                key = (term.condition, term.rule.endswith(LOOK_ALIKE))
                if taken.get(key, 0) <= start and (end := _end(text, words, i, term)):
                    taken[key] = end
                    yield start, end, term.condition, term.rule

    def _find_phrases(
        self, text: str, words: list[tuple[int, int, str]], statuses: Iterable[str | None]
    ) -> Iterator[Hit]:
        windows: dict[str, list[tuple[int, int]]] = {}
        for start, end, word in words:
            for condition in self._phrase_words.get(word, ()):
                own = windows.setdefault(condition, [])
                if own and start - WINDOW < own[-1][1]:
                    own[-1] = (own[-1][0], end + WINDOW)
                else:
                    own.append((max(0, start - WINDOW), end + WINDOW))
        for condition, own in windows.items():
            for phrase in self[condition].phrases:
                if phrase.status not in statuses:
                    continue
                for a, b in own:
                    for m in _compiled(phrase.pattern).finditer(text, a, b):
                        if found := m.group().strip():
                            start = text.index(found, m.start())
                            yield start, start + len(found), condition, f"{condition}.{phrase.id}"


def _end(text: str, words: list[tuple[int, int, str]], i: int, term: Term) -> int:
    """Give the end of the term if it stands at word `i`, else 0."""
    last = i + len(term.words) - 1
    if last >= len(words):
        return 0
    for n, word in enumerate(term.words, i):
        start, end, fixed = words[n]
        if (text[start:end] if term.cased else fixed) != word:
            return 0
        if n < last and not GAP.fullmatch(text, end, words[n + 1][0]):
            return 0
    return words[last][1]


def _is_part(hit: Hit, look_alikes: list[Hit]) -> bool:
    """Say whether a look-alike of the condition overlaps the hit, unless the hit is the longer term around it."""
    start, end, condition, _ = hit
    return any(
        other == condition and a < end and start < b and not (start <= a and b <= end and b - a < end - start)
        for a, b, other, _ in look_alikes
    )


def _is_inside(hit: Hit, hits: list[Hit]) -> bool:
    """Say whether a hit is a part of a longer one ("pulmonary disease" in "chronic obstructive pulmonary disease")."""
    start, end, *_ = hit
    return any(a <= start and end <= b and b - a > end - start for a, b, *_ in hits)


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
    _check_parents(found, "the shipped definitions")
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
    _check_parents(found, path.name)
    return found.values()


def _extend(found: Mapping[str, Condition], entry: dict[str, Any], where: str) -> Condition:
    """Add the lists of an entry to a definition, and let its other values replace the old ones."""
    name = str(entry.get("id"))
    if name not in found:
        raise ResourceError(f"{where}: cannot extend the unknown condition {name!r}. Known: {', '.join(found)}.")
    old = found[name]
    basis = {f.name: getattr(old, f.name) for f in fields(Condition) if f.default is MISSING}
    new = _read_condition({**basis, **entry}, where)
    lists: dict[str, Any] = {
        f.name: (*getattr(old, f.name), *getattr(new, f.name)) for f in fields(Condition) if f.default == ()
    }
    return replace(new, **lists)


def _read_condition(entry: Any, where: str, *, own: bool = True) -> Condition:
    """Check one entry of a file, a user's own down to its patterns, and make it a definition."""
    where = f"{where}, condition {entry.get('id')!r}" if isinstance(entry, dict) else where
    values = _checked(Condition, entry, where)
    for term in (t for key in (*STATES, "look_alikes") for t in values.get(key, ())):
        if not is_balanced(term):
            raise ResourceError(f"{where}: a bracket of the term {term!r} is not closed or not opened. Correct it.")
    for key in ("names", "wider", "states_it", "look_alikes"):
        values[key] = tuple(dict.fromkeys(p for t in values.get(key, ()) for e in expand(t) for p in plurals(e)))
    values["abbreviations"] = tuple(p for t in values.get("abbreviations", ()) for a in expand(t) for p in (a, f"{a}s"))
    empty = [t for key in STATES for t in values.get(key, ()) if not WORD.search(t)]
    if empty:
        raise ResourceError(f"{where}: the term {empty[0]!r} has no word. Remove it.")
    values["phrases"] = tuple(_read_phrase(p, where, own) for p in values.get("phrases", ()))
    for key, cls in (("medications", DrugRule), ("measurements", ValueRule)):
        values[key] = tuple(cls(**_checked(cls, rule, f"{where}, {key}")) for rule in values.get(key, ()))
    return Condition(**values)


def _read_phrase(entry: Any, where: str, own: bool) -> Phrase:
    """Check a phrase; the shipped patterns are compiled when a note first needs them."""
    phrase = entry if isinstance(entry, Phrase) else Phrase(**_checked(Phrase, entry, f"{where}, phrases"))
    try:
        if own:
            re.compile(phrase.pattern)
    except re.error as error:
        raise ResourceError(f"{where}, phrase {phrase.id!r}: bad regular expression, {error}. Correct it.") from error
    allowed = (None, LOOK_ALIKE, *FLAG_STATUSES[:-1])
    if phrase.status not in allowed:
        raise ResourceError(f"{where}, phrase {phrase.id!r}: unknown status {phrase.status!r}. Use one of {allowed}.")
    return phrase


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
        values[key] = tuple(value) if is_list else value
    return values


def _check_parents(found: Mapping[str, Condition], where: str) -> None:
    for definition in found.values():
        for parent in definition.parents:
            if parent not in found:
                raise ResourceError(f"{where}: {definition.id!r} has no known parent {parent!r}. Define or remove it.")


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
    for label, terms in (
        ("Stated by", d.names), ("Abbreviations", d.abbreviations), ("Procedures that state it", d.states_it),
        ("Wider terms (denied: absent; stated: uncertain)", d.wider), ("Not meant by", d.look_alikes),
        ("Phrases", [f"{p.id} ({p.status or 'read in context'}), as in {p.example!r}" for p in d.phrases]),
        ("Counts as this too", [c.name for c in known.values() if d.id in c.parents]),
        ("Implied by the drugs", [f"{', '.join(r.names)} ({r.source})" for r in d.medications]),
        ("Implied by the results", [_explain_value(r) for r in d.measurements]), ("ICD-10-CM", d.icd10cm),
    ):  # fmt: skip
        if terms:
            lines.append(f"{label}: {'; '.join(terms)}.")
    return "\n".join(lines)


def _explain_value(rule: ValueRule) -> str:
    limit = f">= {rule.at_least:g}" if rule.at_least is not None else f"<= {rule.at_most:g}"
    return f"{' or '.join(rule.tests)} {limit}{f' {rule.unit}' if rule.unit else ''} ({rule.source})"
