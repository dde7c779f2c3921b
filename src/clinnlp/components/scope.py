"""Cues and their scope: which words of a note change what a mention asserts, and how far they reach.

The cues are data (`resources/context.yml`). `find_cues` looks each word of the text up in an index of first words,
takes the longest term that starts there, and gives every cue its scope within its sentence.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from clinnlp.components.extensions import find_named
from clinnlp.errors import ResourceError
from clinnlp.resources import read_yaml
from clinnlp.schema import AXES

WORD = re.compile(r"[^\W\d_]+(?:'t)?|\d+")
REACH = 1500  # characters; a longer scope is a mistake
ALL = (*AXES, "affirmed")
PUNCTUATION = re.compile(
    r"[;|\t]|(?<=[.,;\w] )(?=[A-Z][\w/]{2,20}:\s)|\n[ \t\r]{0,80}(?=\n)"
    r"|,\s(?=(?:[Ss]?he|they|it|there|pt|(?:the )?patient)\b)"
)
DASH = re.compile(  # one in its sentence ends what is denied, but for "no symptoms - fever, chills"
    r"(?<=[\w)])(?<!symptoms)(?<!signs)(?<!flags)(?<!complications)(?<!complaints)(?<!issues)(?<!features)(?<!factors)"
    r"[ ][-–—]{1,2}[ ](?=[a-z])(?![^.;\n]{0,200}\w[ ][-–—]{1,2}[ ])"
)
DASHED = re.compile(r"\w[ ][-–—]{1,2}[ ][^.;\n]*$")
GRADED = re.compile(  # "no edema, mild tenderness", "no stones, CBD 4 mm, fatty liver": no value is denied, a grade
    r"(?<=,\s)[a-z]{2,5} \d+(?:\.\d+)? ?(?:mm|cm)\b"  # only in a list with "or"
    r"|,\s(?=(?:very\s)?(?:mild|mildly|moderate|moderately|trace|minimal|slight|slightly)\b(?![^.;\n]{0,80}\bor\b))"
)
SIDED = re.compile(  # "no edema, left knee crepitus": what is found on one side is no part of a list without "or"
    r",\s(?=(?:l|r|lt|rt|left|right)\s(?:[a-z]+\s){0,3}(?:crepitus|crackles|rales|rhonchi|effusion|ecchymos[ie]s|bruising"
    r"|droop|drift|hernia|contracture|ulcer|eschar|callus|scar|stump|drain)\b(?![^.;\n]{0,80}\bor\b))"
)
COLON = re.compile(r"(?<=[\w)]):[ \t]+(?=\S)")
OPENS = re.compile(r"(?:^|[.!?;,\n(])\s?$")
LIST_OR = re.compile(r"\b(?:or|vs|versus)\b")
FORWARD_NEXT = re.compile(
    r",|\b(?:and|or|for|with|without|from|by|after|due|secondary|because|despite|on|at|during|when|to|vs|versus|who|that"
    r"|is|was|are|were|has|had)\b"
)
FORWARD_PHRASE = re.compile(
    r",|\b(?:for|with|from|by|after|because|despite|on|at|during|when|to|that|since|as|is|was)\b"
)
BACKWARD_NEXT = re.compile(r",|\b(?:and|with|but|which|who)\b|(?<= )[&+](?= )|/(?= )|: |\([+\-–−?]\)(?=[ \t]{0,8}\w)")
BACKWARD_ADJACENT = re.compile(r"[,:]|\b(?:and|or|with|for|to|in|of|on|his|her|the|a|is|was|as|by|from)\b")
JOINED = ("and", "&", "+", ",")  # what stands between the items of a series
JOINT = re.compile(r",\s*(?:(?:and|or)\b)?|\b(?:and|or)\b|&")
EDGE = " \t\r\n,:(-"
NEW_LINE = re.compile("\n")
LEFT = re.compile(r"[:(\n]|[.;!?]\s")
BULLET = re.compile(r"\s*(?:[-*•·▪◦o+]|\d{1,2}[.)]|[a-z][.)])\s")
CUTS = {  # axis -> the axes whose forward cues end its forward scope
    "negated": ("affirmed",), "affirmed": ("negated",), "uncertain": ("negated", "affirmed"),
    "historical": ("negated", "hypothetical", "affirmed"), "hypothetical": (), "family": (),
}  # fmt: skip
SOFT_CUTS = {"negated": ("historical", "uncertain"), "historical": ("uncertain", "historical")}  # only after a comma


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of cue; `axes` is empty where its words only block other rules, `stops` names the scopes that they end."""

    id: str
    axes: tuple[str, ...] = ()
    direction: str = "forward"
    scope: str = "list"
    firm: bool = False
    default: bool = False
    problem: bool = False
    stops: tuple[str, ...] = ()
    clause: tuple[str, ...] = ()  # the axes whose scopes end where the clause of these words began


@dataclass(frozen=True, slots=True)
class Cue:
    """The words `start` to `end` that fired `rule`; they reach over the mentions within `low` to `high`."""

    start: int
    end: int
    rule: Rule
    low: int
    high: int


class Sentences:
    """Sentence bounds with look-up by offset."""

    def __init__(self, bounds: Sequence[tuple[int, int]]) -> None:
        self.starts = [start for start, _ in bounds]
        self.ends = [end for _, end in bounds]

    def around(self, offset: int) -> tuple[int, int]:
        """The bounds of the sentence that holds `offset`."""
        i = max(bisect_right(self.starts, offset) - 1, 0)
        return (self.starts[i], max(self.ends[i], offset)) if self.starts else (offset, offset)


def lower(text: str) -> str:
    """Lower-case `text` and straighten its apostrophes without moving an offset."""
    low = text.lower()
    if len(low) != len(text):
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low.replace("’", "'")


@cache
def load_terms(name: str) -> re.Pattern[str]:
    """Compile the list of terms of `context.yml` that is called `name`."""
    return re.compile("|".join(term.strip() for term in read_yaml("context.yml")[name].split("|")))


def _words(term: str) -> list[str]:
    """The words that a term can start with; numbers count as the word "0"."""
    group = re.match(r"\((?:\?:)?([^()]*)", term)
    words = []
    for option in group[1].split("|") if group else [term]:
        found = re.match(r"\\d|[^\W\d_]+(?:'[a-z]+)*(\??)", option)
        if not found:
            raise ResourceError(f"context.yml: the term {term!r} must start with a word or a group of words")
        word = "0" if found[0] == "\\d" else found[0].rstrip("?")
        words += [word, word[:-1]] if found[1] else [word]
    return words


@cache
def load_index() -> dict[str, list[tuple[re.Pattern[str], Rule]]]:
    """Index the terms of all rules, as regular expressions, by their first word."""
    data = read_yaml("context.yml")
    groups = {name: words.replace(" ", "") for name, words in data["groups"].items()}
    index: dict[str, list[tuple[re.Pattern[str], Rule]]] = {}
    for entry in (*data["rules"], *data["stops"]):
        axes = entry.get("axis", ())
        rule = Rule(
            entry["id"],
            (axes,) if isinstance(axes, str) else tuple(axes),
            entry.get("direction", "forward"),
            entry.get("scope", "list"),
            entry.get("firm", False),
            entry.get("default", False),
            entry.get("problem", False),
            tuple(entry.get("axes", ALL)) if entry["id"].startswith("stop.") else (),
            tuple(entry.get("clause", ())),
        )
        for term in entry["terms"]:
            for name, words in groups.items():
                term = term.replace(f"{{{name}}}", f"({words})")
            words = _words(term)
            term = re.sub(r"(?<!\\)\((?!\?)", "(?:", term).replace(" ?", r"\s*+").replace(" ", r"\s++")
            pattern = re.compile(term + r"(?:(?<!\w)|(?!\w))")
            for word in words:
                index.setdefault(word, []).append((pattern, rule))
    return index


def _match(text: str, named: set[int]) -> list[tuple[int, int, Rule]]:
    """The longest term at each word that is not of a name; of two that overlap, the longer."""
    index = load_index()
    found: list[tuple[int, int, Rule]] = []
    for word in WORD.finditer(text):
        start, key = word.start(), "0" if word[0][0].isdigit() else word[0]
        terms = index.get(key)
        if not terms or start in named:
            continue
        best, chosen = start, None
        for pattern, rule in terms:
            match = pattern.match(text, start)
            if match and match.end() > best:
                best, chosen = match.end(), rule
        if chosen and found and start < found[-1][1]:
            if best - start > found[-1][1] - found[-1][0]:
                found[-1] = start, best, chosen
        elif chosen:
            found.append((start, best, chosen))
    return found


class _Scopes:
    """Finds the scope of each cue of a text; holds the stops of each axis, sorted."""

    def __init__(self, text: str, low: str, sentences: Sentences, found: list[tuple[int, int, Rule]]) -> None:
        self.text, self.low, self.sentences = text, low, sentences
        self.lines = [mark.start() for mark in NEW_LINE.finditer(low)]
        self.trimmed: dict[int, int] = {}
        opened = {  # the key of "No UTI: ..." ends nothing, that of "Tobacco: no Alcohol: ..." does
            end + 1
            for start, end, rule in found
            if rule.axes and (" " in low[start:end] or OPENS.search(low[max(0, start - 3) : start]))
        }
        punctuation = [mark.start() for mark in PUNCTUATION.finditer(text) if mark[0] or mark.start() not in opened]
        self.stops: dict[str, list[int]] = {axis: punctuation.copy() for axis in ALL}
        self.stops["negated"] += [mark.start() for pattern in (GRADED, SIDED) for mark in pattern.finditer(low)]
        self.stops["negated"] += self._dashes(found)
        for start, _, rule in found:
            for axis in rule.stops:
                self.stops[axis].append(start)
            if rule.clause and (comma := self._clause(start)) is not None:
                for axis in rule.clause:
                    self.stops[axis].append(comma)
            if rule.axes and rule.direction == "forward" and rule.scope != "beside":
                self._add_cuts(start, rule)
        for stops in self.stops.values():
            stops.sort()

    def _dashes(self, found: list[tuple[int, int, Rule]]) -> list[int]:
        """Where a dash ends what is denied: not beside the cue ("denies - fever", "MI - excluded")."""
        denials = [cue for cue in found if "negated" in cue[2].axes]
        beside = {end for _, end, _ in denials} | {start for start, _, rule in denials if rule.direction != "forward"}
        return [
            dash.start()
            for dash in DASH.finditer(self.low)
            if beside.isdisjoint(dash.span()) and not DASHED.search(self.low, max(0, dash.start() - 200), dash.start())
        ]

    def _clause(self, start: int) -> int | None:
        """Where the clause whose verb is at `start` began: the comma or "and" before it."""
        before = self.low[max(0, start - 60) : start].rstrip(EDGE)
        at = max(before.rfind(", "), before.rfind(" and "))
        if (
            at < 0
            or LIST_OR.search(before, at)
            or re.search(r"\b(?:that|which|who|but|except|though|although)\b|[.\n]", before[at:])
        ):
            return None
        return max(0, start - 60) + at

    def _add_cuts(self, start: int, rule: Rule) -> None:
        fresh = self.low[max(0, start - 8) : start].rstrip().endswith((",", ", and", ", with", "("))
        for axis, cutters in CUTS.items():
            if set(rule.axes) & set(cutters) or (fresh and set(rule.axes) & set(SOFT_CUTS.get(axis, ()))):
                self.stops[axis].append(start)

    def forward(self, end: int, rule: Rule) -> tuple[int, int]:
        stops = self.stops[rule.axes[0]]
        bound = self.sentences.around(max(end - 1, 0))[1]
        following = bisect_left(self.lines, end)
        line = self.lines[following] if following < len(self.lines) else len(self.low)
        alone = self._trim(line) == end
        lead = rule.scope == "list" and (
            self._has_colon(end, line) or (alone and bool(BULLET.match(self.low, line + 1)))
        )
        if lead:
            bound = _block_end(self.low, line, end + REACH)
        elif self._has_colon(end, bound):  # a header is a sentence of its own
            bound = max(bound, min(line, self.sentences.around(bound + 1)[1]))
        i = bisect_left(stops, end)
        if i < len(stops) and not (lead and stops[i] > line):
            bound = min(bound, stops[i])
        bound = min(bound, end + REACH)
        if not lead and {"negated", "uncertain"} & set(rule.axes):
            bound = self._before_reason(end, bound)
        if rule.scope == "beside":
            bound = min(bound, end + 2)
        elif rule.scope != "list":
            bound = self._soft_end(end, bound, rule.scope)
        return end, bound

    def _before_reason(self, end: int, bound: int) -> int:
        """Where what is denied or doubted after `end` ends: at a colon ("No UTI: urine clear") that leads no list."""
        colons = (m.start() for m in COLON.finditer(self.low, min(end + 1, bound), bound))
        return next((colon for colon in colons if not load_terms("heads").search(self.low, end, colon)), bound)

    def _trim(self, stop: int) -> int:
        """Move `stop` back over the white space before it."""
        if stop not in self.trimmed:
            start = stop
            while start and self.low[start - 1].isspace():
                start -= 1
            self.trimmed[stop] = start
        return self.trimmed[stop]

    def _has_colon(self, end: int, stop: int) -> bool:
        """Whether what stands up to `stop`, with the last letter of a cue that ends at `end`, ends with a colon."""
        last = self._trim(stop)
        return last >= end and self.low[last - 1] == ":"

    def _soft_end(self, end: int, bound: int, scope: str) -> int:
        first = end
        while first < bound and self.low[first] in " \t\r\n:(":
            first += 1
        pattern = FORWARD_NEXT if scope in ("next", "series") else FORWARD_PHRASE
        for cut in pattern.finditer(self.low, first, bound):
            if cut[0] == "," and scope == "phrase" and LIST_OR.search(self.low, cut.end(), min(bound, cut.end() + 80)):
                continue
            if cut.start() > first or cut[0] == ",":
                return cut.start()
        return bound

    def backward(self, start: int, rule: Rule) -> tuple[int, int]:
        first = max(self.sentences.around(start)[0], start - REACH)
        comma = first + len(self.low[first:start].rstrip()) - 1
        if rule.scope == "item" and self.low[comma : comma + 1] == ",":
            return max(first, *(self.low.rfind(mark, first, comma) + 1 for mark in ",;:.")), comma
        stops = self.stops[rule.axes[0]]
        i = bisect_left(stops, start) - 1
        if i >= 0:
            first = max(first, stops[i])
        if rule.scope != "list":
            tests = find_tests(self.low, first, start) if "negated" in rule.axes else None
            first = self._soft_start(first, start, rule.scope) if tests is None else tests
        if "affirmed" in rule.axes and LIST_OR.search(self.low, first, start):
            return start, start
        return first, start

    def _soft_start(self, first: int, start: int, scope: str) -> int:
        """Where the noun phrase before `start` begins; a series ("nausea, fever and cough") counts as one."""
        trimmed = first + len(self.low[first:start].rstrip(EDGE))
        pattern = BACKWARD_ADJACENT if scope == "adjacent" else BACKWARD_NEXT
        cuts = list(pattern.finditer(self.low, first, trimmed))
        joined = scope in ("series", "item")
        for i, cut in enumerate(reversed(cuts)):
            begin = cuts[-i - 2].end() if i + 1 < len(cuts) else first
            item = self.low[begin : cut.start()].split()
            if not joined or cut[0] not in JOINED or (i == 0 and cut[0] == ",") or len(item) > 3:
                return cut.end()
        return first


def find_tests(low: str, first: int, stop: int) -> int | None:
    """Where the list of tests that ends at `stop` begins ("HIV, HBV and RPR"); None where another list stands there.

    Before it stands nothing but the start of its clause, or the result of another test ("WBC 5.1, HIV, RPR negative").
    """
    stop = first + len(low[first:stop].rstrip(EDGE))
    first = max((mark.end() for mark in LEFT.finditer(low, first, stop)), default=first)
    begins, ends = [first], []
    for joint in JOINT.finditer(low, first, stop):
        ends.append(joint.start())
        begins.append(joint.end())
    found = None
    for begin, end in zip(reversed(begins), reversed([*ends, stop]), strict=True):
        item = low[begin:end].strip()
        if not load_terms("tests").fullmatch(item):
            return found if load_terms("results").search(item) else None
        found = begin
    return found


def _block_end(text: str, line_end: int, stop: int) -> int:
    """The end of the list that the lead-in line ending at `line_end` introduces; looked for up to `stop`."""
    end, at = line_end, line_end + 1
    while at < min(len(text), stop):
        next_end = text.find("\n", at)
        next_end = len(text) if next_end < 0 else next_end
        line = text[at:next_end].strip()
        if (not line and end > line_end) or line.endswith(":"):
            break
        if line and not BULLET.match(text, at, next_end) and (len(line.split()) > 8 or line.endswith(".")):
            break
        if line:
            end = next_end
        elif at > line_end + 2:
            break
        at = next_end + 1
    return end


def find_cues(text: str, sentences: Sentences) -> list[Cue]:
    """Find the cues of `text` with their scopes, in order; words that only block or end scopes are left out."""
    low = lower(text)
    found = _match(low, find_named(text))
    scopes = _Scopes(text, low, sentences, found)
    cues = []
    for start, end, rule in found:
        if not rule.axes:
            continue
        if rule.direction in ("forward", "both"):
            cues.append(Cue(start, end, rule, *scopes.forward(end, rule)))
        if rule.direction in ("backward", "both"):
            cues.append(Cue(start, end, rule, *scopes.backward(start, rule)))
        if rule.direction == "self":
            cues.append(Cue(start, end, rule, start, end))
    return cues
