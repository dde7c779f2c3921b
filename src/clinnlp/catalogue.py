"""The catalogue of vital signs and laboratory tests: names, units, plausible values and reference ranges.

It interprets `resources/measurements.yml`; `clinnlp.components.measurements` reads notes with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from clinnlp.resources import read_yaml

AMOUNT = (
    "kg|mg|mcg|[uµμ]g|g|gm|ng|pg|mmol|[uµμ]mol|mcmol|nmol|pmol|m?eq|m?[uµμ]?i?u|units|k|th|cells|copies|cp|ml|mm|mosm"
)
UNIT = (
    r"[ \t\xa0|]{0,12}(?P<unit>%(?:[ ]?predicted)?|[°º˚][ ]?[CF]?\b|(?:[x×][ ]?)?10[\^*(eE]{1,2}\d+\)?/[uµμ]?L"
    rf"|(?:{AMOUNT}|breaths|beats)/[ ]?[A-Za-zµμ][A-Za-z0-9.µμ²^]{{0,7}}(?:/[A-Za-z0-9.²^]{{1,7}})?"
    r"|/[ ]?(?:min(?:ute)?|[uµμ]L|mm3|mcL|cumm)\b|(?:WORDS)(?![A-Za-z/]))"
)
ARROW = r"[ \t]*(?:-{1,3}>|=>|→|<-{1,2}|>(?=[ ]?\d))[ ]*"
ASIDE = r"(?:[ ](?:on[ ])?(?:RA|room air)\b)?(?:[ \t]*\([^()\n]{1,25}\))?"
DOSED = re.compile(r"/(?:hr?|hour|kg|day|d|wk|week)\b")
DATE = (
    r"\d{1,2}/\d{1,2}(?:/\d{2,4})?(?=[ ]+(?:was|is|were)\b|[ ]?:)|\d{1,2}/\d{4}|\[\*\*[^\]\n]{1,30}\*\*\]|<DATE>"
    r"|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?[ ]\d{1,2}(?:,[ ]\d{4}|(?=[ ]))"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A system of units of a test: the numbers that are plausible in it, and its reference range."""

    units: frozenset[str]
    least: float
    most: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """A test of `measurements.yml`; a series ("H&H") is `of` several others."""

    id: str
    kind: str = "number"
    scales: tuple[Scale, ...] = ()
    of: tuple[str, ...] = ()
    vital: bool = False
    weak: bool = False
    high: tuple[float, float] | None = None
    low: tuple[float, float] | None = None

    def scale(self, number: float, unit: str | None) -> Scale | None:
        """Give the first scale in which the number and the unit make sense."""
        fitting = [s for s in self.scales if s.least <= number <= s.most]
        if unit and any(unit in s.units for s in self.scales):
            fitting = [s for s in fitting if unit in s.units]
        elif unit and ("/" not in unit or DOSED.search(unit)):
            return None
        return fitting[0] if fitting else None


@dataclass(frozen=True, slots=True)
class Rules:
    """The compiled content of `measurements.yml`."""

    tests: dict[str, Test]
    names: dict[str, re.Pattern[str]]  # the first letters of a name -> all names that start so
    ids: dict[str, str]  # name, as written or in lower case -> id of its test
    filler: re.Pattern[str]
    unit: re.Pattern[str]
    foreign: re.Pattern[str]
    limit: re.Pattern[str]
    comparing: re.Pattern[str]
    link: re.Pattern[str]
    units: dict[str, str]  # normalised -> as the table has it


@cache
def load_rules() -> Rules:
    """Read and compile `measurements.yml`."""
    data = read_yaml("measurements.yml")
    names, ids = _compile_names(data)
    units = {
        u for t in data["tests"] for s in t.get("scales", ()) for u in s["unit"] if u[0].isalpha() and "/" not in u
    }
    words = "|".join("[ ]?".join(map(re.escape, u.split())) for u in sorted(units, key=len, reverse=True))
    return Rules(
        tests={t["id"]: _test(t) for t in data["tests"]},
        names=names,
        ids=ids,
        filler=re.compile(
            r"(?:[ \t\xa0:=~≈,|+*–—-]++|\.(?=[ \t.:])|\.{2,}|\r?\n(?!\s*\n)|\([^()\d\r\n]{1,25}\)"
            rf"|(?:{_any(data['fillers'])})(?![A-Za-z])|(?:g/g|mg/g|#\d)\b|\d{{1,2}}[ ]?L(?=[ ]?:)|{DATE}){{0,24}}+\(?",
            re.IGNORECASE,
        ),
        unit=re.compile(UNIT.replace("WORDS", words), re.IGNORECASE),
        foreign=re.compile(rf"[ \t]?-?(?:{_any(data['foreign'])})(?![A-Za-z])|[A-Za-z]{{2}}|[+'\"’]"),
        limit=re.compile(rf"\b(?:{_any(data['limits'])})\b", re.IGNORECASE),
        comparing=re.compile(rf"\b(?:{_any(data['comparing'])})\b", re.IGNORECASE),
        units={normalise(way): unit for unit, ways in data["units"].items() for way in [unit, *ways]},
        link=re.compile(rf"{ASIDE}(?:{ARROW}|[ \t,;(]+(?:(?:{_any(data['links'])})[ \t:]+){{1,4}})"),
    )


def _compile_names(data: dict[str, Any]) -> tuple[dict[str, re.Pattern[str]], dict[str, str]]:
    entries = [
        (n, t["id"], key == "exact") for t in data["tests"] for key in ("names", "exact") for n in t.get(key, ())
    ]
    entries += [(name, "", False) for name in data["ignored"]]
    patterns: dict[str, list[str]] = {}
    ids: dict[str, str] = {}
    for name, test, exact in sorted(entries, key=lambda e: -len(e[0])):
        written = name.rstrip(":")
        end = r"(?=[ ]?:)" if name != written else r"(?!\w)" if name[-1].isdigit() else r"(?![A-Za-z])"
        pattern = r"\s{1,4}".join(map(re.escape, written.split())) + end + ("(?!/)" if len(name) == 1 else "")
        first = re.match("[a-z]+", written, re.IGNORECASE)
        patterns.setdefault(first.group().lower() if first else "", []).append(f"(?-i:{pattern})" if exact else pattern)
        ids[written if exact else written.lower()] = test
    return {k: re.compile("|".join(v), re.IGNORECASE) for k, v in patterns.items()}, ids


def _any(words: str) -> str:
    """Make alternatives of words, the longest first."""
    return "|".join(re.escape(w) for w in sorted(words.split(), key=len, reverse=True))


def _test(entry: dict[str, Any]) -> Test:
    options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    options["scales"] = tuple(
        Scale(frozenset(map(normalise, s["unit"])), *s["plausible"], *s.get("range", ()))
        for s in entry.get("scales", ())
    )
    return Test(**{k: v for k, v in options.items() if k in Test.__slots__})


def normalise(unit: str) -> str:
    """Write a unit in one way: "°F" and "F" as "f", "µL" as "ul", a bare "°" as "degrees"."""
    unit = re.sub(r"[\s.]", "", unit.lower()).replace("µ", "u").replace("μ", "u")
    return re.sub(r"^[°º˚]", "", unit) or "degrees"
