"""Reading the directions of a prescription ("sig"): dose, form, route, frequency and duration, as they are written.

The patterns are data: `resources/medications.yml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from clinnlp.resources import read_yaml

KINDS = ("duration", "frequency", "dose", "route", "form")  # the order in which they are tried at a place
UNKNOWN = 3  # words that no list holds and that may stand between a drug and its dose or frequency
LEAD = 60  # characters before a drug in which its leading parts are looked for
BREAK = re.compile(r"[.;!?](?=\s|$)|\n[ \t\r]*\n|\n[ \t]*(?:[-*•#]|\d{1,2}[.)][ ])|\[[ xX]?\]")
SENTENCE = re.compile(r"\s*(?:$|[A-Z(\[#*•-]|\d{1,2}[.)])")  # what follows the full stop of a sentence
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
NEXT_TO = re.compile(r"[ \t]*+(?:[,:/(-][ \t]*+)?(?:\r?\n[ \t]*+)?(?:and[ ]|or[ ])?")
CHANGED = re.compile(r"\bfrom[ ]$")


@dataclass(slots=True)
class Sig:
    """The parts of a prescription, each as start and end in the text, and where the last one ends."""

    end: int
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def quote(self, text: str) -> dict[str, str]:
        """Give the parts as they are written."""
        return {kind: text[start:end] for kind, (start, end) in self.parts.items()}


@dataclass(frozen=True, slots=True)
class Patterns:
    """The compiled patterns of `medications.yml`."""

    part: re.Pattern[str]  # any part of a sig; the group that matched names the kind
    bare: re.Pattern[str]  # a dose without a unit
    counted: re.Pattern[str]  # the unit of a dose in tablets, puffs, ...
    leading: re.Pattern[str]  # parts right before a drug
    next_leading: re.Pattern[str]  # the same, after another drug
    fillers: frozenset[str]
    stops: frozenset[str]


@cache
def load_patterns() -> Patterns:
    """Read and compile the patterns of `medications.yml`."""
    data = read_yaml("medications.yml")
    kinds = {kind: [fill(p["pattern"], data) for p in rules] for kind, rules in data["attributes"].items()}
    united, *bare = kinds["dose"]
    part = "|".join(f"(?P<{kind}>{united if kind == 'dose' else '|'.join(kinds[kind])})" for kind in KINDS)
    lead = rf"""(?:(?P<dose>{united})[ ](?:(?:{fill("{FORM}", data)})[ ])?(?:of[ ])?(?:[\d.]+[ ]?%[ ])?
        |(?P<number>\d[\d,.]*)[ ]of[ ]|(?P<small>{data["leading_dose"]})[ ]
        |(?P<route>{fill("{ROUTE}", data)})[ ]|(?P<frequency>{data["leading_frequency"]})[ ])+$"""
    flags = re.IGNORECASE | re.VERBOSE
    return Patterns(
        part=re.compile(rf"(?<![A-Za-z])(?:{part})", flags),
        bare=re.compile(
            rf"(?:[ ](?:[xcesil]r|la|xl|dr|hcl|ds))?(?:[ ]+|[ ]?\r?\n[ ]*(?=\d+/))(?P<dose>{'|'.join(bare)})", flags
        ),
        counted=re.compile(rf"(?:{'|'.join(data['counted'].split())})(?![A-Za-z])", flags),
        leading=re.compile(rf"(?<![A-Za-z0-9.,/])(?:{lead})", flags),
        next_leading=re.compile(rf"(?:[,;+&]|\band|\bor|\bwith|\n[ \t]*(?:[-*•]|\d+[.)])?)[ ]*(?:{lead})", flags),
        fillers=frozenset(data["fillers"].split()),
        stops=frozenset(data["stops"].split()),
    )


def fill(pattern: str, data: dict[str, Any]) -> str:
    """Put the word lists of `medications.yml` in the place of their names."""
    for name in ("AMOUNT", "UNIT", "FORM", "ROUTE", "DAY"):
        words = data[name.lower()]
        if name in ("UNIT", "FORM"):
            words = "|".join(re.escape(w) for w in sorted(words.split(), key=len, reverse=True))
        pattern = pattern.replace(f"{{{name}}}", f"(?:{words})")
    return pattern


def read_sig(text: str, start: int, end: int, low: int, stop: int) -> Sig:
    """Read the sig of the drug at `start` to `end`, mostly after it, not before `low` nor beyond `stop`."""
    sig = Sig(end)
    _read_after(text, end, stop, sig)
    _read_before(text, start, low, sig)
    return sig


def leads(text: str, low: int, start: int) -> int:
    """Give where the leading parts of the drug at `start` begin ("aspirin, 10 units of Lantus"), else `start`."""
    match = load_patterns().next_leading.search(text, max(low, start - LEAD), start)
    return match.start() if match else start


def _read_after(text: str, end: int, stop: int, sig: Sig) -> None:
    patterns = load_patterns()
    bare = patterns.bare.match(text, end, stop)
    if bare and patterns.part.match(text, bare.start("dose"), stop):
        bare = None
    if bare:
        sig.parts["dose"], sig.end = bare.span("dose"), bare.end()
    for match in patterns.part.finditer(text, end, stop):
        kind = match.lastgroup or ""
        if match.start() < sig.end:
            continue
        if not _joins(text[sig.end : match.start()], match.group(), "" if kind in sig.parts else kind, patterns):
            return
        part_end = _part_end(text, match)
        if kind == "dose" and "dose" in sig.parts:
            first = sig.parts["dose"]
            if sig.parts.keys() & {"frequency", "duration"}:
                return  # another regimen
            if (bare and patterns.counted.search(match.group())) or CHANGED.search(text, end, first[0]):
                sig.parts["dose"] = match.span()
        elif kind == "frequency" and "frequency" in sig.parts:
            first = sig.parts["frequency"]
            if first[1] <= sig.end and NEXT_TO.fullmatch(text, first[1], match.start()) and match[0][:4] != "with":
                sig.parts["frequency"] = (first[0], part_end)
        else:
            sig.parts.setdefault(kind, (match.start(), part_end))
        sig.end = part_end


def _part_end(text: str, match: re.Match[str]) -> int:
    """Give where a part ends: before the full stop of its sentence ("BID."), unless it is written with stops."""
    stop = match[0].endswith(".") and "." not in match[0][:-1] and SENTENCE.match(text, match.end())
    return match.end() - 1 if stop else match.end()


def _joins(gap: str, part: str, kind: str, patterns: Patterns) -> bool:
    """Say whether what stands between a drug, or one of its parts, and the next part keeps them together.

    Only before a dose or a frequency may words stand that no list holds.
    """
    if BREAK.search(gap) and not (gap == ". " and part[0].islower()):
        return False
    words = [w.lower() for w in WORD.findall(gap)]
    unknown = sum(w not in patterns.fillers for w in words)
    if not unknown:
        return True
    if unknown > UNKNOWN or kind not in ("dose", "frequency") or re.search(r"[,:()\n\d]", gap):
        return False
    return not any(w in patterns.stops for w in words)


def _read_before(text: str, start: int, low: int, sig: Sig) -> None:
    match = load_patterns().leading.search(text, max(low, start - LEAD), start)
    if match is None:
        return
    for group, kind in (
        ("dose", "dose"),
        ("number", "dose"),
        ("small", "dose"),
        ("route", "route"),
        ("frequency", "frequency"),
    ):
        if match[group]:
            sig.parts.setdefault(kind, match.span(group))
