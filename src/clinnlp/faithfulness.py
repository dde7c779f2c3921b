"""Check a summary against its note: is each claim supported, contradicted, or not said there at all?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from rapidfuzz import process

from clinnlp.catalogue import load_rules
from clinnlp.claims import SIDES, Finding, Quantity, Reading, Word, read, relatives_in, vocabulary
from clinnlp.components.context import Assertion
from clinnlp.components.extensions import section_at
from clinnlp.errors import InputError
from clinnlp.schema import Measurement, Medication
from clinnlp.sig import read_sig

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language

COLUMNS = {"claim": "str", "verdict": "str", "start": "Int64", "end": "Int64", "reason": "str"}
SUPPORTED, CONTRADICTED, UNSUPPORTED = VERDICTS = ("supported", "contradicted", "unsupported")
ALIKE = 88  # of 100: from here on a word is a mistyped other
NEAR = 10  # words between the parts of a finding
COVERED = 0.75  # share of the words of a statement that a sentence must have to support it
NOW = re.compile(r"\b(?:has|have|is|are|currently|now|active|suffers|complains|smokes|drinks|uses|takes)\b", re.IGNORECASE)
OVER = re.compile(r"\b(?:had|was|were|history|previous|previously|prior|past|ago|resolved|former|formerly|used to)\b", re.IGNORECASE)
DONE = re.compile(r"\b(?:was|were|has been) (?:\w+ )?(?:performed|done|obtained|given|placed|carried out)|underwent|\bshow(?:ed|s)|reveal|had an?\b", re.IGNORECASE)
FUTURE = re.compile(r"\b(?:will|order(?:ed)?|plan(?:ned)?|schedul\w+|refer\w*|to be|consider|recommend\w*|pending|await\w*|start|begin|after|next|tomorrow|due)\b", re.IGNORECASE)
ENDED = re.compile(r"\b(?:no longer|quit|stopped|used to|former)\b", re.IGNORECASE)
WARNING = re.compile(r"\b(?:call|return|come back|seek|notify|go to|precautions)\b[^.\n]{0,60}\b(?:if|for|with|when)\b", re.IGNORECASE)
MESH = re.compile(r"[CD]\d{6}")
NEW_LINE = re.compile(r"\n\s*(?=[A-Z\d#*-])")
NONE = re.compile(r"[\s:\-]*(?:none|no|nil|negative|neg|denies|denied|nkda|nka|absent)\b", re.IGNORECASE)
DRUG_WORDS = re.compile(r"[ ](?:drugs?|medications?|therapy|drip|pump|gtt|infusion|tablets?)$")
DOSE = re.compile(r"(\d[\d,]*(?:\.\d+)?(?:/\d+(?:\.\d+)?)?)[ ]?(mcg|mg|g|gm|units?|u|meq|ml|puffs?|tab\w*|%)?", re.IGNORECASE)
SCALE = {"mcg": 0.001, "g": 1000.0, "gm": 1000.0}
FREQUENCY = (
    (r"twice|two times|\bbid\b|b\.i\.d|2x|every (?:12|twelve)|q ?12|two a day", 2.0),
    (r"three times|\btid\b|t\.i\.d|thrice|every (?:8|eight) h|q ?8", 3.0),
    (r"four times|\bqid\b|q\.i\.d|every (?:6|six) h|q ?6", 4.0), (r"every (?:4|four) h|q ?4", 6.0),
    (r"week|qwk", 1 / 7), (r"month", 1 / 30), (r"every other day|\bqod\b", 0.5),
    (r"daily|\bqd\b|q\.d|\bonce|a day|per day|every day|each day|night|\bqhs\b|\bhs\b|bedtime|morning|\bqam\b|\bqpm\b|evening|q ?24|\bday\b", 1.0),
)  # fmt: skip
POSITIVE = frozenset({"take", "continue", "start", "increase", "decrease", "give", "plan"})
FITS: dict[str, tuple[frozenset[str], frozenset[str]]] = {  # event in the summary -> events in the note that support, contradict it
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
}
EVENTS = {  # status of a drug -> the events that it can mean, the first of those told
    "active": ("stop", "hold", "consider", "increase", "decrease", "start", "continue", "past", "plan", "give", "take"),
    "past": ("stop", "hold", "past", "give"), "planned": ("increase", "decrease", "consider", "stop"),
    "other": ("hold", "consider", "stop", "allergy", "give"), "allergy": (), "negated": (),
}  # fmt: skip
DECISIVE = frozenset({"stop", "hold", "continue", "increase", "decrease", "start", "plan"})
TOLD = {
    "take": "taken", "continue": "continued", "start": "started", "give": "given", "stop": "stopped", "hold": "held",
    "increase": "increased", "decrease": "decreased", "plan": "planned", "consider": "only considered",
    "negated": "not taken", "allergy": "an allergy", "past": "past",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a claim: `start` and `end` are its place in the summary, `at` that of the best support or of what contradicts it."""

    start: int
    end: int
    verdict: str
    reason: str
    at: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the note speaks of a claim's finding, and how many other words of the statement are there too."""

    start: int
    end: int
    assertion: Assertion
    sentence: int
    shared: int


@dataclass(slots=True)
class Statement:
    """A sentence of the summary, what it states, and the places that its claims have taken."""

    summary: Reading
    note: Reading
    number: int
    taken: list[tuple[int, int]] = field(default_factory=list)

    @property
    def bounds(self) -> tuple[int, int]:
        """Start and end in the summary."""
        return self.summary.sentences[self.number]

    @property
    def text(self) -> str:
        """The sentence."""
        return self.summary.text[slice(*self.bounds)]

    def is_free(self, start: int, end: int) -> bool:
        """Say whether no claim has taken a place."""
        return all(end <= a or b <= start for a, b in self.taken)

    def content(self) -> list[Word]:
        """Give the words that state something."""
        empty = vocabulary().empty
        return [w for w in self.summary.sentence_words(self.number) if not all(n.isdigit() or n in empty for n in w.names)]


def check_summary(summary: str, note_text: str, nlp: Language | None = None) -> pd.DataFrame:
    """Compare each claim of a summary with the note.

    Parameters
    ----------
    summary
        Any summary of the note, made here or elsewhere.
    note_text
        The note.
    nlp
        The pipeline; `clinnlp.load()` where none is given.

    Returns
    -------
    DataFrame
        A row a claim: `claim` as it stands in the summary; `verdict`: supported, contradicted or unsupported; `start`
        and `end` in the note of the best support, or of what contradicts the claim, missing where the note says
        nothing of it; `reason` in a few words. A claim that says less than the note ("possible" of what the note is
        sure of) is supported; one that is surer than the note is contradicted.

    Raises
    ------
    InputError
        When the summary or the note is no string.

    Examples
    --------
    >>> check_summary("No history of diabetes. Takes lisinopril.", "T2DM. Lisinopril 10 mg daily.")[["claim", "verdict", "reason"]].values.tolist()
    [['diabetes', 'contradicted', 'the note affirms it'], ['lisinopril', 'supported', 'the note has it as taken']]
    """
    import pandas as pd

    rows = [
        {
            "claim": summary[j.start : j.end], "verdict": j.verdict, "start": j.at[0] if j.at else None,
            "end": j.at[1] if j.at else None, "reason": j.reason,
        }
        for j in judge(summary, note_text, nlp)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def faithfulness_score(claims: pd.DataFrame) -> float:
    """Give the share of claims that the note supports, 0 to 1; NaN where there are none.

    >>> faithfulness_score(check_summary("Has T2DM. Takes aspirin.", "Type 2 diabetes."))
    0.5
    """
    return float((claims["verdict"] == SUPPORTED).mean())


def judge(summary: str, note_text: str, nlp: Language | None = None) -> list[Judgement]:
    """Judge the claims of a summary in the order of its text; see `check_summary`."""
    for name, text in (("summary", summary), ("note_text", note_text)):
        if not isinstance(text, str):
            raise InputError(f"{name} should be a string, got {type(text).__name__}. Give the text itself.")
    nlp = nlp or _default()
    told, note = read(nlp, summary), read(nlp, note_text)
    found = [j for i in range(len(told.sentences)) for j in _judge_statement(Statement(told, note, i))]
    return sorted(found, key=lambda j: (j.start, j.end))


@lru_cache(maxsize=1)
def _default() -> Language:
    from clinnlp.pipeline import load

    return load()


def _judge_statement(s: Statement) -> Iterator[Judgement]:
    found = [*_person(s), *_drugs(s), *_values(s)]
    found += _finding_claims(s)
    found += _quantity_claims(s)
    named = [j for j in found if not j.reason.startswith(("age", "sex"))]
    found += _words_claim(s, bool(named))
    yield from found


# --- the person ---


def _person(s: Statement) -> Iterator[Judgement]:
    """Compare age and sex, where the sentence states them."""
    low, high = s.bounds
    age, sex = s.summary.age, s.summary.sex
    if age and low <= age[0] < high:
        s.taken.append(age[:2])
        if s.note.age is None:
            yield Judgement(*age[:2], UNSUPPORTED, "age not in the note")
        elif age[2] == s.note.age[2]:
            yield Judgement(*age[:2], SUPPORTED, "age as in the note", s.note.age[:2])
        else:
            yield Judgement(*age[:2], CONTRADICTED, f"age differs: {s.note.age[2]:g} in the note", s.note.age[:2])
    if sex and low <= sex[0] < high and s.note.sex:
        is_named = len(s.summary.text[sex[0] : sex[1]]) > 3
        if sex[2] != s.note.sex[2]:
            yield Judgement(*sex[:2], CONTRADICTED, f"sex differs: {s.note.sex[2]} in the note", s.note.sex[:2])
        elif is_named:
            yield Judgement(*sex[:2], SUPPORTED, "sex as in the note", s.note.sex[:2])


# --- drugs ---


def _drugs(s: Statement) -> Iterator[Judgement]:
    """Compare each drug of the sentence with those of the note: name, event, dose and frequency."""
    low, high = s.bounds
    for drug in s.summary.doc._.medications:
        if not low <= drug.start < high:
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
    names = [DRUG_WORDS.sub("", n.lower()) for n in (drug.text, drug.code_name or "")]
    return {p for n in names for p in (n, *re.split("[/-]", n)) if len(p) > 2} | ({drug.code} if drug.code else set())


def _same_drugs(s: Statement, drug: Medication) -> list[Medication]:
    """Give the mentions of a drug in the note, also of a member of its class, or cut short ("azithro")."""
    keys, note = _keys(drug), s.note
    same = [m for m in note.doc._.medications if _keys(m) & keys]
    taken = {m.start for m in same}
    for word in note.words:
        written = note.text[word.start : word.end].lower()
        if len(written) > 3 and word.start not in taken and any(k.startswith(written) and k != written for k in keys):
            sig = read_sig(note.text, word.start, word.end, word.start, min(len(note.text), word.end + 60)).quote(note.text)
            status = "active" if word.start not in note.assertions or not note.assertions[word.start].negated else "negated"
            same.append(Medication(word.start, word.end, written, **sig, status=status))
    name = next((w for w in s.summary.words_in(drug.start, drug.end)), None)
    pattern = next((p for n, p in vocabulary().drug_classes.items() if name and n in name.names), None)
    if pattern and not same:
        same = [m for m in note.doc._.medications if pattern.search(m.text) or pattern.search(m.code_name or "")]
    return sorted(same, key=lambda m: m.start)


def _judge_drug(s: Statement, drug: Medication, end: int, same: list[Medication]) -> Judgement:
    event = _event(s.summary, drug)
    if not same:
        place = _word_place(s, drug.start, drug.end)
        if place is None:
            if event == "allergy" and (nkda := _no_allergies(s.note)):
                return Judgement(drug.start, end, CONTRADICTED, "the note has no drug allergies", nkda)
            return Judgement(drug.start, end, UNSUPPORTED, f"{drug.text} is not in the note")
        negated = place.assertion.negated is not None
        if negated != (event == "negated"):
            return Judgement(drug.start, end, CONTRADICTED, "the note denies it" if negated else "the note affirms it", (place.start, place.end))
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
            return Judgement(drug.start, end, CONTRADICTED, f"{name} differs: {quoted} in the note", (other.start, other.end))
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
    events = _events_in(reading.text, drug, near, far)
    if others and events.isdisjoint(EVENTS[drug.status]):
        events |= _events_in(reading.text, drug, max(low, drug.start - 160), min(high, drug.end + 160)) - {"consider"}
    if drug.status == "negated" and "stop" in events and not re.search("(?:never|not|without) ", reading.text[near : drug.start]):
        return "stop"
    wanted = EVENTS[drug.status]
    default = {"past": "past", "planned": "plan", "other": "give", "active": "take"}.get(drug.status, drug.status)
    return next((e for e in wanted if e in events), default)


def _events_in(text: str, drug: Medication, low: int, high: int) -> set[str]:
    around = f"{text[low : drug.start]}§{text[drug.end : high]}"
    return {name for name, pattern in vocabulary().events.items() if pattern.search(around)}


def _is_future(reading: Reading, drug: Medication) -> bool:
    low, _ = reading.sentences[reading.sentence_at(drug.start)]
    return FUTURE.search(reading.text, max(low, drug.start - 60), drug.start) is not None


def _no_allergies(note: Reading) -> tuple[int, int] | None:
    return next(((f.start, f.end) for f in note.findings if "drug_allergy" in f.conditions and f.assertion.negated), None)


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


# --- values ---


def _values(s: Statement) -> Iterator[Judgement]:
    """Compare the vital signs and laboratory results of the sentence with those of the note."""
    low, high = s.bounds
    for value in s.summary.doc._.measurements:
        if not low <= value.start < high:
            continue
        name = s.summary.text.rfind(value.test, low, value.start)
        start = name if name >= 0 else value.start
        s.taken.append((start if value.start - start < 40 else value.start, value.end + 2))
        if start != value.start:
            s.taken.append((start, start + len(value.test)))
        same = [m for m in s.note.doc._.measurements if _test(m) == _test(value)]
        equal = next((m for m in same if _amount(m) == _amount(value)), None)
        test = " ".join(value.test.split())
        if equal:
            yield Judgement(start, value.end, SUPPORTED, f"{test} as in the note", (equal.start, equal.end))
        elif same:
            told = ", ".join(dict.fromkeys(m.value for m in same[:3]))
            yield Judgement(start, value.end, CONTRADICTED, f"{test} differs: {told} in the note", (same[0].start, same[0].end))
        elif place := _word_place(s, start, start + len(value.test)):
            yield from _other_number(s, start, value, place)
        else:
            yield Judgement(start, value.end, UNSUPPORTED, f"{test} is not in the note")


def _other_number(s: Statement, start: int, value: Measurement, place: Place) -> Iterator[Judgement]:
    """Look for a value beside the name of a test whose value was not read."""
    text = s.note.text
    numbers = list(re.finditer(r"\d+(?:[./]\d+)?", text[place.end : place.end + 60].split("\n")[0]))
    at = (place.start, place.end)
    if any(m.group() == value.value for m in numbers[:3]):
        yield Judgement(start, value.end, SUPPORTED, "value as in the note", at)
    elif numbers:
        yield Judgement(start, value.end, CONTRADICTED, "value differs", at)
    else:
        yield Judgement(start, value.end, UNSUPPORTED, "the note has no value of it")


def _test(value: Measurement) -> str:
    ids = load_rules().ids
    name = " ".join(value.test.split())
    return ids.get(name) or ids.get(name.lower()) or ids.get(f"{name.lower()}:") or name.lower()


def _amount(value: Measurement) -> str:
    return f"{value.number:g}" if value.number is not None else re.sub(r"\s|over", "", value.value.replace(" over ", "/"))


# --- findings ---


def _finding_claims(s: Statement) -> Iterator[Judgement]:
    low, high = s.bounds
    for finding in [f for f in s.summary.findings if low <= f.start < high and s.is_free(f.start, f.end)]:
        words = s.summary.words_in(finding.start, finding.end)
        if all(w.names <= vocabulary().empty for w in words):
            continue
        s.taken.append((finding.start, finding.end))
        if any("allergy" in w.names for w in words):
            yield _judge_allergy(s, finding)
        else:
            yield _judge_finding(s, finding)


def _judge_finding(s: Statement, finding: Finding) -> Judgement:
    places = _places(s, finding)
    if finding.assertion.family and any(_is_relatives(s.note, p) for p in places):
        places = [p for p in places if _is_relatives(s.note, p)]
    most = max((p.shared for p in places), default=0)
    verdicts = [(_compare(s, finding, p), p) for p in places if p.shared >= most]
    for wanted in (SUPPORTED, CONTRADICTED):
        for (verdict, reason), p in verdicts:
            if verdict == wanted:
                return Judgement(finding.start, finding.end, verdict, reason, (p.start, p.end))
    if wider := _denied_wider(s, finding):
        return Judgement(finding.start, finding.end, CONTRADICTED, "the note denies it", (wider.start, wider.end))
    return Judgement(finding.start, finding.end, UNSUPPORTED, verdicts[0][0][1] if verdicts else "not in the note")


def _judge_allergy(s: Statement, finding: Finding) -> Judgement:
    """Compare what is said of drug allergies as such."""
    denied = finding.assertion.negated is not None
    none = _no_allergies(s.note)
    listed = next(((m.start, m.end) for m in s.note.doc._.medications if m.status == "allergy"), None)
    start, end = finding.start, finding.end
    if denied and listed or not denied and none and not listed:
        return Judgement(start, end, CONTRADICTED, f"the note has {'an allergy' if denied else 'no drug allergies'}", listed or none)
    if at := none if denied else listed:
        return Judgement(start, end, SUPPORTED, f"the note has {'no drug allergies' if denied else 'an allergy'}", at)
    return _judge_finding(s, finding)


def _denied_wider(s: Statement, finding: Finding) -> Finding | None:
    """Find what the note denies as such ("no edema"), where the summary affirms it of a place ("leg edema")."""
    if finding.assertion.negated or finding.assertion.family:
        return None
    mine = frozenset().union(*(w.names for w in s.summary.words_in(finding.start, finding.end)))
    for other in s.note.findings:
        words = [w for w in s.note.words_in(other.start, other.end) if not w.names <= vocabulary().empty]
        if other.assertion.negated and words and not other.assertion.family and all(w.names & mine for w in words):
            return other
    return None


def _names_relative(text: str) -> bool:
    return any(w in vocabulary().relatives for w in re.findall("[a-z]+", text.lower()))


def _is_relatives(note: Reading, place: Place) -> bool:
    """Say whether the note tells of a relative at a place: by its context, or a form such as "mo - gout"."""
    family = place.assertion.family
    start = note.sentences[place.sentence][0]
    before = note.text[max(start, place.start - 60) : place.start]
    forms = re.finditer(r"([A-Za-z]+)\s*(?:[-–:(=]|with\b|had\b|has\b|died of\b|w/)(?=[^.;:\n(]{0,30}$)", before)
    if any(m[1].lower() in vocabulary().relatives.keys() - {"wife", "husband", "spouse"} for m in forms):
        return True
    line = max(start, note.text.rfind("\n", 0, place.start))
    if family is None or not family.rule.startswith("section.") or _names_relative(note.text[line : place.start]):
        return family is not None
    section = section_at(note.doc._.sections, place.start)  # a long section holds other things at its end
    return section is not None and place.start - section.body_start < 150 and "\n" not in note.text[section.body_start : place.start].strip()


def _places(s: Statement, finding: Finding) -> list[Place]:
    """Find where the note speaks of a finding: under the same code or condition, or in the same words."""
    note = s.note
    words = s.summary.words_in(finding.start, finding.end)
    context = [w for w in s.content() if not (finding.start <= w.start < finding.end)]
    places = {}
    for other in note.findings:
        if _is_same(s, finding, other):
            places[other.start] = _place(s, other.start, other.end, other.assertion, context)
    for start, end in _matches(words, note):
        covering = next((f for f in note.findings if f.start <= start < f.end or start <= f.start < end), None)
        if covering:
            places[covering.start] = _place(s, covering.start, covering.end, covering.assertion, context)
        elif start in note.assertions:
            places[start] = _place(s, start, end, note.assertions[start], context)
    return [places[k] for k in sorted(places)]


def _place(s: Statement, start: int, end: int, assertion: Assertion, context: list[Word]) -> Place:
    number = s.note.sentence_at(start)
    names = _sentence_names(s.note, number)
    return Place(start, end, assertion, number, sum(any(way <= names for way in w.ways) for w in context))


def _word_place(s: Statement, start: int, end: int) -> Place | None:
    """Find where the note has the words of a claim, whatever they are there."""
    context = [w for w in s.content() if not start <= w.start < end]
    places = [
        _place(s, a, b, s.note.assertions[a], context)
        for a, b in _matches(s.summary.words_in(start, end), s.note)
        if a in s.note.assertions
    ]
    return max(places, key=lambda p: p.shared, default=None)


def _is_same(s: Statement, finding: Finding, other: Finding) -> bool:
    """Say whether two findings are one by their code, or by a condition whose terms are one disease."""
    if finding.code and finding.code == other.code:
        return True
    shared = finding.conditions & other.conditions
    if not shared:
        return False
    if shared - vocabulary().broad:
        if not (finding.code and other.code) or _is_subset(s, finding, other):
            return True
        return finding.code[:3] == other.code[:3] and not MESH.match(finding.code)
    return finding.assertion.negated is not None and not shared & {"drug_allergy"}


def _is_subset(s: Statement, finding: Finding, other: Finding) -> bool:
    """Say whether all telling words of a finding are in another."""
    names = frozenset().union(*(w.names for w in s.note.words_in(other.start, other.end)))
    weak = vocabulary().weak | vocabulary().empty
    words = s.summary.words_in(finding.start, finding.end)
    return all(w.names & names or any(way <= weak for way in w.ways) for w in words)


def _matches(words: list[Word], note: Reading) -> list[tuple[int, int]]:
    """Find the sentences of the note that have all telling words of a finding, and there the last of them."""
    known = vocabulary()
    telling = [w for w in words if not any(way <= known.weak | known.empty for way in w.ways) and not w.names <= known.empty]
    telling = telling or [w for w in words if not w.names <= known.empty]
    if not telling:
        return []
    found: list[tuple[int, int]] = []
    hits = [_hits(w, note) for w in telling]
    if not all(hits):
        return []
    for i in hits[-1]:
        word = note.words[i]
        if all(any(abs(j - i) <= NEAR and abs(note.words[j].sentence - word.sentence) <= (word.in_header or note.words[j].in_header) for j in h) for h in hits[:-1]):
            found.append((word.start, word.end))
    return found


def _hits(word: Word, note: Reading) -> list[int]:
    """Give the numbers of the note's words that are the same as a word; of a way of several words the last."""
    found: set[int] = set()
    for way in word.ways:
        names = [_known_name(n, note) for n in way]
        if not names or None in names:
            continue
        first, *rest = sorted((note.places[n] for n in names if n), key=len)
        for i in first:
            if all(any(abs(i - j) <= 4 for j in r) for r in rest):
                found.add(i)
    return sorted(found)


def _known_name(name: str, note: Reading) -> str | None:
    """Give the name as the note has it, also mistyped; None if it has not."""
    if name in note.places:
        return name
    if len(name) < 7:
        return None
    match = process.extractOne(name, [n for n in note.places if abs(len(n) - len(name)) < 3 and n[0] == name[0]], score_cutoff=ALIKE)
    return match[0] if match else None


def _sentence_names(note: Reading, number: int) -> frozenset[str]:
    """Give all names of the words of a sentence, and of the header of its section."""
    names = [w.names for w in note.sentence_words(number)]
    section = section_at(note.doc._.sections, note.sentences[number][0])
    if section:
        names += [w.names for w in note.words_in(section.start, section.end)]
    return frozenset().union(*names) if names else frozenset()


def _compare(s: Statement, finding: Finding, place: Place) -> tuple[str, str]:
    """Compare what the summary and the note assert of a finding at one place."""
    mine, theirs = finding.assertion, place.assertion
    text = s.text
    denied = _is_denied(s.note, place)
    mine_denied = mine.negated is not None
    if mine.family is not None or _is_relatives(s.note, place):
        return _compare_person(s, finding, place, denied, mine_denied)
    if ENDED.search(text) and (denied or theirs.historical):
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
    if side := _other_side(s, finding, place):
        return CONTRADICTED, f"{side} in the note"
    if finding.label in ("PROCEDURE", "TEST"):
        return _compare_procedure(s, finding, place)
    if mine.hypothetical:
        return SUPPORTED, "the note names it"
    if theirs.hypothetical or _is_warning(s.note, place):
        return CONTRADICTED, "the note names it as a condition only"
    if theirs.uncertain and not mine.uncertain:
        return CONTRADICTED, "only possible in the note"
    habit = finding.conditions & {"tobacco_use", "substance_use", "alcohol_misuse"}
    over = theirs.historical is not None and not theirs.is_background and "allerg" not in theirs.historical.rule
    if over and mine.historical is None and NOW.search(text) and not OVER.search(text):
        return CONTRADICTED, "told as past in the note"
    if habit and mine.historical is not None and theirs.historical is None:
        return CONTRADICTED, "told as present in the note"
    return SUPPORTED, "the note says so"


def _is_warning(note: Reading, place: Place) -> bool:
    """Say whether a place is among what the patient should come back for."""
    start = note.sentences[place.sentence][0]
    return WARNING.search(note.text, start, place.start) is not None


def _compare_person(s: Statement, finding: Finding, place: Place, denied: bool, mine_denied: bool) -> tuple[str, str]:
    """Compare a finding that the summary or the note tells of a relative."""
    mine, theirs = finding.assertion.family is not None, _is_relatives(s.note, place)
    if mine and theirs:
        who, whose = relatives_in(s.summary, finding.start), relatives_in(s.note, place.start)
        if who and whose and who != whose:
            return CONTRADICTED, f"said of the {next(iter(whose))} in the note"
        if denied != mine_denied:
            return CONTRADICTED, "the note denies it" if denied else "the note affirms it"
        return SUPPORTED, "the note says so of the relative"
    if mine:
        return (UNSUPPORTED, "the note denies it of the patient") if denied else (CONTRADICTED, "said of the patient in the note")
    if mine_denied:
        return (SUPPORTED, "the note denies it too") if denied else (UNSUPPORTED, "said of a relative only in the note")
    whose = relatives_in(s.note, place.start)
    return CONTRADICTED, f"said of the {next(iter(whose), 'family')} in the note"


def _compare_procedure(s: Statement, finding: Finding, place: Place) -> tuple[str, str]:
    """A test or procedure that was done against one that is planned."""
    sentence = s.note.text[slice(*s.note.sentences[place.sentence])]
    planned = place.assertion.hypothetical is not None or (FUTURE.search(sentence) and not DONE.search(sentence))
    if planned and DONE.search(s.text) and not FUTURE.search(s.text):
        return CONTRADICTED, "only planned in the note"
    return SUPPORTED, "the note has it"


def _is_denied(note: Reading, place: Place) -> bool:
    """Say whether the note denies what is at a place; a cue before another key ("PSH: none  Meds: X") does not count."""
    denial = place.assertion.negated
    if denial and denial.end <= place.start and re.search(r"\w:[ ]", note.text[denial.end : place.start]):
        denial = None
    return denial is not None or _denied_by_header(note, place)


def _denied_by_header(note: Reading, place: Place) -> bool:
    """Say whether a place is a header, or a key, that is answered by "none"."""
    words = note.words_in(place.start, place.end)
    rest = note.text[place.end : place.end + 20]
    return (any(w.in_header for w in words) or rest.lstrip(" ")[:1] == ":") and NONE.match(rest) is not None


def _other_side(s: Statement, finding: Finding, place: Place) -> str | None:
    """Give the word by which the note excludes what the statement says of a finding: another side, type or course."""
    note = s.note
    around = s.note.sentence_words(place.sentence)
    centre = next((i for i, w in enumerate(around) if w.end > place.start), 0)
    own = s.summary.sentence_words(s.number)
    mine, theirs = _own_side(s, finding, own), _nearest_side(around, centre)
    if mine and theirs and not mine.names & theirs.names & SIDES and not (mine.names | theirs.names) & {"bilateral"}:
        return note.text[theirs.start : theirs.end].lower()
    names = frozenset().union(*(w.names for w in around))
    return _opposite(note, [w for w in own if not w.names & SIDES], names, around[max(0, centre - 4) : centre + 5])


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


def _opposite(note: Reading, mine: list[Word], names: frozenset[str], around: list[Word]) -> str | None:
    """Give the word of the note that excludes one of a statement which the note's sentence has not."""
    opposites = vocabulary().opposites
    for word in mine:
        if any(way <= names for way in word.ways):
            continue
        against = frozenset().union(*(opposites.get(n, frozenset()) for n in word.names))
        if other := next((w for w in around if w.names & against), None):
            return note.text[other.start : other.end].lower()
    return None


# --- numbers and words ---


def _quantity_claims(s: Statement) -> Iterator[Judgement]:
    """Compare durations, sizes, years and other numbers with those that the note has of the same things."""
    low, high = s.bounds
    content = [w for w in s.content()]
    for quantity in s.summary.quantities:
        if low <= quantity.start < high and s.is_free(quantity.start, quantity.end):
            s.taken.append((quantity.start, quantity.end))
            yield _judge_quantity(s, quantity, [w for w in content if not quantity.start <= w.start < quantity.end])


def _judge_quantity(s: Statement, q: Quantity, content: list[Word]) -> Judgement:
    scored = []
    for other in s.note.quantities:
        if other.kind == q.kind:
            number = s.note.sentence_at(other.start)
            names = _sentence_names(s.note, number)
            shared = sum(any(way <= names for way in w.ways) for w in content)
            scored.append((shared, abs(q.low - other.low) <= 0.03 * q.low or other.low <= q.low <= other.high, other))
    for shared, equal, other in sorted(scored, key=lambda t: -t[0]):
        if equal and (shared or not content):
            return Judgement(q.start, q.end, SUPPORTED, "number as in the note", (other.start, other.end))
    most = max((shared for shared, _, _ in scored), default=0)
    if most:
        other = next(o for shared, _, o in scored if shared == most)
        told = " ".join(s.note.text[other.start : other.end].split())
        return Judgement(q.start, q.end, CONTRADICTED, f"number differs: {told} in the note", (other.start, other.end))
    return Judgement(q.start, q.end, UNSUPPORTED, "number not in the note")


def _words_claim(s: Statement, has_claims: bool) -> Iterator[Judgement]:
    """Look for the words of a statement without other claims in the sentences of the note."""
    content = s.content()
    free = [w for w in content if s.is_free(w.start, w.end)]
    if free and not has_claims:
        yield _judge_words(s, free)


def _judge_words(s: Statement, free: list[Word]) -> Judgement:
    note, (start, end) = s.note, (free[0].start, free[-1].end)
    generic = vocabulary().generic
    weights = [0.4 if w.names & generic else 1.0 for w in free]
    scored = []
    for number in range(len(note.sentences)):
        names = _sentence_names(note, number)
        scored.append((sum(x for x, w in zip(weights, free, strict=True) if _has(names, w, note)) / sum(weights), -number))
    covered, number = max(scored, default=(0.0, 0))
    number = -number
    at = note.sentences[number] if note.sentences else (0, 0)
    names = _sentence_names(note, number) if note.sentences else frozenset()
    around = note.sentence_words(number) if note.sentences else []
    if covered >= 0.3 and any(x == 1 and w.names & names for x, w in zip(weights, free, strict=True)):
        own = s.summary.sentence_words(s.number)
        if other := _opposite(note, own, names, around):
            return Judgement(start, end, CONTRADICTED, f"{other} in the note", at)
    if covered < COVERED:
        return Judgement(start, end, UNSUPPORTED, "not in the note")
    mine = any(s.summary.assertions[w.start].negated for w in free if w.start in s.summary.assertions)
    told = frozenset().union(*(w.names for w in free))
    same = [w for w in around if w.names & told and w.start in note.assertions]
    theirs = any(_is_denied(note, Place(w.start, w.end, note.assertions[w.start], number, 0)) for w in same)
    if mine != theirs:
        return Judgement(start, end, CONTRADICTED, "the note denies it" if theirs else "the note affirms it", at)
    if DONE.search(s.text) and FUTURE.search(note.text, *at) and not DONE.search(note.text, *at) and not FUTURE.search(s.text):
        return Judgement(start, end, CONTRADICTED, "only planned in the note", at)
    return Judgement(start, end, SUPPORTED, "the note says so", at)


def _has(names: frozenset[str], word: Word, note: Reading) -> bool:
    """Say whether a sentence has a word in one of its ways, perhaps mistyped."""
    return any(all(n in names or _known_name(n, note) in names for n in way) for way in word.ways)
