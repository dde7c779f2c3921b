"""Find vital signs and laboratory results.

A measurement is the name of a test, at most a few filling words, and a value that the test can have. Names, units,
limits and reference ranges are data: `resources/measurements.yml`.
"""

from __future__ import annotations

import re
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
REACH = 250  # characters after a name in which its values are looked for

NUM = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3},\d{1,2}(?!\d|[,.]\d)|\d+(?:\.\d+)?|\.\d+)"
DECIMAL_COMMA = re.compile(r",(?=\d{1,2}$)")
END = r"(?!\d|,\d{3}|/\d|:\d|\.\d)"
VALUE = {
    "number": re.compile(
        rf"(?P<sign>[<>≤≥]=?[ ]?)?(?P<first>{NUM})(?:s\b)?(?:[ ]?[-–][ ]?(?P<last>{NUM})(?:s\b)?)?{END}"
    ),
    "pressure": re.compile(
        rf"(?P<first>\d{{2,3}}){TO}[ ]?(?:/|over\b)[ ]?(?P<last>\d{{2,3}}){UP}{END}|(?P<tens>\d{{2,3}})s\b"
    ),
    "height": re.compile(
        r"(?P<feet>\d)[ ]?(?:'|’|ft\.?|feet|foot)[ ,]*\d{1,2}(?:\.\d+)?(?:[ ]?(?:\"|”|''|in(?:ches)?\b\.?))?"
        rf"|(?P<first>{NUM}){END}"
    ),
}
FLAG = re.compile(
    r"[ \t|]*(?:[(\[](?P<a>HH?|LL?|[Hh]igh|[Ll]ow|HIGH|LOW)(?=[;,)\] ])[)\]]?"
    r"|(?P<b>HH?|LL?|HIGH|LOW)(?=[ \t]*(?:$|[,;|.)\r\n]|[ \t]{2})|\t|[ ](?:[\d(<>*\[-]|[A-Z][A-Za-z0-9]*[ :=-]))"
    r"|[*!]+|(?P<c>[↑↓]))"
)
SERIES = re.compile(r"\d+(?:\.\d+)?%?(?:[ ]?(?:/|and\b|&)[ ]?\d+(?:\.\d+)?%?)+(?!\d|/\d)")
GAP = re.compile(r"[ \t]*\|[ \t]*|[ \t]{2,}|\t")
RANGE = re.compile(
    rf"(?:(?P<low>{NUM})[ ]?[-–][ ]?(?P<high>{NUM}){END}"
    rf"|(?:[<≤]=?[ ]?(?P<below>{NUM})|[>≥]=?[ ]?(?P<above>{NUM}))(?=[ \t]*(?:$|[|\r\n]|[HL*])))"
)
BRACKETED = re.compile(
    rf"[ \t]*[(\[](?:ref\w*|normal|range|nl)?[: ]*(?P<low>{NUM})[ ]?[-–][ ]?(?P<high>{NUM})[^()\[\]\n]{{0,10}}[)\]]"
    rf"|[ \t]*[(\[](?:ref\w*|normal|range|nl)?[: ]*(?:[<≤]=?[ ]?(?P<below>{NUM})|[>≥]=?[ ]?(?P<above>{NUM}))[ ]?[)\]]"
)
COMMA = re.compile(rf",[ ](?={NUM}[ ]?%?[ ]*(?:[,;.)\r\n]|$|and\b))|[ ]and[ ](?={NUM}[.,;)\r\n])")
PRESSURE_GAP = re.compile(r"[^\d\n.;]{0,30}")
LATER = re.compile(
    r"[^\d\n.;]{0,60}(?:[.;][^\d\n.;]{0,60})?\b(?:(?:de|in)creased|improv(?:ed|ing)|rose|fell|dropped|c[ao]me|went"
    r"|trended|normali[sz]ed|peaked|resolved|corrected|recovered|returned)(?:[ ](?:down|up|back))?[ ](?:to|at)[ ]"
    r"|[ ][^\d\n.;]{0,40},[ ](?=[\d.]+%?[ ](?:on|at|by)[ ](?:discharge|admission|presentation|arrival|transfer))"
)
PRONOUN = re.compile(r"\b(?:it|this|which|that|levels?)\b", re.IGNORECASE)
SATURATION = re.compile(
    r"(?<![\d.,/-])(?P<value>\d{2,3})[ ]?%[ \t]*(?:(?:on|in|w/)[ ]+)?(?:RA\b|R\.A\.|room[ -]air|NC\b|NRB\b"
    r"|nasal cannula|non-?rebreather|(?:Bi|C)PAP\b|supplemental|\d{1,2}(?:\.\d)?[ ]?(?:L\b|LPM\b|lit(?:er|re)s?\b))",
    re.IGNORECASE,
)
FIRST = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]+")
NUMBERED = re.compile(r"[ \t]*[:=-]?[ \t]*\d")  # what follows a weak name
CLAUSE = re.compile(r"[.;:\n]")
CHANGE = re.compile(r"\b(?:up|down|by|increased|decreased|dropped|fell|rose)[ ]*$")


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
    return float(DECIMAL_COMMA.sub(".", text).replace(",", ""))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A measurement with its test, and where the name of the test starts."""

    found: Measurement
    test: Test
    start: int


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
        90 or 60. A saturation without a name ("97% on RA") is given the name "oxygen saturation".

    Examples
    --------
    >>> from clinnlp.tokenizer import blank
    >>> doc = blank()("BP 169/74, Cr 1.4 -> 2.1, Na 134 (L)")
    >>> [(m.test, m.value, m.interpretation) for m in find_measurements(doc)]
    [('BP', '169/74', 'high'), ('Cr', '1.4', 'high'), ('Cr', '2.1', 'high'), ('Na', '134', 'low')]
    """
    text, rules = text_of(doc), load_rules()
    names = list(_names(text, rules))
    ends = [start for start, _, _ in names[1:]] + [len(text)]
    found = [
        Candidate(
            Measurement(v.start, v.end, text[start:end], text[v.start : v.end], v.number, v.unit, v.interpretation),
            test,
            start,
        )
        for (start, end, test), limit in zip(names, ends, strict=False)
        for v in _values(text, start, end, min(limit, end + REACH), test, rules)
    ]
    measurements = [c.found for i, c in enumerate(found) if not c.test.weak or _has_neighbour(found, i)]
    taken = {m.start for m in measurements}
    measurements.extend(m for m in _bare_saturations(text, rules) if m.start not in taken)
    return sorted(measurements, key=lambda m: m.start)


def _has_neighbour(found: list[Candidate], i: int) -> bool:
    """Say whether the measurement before or after is near and of another test."""
    return any(
        other.test.id != found[i].test.id
        and max(found[i].start - other.found.end, other.start - found[i].found.end) <= NEAR
        for other in found[max(0, i - 1) : i + 2]
    )


def _bare_saturations(text: str, rules: Rules) -> Iterator[Measurement]:
    scale = rules.tests["oxygen_saturation"].scales[0]
    for match in SATURATION.finditer(text):
        start, end = match.span("value")
        number = float(match["value"])
        if scale.least <= number <= scale.most:
            yield Measurement(start, end, "oxygen saturation", match["value"], number, "%", _compare(number, "", scale))


def _names(text: str, rules: Rules) -> Iterator[tuple[int, int, Test]]:
    """Find the names of tests: start, end, test."""
    reached = 0
    for word in FIRST.finditer(text):
        pattern = rules.names.get(word.group().lower())
        match = pattern.match(text, word.start()) if pattern and word.start() >= reached else None
        if match:
            name = match.group()
            test = rules.ids.get(name) or rules.ids.get(" ".join(name.lower().split()))
            reached = match.end()
            if test and (not rules.tests[test].weak or NUMBERED.match(text, reached)):
                yield match.start(), reached, rules.tests[test]


def _values(text: str, start: int, end: int, limit: int, test: Test, rules: Rules) -> Iterator[Value]:
    """Read the values that follow the name of a test."""
    filler = rules.filler.match(text, end, limit)
    pos = filler.end() if filler else end
    between, before = text[end:pos], CLAUSE.split(text[max(0, start - BEFORE) : start])[-1]
    if CHANGE.search(between) or rules.limit.search(before) or _ends_row(text, end, between):
        return
    if test.of and (SERIES.match(text, pos, limit) or not test.scales):
        yield from _series(text, pos, limit, test, rules)
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


def _series(text: str, pos: int, limit: int, test: Test, rules: Rules) -> Iterator[Value]:
    """Read the values of several tests under one name: "9.1/27.4", "9 and 26.3", "7.38 / 46 / 68"."""
    match = SERIES.match(text, pos, limit)
    if match is None:
        return
    for part, number in zip(test.of, re.finditer(NUM, match.group()), strict=False):
        scale = rules.tests[part].scale(float(number.group()), None)
        if scale is None:
            return
        start, end = pos + number.start(), pos + number.end()
        meaning = _compare(float(number.group()), "", scale)
        yield Value(start, end, end, float(number.group()), None, "", meaning)


def _next(text: str, pos: int, limit: int, test: Test, rules: Rules) -> Iterator[int]:
    """Give the places where another value of the same test may start."""
    patterns = [rules.link, GAP, COMMA, LATER] if test.kind != "pressure" else [rules.link, GAP, PRESSURE_GAP]
    for pattern in patterns:
        match = pattern.match(text, pos, limit)
        if match and (pattern is not LATER or "." not in match.group() or PRONOUN.search(match.group())):
            yield match.end()


def _value(text: str, pos: int, limit: int, test: Test, rules: Rules, unit: str | None = None) -> Value | None:
    """Read a value of the test at `pos`, with its unit, flag and reference range; None where there is none."""
    match = VALUE[test.kind].match(text, pos, limit)
    if match is None:
        return None
    written, after = _unit_at(text, match.end(), limit, test, rules)
    if written is None and rules.foreign.match(text, match.end()):
        return None
    unit = written or unit
    groups = match.groupdict()
    numbers = [_number(g) for k in ("first", "last", "tens") if (g := groups.get(k))]
    scales = [test.scale(n, unit and normalise(unit)) for n in numbers[: 1 if test.kind == "pressure" else 2]]
    if None in scales or (test.kind == "pressure" and len(numbers) == 2 and not 10 <= numbers[1] < numbers[0]):
        return None
    sign = (groups.get("sign") or "").strip()
    after, said, own = _tail(text, after, limit, test)
    if test.kind == "pressure":
        said, meaning = None, _compare_pressure(numbers, test)  # (L) is an arm
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
        if match := FLAG.match(text, pos, limit):
            mark = (match["a"] or match["b"] or match["c"] or "").lower()
            said = said or {"h": "high", "l": "low", "↑": "high", "↓": "low"}.get(mark[:1])
            pos = match.end()
        gap = GAP.match(text, pos, limit)
        match = RANGE.match(text, gap.end(), limit) if gap else BRACKETED.match(text, pos, limit)
        if match and not test.vital and own is None:
            groups = {k: _number(v) for k, v in match.groupdict().items() if v}
            low, high = groups.get("low", groups.get("above")), groups.get("high", groups.get("below"))
            own, pos = Scale(frozenset(), 0, 0, low, high), match.end()
    return pos, said, own


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
