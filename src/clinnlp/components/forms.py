"""Marks of forms as cues: check boxes, plus and minus signs, and answers such as "Fever: no"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clinnlp.components.scope import EDGE, Cue, Rule

ANSWERS = {
    "negated": "no|none|n|neg|negative|denies|denied|absent|nil|never|none known|none reported|not present|false|not seen",
    "affirmed": "yes|y|pos|positive|present|true|reports|endorses|yep",
    "uncertain": "possible|possibly|probable|suspected|unsure|uncertain|maybe|unknown|likely",
    "historical": "former|formerly|quit|resolved|previous|prior|past",
}
MEANING = {word: axis for axis, words in ANSWERS.items() for word in words.split("|")}
WORDS = "|".join(sorted((re.escape(word) for word in MEANING), key=len, reverse=True))
PLAIN = r"(?:yes|no|none|neg|pos|negative|positive|y|n|denies|denied)\b"
BOX = r"\[ ?[xX✓✔]? ?\]|[☐☑☒✓✔✗✘]|\((?:[xX]| )\)"
CHECKED = re.compile(r"[xX✓✔☑☒✗✘]")
SIGN = r"\(\s*[+\-–−]\s*(?:ve)?\s*\)|\((?:pos|neg|positive|negative)\)|\[[+\-–−]\]"
MARK = re.compile(
    rf"(?=[\[(☐☑☒✓✔✗✘+\-–−?:=.\t| —])(?:(?P<choice>(?:{BOX})\s*(?P<answer>yes|no|y|n)\b[ \t]*(?:[/,|]?[ \t]*(?:{BOX})\s*(?P<answer2>yes|no|y|n)\b)?)"
    rf"|(?P<box>{BOX})|(?P<sign>{SIGN})"
    rf"|(?P<bare>(?<![^\s,;:(/])[+\-–−](?=[A-Za-z]))"
    rf"|(?P<query>\?[ \t]?(?=[A-Za-z])(?<![A-Za-z\d)]\?)(?<![A-Za-z\d)]\? )|(?<=[A-Za-z])\?(?=[\s,;.)]|$)(?![ \t]*{PLAIN}))"
    rf"|(?P<pair>(?<=[\w)]) +(?P<yn>(?-i:[YN]))(?=[ \t]*(?:[|,;\n\r]|$)| {{2,}}))"
    rf"|(?P<reply>(?:(?::|\?|=|[ \t][-–—]{{1,2}}(?=\s)|\.{{2,}}|(?<=\w)[-–](?=\s))[ \t]*[\"']?|(?:\t|\||[ ]{{2,}})[ \t]*(?={PLAIN}))(?P<word>{WORDS})\b"
    rf"(?=[ \t]*(?:[,.;|)\n\r\t]|$|[ ]{{2,}}|(?:[A-Za-z/']+ ){{0,4}}[A-Za-z/']+(?::|\?| [-–—]+)[ \t]*(?:yes|no|none|neg|pos|denies|y|n)\b))))",
    re.IGNORECASE | re.MULTILINE,
)
BREAK = re.compile(r"[;|.](?=\s)|\t| {3,}")
KEY = re.compile(r"[A-Za-z][\w ,/()'-]{0,60}:\s*$")
BULLET_LEFT = re.compile(r"[\s*•·▪o\d.)\-–]*$")


def _axis(mark: re.Match[str], form: bool) -> str | None:
    """The axis that a mark gives; an empty box says no only on a form where other boxes are checked."""
    text = mark[0]
    kind = mark.lastgroup if mark.lastgroup not in ("answer", "answer2", "word", "yn") else ""
    if mark["choice"]:
        first = bool(CHECKED.search(text[: mark.start("answer") - mark.start()]))
        second = mark["answer2"] and CHECKED.search(text[mark.end("answer") - mark.start() : -len(mark["answer2"])])
        chosen = mark["answer"] if first else mark["answer2"] if second else None
        return MEANING[chosen.lower()] if chosen else None
    if mark["reply"]:
        return MEANING[mark["word"].lower()]
    if mark["query"]:
        return "uncertain"
    if mark["pair"]:
        return "affirmed" if mark["yn"] == "Y" else "negated"
    if mark["box"]:
        return "affirmed" if CHECKED.search(text) else "negated" if form else None
    if kind in ("sign", "bare"):
        return "affirmed" if "+" in text or "pos" in text.lower() else "negated"
    return None


def _lines(text: str) -> Iterator[tuple[int, int, list[re.Match[str]]]]:
    """The lines that hold marks, with their marks."""
    line: list[re.Match[str]] = []
    end = -1
    for mark in MARK.finditer(text):
        if mark.start() > end:
            if line:
                yield start, end, line
            start = text.rfind("\n", 0, mark.start()) + 1
            end = text.find("\n", mark.start())
            end = len(text) if end < 0 else end
            line = []
        line.append(mark)
    if line:
        yield start, end, line


def find_marks(text: str) -> list[Cue]:
    """Find the marks of forms in `text` as cues with the items that they speak of as their scope."""
    cues: list[Cue] = []
    form = any(mark["box"] and CHECKED.search(mark[0]) or mark["choice"] for mark in MARK.finditer(text)) \
        if "[" in text or "☐" in text or "( )" in text else False
    for start, end, marks in _lines(text):
        signs = [m for m in marks if m["sign"] or m["box"]]
        prefix = bool(signs) and _leads(text, start, signs[0])
        bare = [m for m in marks if m["bare"]]
        for i, mark in enumerate(marks):
            axis = _axis(mark, form)
            if mark["pair"] and sum(bool(m["pair"]) for m in marks) < 2:
                continue
            if axis is None or (mark["bare"] and not _is_sign(text, start, mark, bare)):
                continue
            following = marks[i + 1].start() if i + 1 < len(marks) else end
            previous = marks[i - 1].end() if i else start
            kind = "choice" if mark["choice"] else "box" if mark["box"] else "sign" if mark["sign"] else "reply"
            if mark["query"]:
                kind = "query"
            low, high = _scope(text, mark, kind, prefix, previous, following)
            cues.append(Cue(mark.start(), mark.end(), Rule(f"form.{kind}", (axis,)), low, high))
    return cues


def _leads(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether marks stand before their items on this line: nothing but a bullet or a key precedes the first."""
    before = text[start : mark.start()]
    return bool(BULLET_LEFT.fullmatch(before) or KEY.search(before) or before.rstrip().endswith((".", ",", ";")))


def _is_sign(text: str, start: int, mark: re.Match[str], bare: list[re.Match[str]]) -> bool:
    """Whether "+" or "-" before a word is a sign, and not a bullet or a dash."""
    if mark[0] == "+":
        return True
    before = text[start : mark.start()].rstrip()
    return bool(before and before[-1] in ",;:(/") or len(bare) > 1


def _scope(
    text: str, mark: re.Match[str], kind: str, prefix: bool, previous: int, following: int
) -> tuple[int, int]:
    if mark["bare"] or (kind == "query" and mark.end() < len(text) and text[mark.end()].isalpha()):
        cut = re.compile(r"[,;.|\n)]|\band\b|\bvs\b| [+\-]").search(text, mark.end(), following)
        return mark.end(), cut.start() if cut else following
    if kind in ("box", "sign") and prefix:
        cut = re.compile(r"[.](?=\s)|[;|\n]").search(text, mark.end(), following)
        return mark.end(), cut.start() if cut else following
    first = previous
    for cut in BREAK.finditer(text, previous, mark.start()):
        if cut.end() < mark.start() - 1:
            first = cut.end()
    key = text[first : mark.start()].rstrip(EDGE)
    if "," in key and (kind in ("sign", "query") or len(key.split()) > 8):
        first += key.rfind(",") + 1
    if kind == "query":
        first = max(first, mark.start() - 60)
    return first, mark.start()
