"""Compare the drugs of a summary with those of its note: name, what is told of it, dose and frequency."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clinnlp.faithfulness.claims import Reading
from clinnlp.faithfulness.places import (
    CONTRADICTED,
    SUPPORTED,
    UNSUPPORTED,
    Judgement,
    Statement,
    find_place,
    no_allergies,
)
from clinnlp.faithfulness.wording import cue, stem, vocabulary
from clinnlp.schema import Medication
from clinnlp.sig import read_sig

CLAUSE = re.compile(r",\s*(?:and|but|so)\b|;|\bbut\b|\band now\b")
SUBJECT = re.compile(r"\b(?:he|she|it|patient|who)[ ]$", re.IGNORECASE)  # what follows is a verb
NEW_LINE = re.compile(r"\n\s*(?=[A-Z\d#*-])")
DOSE = re.compile(
    r"(\d[\d,]*(?:\.\d+)?(?:/\d+(?:\.\d+)?)?)[ ]?(mcg|mg|g|gm|units?|u|meq|ml|puffs?|tab\w*|%)?", re.IGNORECASE
)
SCALE = {"mcg": 0.001, "g": 1000.0, "gm": 1000.0}
FREQUENCY = (
    (r"twice|two times|\bbid\b|b\.i\.d|2x|every (?:12|twelve)|q ?12|two a day", 2.0),
    (r"three times|\btid\b|t\.i\.d|thrice|every (?:8|eight) h|q ?8", 3.0),
    (r"four times|\bqid\b|q\.i\.d|every (?:6|six) h|q ?6", 4.0), (r"every (?:4|four) h|q ?4", 6.0),
    (r"week|qwk", 1 / 7), (r"month", 1 / 30), (r"every other day|\bqod\b", 0.5),
    (r"daily|\bqd\b|q\.d|\bonce|night|\bqhs\b|\bhs\b|bedtime|morning|\bqam\b|\bqpm\b|evening|q ?24|\bday\b", 1.0),
)  # fmt: skip
POSITIVE = frozenset({"named", "take", "continue", "start", "increase", "decrease", "give", "plan"})
FITS: dict[str, tuple[frozenset[str], frozenset[str]]] = {  # event told -> events that support it, that contradict it
    "take": (POSITIVE, frozenset({"stop", "past", "hold", "negated", "consider", "allergy"})),
    "continue": (POSITIVE - {"plan"}, frozenset({"stop", "past", "hold", "negated", "consider", "allergy", "plan"})),
    "start": (POSITIVE | {"stop", "past"}, frozenset({"consider", "negated", "allergy", "hold"})),
    "give": (POSITIVE | {"stop", "past"}, frozenset({"consider", "negated", "allergy", "hold"})),
    "stop": (frozenset({"stop", "past", "hold", "allergy"}), POSITIVE - {"give"} | {"negated"}),
    "hold": (frozenset({"hold", "stop", "past"}), POSITIVE - {"give"}),
    "past": (frozenset({"stop", "give", "past"}), POSITIVE - {"give"} | {"negated"}),
    "increase": (frozenset({"increase"}), frozenset({"decrease", "stop", "hold", "negated"})),
    "decrease": (frozenset({"decrease"}), frozenset({"increase", "stop", "hold", "negated"})),
    "plan": (POSITIVE | {"consider"}, frozenset({"negated", "stop", "allergy"})),
    "consider": (POSITIVE | {"consider"}, frozenset({"negated", "allergy"})),
    "negated": (frozenset({"negated", "stop", "past", "allergy", "hold", "consider"}), POSITIVE - {"plan"}),
    "allergy": (frozenset({"allergy"}), frozenset()),
    "named": (POSITIVE | {"stop", "past", "hold", "consider"}, frozenset({"negated", "allergy"})),
}
EVENTS = {  # status of a drug -> the events that it can mean, the first of those told
    "active": ("stop", "hold", "consider", "increase", "decrease", "start", "continue", "past", "plan", "give", "take"),
    "past": ("stop", "hold", "past", "give"), "planned": ("increase", "decrease", "consider", "stop"),
    "other": ("hold", "consider", "stop", "allergy", "give"), "allergy": (), "negated": (),
}  # fmt: skip
DECISIVE = frozenset({"stop", "hold", "continue", "increase", "decrease", "start", "plan"})
TOLD = {
    "named": "named", "take": "taken", "continue": "continued", "start": "started", "give": "given", "stop": "stopped",
    "hold": "held", "increase": "increased", "decrease": "decreased", "plan": "planned", "consider": "only considered",
    "negated": "not taken", "allergy": "an allergy", "past": "past",
}  # fmt: skip


def judge_drugs(s: Statement) -> Iterator[Judgement]:
    """Compare each drug of the sentence with those of the note: name, event, dose and frequency."""
    low, high = s.bounds
    for drug in s.summary.doc._.medications:
        if not low <= drug.start < high or (drug.code is None and SUBJECT.search(s.text[: drug.start - low])):
            continue
        end = drug.end
        for part in (drug.dose, drug.route, drug.frequency):
            at = s.summary.text.find(part, low, high) if part else -1
            if part and at >= 0:
                s.taken.append((at, at + len(part)))
                end = max(end, at + len(part)) if at - end < 40 else end
        s.taken.append((drug.start, drug.end))
        yield _judge_drug(s, drug, end, _same_drugs(s, drug))


def _keys(drug: Medication) -> set[str]:
    """Give the names of a drug: as written, of its code, and the code; of a combination also its parts."""
    names = [cue("drug_words").sub("", n.lower()) for n in (drug.text, drug.code_name or "")]
    return {p for n in names for p in (n, *re.split("[/-]", n)) if len(p) > 2} | ({drug.code} if drug.code else set())


def _same_drugs(s: Statement, drug: Medication) -> list[Medication]:
    """Give the mentions of a drug in the note, also of a member of its class, or cut short ("azithro")."""
    keys, note = _keys(drug), s.note
    whole = [k for k in keys if k.isalpha() and stem(k) not in vocabulary().empty]
    same = [m for m in note.doc._.medications if _keys(m) & keys]
    taken = {m.start for m in same}
    for word in note.words:
        written = note.text[word.start : word.end].lower()
        if (
            len(written) > 3
            and word.start not in taken
            and any(k.startswith(written) and k != written for k in whole)
            and written not in vocabulary().empty
        ):
            sig = read_sig(note.text, word.start, word.end, word.start, min(len(note.text), word.end + 60)).quote(
                note.text
            )
            status = (
                "active" if word.start not in note.assertions or not note.assertions[word.start].negated else "negated"
            )
            same.append(Medication(word.start, word.end, written, **sig, status=status))
    name = next((w for w in s.summary.words_in(drug.start, drug.end)), None)
    pattern = next((p for n, p in vocabulary().drug_classes.items() if name and n in name.names), None)
    if pattern and not same:
        same = [m for m in note.doc._.medications if pattern.search(m.text) or pattern.search(m.code_name or "")]
    return sorted(same, key=lambda m: m.start)


def _judge_drug(s: Statement, drug: Medication, end: int, same: list[Medication]) -> Judgement:
    event = _event(s.summary, drug)
    if not same:
        place = find_place(s, drug.start, drug.end)
        if place is None:
            if event == "allergy" and (nkda := no_allergies(s.note)):
                return Judgement(drug.start, end, CONTRADICTED, "the note has no drug allergies", nkda)
            return Judgement(drug.start, end, UNSUPPORTED, f"{drug.text} is not in the note")
        negated = place.assertion.negated is not None
        if negated != (event == "negated"):
            return Judgement(
                drug.start,
                end,
                CONTRADICTED,
                "the note denies it" if negated else "the note affirms it",
                (place.start, place.end),
            )
        return Judgement(drug.start, end, SUPPORTED, "the note has it", (place.start, place.end))
    supports, contradicts = FITS[event]
    told = [(_event(s.note, m), m) for m in same]
    decisive = next((t for t in reversed(told) if t[0] in DECISIVE), None)
    good = [m for e, m in told if e in supports and not (event == "take" and e == "plan" and _is_future(s.note, m))]
    bad = [(e, m) for e, m in told if e in contradicts or (event == "take" and e == "plan" and _is_future(s.note, m))]
    if event in ("take", "continue") and decisive and decisive[0] in contradicts:
        bad, good = [decisive], []
    if not good:
        if bad:
            e, m = bad[-1]
            return Judgement(drug.start, end, CONTRADICTED, f"status differs: {TOLD[e]} in the note", (m.start, m.end))
        return Judgement(drug.start, end, UNSUPPORTED, f"the note does not say that {drug.text} is {TOLD[event]}")
    return _judge_sig(drug, end, good, same, event)


def _judge_sig(drug: Medication, end: int, good: list[Medication], same: list[Medication], event: str) -> Judgement:
    """Compare dose and frequency; a drug that the note has without them does not support them."""
    best = good[0]
    for name, read_part in (("dose", _dose), ("frequency", _frequency)):
        mine = read_part(getattr(drug, name))
        if mine is None:
            continue
        theirs = [(read_part(p), m) for m in same if (p := getattr(m, name)) is not None]
        theirs = [(v, m) for v, m in theirs if v is not None]
        equal = [m for v, m in theirs if v == mine]
        if equal:
            best = next((m for m in equal if m in good), equal[0])
        elif theirs:
            other = theirs[0][1]
            quoted = " ".join(getattr(other, name).split())
            return Judgement(
                drug.start, end, CONTRADICTED, f"{name} differs: {quoted} in the note", (other.start, other.end)
            )
        elif name == "dose":
            return Judgement(drug.start, end, UNSUPPORTED, f"the note has no dose of {drug.text}")
    return Judgement(drug.start, end, SUPPORTED, f"the note has it as {TOLD[event]}", (best.start, best.end))


def _event(reading: Reading, drug: Medication) -> str:
    """Tell what is said of a drug: its status, and the words around it, between other drugs, else in its sentence."""
    low, high = reading.sentences[reading.sentence_at(drug.start)]
    others = [m for m in reading.doc._.medications if low <= m.start < high and m.start != drug.start]
    near = max([low, drug.start - 80, *(m.end for m in others if m.end <= drug.start)])
    far = min([high, drug.end + 90, *(m.start for m in others if m.start >= drug.end)])
    if line := NEW_LINE.search(reading.text, drug.end, far):
        far = line.start()
    for clause in CLAUSE.finditer(reading.text, near, drug.start):
        if _events_in(reading.text, drug, clause.end(), drug.end):
            near = clause.end()  # "X was stopped, and now takes Y"
    events = _events_in(reading.text, drug, near, far)
    if others and events.isdisjoint(EVENTS[drug.status]):
        events |= _events_in(reading.text, drug, max(low, drug.start - 160), min(high, drug.end + 160)) - {"consider"}
    if (
        drug.status == "negated"
        and "stop" in events
        and not re.search("(?:never|not|without) ", reading.text[near : drug.start])
    ):
        return "stop"
    wanted = EVENTS[drug.status]
    if drug.status == "active" and events.isdisjoint(wanted) and not (drug.dose or drug.frequency):
        return "named"
    default = {"past": "past", "planned": "plan", "other": "give", "active": "take"}.get(drug.status, drug.status)
    return next((e for e in wanted if e in events), default)


def _events_in(text: str, drug: Medication, low: int, high: int) -> set[str]:
    around = f"{text[low : drug.start]}§{text[drug.end : high]}"
    return {name for name, pattern in vocabulary().events.items() if pattern.search(around)}


def _is_future(reading: Reading, drug: Medication) -> bool:
    low, _ = reading.sentences[reading.sentence_at(drug.start)]
    return cue("future").search(reading.text, max(low, drug.start - 60), drug.start) is not None


def _dose(written: str | None) -> tuple[str, str] | None:
    match = DOSE.search(written or "")
    if match is None:
        return None
    unit = (match[2] or "").lower()
    number = match[1].replace(",", "")
    if "/" not in number:
        number = f"{float(number) * SCALE.get(unit, 1.0):g}"
    return number, "" if unit in ("", "mg", *SCALE) else unit[:1]


def _frequency(written: str | None) -> float | None:
    return next((n for pattern, n in FREQUENCY if re.search(pattern, written or "", re.IGNORECASE)), None)
