"""Decide the assertion of each mention: is it denied, doubted, past, conditional, or somebody else's?"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinnlp.components.extensions import CONDITIONS, section_at, text_of
from clinnlp.components.forms import find_marks
from clinnlp.components.scope import REACH, Cue, Rule, Sentences, find_cues, load_index, load_terms, lower
from clinnlp.schema import AXES, ENTITY_LABELS, Section

ABBREVIATION = re.compile(r"\b(?:dr|mr|mrs|ms|vs|st|no|pt|approx|incl|etc|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)
BOUNDARY = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z\d*\[(•-])|\n")
BLANK_OR_ITEM = re.compile(r"[ \t\r]*(?:$|\n|[-*•·▪◦+]\s?\S|\d{1,2}[.)]\s|\[|\(|☐|☒|☑|[A-Z][\w /&'-]{0,40}:)")
PATIENT = re.compile(r"\b(?:patient|pt|personal|personally|himself|herself)\b")
CURRENT = re.compile(r"\b(?:this is|current|currently|now|today|presents|presenting|active|ongoing)\b")
ATTACHED = re.compile(r"\b(?:with|w/)\s")
CHRONIC = re.compile(r"\bchronic(?:ally)?\s+$")
LETTER = re.compile(r"[^\W\d_]")
PARENT = re.compile(r"(?:(?:wife|husband) and )?(?:(?:grand)?(?:mother|father|parent|ma|pa)|mom|dad|mum|twin)\b")
DIED = re.compile(r"\b(?:died|dies|deceased|passed|succumbed)\b")
FILLED = re.compile(r"\S")
PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
ORDER = ("family", "negated", "hypothetical", "uncertain", "historical")
SECTION_RULES = {
    category: Rule(f"section.{category}", (axis,))
    for category, axis in (
        ("family_history", "family"), ("past_medical_history", "historical"), ("past_surgical_history", "historical"),
        ("allergies", "historical"), ("social_history", "historical"),
    )
}  # fmt: skip
OTHERS = frozenset(ENTITY_LABELS) - {"DISEASE", "SYMPTOM"}  # of what no problem is
BACKGROUND = "background"  # historical, but of what lasts


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an axis holds: the cue as written and where it stands, its rule, and the scope that it reaches over.

    A reason from the section alone has no words of its own: its cue is empty, and `start` is `end`.
    """

    cue: str
    start: int
    end: int
    rule: str
    scope: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the words around a mention say of it: for each axis the reason why it holds, or None.

    `is_background` says that what is told as history lasts (a chronic disease, a habit): the patient has it now.
    """

    start: int
    end: int
    negated: Reason | None = None
    uncertain: Reason | None = None
    historical: Reason | None = None
    hypothetical: Reason | None = None
    family: Reason | None = None
    is_background: bool = False

    @property
    def reason(self) -> Reason | None:
        """The reason of the axis that gives the assertion; None where it is "present"."""
        axes = ORDER[:-1] if self.is_background else ORDER
        return next((reason for axis in axes if (reason := getattr(self, axis))), None)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Split `text` into rough sentences: at full stops, blank lines, list items and keys; wrapped lines are joined."""
    bounds, start = [], 0
    for cut in BOUNDARY.finditer(text):
        if cut[0] == "\n":
            line_start = text.rfind("\n", 0, cut.start()) + 1
            left = text[line_start : cut.start()].rstrip()
            follows = text[cut.end() : cut.end() + 1].islower()
            open_line = left.endswith(",") or (len(left) > 50 and not left.endswith((".", ":", ";", "?", "!")))
            if left and not BLANK_OR_ITEM.match(text, cut.end()) and (follows or open_line):
                continue
        elif ABBREVIATION.search(text, max(start, cut.start() - 8), cut.start()) and text[cut.end()].isalnum():
            continue
        bounds.append((start, cut.start()))
        start = cut.end()
    bounds.append((start, len(text)))
    return bounds


class _Finder:
    """Assesses the mentions of one text by the cues around them."""

    def __init__(self, text: str, bounds: list[tuple[int, int]], sections: Sequence[Section] = ()) -> None:
        self.text, self.low = text, lower(text)
        self.sentences = Sentences(bounds)
        self.first_paragraphs: dict[int, int] = {}
        marks = find_marks(text, sections)
        empty = [cue for cue in marks if cue.rule.id == "form.box" and "negated" in cue.rule.axes]
        words = [  # "[ ] NKDA" does not say NKDA
            cue
            for cue in find_cues(text, self.sentences)
            if not any(e.low <= cue.start < e.high for e in empty) and not self._is_patient(cue, sections)
        ]
        cues = sorted(words + marks, key=lambda cue: cue.start)
        self.starts = [cue.start for cue in cues]
        self.cues = cues

    def assess(self, start: int, end: int, section: Section | None = None, *, problem: bool = True) -> Assertion:
        """Assess the mention `start` to `end`, which stands in `section`, and is a `problem` or a drug or a test."""
        best = self._nearest(start, end, problem)
        if "affirmed" in best and "negated" in best and best["affirmed"][0] < best["negated"][0]:
            del best["negated"]
        if "negated" in best and "family" in best and best["family"][1].rule.default:
            del best["family"]
        self._drop_modifiers(best)
        reasons = {axis: self._reason(cue) for axis, (_, cue) in best.items() if axis != "affirmed"}
        if section and section.category in SECTION_RULES:
            self._add_default(reasons, start, end, section)
        background = reasons.pop(BACKGROUND, None) or self._alone(start, end, section)
        if background is None or "historical" in reasons:
            return Assertion(start, end, **reasons)  # type: ignore[arg-type]
        return Assertion(start, end, **reasons, historical=background, is_background=True)

    def _is_patient(self, cue: Cue, sections: Sequence[Section]) -> bool:
        """Whether a word for a parent means the patient: "54-year-old mother with gout", not in the family history."""
        start = cue.start
        if cue.rule.axes != ("family",) or not PARENT.match(self.low, start) or DIED.search(self.low, start, cue.end):
            return False
        section = section_at(sections, start)
        before = self.low[max(self.sentences.around(start)[0], start - 120) : start]
        is_described = load_terms("parents").search(before) and not load_terms("relatives").search(before)
        return bool(is_described) and (section is None or section.category != "family_history")

    def _alone(self, start: int, end: int, section: Section | None) -> Reason | None:
        """Why a mention is history by itself: a habit, or outside any section a lasting disease alone in its line."""
        if load_terms("habits").search(self.low, start, end):
            return Reason("", start, start, "mention.habit", (start, end))
        if section is not None or not self._is_chronic(start, end):
            return None
        first, last = self.sentences.around(start)
        if LETTER.search(self.low, first, start) or LETTER.search(self.low, end, last):
            return None
        return Reason("", start, start, "mention.listed", (first, last))

    def _nearest(self, start: int, end: int, problem: bool) -> dict[str, tuple[int, Cue]]:
        """The nearest cue of each axis that reaches the mention, with its distance."""
        best: dict[str, tuple[int, Cue]] = {}
        first = bisect_left(self.starts, start - REACH - 200)
        last = bisect_left(self.starts, end + REACH)
        for cue in reversed(self.cues[first:last]):
            gap = _gap(cue, start, end)
            if gap is None or (cue.rule.problem and not problem):
                continue
            for axis in cue.rule.axes:
                if axis == "historical" and not (cue.rule.firm or self._is_past(cue, start, end)):
                    axis = BACKGROUND
                if axis not in best or gap < best[axis][0]:
                    best[axis] = gap, cue
        return best

    def _drop_modifiers(self, best: dict[str, tuple[int, Cue]]) -> None:
        """In "no suspected fracture" and "rule out PE: negative" the denial covers the other cue."""
        if "negated" not in best:
            return
        denial = best["negated"][1]
        if denial.high <= denial.start and denial.rule.direction != "self":  # "workup for PE was negative"
            best.pop("uncertain", None)
        for axis in ("uncertain", "historical", "hypothetical"):
            cue = best[axis][1] if axis in best else None
            inside = cue is not None and max(denial.low, denial.end) <= cue.start < denial.high
            if cue and inside and "," not in self.text[denial.end : cue.start]:
                del best[axis]

    def _is_past(self, cue: Cue, start: int, end: int) -> bool:
        """Whether a mention told as history is past: chronic diseases and what came with the event are not."""
        if cue.rule.scope == "list" and cue.end <= start:
            item = self.low[cue.end : start]
            if ATTACHED.search(item, item.rfind(",") + 1):
                return False
        return not self._is_chronic(start, end)

    def _is_chronic(self, start: int, end: int) -> bool:
        return bool(
            load_terms("chronic").search(self.low, start, end) or CHRONIC.search(self.low, max(0, start - 12), start)
        )

    def _add_default(self, reasons: dict[str, Reason], start: int, end: int, section: Section) -> None:
        """Add what the section alone says of a mention that no cue denies."""
        rule = SECTION_RULES[section.category]
        first, last = self.sentences.around(start)
        near = max(first, start - REACH)
        axis = rule.axes[0]
        if axis in reasons or (axis == "family" and "negated" in reasons):
            return
        if section.category in ("family_history", "allergies"):
            patient = PATIENT.search(self.low, max(near, section.start), start)
            if self._first_paragraph(section) < start or (patient and axis == "family"):
                return
        elif CURRENT.search(self.low, near, start):
            return
        if axis == "historical" and not self._is_over(start, end, section.category):
            axis = BACKGROUND
        reasons.setdefault(axis, Reason("", start, start, rule.id, (first, last)))

    def _first_paragraph(self, section: Section) -> int:
        """Where the first paragraph of a section ends."""
        if section.start not in self.first_paragraphs:
            begin = FILLED.search(self.text, section.body_start)
            after = PARAGRAPH.search(self.text, begin.start()) if begin else None
            self.first_paragraphs[section.start] = after.start() if after else len(self.text)
        return self.first_paragraphs[section.start]

    def _is_over(self, start: int, end: int, category: str) -> bool:
        """Whether a mention in a section of the history is past, and no lasting condition."""
        if category == "past_medical_history" and not load_terms("events").search(self.low, start, end):
            return False
        return category != "social_history" and not self._is_chronic(start, end)

    def _reason(self, cue: Cue) -> Reason:
        return Reason(self.text[cue.start : cue.end], cue.start, cue.end, cue.rule.id, (cue.low, cue.high))


def _gap(cue: Cue, start: int, end: int) -> int | None:
    """The characters between a cue and a mention in its scope; None outside it."""
    if cue.rule.scope == "alone" and (cue.low, cue.high) != (start, end):
        return None
    if cue.rule.direction == "self":
        return 0 if cue.start < end and start < cue.end else None
    if cue.start < start and end <= cue.end:  # "status post appendectomy" as a cue
        return 0
    if cue.low >= cue.end:  # reaches forward
        if cue.low <= start < cue.high:
            return start - cue.end
        includes = start == cue.start and cue.end < end and cue.rule.scope != "beside"  # "non-alcoholic liver disease"
        return 0 if includes else None
    if cue.rule.scope == "beside" and cue.start > end + 1:
        return None
    return max(cue.start - end, 0) if cue.low <= start and end <= cue.start + 1 else None


def find_assertions(doc: Doc, spans: Iterable[Span]) -> list[Assertion]:
    """Find what the words around each of `spans` assert of it.

    Cues count within the sentence (`doc.sents` where sentences are set). A section gives a default where no cue
    speaks: relatives in the family history, past events in the past history.

    Returns
    -------
    One `Assertion` a span, in the order of `spans`.
    """
    spans = list(spans)
    if not spans:
        return []
    text = text_of(doc)
    if doc.has_annotation("SENT_START"):
        bounds = [(sentence.start_char, sentence.end_char) for sentence in doc.sents]
    else:
        bounds = split_sentences(text)
    sections = doc._.sections
    finder = _Finder(text, bounds, sections)
    return [
        finder.assess(s.start_char, s.end_char, section_at(sections, s.start_char), problem=s.label_ not in OTHERS)
        for s in spans
    ]


@Language.factory("clinnlp_context")
class Context:
    """Write the assertion of `doc.ents` and of the condition terms into the extensions of their spans."""

    def __init__(self, nlp: Language, name: str = "clinnlp_context") -> None:
        self.name = name
        load_index()  # now, so that the first note is not the slow one

    def __call__(self, doc: Doc) -> Doc:
        """Set `is_negated` and the other axes, `cue` and `rule` of each mention."""
        spans = [*doc.ents, *doc.spans.get(CONDITIONS, ())]
        for span, found in zip(spans, find_assertions(doc, spans), strict=True):
            extension, reason = span._, found.reason
            for axis in AXES:
                extension.set(f"is_{axis}", getattr(found, axis) is not None)
            extension.is_background = found.is_background
            extension.cue = (reason.cue or None) if reason else None
            extension.rule = reason.rule if reason else None
        return doc
