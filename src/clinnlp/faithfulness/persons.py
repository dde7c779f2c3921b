"""Compare who has a finding, on which side and in what place."""

from __future__ import annotations

import re

from clinnlp.components.extensions import section_at
from clinnlp.faithfulness.claims import Finding, Reading, relatives_in
from clinnlp.faithfulness.places import (
    CONTRADICTED,
    SUPPORTED,
    UNSUPPORTED,
    Judgement,
    Place,
    Statement,
    find_opposite,
    is_denied,
    is_warning,
    names_in,
)
from clinnlp.faithfulness.wording import SIDES, Word, vocabulary

KIN = re.compile(
    r"(?<![A-Za-z])([A-Za-z]++)\s*+(?:[-–:(=]|(?:with|had|has|is an?|was an?|died of)\b|w/)(?=[^.;:\n(]{0,30}$)"
)
LEVEL = re.compile(r"[tlcs]\d{1,2}")


def find_conflict(s: Statement, finding: Finding, places: list[Place]) -> Judgement | None:
    """Compare where a finding is: its side and its place ("of the liver") with all that the note says of it."""
    affirmed = [
        p
        for p in places
        if not (is_denied(s.note, p.start, p.end, p.assertion) or p.assertion.hypothetical or is_warning(s.note, p))
    ]
    own = _own_side(s, finding, s.summary.sentence_words(s.number))
    if own and affirmed:
        told = [(w, p) for p in affirmed if (w := _side_at(s.note, p))]
        if (
            told
            and not any(w.names & (own.names | {"bilateral"}) & SIDES for w, _ in told)
            and "bilateral" not in own.names
        ):
            word, place = told[0]
            side = s.note.text[word.start : word.end].lower()
            return Judgement(finding.start, finding.end, CONTRADICTED, f"{side} in the note", (place.start, place.end))
    opposites = vocabulary().opposites
    for word in s.summary.words_in(finding.start - 15, finding.end):
        if word.start < s.bounds[0] or word.names & SIDES or not word.names & opposites.keys():
            continue
        against = frozenset().union(*(opposites.get(n, frozenset()) for n in word.names))
        around = [
            (w, p) for p in affirmed for w in s.note.words_in(p.start - 20, p.end + 20) if w.sentence == p.sentence
        ]
        if not any(way <= names_in(s.note, p.sentence) for p in affirmed for way in word.ways):
            for w, p in around:
                if w.names & against:
                    other = s.note.text[w.start : w.end].lower()
                    return Judgement(finding.start, finding.end, CONTRADICTED, f"{other} in the note", (p.start, p.end))
    site = _site(s, finding)
    if not site or not affirmed or finding.label == "MEDICATION":
        return None
    for place in affirmed:
        names = names_in(s.note, place.sentence)
        if any(way <= names for w in site for way in w.ways):
            return None
    levels = {n for w in site for n in w.names if LEVEL.fullmatch(n)}
    for place in affirmed:
        if levels and any(LEVEL.fullmatch(n) for n in names_in(s.note, place.sentence)):
            return Judgement(
                finding.start, finding.end, CONTRADICTED, "another level in the note", (place.start, place.end)
            )
    return Judgement(finding.start, finding.end, UNSUPPORTED, "not said of this place in the note")


def _site(s: Statement, finding: Finding) -> list[Word]:
    """Give the words of the place that the summary names right after a finding."""
    rest = s.summary.text[finding.end : s.bounds[1]]
    match = re.match(r"\s+(?:of|in|on|at|to|involving)\s+(?:the |his |her |both |a |an )?", rest)
    if match is None:
        return []
    words: list[Word] = []
    for word in s.summary.words_in(finding.end + match.end(), s.bounds[1]):
        if word.names <= vocabulary().empty or any(n.isdigit() for n in word.names):
            break
        words.append(word)
    return [w for w in words[:3] if not w.names & SIDES and not any(way <= vocabulary().weak for way in w.ways)]


def _side_at(note: Reading, place: Place) -> Word | None:
    """Give the nearest side to a place in its sentence, within six words."""
    around = note.sentence_words(place.sentence)
    centre = next((i for i, w in enumerate(around) if w.end > place.start), 0)
    return _nearest_side(around[max(0, centre - 6) : centre + 7], min(centre, 6))


def other_side(s: Statement, finding: Finding, place: Place) -> str | None:
    """Give the word by which the note excludes what the statement says of a finding: another side, type or course."""
    note = s.note
    around = s.note.sentence_words(place.sentence)
    centre = next((i for i, w in enumerate(around) if w.end > place.start), 0)
    own = s.summary.sentence_words(s.number)
    mine, theirs = _own_side(s, finding, own), _nearest_side(around, centre)
    if mine and theirs and not mine.names & theirs.names & SIDES and not (mine.names | theirs.names) & {"bilateral"}:
        return note.text[theirs.start : theirs.end].lower()
    names = frozenset().union(*(w.names for w in around))
    return find_opposite(note, [w for w in own if not w.names & SIDES], names, around[max(0, centre - 8) : centre + 9])


def _own_side(s: Statement, finding: Finding, words: list[Word]) -> Word | None:
    """Give the side that the summary tells of a finding: the nearest that is not nearer to another finding."""
    findings = [f for f in s.summary.findings if s.bounds[0] <= f.start < s.bounds[1]]
    places = {f.start: next((i for i, w in enumerate(words) if w.end > f.start), 0) for f in findings}
    for i, word in enumerate(words):
        if word.names & SIDES and min(findings, key=lambda f: abs(places[f.start] - i)) is finding:
            return word
    return None


def _nearest_side(words: list[Word], centre: int) -> Word | None:
    sides = [(abs(i - centre) + (i > centre) * 0.5, w) for i, w in enumerate(words) if w.names & SIDES]
    return min(sides, key=lambda t: t[0])[1] if sides else None


def is_of_relative(note: Reading, place: Place) -> bool:
    """Say whether the note tells of a relative at a place: by its context, or a form such as "mo - gout"."""
    family = place.assertion.family
    start = note.sentences[place.sentence][0]
    before = note.text[max(start, place.start - 60) : place.start]
    forms = KIN.finditer(before)
    if any(m[1].lower() in vocabulary().relatives.keys() - {"wife", "husband", "spouse"} for m in forms):
        return True
    line = max(start, note.text.rfind("\n", 0, place.start))
    if family is None or not family.rule.startswith("section.") or _names_relative(note.text[line : place.start]):
        return family is not None
    section = section_at(note.doc._.sections, place.start)  # a long section holds other things at its end
    return (
        section is not None
        and place.start - section.body_start < 150
        and "\n" not in note.text[section.body_start : place.start].strip()
    )


def _names_relative(text: str) -> bool:
    return any(w in vocabulary().relatives for w in re.findall("[a-z]+", text.lower()))


def compare_person(s: Statement, finding: Finding, place: Place, denied: bool, mine_denied: bool) -> tuple[str, str]:
    """Compare a finding that the summary or the note tells of a relative."""
    mine, theirs = finding.assertion.family is not None, is_of_relative(s.note, place)
    if mine and theirs:
        who, whose = relatives_in(s.summary, finding.start), relatives_in(s.note, place.start)
        if who and whose and who != whose:
            return CONTRADICTED, f"said of the {next(iter(whose))} in the note"
        if denied != mine_denied:
            return CONTRADICTED, "the note denies it" if denied else "the note affirms it"
        return SUPPORTED, "the note says so of the relative"
    if mine:
        return (
            (UNSUPPORTED, "the note denies it of the patient")
            if denied
            else (CONTRADICTED, "said of the patient in the note")
        )
    if mine_denied:
        return (SUPPORTED, "the note denies it too") if denied else (UNSUPPORTED, "said of a relative only in the note")
    whose = relatives_in(s.note, place.start)
    return CONTRADICTED, f"said of the {next(iter(whose), 'family')} in the note"
