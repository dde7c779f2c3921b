"""Compare the findings of a summary with those of its note: whether, when and how surely the patient has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clinnlp.components.context import Assertion
from clinnlp.faithfulness.claims import Finding, Reading
from clinnlp.faithfulness.persons import compare_person, find_conflict, is_of_relative, other_side
from clinnlp.faithfulness.places import (
    CONTRADICTED,
    SUPPORTED,
    UNSUPPORTED,
    Judgement,
    Place,
    Statement,
    find_word,
    find_words,
    is_denied,
    is_denied_by_header,
    is_warning,
    no_allergies,
    place_at,
    sentence_text,
)
from clinnlp.faithfulness.wording import cue, vocabulary

MESH = re.compile(r"[CD]\d{6}")
ACTIVE = re.compile(r"\bactive\b", re.IGNORECASE)
DOUBTED = "only possible in the note"


def judge_findings(s: Statement) -> Iterator[Judgement]:
    """Compare the findings of the sentence with those of the note."""
    low, high = s.bounds
    for finding in [f for f in s.summary.findings if low <= f.start < high and s.is_free(f.start, f.end)]:
        words = s.summary.words_in(finding.start, finding.end)
        if all(w.names <= vocabulary().empty or any(way <= vocabulary().body for way in w.ways) for w in words):
            continue
        s.taken.append((finding.start, finding.end))
        if any("allergy" in w.names for w in words):
            yield _judge_allergy(s, finding)
        else:
            yield _judge_finding(s, finding)


def _judge_finding(s: Statement, finding: Finding) -> Judgement:
    places = _places(s, finding)
    if finding.assertion.family and any(is_of_relative(s.note, p) for p in places):
        places = [p for p in places if is_of_relative(s.note, p)]
    most = max((p.shared for p in places), default=0)
    verdicts = [(_compare(s, finding, p), p) for p in places if p.shared >= most]
    if (conflict := find_conflict(s, finding, places)) and not finding.assertion.negated:
        return conflict
    if ACTIVE.search(s.text) and (over := [p for p in places if _is_over(p.assertion)]):
        return Judgement(
            finding.start, finding.end, CONTRADICTED, "told as past in the note", (over[0].start, over[0].end)
        )
    doubted = [v for v in verdicts if v[0][1] == DOUBTED]
    if doubted and cue("firm").search(s.text):
        verdicts = doubted
    for wanted in (SUPPORTED, CONTRADICTED):
        for (verdict, reason), p in verdicts:
            if verdict == wanted:
                return Judgement(finding.start, finding.end, verdict, reason, (p.start, p.end))
    if wider := _denied_wider(s, finding):
        denied = is_denied(s.summary, finding.start, finding.end, finding.assertion)
        verdict, reason = (SUPPORTED, "the note denies it too") if denied else (CONTRADICTED, "the note denies it")
        return Judgement(finding.start, finding.end, verdict, reason, (wider.start, wider.end))
    if not places and (heat := _fever(s, finding)):
        return heat
    if not places and not finding.assertion.negated and (at := _normal_organ(s, finding)):
        return Judgement(finding.start, finding.end, CONTRADICTED, "normal in the note", at)
    return Judgement(finding.start, finding.end, UNSUPPORTED, verdicts[0][0][1] if verdicts else "not in the note")


def _places(s: Statement, finding: Finding) -> list[Place]:
    """Find where the note speaks of a finding: under the same code or condition, or in the same words."""
    note = s.note
    words = s.summary.words_in(finding.start, finding.end)
    context = [w for w in s.content() if not (finding.start <= w.start < finding.end)]
    places = {}
    for other in note.findings:
        if _is_same(s, finding, other):
            places[other.start] = place_at(s, other.start, other.end, other.assertion, context)
    for start, end in find_words(words, note):
        covering = next((f for f in note.findings if f.start <= start < f.end or start <= f.start < end), None)
        if covering:
            places[covering.start] = place_at(s, covering.start, covering.end, covering.assertion, context)
        elif start in note.assertions:
            places[start] = place_at(s, start, end, note.assertions[start], context)
    found = [places[k] for k in sorted(places)]
    return [p for p in found if not _is_header(note, p.start)] or [
        p for p in found if is_denied_by_header(note, p.start, p.end)
    ]


def _is_header(note: Reading, position: int) -> bool:
    return any(w.in_header for w in note.words_in(position, position + 1))


def _is_same(s: Statement, finding: Finding, other: Finding) -> bool:
    """Say whether two findings are one by their code, or by a condition whose terms are one disease."""
    if finding.code and finding.code == other.code:
        return True
    shared = finding.conditions & other.conditions
    if not shared or finding.label in ("PROCEDURE", "MEDICATION"):
        return False
    if shared - vocabulary().broad:
        if not finding.code or _is_subset(s, finding, other) or (not other.code and not MESH.match(finding.code)):
            return True
        return other.code is not None and finding.code[:3] == other.code[:3] and not MESH.match(finding.code)
    words = s.summary.words_in(finding.start, finding.end)
    is_name = len(words) == 1 and not words[0].names.isdisjoint(shared)  # "cancer", "pregnancy" as such
    return (finding.assertion.negated is not None or is_name) and not shared & {"drug_allergy"}


def _is_subset(s: Statement, finding: Finding, other: Finding) -> bool:
    """Say whether all telling words of a finding are in another."""
    names = frozenset().union(*(w.names for w in s.note.words_in(other.start, other.end)))
    weak = vocabulary().weak | vocabulary().empty
    words = s.summary.words_in(finding.start, finding.end)
    return all(w.names & names or any(way <= weak for way in w.ways) for w in words)


def _denied_wider(s: Statement, finding: Finding) -> Finding | None:
    """Find what the note denies as such ("no edema"), where the summary affirms it of a place ("leg edema")."""
    if finding.assertion.family:
        return None
    mine = frozenset().union(*(w.names for w in s.summary.words_in(finding.start, finding.end)))
    for other in s.note.findings:
        words = [w for w in s.note.words_in(other.start, other.end) if not w.names <= vocabulary().empty]
        if other.assertion.negated and words and not other.assertion.family and all(w.names & mine for w in words):
            return other
    return None


def _fever(s: Statement, finding: Finding) -> Judgement | None:
    """Compare a fever with the temperatures of the note."""
    if not any("fever" in w.names for w in s.summary.words_in(finding.start, finding.end)):
        return None
    heats = [q for q in s.note.quantities if q.kind == "heat"]
    hot = next((q for q in heats if q.low >= 100.4 or 38 <= q.low <= 43), None)
    denied = finding.assertion.negated is not None
    if hot is None:
        return None
    verdict, reason = (CONTRADICTED if denied else SUPPORTED), "the note has a temperature of 38 °C or above"
    return Judgement(finding.start, finding.end, verdict, reason, (hot.start, hot.end))


def _judge_allergy(s: Statement, finding: Finding) -> Judgement:
    """Compare what is said of drug allergies as such."""
    denied = finding.assertion.negated is not None
    none = no_allergies(s.note)
    listed = next(((m.start, m.end) for m in s.note.doc._.medications if m.status == "allergy"), None)
    start, end = finding.start, finding.end
    if (denied and listed) or (not denied and none and not listed):
        return Judgement(
            start, end, CONTRADICTED, f"the note has {'an allergy' if denied else 'no drug allergies'}", listed or none
        )
    if at := none if denied else listed:
        return Judgement(start, end, SUPPORTED, f"the note has {'no drug allergies' if denied else 'an allergy'}", at)
    return _judge_finding(s, finding)


def _normal_organ(s: Statement, finding: Finding) -> tuple[int, int] | None:
    """Find where the note calls normal what the summary tells a finding of ("lungs clear")."""
    if finding.label not in ("DISEASE", "SYMPTOM"):
        return None
    for word in s.content():
        if finding.start <= word.start < finding.end or word.end - word.start < 3 or word.names & vocabulary().generic:
            continue
        for i in find_word(word, s.note):
            near = s.note.words[i + 1 : i + 5]
            if any("normal" in w.names and w.sentence == s.note.words[i].sentence for w in near):
                return s.note.words[i].start, s.note.words[i].end
    return None


def _compare(s: Statement, finding: Finding, place: Place) -> tuple[str, str]:
    """Compare what the summary and the note assert of a finding at one place."""
    mine, theirs = finding.assertion, place.assertion
    text = s.text
    denied = is_denied(s.note, place.start, place.end, theirs)
    mine_denied = is_denied(s.summary, finding.start, finding.end, mine)
    if mine.family is not None or is_of_relative(s.note, place):
        return compare_person(s, finding, place, denied, mine_denied)
    if (
        cue("ended").search(text)
        and not cue("advice").search(text)
        and (denied or (theirs.historical and not cue("advice").search(sentence_text(s.note, place.sentence))))
    ):
        return SUPPORTED, "the note has it as past"
    if mine_denied:
        if denied:
            return SUPPORTED, "the note denies it too"
        if theirs.hypothetical:
            return UNSUPPORTED, "the note names it as a condition only"
        if theirs.historical and not theirs.is_background and not re.search(r"\b(?:history|never|prior|ever)\b", text):
            return SUPPORTED, "told as past in the note"
        return CONTRADICTED, "the note affirms it"
    if denied:
        return CONTRADICTED, "the note denies it"
    if side := other_side(s, finding, place):
        return CONTRADICTED, f"{side} in the note"
    if finding.label in ("PROCEDURE", "TEST"):
        return _compare_procedure(s, finding, place)
    if mine.hypothetical:
        return SUPPORTED, "the note names it"
    if theirs.hypothetical or is_warning(s.note, place):
        return CONTRADICTED, "the note names it as a condition only"
    start = s.note.sentences[place.sentence][0]
    unsure = cue("unsure").search(s.note.text, start, place.start) or cue("workup").match(s.note.text, place.end)
    if (theirs.uncertain or unsure) and not mine.uncertain and not cue("unsure").search(text):
        return CONTRADICTED, DOUBTED
    habit = finding.conditions & {"tobacco_use", "substance_use", "alcohol_misuse"}
    over = theirs.historical is not None and not theirs.is_background and "allerg" not in theirs.historical.rule
    if over and mine.historical is None and cue("now").search(text) and not cue("over").search(text):
        return CONTRADICTED, "told as past in the note"
    if habit:
        over = over or any(_is_quit(s.note, f.start) for f in s.note.findings if f.conditions & habit)
        over = over and not cue("advice").search(sentence_text(s.note, place.sentence))
        ended = cue("ended").search(text) is not None and not cue("advice").search(text)
        told_over = ended or (mine.historical is not None and not mine.is_background and not cue("advice").search(text))
        if told_over != over and (told_over or cue("now").search(text)):
            return CONTRADICTED, f"told as {'past' if over else 'present'} in the note"
    return SUPPORTED, "the note says so"


def _is_over(assertion: Assertion) -> bool:
    return assertion.historical is not None and not assertion.is_background and assertion.negated is None


def _is_quit(note: Reading, position: int) -> bool:
    """Say whether the sentence of a habit tells that it is over."""
    sentence = note.text[slice(*note.sentences[note.sentence_at(position)])]
    return cue("quit").search(sentence) is not None and not cue("advice").search(sentence)


def _compare_procedure(s: Statement, finding: Finding, place: Place) -> tuple[str, str]:
    """A test or procedure that was done against one that is planned."""
    sentence = s.note.text[slice(*s.note.sentences[place.sentence])]
    planned = place.assertion.hypothetical is not None or (
        cue("future").search(sentence) and not cue("done").search(sentence)
    )
    if planned and cue("done").search(s.text) and not cue("future").search(s.text):
        return CONTRADICTED, "only planned in the note"
    return SUPPORTED, "the note has it"
