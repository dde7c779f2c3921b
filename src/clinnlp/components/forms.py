"""Marks of forms as cues: check boxes, plus and minus signs, answers ("Fever: no") and columns headed YES and NO."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from clinnlp.components.extensions import section_at
from clinnlp.components.scope import EDGE, Cue, Rule, find_tests, lower
from clinnlp.schema import Section

ANSWERS = {
    "negated": (
        "no|none|n|neg|negative|denies|denied|absent|nil|never|none known|none reported|not present|false|not seen"
        "|nope|not today|not now|not currently|not at present"
    ),
    "affirmed": "yes|y|pos|positive|present|true|reports|endorses|current|currently",
    "uncertain": "possible|possibly|probable|suspected|unsure|uncertain|maybe|unknown|likely",
    "historical": "former|formerly|quit|resolved|previous|prior|past",
}
MEANING = {word: axis for axis, words in ANSWERS.items() for word in words.split("|")}
WORDS = "|".join(sorted(MEANING, key=len, reverse=True)).replace(" ", r"\ ")
CHOICES = "yes|no|never|none|current|currently|former|formerly|past|quit|y|n"  # beside the boxes of a key
PLAIN = r"(?:yes|no|none|neg|pos|negative|positive|y|n|denies|denied)\b"
BOX = r"\[[ ]?[xX✓✔]?[ ]?\]|[☐☑☒✓✔✗✘]|\((?:[xX]|[ ])\)"
OPTION = re.compile(rf"(?P<box>{BOX})\s*(?P<word>{CHOICES})\b")
CHECKED = re.compile(r"[xX✓✔☑☒✗✘]")
MARK = re.compile(
    rf"""(?=[\[(☐☑☒✓✔✗✘+\-–−—?:=.\t|\ ])(?:
    (?P<choice>(?:{BOX})\s*(?:{CHOICES})\b(?:[ \t]*+(?:[/,|][ \t]*+)?(?:{BOX})\s*(?:{CHOICES})\b)*)
    |(?P<box>{BOX})
    |(?P<sign>\(\s?(?:[+\-–−](?:\s?ve)?|pos|neg|positive|negative|\?)(?:,[^)\n]{{0,20}})?\s?\)|\[[+\-–−]\])
    |(?P<bare>(?<![^\s,;:(/])[+\-–−](?=[A-Za-z]))
    |(?P<spaced>(?<![^\s,;:(/])[+\-–−](?=[ ][A-Za-z]))
    |(?P<query>(?<![A-Za-z\d)?])\?[ ]?(?=[A-Za-z])|(?<=[A-Za-z])\?(?=[\s,;.)]|$)(?![ \t]*{PLAIN}))
    |(?P<pair>(?<=[\w)])[ ]{{1,9}}(?P<yn>(?-i:[YN]))(?=[ \t]*(?:[|,;\n\r]|$)|[ ]{{2}}))
    |(?P<reply>(?:(?:[:?=]|[ \t][-–—]{{1,2}}(?=\s)|(?<!\.)\.{{2,}}|(?<=\w)[-–](?=\s))[ \t]*["']?
        |(?<![ \t|])(?:[ \t|]{{2,80}}|[\t|])(?={PLAIN}))
        (?P<word>{WORDS})\b
        (?=[ \t]*(?:[,.;|)\n\r\t"']|$|[ ]{{2}}
            |(?:[A-Za-z/']+[ ]){{0,4}}[A-Za-z/']+(?:[:?]|[ ][-–—]+)[ \t]*(?:no|none|{PLAIN}))))
    )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
LEFT = 80  # characters before a sign in which the end of the item before it is looked for
KINDS = ("choice", "box", "sign", "bare", "spaced", "query", "pair", "reply")
ITEM_START = re.compile(r"(?:^|[,;:(/.])\s*$")
BULLETED = re.compile(r"[ \t]*[+\-–−]\s")
ASKED = (None, "review_of_systems", "present_illness", "chief_complaint", "physical_exam", "other")
SEPARATOR = re.compile(r"[;|.](?=\s)|\t| {3,}")
ITEM_END = {"box": re.compile(r"\.(?=\s)|[;|\n]"), "bare": re.compile(r"[,;.|\n)]|\band\b|\bvs\b| [+\-]")}
KEY = re.compile(r"[A-Za-z][\w ,/()'-]{0,60}:\s*$")
BULLET_LEFT = re.compile(r"[\s*•·▪o\d.)\-–]*$")
COLUMNS = re.compile(r"^[^\n]*?\b(?P<yes>YES)[ \t]{1,20}(?P<no>NO)\b[^\n]*$", re.MULTILINE | re.IGNORECASE)
ROW = re.compile(r"^(?P<item>[^\n]*?\S)[ ]{2,}(?P<x>[xX✓✔])(?=\s|$)", re.MULTILINE)
EMPTY = Rule("form.empty", ("negated",), scope="alone")  # of a box where none of the note is checked
TO_DO = ("assessment_plan", "hospital_course", "discharge_instructions")  # sections whose boxes are things to do
RULES = {(kind, axis): Rule(f"form.{kind}", (axis,)) for kind in (*KINDS, "column") for axis in ANSWERS}


def find_marks(text: str, sections: Sequence[Section] = ()) -> list[Cue]:
    """Find the marks of forms in `text` as cues; their scope is the items that they speak of."""
    marks = list(MARK.finditer(text))
    form = any(mark["choice"] or (mark["box"] and CHECKED.search(mark[0])) for mark in marks)
    cues = _columns(text)
    answered = set(_number_lines(text, (cue.start for cue in cues)))
    numbered = zip(_number_lines(text, (mark.start() for mark in marks)), marks, strict=True)
    for line, group in groupby(numbered, key=lambda pair: pair[0]):
        if line not in answered:
            cues += _read_line(text, [mark for _, mark in group], form, sections)
    return cues


def _number_lines(text: str, places: Iterable[int]) -> Iterator[int]:
    """Give the number of the line of each place; the places are in order."""
    line, at = 0, 0
    for place in places:
        line += text.count("\n", at, place)
        at = place
        yield line


def _read_line(text: str, marks: list[re.Match[str]], form: bool, sections: Sequence[Section]) -> list[Cue]:
    start = text.rfind("\n", 0, marks[0].start()) + 1
    end = text.find("\n", marks[-1].start())
    end = len(text) if end < 0 else end
    section = section_at(sections, marks[0].start())
    if any(mark["spaced"] for mark in marks):
        signs = _spaced_signs(text, start, end, marks, section)
        marks = [mark for mark in marks if not mark["spaced"] or mark.start() in signs]
    boxes = [mark for mark in marks if mark["sign"] or mark["box"]]
    leads = bool(boxes) and _leads(text[start : boxes[0].start()])
    pairs, bares = (sum(mark[kind] is not None for mark in marks) for kind in ("pair", "bare"))
    cues = []
    for i, mark in enumerate(marks):
        kind = next(kind for kind in KINDS if mark[kind])
        axis = _axis(mark, kind, form)
        if (kind == "pair" and pairs < 2) or (kind == "bare" and not _is_sign(_left(text, start, mark), mark, bares)):
            continue
        answered = kind == "box" and axis == "negated" and i + 1 < len(marks) and marks[i + 1]["reply"]
        alone = kind == "box" and axis is None and (section is None or section.category not in TO_DO)
        if (axis is None and not alone) or answered:
            continue
        previous = marks[i - 1].end() if i else start
        following = marks[i + 1].start() if i + 1 < len(marks) else end
        if kind in ("box", "sign") and leads:
            scope = _after(text, mark.end(), following, "box")
        elif kind in ("bare", "spaced") or (kind == "query" and text[mark.end() : mark.end() + 1].isalpha()):
            scope = _after(text, mark.end(), following, "bare")
        else:
            scope = _before(text, previous, mark.start(), kind)
        rule, scope = (RULES[kind, axis], scope) if axis else (EMPTY, _trim(text, *scope))
        cues.append(Cue(mark.start(), mark.end(), rule, *scope))
    return cues


def _axis(mark: re.Match[str], kind: str, form: bool) -> str | None:
    """The axis that a mark gives; an empty box says no to all of its item only where other boxes are checked."""
    text = mark[0].lower()
    if kind == "choice":
        checked = next((m for m in OPTION.finditer(text) if CHECKED.search(m["box"])), None)
        return MEANING[checked["word"]] if checked else None
    if kind == "box":
        return "affirmed" if CHECKED.search(text) else "negated" if form else None
    if kind == "reply":
        return MEANING[mark["word"].lower()]
    if kind == "query" or "?" in text:
        return "uncertain"
    return "affirmed" if "+" in text or "pos" in text or mark["yn"] == "Y" else "negated"


def _trim(text: str, low: int, high: int) -> tuple[int, int]:
    """Leave out the space and the punctuation around an item."""
    item = text[low:high].rstrip(EDGE + ".")
    return high - len(text[low:high].lstrip(EDGE)), low + len(item)


def _leads(before: str) -> bool:
    """Whether marks stand before their items: nothing but a bullet or a key precedes the first of the line."""
    return bool(BULLET_LEFT.fullmatch(before) or KEY.search(before) or before.rstrip().endswith((".", ",", ";")))


def _left(text: str, start: int, mark: re.Match[str]) -> str:
    """What stands right before a mark of the line that begins at `start`."""
    return text[max(start, mark.start() - LEFT) : mark.start()]


def _is_sign(before: str, mark: re.Match[str], count: int) -> bool:
    """Whether "+" or "-" before a word is a sign, and not a bullet or a dash."""
    return mark[0] == "+" or count > 1 or before.rstrip().endswith((",", ";", ":", "(", "/"))


def _spaced_signs(text: str, start: int, end: int, marks: list[re.Match[str]], section: Section | None) -> set[int]:
    """Where "+ x" and "- x" of a line are signs: both stand there, or "- x, - y" outside a list."""
    signs = [mark for mark in marks if mark["spaced"] and ITEM_START.search(_left(text, start, mark))]
    minus = [mark for mark in signs if mark[0] != "+"]
    if not minus:
        return set()
    first = minus[0].start()
    is_bullet = not text[start:first].strip()
    if is_bullet and len(minus) == 1 and _is_in_list(text, start, end):
        return set()
    category = section.category if section else None
    mixed = len(minus) < len(signs) or any(mark[0] == "+" for mark in marks if mark["bare"])
    keyed = category == "review_of_systems" and text[start:first].rstrip().endswith(":")
    several = len(minus) > 1 and category in ASKED and ":" not in text[first:end]
    return {mark.start() for mark in signs} if mixed or keyed or several else set()


def _is_in_list(text: str, start: int, end: int) -> bool:
    """Whether the line before or after the one from `start` to `end` has a bullet, too."""
    before = text.rfind("\n", 0, max(start - 1, 0)) + 1
    return bool((before < start and BULLETED.match(text, before)) or BULLETED.match(text, end + 1))


def _after(text: str, start: int, limit: int, kind: str) -> tuple[int, int]:
    cut = ITEM_END[kind].search(text, start, limit)
    return start, cut.start() if cut else limit


def _before(text: str, first: int, end: int, kind: str) -> tuple[int, int]:
    """The item before a mark: back to the mark before it, a separator, or for a single item the last comma."""
    for cut in SEPARATOR.finditer(text, first, end):
        if cut.end() < end - 1:
            first = cut.end()
    item = text[first:end].rstrip(EDGE)
    tests = find_tests(lower(text[first:end]), 0, end - first) if kind == "sign" else None
    if tests is not None:
        first += tests
    elif "," in item and (kind in ("sign", "query") or len(item.split()) > 8):
        first += item.rfind(",") + 1
    return first, end


def _columns(text: str) -> list[Cue]:
    """Read questionnaires whose crosses stand below the words YES and NO."""
    cues = []
    headers = list(COLUMNS.finditer(text))
    for i, header in enumerate(headers):
        limit = headers[i + 1].start() if i + 1 < len(headers) else min(len(text), header.end() + 6000)
        columns = {"affirmed": header.start("yes") - header.start(), "negated": header.start("no") - header.start()}
        for row in ROW.finditer(text, header.end(), limit):
            column = row.start("x") - row.start()
            axis = min(columns, key=lambda name: abs(columns[name] + 1 - column))
            if abs(columns[axis] + 1 - column) <= 4:
                cues.append(Cue(row.start("x"), row.end("x"), RULES["column", axis], row.start(), row.end("item")))
    return cues
