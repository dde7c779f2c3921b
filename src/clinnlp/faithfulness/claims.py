"""Read a text for what can be compared with another: words, findings, numbers, the person's age and sex."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from clinnlp.abbreviations import find_abbreviations
from clinnlp.components.context import Assertion, Reason, find_assertions
from clinnlp.components.extensions import CONDITIONS, text_of
from clinnlp.faithfulness.wording import WORD, Word, find_phrase, names_of, split_words, stem, vocabulary
from clinnlp.schema import AXES

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

COUNTED = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBERS = {word: float(i) for i, word in enumerate(COUNTED, 1)} | {"twenty": 20.0, "thirty": 30.0}
NUMBERS |= {"a": 1.0, "an": 1.0, "half": 0.5, "once": 1.0, "twice": 2.0, "half a": 0.5, "half an": 0.5}
UNITS = {
    unit: (kind, factor)
    for kind, factor, units in (
        ("time", 1 / 1440, "minute min"), ("time", 1 / 24, "hour hr h"), ("time", 1.0, "day d night"),
        ("time", 7.0, "week wk w"), ("time", 30.4, "month mo mth"), ("time", 365.0, "year yr y"),
        ("time", 3650.0, "decade"), ("length", 1.0, "mm"), ("length", 10.0, "cm"), ("length", 25.4, "inch"),
        ("volume", 1.0, "ml cc"), ("volume", 1000.0, "l liter litre"), ("weight", 1.0, "kg"),
        ("weight", 0.4536, "lb pound"), ("mass", 1000.0, "g"), ("mass", 1.0, "mg"), ("mass", 0.001, "mcg"),
        ("share", 1.0, "% percent"), ("pack", 1.0, "pack ppd"), ("heat", 1.0, "degree"),
    )
    for unit in units.split()
}  # fmt: skip
ANY_NUMBER = "|".join(sorted(NUMBERS, key=len, reverse=True))
ANY_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
ORGANS = frozenset(["breast", "prostat", "lung", "colon", "bladder", "thyroid", "ovarian", "cervical", "renal", "skin"])
NUMBER = r"\d+(?:[.,]\d+)?(?:/\d+(?:\.\d+)?)?"
QUANTITY = re.compile(
    rf"(?<![\w.,/])(?P<number>{NUMBER}|(?:{ANY_NUMBER})(?=[ -]))(?:[ ]?(?:-|–|to)[ ]?(?P<last>\d+))?"
    rf"[ -]?(?:more[ ]|full[ ])?(?P<unit>{ANY_UNIT})s?\b"
    rf"|\b(?:fevers?|febrile|temp(?:erature)?|tmax|T|Tm)\b[^\d\n]{{0,12}}(?P<heat>(?:1[01]\d|9\d|3[5-9]|4[0-2])(?:\.\d)?)\b"
    rf"|(?<![\w.,/])(?P<percent>\d+(?:\.\d+)?)[ ]?%"
    rf"|(?<![\w.,/$-])(?P<year>(?:19|20)\d\d)(?![\w/])"
    rf"|(?<=stage )(?P<stage>[1-5]|I{{1,3}}V?|IV)(?P<letter>[ab]?)\b",
    re.IGNORECASE,
)
SPAN = re.compile(
    r"\b(?:for|in|about|within|after|over|than|lasting|x)[ ]$", re.IGNORECASE
)  # "for a week", not "once a week"
AGE = re.compile(
    r"(?<![\d./])(?P<a>\d{1,3})(?:[ -]1/2)?[ -]?(?:years?|yrs?|y)(?:[ -]|/|\.)?(?:olds?|o)\b\.?"
    r"|(?<![\d./])(?P<b>\d{1,3})[ ]?(?:-?year-?old|yo\b|y\.o\.|y/o)"
    r"|\baged?[: ]+(?P<c>\d{1,3})\b"
    r"|\b(?:[Hh]e|[Ss]he|[Pp]atient|Mrs?\.? \w+|Ms\.? \w+)(?: is| was|,)(?: currently)?"
    r" (?P<d>\d{1,3})(?=[.,;]|\s*$| and\b| years?\b(?! of\b))"
    r"|(?<![\w./])(?P<e>\d{1,3})[ ]?(?P<sex>[MF])\b"
)
SEX = re.compile(
    r"\b(?P<female>female|woman|lady|girl|gentlewoman|G\d+P\d+\w*|mrs|ms)\b|\b(?P<male>male|man|gentleman|boy|mr)\b",
    re.IGNORECASE,
)
PRONOUN = re.compile(r"\b(?:(?P<female>she|her|hers|herself)|(?P<male>he|his|him|himself))\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """A disease, symptom, procedure or test in the text."""

    start: int
    end: int
    label: str
    code: str | None
    conditions: frozenset[str]
    assertion: Assertion


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts; `low` and `high` are in the unit of its kind."""

    start: int
    end: int
    kind: str
    low: float
    high: float


@dataclass(slots=True)
class Reading:
    """A text and what was read in it."""

    doc: Doc
    text: str
    words: list[Word]
    sentences: list[tuple[int, int]]
    findings: list[Finding]
    quantities: list[Quantity]
    age: tuple[int, int, float] | None
    sex: tuple[int, int, str] | None
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # name -> numbers of the words
    assertions: dict[int, Assertion] = field(default_factory=dict)  # start of a word -> what is asserted of it

    def sentence_at(self, position: int) -> int:
        """Give the number of the sentence that holds a character."""
        return max(0, bisect_right(self.sentences, (position, 10**9)) - 1)

    def words_in(self, start: int, end: int) -> list[Word]:
        """Give the words from `start` to `end`."""
        first = bisect_right(self.words, start - 1, key=lambda w: w.start)
        last = bisect_right(self.words, end - 1, key=lambda w: w.start)
        return self.words[first:last]

    def sentence_words(self, number: int) -> list[Word]:
        """Give the words of a sentence."""
        return self.words_in(*self.sentences[number])


@lru_cache(maxsize=8)
def read(nlp: Language, text: str) -> Reading:
    """Run the pipeline over a text and read it."""
    doc = nlp(text)
    text = text_of(doc)
    if doc.has_annotation("SENT_START"):
        sentences = [(s.start_char, s.end_char) for s in doc.sents]
    else:
        sentences = [(0, len(text))]
    reading = Reading(doc, text, [], sentences, [], [], None, None)
    reading.words = list(_words(doc, text, reading))
    for number, word in enumerate(reading.words):
        for name in word.names:
            reading.places[name].append(number)
    stated = [w for w in reading.words if not w.names <= vocabulary().empty]
    spans = [(w.start, doc.char_span(w.start, w.end, alignment_mode="expand")) for w in stated]
    known = [(start, span) for start, span in spans if span is not None]
    found = find_assertions(doc, [span for _, span in known])
    reading.assertions = {start: assertion for (start, _), assertion in zip(known, found, strict=True)}
    reading.findings = sorted(_findings(doc, reading), key=lambda f: f.start)
    reading.quantities = list(_quantities(text))
    reading.age, reading.sex = _age(reading), _sex(reading)
    return reading


def _words(doc: Doc, text: str, reading: Reading) -> Iterator[Word]:
    """Give the words of a text, phrases of the synonyms as one."""
    known = vocabulary()
    matches = [(start, start + len(word), word) for start, word in split_words(text)]
    stems = [stem(w) for _, _, w in matches]
    longs = {a.start: a for a in find_abbreviations(doc) if a.long}
    headers = [(s.start, s.body_start) for s in doc._.sections]
    i = 0
    while i < len(matches):
        start = matches[i][0]
        count, names = find_phrase(known, [w for _, _, w in matches[i : i + 6]], stems[i : i + 6])
        end = matches[i + count - 1][1]
        parts = stems[i : i + count]
        if parts == ["ca"] and i and stems[i - 1] in ORGANS:
            names = ["carcinoma"]
        ways = [] if count > 1 and any(p.isdigit() for p in parts) else [frozenset(parts)]
        if start in longs and count == 1:
            ways += names_of(known, [stem(w) for w in WORD.findall(longs[start].long or "")])
        if start not in longs or count > 1 or len(longs[start].senses) == 1:
            ways += [frozenset({name}) for name in names]
        at = bisect_right(headers, (start, 10**9)) - 1
        yield Word(start, end, tuple(ways), reading.sentence_at(start), at >= 0 and start < headers[at][1])
        i += count


def _findings(doc: Doc, reading: Reading) -> Iterator[Finding]:
    """Give the findings: entities, and the condition terms that no entity covers."""
    groups = list(doc.spans.get(CONDITIONS, ()))
    entities = [e for e in doc.ents if e.label_ in ("DISEASE", "SYMPTOM", "PROCEDURE", "MEDICATION")]
    spans = [*entities]
    for group in groups:
        if not any(e.start < group.end and group.start < e.end for e in spans):
            spans.append(group)
    spans.sort(key=lambda s: s.start)
    for span, assertion in zip(spans, find_assertions(doc, spans), strict=True):
        telling = [
            w
            for w in reading.words_in(span.start_char, span.end_char)
            if not any(y <= vocabulary().weak for y in w.ways)
        ]
        head = telling[-1].start if telling else span.start_char
        same = frozenset(g.label_ for g in groups if g.start_char <= head < g.end_char)
        label = span.label_ if span.label_.isupper() else "DISEASE"
        code = span._.code if span.label_.isupper() and label != "MEDICATION" else None
        yield Finding(span.start_char, span.end_char, label, code, same, assertion)
    yield from _phrases(doc, spans)


def _phrases(doc: Doc, spans: list[Span]) -> Iterator[Finding]:
    """Give what phrases state of a condition ("nonsmoker"), where no other finding is."""
    from clinnlp.conditions import load
    from clinnlp.flags import find_flags

    for e in find_flags(doc, load())[1]:
        axis = "negated" if e.assertion == "absent" else e.assertion
        if axis in (*AXES, "present") and not any(s.start_char < e.end and e.start < s.end_char for s in spans):
            why = {axis: Reason(e.text, e.start, e.end, e.rule, (e.start, e.end))} if axis in AXES else {}
            yield Finding(e.start, e.end, "DISEASE", None, frozenset({e.condition}), Assertion(e.start, e.end, **why))  # type: ignore[arg-type]


def _quantities(text: str) -> Iterator[Quantity]:
    """Give the numbers with a unit, the years and the stages."""
    for m in QUANTITY.finditer(text):
        if m["year"]:
            yield Quantity(m.start(), m.end(), "year", float(m["year"]), float(m["year"]))
        elif m["stage"]:
            roman = {"i": 1.0, "ii": 2.0, "iii": 3.0, "iv": 4.0}
            number = roman.get(m["stage"].lower()) or float(m["stage"])
            yield Quantity(m.start(), m.end(), "stage", number, number)
        elif m["heat"]:
            yield Quantity(m.start("heat"), m.end(), "heat", float(m["heat"]), float(m["heat"]))
        elif m["percent"]:
            yield Quantity(m.start(), m.end(), "share", float(m["percent"]), float(m["percent"]))
        else:
            kind, factor = UNITS[m["unit"].lower()]
            low = _number(m["number"])
            is_rate = m["number"].lower() in ("a", "an") and not SPAN.search(text[max(0, m.start() - 12) : m.start()])
            if low is not None and low > 0 and not is_rate:
                high = float(m["last"]) if m["last"] else low
                yield Quantity(m.start(), m.end(), kind, low * factor, high * factor)


def _number(written: str) -> float | None:
    if written.lower() in NUMBERS:
        return NUMBERS[written.lower()]
    first, _, second = written.partition("/")
    number = float(first.replace(",", "." if re.search(r",\d{1,2}$", first) else ""))
    return number / float(second) if second and float(second) else number


def _age(reading: Reading) -> tuple[int, int, float] | None:
    """Find the patient's age: the first that is no relative's."""
    for m in AGE.finditer(reading.text):
        number = next(float(m[g]) for g in "abcde" if m[g])
        rest = reading.text[m.end() : m.end() + 12].lower()
        if number <= 115 and not _of_relative(reading, m.start()) and not rest.startswith((" history", " ago")):
            return m.start(), m.end(), number
    return None


def _sex(reading: Reading) -> tuple[int, int, str] | None:
    """Find the patient's sex: what is said of it, else what most pronouns say."""
    for m in SEX.finditer(reading.text):
        if not _of_relative(reading, m.start()):
            return m.start(), m.end(), m.lastgroup or ""
    short = re.search(r"(?<![\w./])\d{1,3}[ ]?(?:-?year-?old|y/?\.?o\.?|yrs?)?[ ,]*(?P<sex>[MF])\b", reading.text)
    if short:
        return short.start("sex"), short.end("sex"), "female" if short["sex"] == "F" else "male"
    found = list(PRONOUN.finditer(reading.text))
    kinds = {m.lastgroup for m in found}
    return (found[0].start(), found[0].end(), found[0].lastgroup or "") if len(kinds) == 1 else None


def _of_relative(reading: Reading, position: int) -> bool:
    """Say whether a relative is named in the 40 characters in front, in the same sentence."""
    start = max(position - 40, reading.sentences[reading.sentence_at(position)][0])
    return any(w.lower() in vocabulary().relatives for w in re.findall("[A-Za-z]+", reading.text[start:position]))


def relatives_in(reading: Reading, position: int) -> frozenset[str]:
    """Give the relatives that are named in the sentence of a character, in front of it or behind it if none is."""
    known, (start, end) = vocabulary().relatives, reading.sentences[reading.sentence_at(position)]
    named = [
        (m.start(), known[m.group().lower()])
        for m in re.finditer(r"[A-Za-z]+", reading.text[start:end])
        if m.group().lower() in known
    ]
    before = [name for at, name in named if at + start < position]
    return frozenset(before[-1:] or [name for _, name in named[:1]])
