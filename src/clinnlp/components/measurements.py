"""Find vital signs and laboratory results.

A measurement is the name of a test, at most a few filling words, and a value that the test can have. Names, units,
limits and reference ranges are data: `resources/measurements.yml`.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.catalogue import Rules, Scale, Test, load_rules, normalise
from clinnlp.components.extensions import text_of
from clinnlp.resources import read_yaml
from clinnlp.schema import Measurement

NEAR = 40  # characters within which a weak name needs another measurement
BEFORE = 40  # characters before a name in which a word can make its value a goal
WRAP = 55  # a line of at least so many characters may go on in the next one
LIST = 600  # characters after the head of a list of tests that may be in the list
REACH = 250  # characters after a name in which its values are looked for

ENDS = (("low", "above", "least"), ("high", "below", "most"))  # groups with the ends of a range of normal values
DECIMAL_COMMA = re.compile(r",(?=\d{1,2}$)")
MINUS = re.compile(r"^(?:[-−–][ ]?|minus[ ])")
DASH = re.compile(r"[-–][ ]?$")
PAIR = (("upper", "first"), ("until", "last"))  # where the ends of a range stand: "120-130/70-80"
LISTED = ("number", "score", "series", "panel")  # kinds of tests whose values may stand in a list
PRONOUN = re.compile(r"\b(?:it|this|which|that|levels?)\b", re.IGNORECASE)
FIRST = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]+")
NUMBERED = re.compile(r"[ \t]*+(?:[:=-][ \t]*+)?\d")  # what follows a weak name
CLAUSE = re.compile(r"[.;:\n]")
CHANGE = re.compile(r"\b(?:up|down|by|increased|decreased|dropped|fell|rose)[ ]*$")


@cache
def load_patterns() -> dict[str, re.Pattern[str]]:
    """Compile the regular expressions of `measurements.yml`."""
    written: dict[str, str] = {}
    for name, pattern in read_yaml("measurements.yml")["patterns"].items():
        written[name] = re.sub(r"\{([a-z_]+)\}", lambda m: f"(?:{written[m[1]]})", pattern)
    return {name: re.compile(pattern, re.VERBOSE) for name, pattern in written.items()}


@cache
def load_fluid_tests() -> dict[str, Test]:
    """Give the tests of the blood as tests of another fluid: with any value, and without a reference range."""
    tests = load_rules().tests
    units = {
        name: frozenset().union(*(s.units for s in tests[name].scales))
        for name in read_yaml("measurements.yml")["blood"]
    }
    return {name: replace(tests[name], scales=(Scale(u, 0, 1e5),)) for name, u in units.items()}


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the text; `after` is where its unit, flag and reference range end."""

    start: int
    end: int
    after: int
    number: float | None
    unit: str | None
    sign: str
    interpretation: str | None


def _number(text: str) -> float:
    """Read a number with a comma between thousands, or before one or two decimals."""
    return float(DECIMAL_COMMA.sub(".", MINUS.sub("-", text)).replace(",", ""))


@dataclass(frozen=True, slots=True)
class Name:
    """A test in the text, and what it is called; that of another fluid covers the fluid ("urine Na")."""

    start: int
    end: int
    test: Test
    label: str


def find_measurements(doc: Doc) -> list[Measurement]:
    """Find the vital signs and laboratory results of a doc, in the order of the text.

    Parameters
    ----------
    doc
        Any doc; only its text is read.

    Returns
    -------
    list of Measurement
        `start` and `end` cover the value as written ("169/74", "35-40", "<0.01"). `number` is set where the value is
        one number, thousands separators taken out; `unit` is spelled in one way ("gm/dl" as "g/dL"). `interpretation`
        is the flag in the note where there is one, else the comparison with the range that the note gives, else with
        the adult range of `measurements.yml`. A blood pressure is high from 140 systolic or 90 diastolic, and low below
        90 or 60. The ranges are those of blood: a test of another fluid ("urine Na 61") is compared with none. A score
        has the points as `number` ("18/30"). A saturation without a name ("97% on RA") is given the name "oxygen
        saturation", the values of a panel ("CBC 12.3>9.8/29.1<210") those of its tests.

    Examples
    --------
    >>> from clinnlp.tokenizer import blank
    >>> doc = blank()("BP 169/74, Cr 1.4 -> 2.1, Na 134 (L)")
    >>> [(m.test, m.value, m.interpretation) for m in find_measurements(doc)]
    [('BP', '169/74', 'high'), ('Cr', '1.4', 'high'), ('Cr', '2.1', 'high'), ('Na', '134', 'low')]
    """
    text, rules = text_of(doc), load_rules()
    found = list(_read(text, list(_names(text, rules)), rules))
    measurements = [
        Measurement(v.start, v.end, name.label, text[v.start : v.end], v.number, v.unit, v.interpretation)
        for i, (name, v) in enumerate(found)
        if not name.test.weak or _has_neighbour(found, i)
    ]
    taken = {m.start for m in measurements}
    measurements.extend(m for m in _bare_saturations(text, rules) if m.start not in taken)
    return sorted(measurements, key=lambda m: m.start)


def _has_neighbour(found: list[tuple[Name, Value]], i: int) -> bool:
    """Say whether the measurement before or after is near and of another test."""
    (name, value), near = found[i], found[max(0, i - 1) : i + 2]
    return any(
        other.test.id != name.test.id and max(name.start - v.end, other.start - value.end) <= NEAR for other, v in near
    )


def _bare_saturations(text: str, rules: Rules) -> Iterator[Measurement]:
    scale = rules.tests["oxygen_saturation"].scales[0]
    for match in load_patterns()["saturation"].finditer(text):
        start, end = match.span("value")
        number = float(match["value"])
        if scale.least <= number <= scale.most:
            yield Measurement(start, end, "oxygen saturation", match["value"], number, "%", _compare(number, "", scale))


def _names(text: str, rules: Rules) -> Iterator[Name]:
    """Find the names of tests."""
    patterns, fluid_tests, reached, fluid = load_patterns(), load_fluid_tests(), 0, False
    lists: list[tuple[int, int]] | None = None
    for word in FIRST.finditer(text):
        pattern = rules.names.get(word.group().lower())
        match = pattern.match(text, word.start()) if pattern and word.start() >= reached else None
        if match:
            name, end = match.group(), reached
            test = rules.ids.get(name) or rules.ids.get(" ".join(name.lower().split()))
            start, reached = match.span()
            own = patterns["fluid"].search(text, max(0, start - BEFORE), start) if test in fluid_tests else None
            if test in fluid_tests:
                lists = _fluid_lists(text) if lists is None else lists
                goes_on = fluid and patterns["joint"].fullmatch(text, end, start) is not None
                fluid = own is not None or goes_on or lists[bisect(lists, (start, len(text))) - 1][1] > start
            else:
                fluid = False
            if test and (not rules.tests[test].weak or NUMBERED.match(text, reached)):
                start = own.start() if own else start
                yield Name(start, reached, (fluid_tests if fluid else rules.tests)[test], text[start:reached])


def _fluid_lists(text: str) -> list[tuple[int, int]]:
    """Give the parts of a text, after an empty one, that list tests of another fluid than blood ("UA: WBC 20-50")."""
    lists, stops = [(0, 0)], load_patterns()["fluid_end"]
    for head in load_patterns()["fluid_head"].finditer(text):
        limit = min(head.end() + LIST, len(text))
        ends = stops.finditer(text, head.end(), limit)
        lists.append((head.end(), next((m.start() for m in ends if not (head["block"] and m["sentence"])), limit)))
    return lists


def _read(text: str, names: list[Name], rules: Rules) -> Iterator[tuple[Name, Value]]:
    """Read the values of names, or of several names that stand together ("ESR and CRP were 40 and 12")."""
    i, joint = 0, load_patterns()["joint"]
    while i < len(names):
        run = [names[i]]
        while (n := i + len(run)) < len(names) and joint.fullmatch(text, run[-1].end, names[n].start):
            run.append(names[n])
        limit = min(names[n].start if n < len(names) else len(text), run[-1].end + REACH)
        shared = list(_shared(text, run, limit, rules))
        yield from shared
        for name, stop in zip(run, [*(r.start for r in run[1:]), limit], strict=True) if not shared else ():
            yield from ((name, v) for v in _values(text, name, stop, rules))
        i = n


def _shared(text: str, run: list[Name], limit: int, rules: Rules) -> Iterator[tuple[Name, Value]]:
    """Read a value of each test that the names stand for, one after the other; nothing where they are fewer or more."""
    together = len(run) > 1 or run[0].test.kind == "panel"
    opening = _opening(text, run[-1], limit, rules) if together else None
    if opening and all(name.test.kind in LISTED for name in run):
        parts = [part for name in run for part in _parts(name, rules)]
        values = list(_series(text, opening[0], limit, [part.test for part in parts], rules))
        if len(values) == len(parts) and not load_patterns()["more"].match(text, values[-1].after):
            yield from zip(parts, values, strict=True)


def _parts(name: Name, rules: Rules) -> list[Name]:
    """Give the tests that one name stands for: two for "Hgb/Hct", those of a panel under their own names."""
    of = name.test.of
    labels = [part.replace("_", " ") for part in of] if name.test.kind == "panel" else name.label.split("/")
    labels = labels if len(labels) == len(of) else [name.label] * len(of)
    return [Name(name.start, name.end, rules.tests[t], label) for t, label in zip(of, labels, strict=True)] or [name]


def _opening(text: str, name: Name, limit: int, rules: Rules) -> tuple[int, str, str] | None:
    """Give where the value of a name may start, what stands before it and before the name; None where none may."""
    filler = rules.filler.match(text, name.end, limit)
    pos = filler.end() if filler else name.end
    between, before = text[name.end : pos], CLAUSE.split(text[max(0, name.start - BEFORE) : name.start])[-1]
    if CHANGE.search(between) or rules.limit.search(before) or _ends_row(text, name.end, between):
        return None
    minus = DASH.search(between) if name.test.kind == "signed" else None
    return (name.end + minus.start() if minus else pos), between, before


def _values(text: str, name: Name, limit: int, rules: Rules) -> Iterator[Value]:
    """Read the values that follow the name of a test."""
    test, opening = name.test, _opening(text, name, limit, rules)
    if opening is None:
        return
    pos, between, before = opening
    series = load_patterns()["series"].match(text, pos, limit) if test.of else None
    if series and test.kind != "panel":
        yield from _series(text, pos, series.end(), [rules.tests[t] for t in test.of], rules)
    if series or not test.scales:
        return
    value = _value(text, pos, limit, test, rules, _unit_in(between, test, rules))
    if value is None or _is_list_number(text, value, between):
        return
    compared = between.rstrip().endswith("than")
    if (value.sign or compared) and rules.comparing.search(before):
        return
    value = replace(value, number=None) if compared else value
    while value:
        yield value
        value = next(
            (v for p in _next(text, value.after, limit, test, rules) if (v := _value(text, p, limit, test, rules))),
            None,
        )


def _ends_row(text: str, end: int, between: str) -> bool:
    """Say whether a name ends a row of headings, so that the next line belongs to the first of them."""
    short = end <= WRAP or "\n" in text[end - WRAP : end]
    return "\n" in between and short and not re.search("[A-Za-z:=]", between)


def _is_list_number(text: str, value: Value, between: str) -> bool:
    return (
        ("\n" in between or "." in between)
        and value.end - value.start <= 2
        and re.match(r"[.)](?!\d)", text[value.end : value.end + 2]) is not None
    )


def _unit_in(between: str, test: Test, rules: Rules) -> str | None:
    """Find the unit in "Glucose (mg/dL): 110"."""
    match = rules.unit.search(between) if "(" in between or "/" in between else None
    return match["unit"] if match and any(normalise(match["unit"]) in s.units for s in test.scales) else None


def _series(text: str, pos: int, limit: int, tests: Sequence[Test], rules: Rules) -> Iterator[Value]:
    """Read a value of each test, one after the other, as long as they make sense: "9.1/27.4", "7.38 / 46 / 68"."""
    for i, test in enumerate(tests):
        joint = load_patterns()["joint"].match(text, pos, limit) if i else None
        match = load_patterns()["num"].match(text, joint.end() if joint else pos, limit)
        if match is None or (i and joint is None):
            return
        unit, after = _unit_at(text, match.end(), limit, test, rules)
        number = _number(match.group())
        scale = test.scale(number, unit and normalise(unit))
        if scale is None or (unit is None and rules.foreign.match(text, match.end())):
            return
        unit = unit and rules.units.get(normalise(unit), unit)
        yield Value(match.start(), match.end(), after, number, unit, "", _compare(number, "", scale))
        pos = after


def _next(text: str, pos: int, limit: int, test: Test, rules: Rules) -> Iterator[int]:
    """Give the places where another value of the same test may start."""
    known = load_patterns()
    gaps = ("pressure_gap",) if test.kind == "pressure" else ("dated", "comma", "later")
    when = known["when"].match(text, pos, limit)
    for start, names in ((pos, [*gaps, "gap"]), *([(when.end(), gaps)] if when else [])):
        for pattern in (rules.link, *(known[name] for name in names)):
            match = pattern.match(text, start, limit)
            if match and (pattern is not known["later"] or "." not in match.group() or PRONOUN.search(match.group())):
                yield match.end()


def _value(text: str, pos: int, limit: int, test: Test, rules: Rules, unit: str | None = None) -> Value | None:
    """Read a value of the test at `pos`, with its unit, flag and reference range; None where there is none."""
    match = load_patterns()[test.kind].match(text, pos, limit)
    if match is None:
        return None
    written, after = _unit_at(text, match.end(), limit, test, rules)
    if (written is None and rules.foreign.match(text, match.end())) or load_patterns()["criterion"].match(text, after):
        return None
    unit = written or unit
    groups = match.groupdict()
    numbers = [_number(g) for k in ("first", "last", "tens") if (g := groups.get(k))]
    scales = [test.scale(n, unit and normalise(unit)) for n in numbers[: 1 if test.kind == "pressure" else 2]]
    if None in scales or (test.kind == "pressure" and len(numbers) == 2 and not 10 <= numbers[1] < numbers[0]):
        return None
    if (most := groups.get("most")) and float(most) != test.scales[0].most:
        return None
    sign = (groups.get("sign") or "").strip()
    after, said, own = _tail(text, after, limit, test)
    if test.kind == "pressure":
        upper = [_number(groups[k] or groups[or_else]) for k, or_else in PAIR if groups[or_else]]
        said, meanings = None, {_compare_pressure(numbers, test), _compare_pressure(upper, test)}  # (L) is an arm
    else:
        meanings = {_compare(n, sign, own or s) for n, s in zip(numbers, scales, strict=True) if s}
    meaning = meanings.pop() if len(meanings) == 1 else None
    number = numbers[0] if len(numbers) == 1 and not sign and text[match.end() - 1] != "s" else None
    unit = unit and rules.units.get(normalise(unit), unit)
    return Value(match.start(), match.end(), after, number, unit, sign, said or meaning)


def _unit_at(text: str, pos: int, limit: int, test: Test, rules: Rules) -> tuple[str | None, int]:
    """Read a unit; a word that is no unit of this test ("c", "in") is not one."""
    match = rules.unit.match(text, pos, limit)
    if match and (re.search("[/%]", match["unit"]) or any(normalise(match["unit"]) in s.units for s in test.scales)):
        return match["unit"], match.end()
    return None, pos


def _tail(text: str, pos: int, limit: int, test: Test) -> tuple[int, str | None, Scale | None]:
    """Read the flag and the laboratory's own range, in either order: where they end, the flag, the range."""
    said = own = None
    for _ in range(2):
        if match := load_patterns()["flag"].match(text, pos, limit):
            mark = (match["a"] or match["b"] or match["c"] or "").lower()
            said = said or {"h": "high", "l": "low", "↑": "high", "↓": "low"}.get(mark[:1])
            pos = match.end()
        match, is_named = _own_range(text, pos, limit, test, text[pos - 1].isdigit())
        if match and (is_named or not test.vital) and own is None:
            groups = {k: _number(v) for k, v in match.groupdict().items() if v}
            low, high = (next((groups[k] for k in keys if k in groups), None) for keys in ENDS)
            own, pos = Scale(frozenset(), 0, 0, low, high), match.end()
    return pos, said, own


def _own_range(text: str, pos: int, limit: int, test: Test, bare: bool) -> tuple[re.Match[str] | None, bool]:
    """Find the laboratory's own range, and whether words name it; right after a `bare` number it is no date."""
    patterns = load_patterns()
    if named := patterns["named"].match(text, pos, limit):
        return named, True
    if gap := patterns["gap"].match(text, pos, limit):
        return patterns["range"].match(text, gap.end(), limit), False
    beside = patterns["printed" if bare else "beside"].match(text, pos, limit)
    low, high = (_number(beside["low"]), _number(beside["high"])) if beside else (1.0, 0.0)
    if low < high and any(low <= (s.high or low) and high >= (s.low or high) for s in test.scales):  # no date
        return beside, False
    return patterns["bracketed"].match(text, pos, limit), False


def _compare(number: float, sign: str, scale: Scale) -> str | None:
    """Compare a number with the range of a scale; `sign` is what stood before it, as in ">500"."""
    if scale.low is None and scale.high is None:
        return None
    if scale.high is not None and (number > scale.high or (sign == ">" and number >= scale.high)):
        return None if sign.startswith(("<", "≤")) else "high"
    if scale.low is not None and (number < scale.low or (sign == "<" and number <= scale.low)):
        return None if sign.startswith((">", "≥")) else "low"
    return "normal"


def _compare_pressure(numbers: list[float], test: Test) -> str | None:
    if len(numbers) < 2 or test.high is None or test.low is None:
        return None
    if any(n >= limit for n, limit in zip(numbers, test.high, strict=True)):
        return "high"
    return "low" if any(n < limit for n, limit in zip(numbers, test.low, strict=True)) else "normal"


@Language.factory("clinnlp_measurements")
class Measurements:
    """Store the vital signs and laboratory results of a doc in `doc._.measurements`.

    See `find_measurements` for what is found.
    """

    def __init__(self, nlp: Language, name: str = "clinnlp_measurements") -> None:
        self.name = name
        load_rules()

    def __call__(self, doc: Doc) -> Doc:
        """Add the measurements of the doc."""
        doc._.measurements = tuple(find_measurements(doc))
        return doc
