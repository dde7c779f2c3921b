"""Compare the values and numbers of a summary with those of its note, and words that are no finding."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clinnlp.catalogue import load_rules
from clinnlp.faithfulness.claims import Quantity, Reading
from clinnlp.faithfulness.places import (
    CONTRADICTED,
    SUPPORTED,
    UNSUPPORTED,
    Judgement,
    Place,
    Statement,
    find_opposite,
    find_place,
    find_word,
    is_denied,
    known_name,
    names_in,
)
from clinnlp.faithfulness.wording import SIDES, Word, cue, stem, vocabulary
from clinnlp.schema import Measurement

EXACT, ALONE = frozenset({"year", "stage", "heat"}), frozenset({"weight", "heat"})
ACTS = frozenset({"surgery", "procedur", "operat"})
ADJUNCT = frozenset(map(stem, ("during", "after", "before", "following", "at")))
COVERED = 0.75  # share of the words of a statement that a sentence must have to support it


def judge_values(s: Statement) -> Iterator[Judgement]:
    """Compare the vital signs and laboratory results of the sentence with those of the note."""
    low, high = s.bounds
    for value in s.summary.doc._.measurements:
        if not low <= value.start < high:
            continue
        same = [m for m in s.note.doc._.measurements if _test(m) == _test(value)]
        if not same and any(q.kind in ALONE and q.start <= value.start < q.end for q in s.summary.quantities):
            continue  # compared as a number
        name = s.summary.text.rfind(value.test, low, value.start)
        start = name if name >= 0 else value.start
        s.taken.append((start if value.start - start < 40 else value.start, value.end + 2))
        if start != value.start:
            s.taken.append((start, start + len(value.test)))
        equal = next((m for m in same if _amount(m) == _amount(value) or _goes_on(s, m, value)), None)
        test = " ".join(value.test.split())
        if equal:
            yield Judgement(start, value.end, SUPPORTED, f"{test} as in the note", (equal.start, equal.end))
        elif same:
            told = ", ".join(dict.fromkeys(m.value for m in same[:3]))
            yield Judgement(
                start, value.end, CONTRADICTED, f"{test} differs: {told} in the note", (same[0].start, same[0].end)
            )
        elif place := find_place(s, start, start + len(value.test)):
            yield from _other_number(s, start, value, place)
        else:
            yield Judgement(start, value.end, UNSUPPORTED, f"{test} is not in the note")


def _goes_on(s: Statement, measured: Measurement, value: Measurement) -> bool:
    """Say whether the note has the value right after another of the same test ("A1c 9.1, today 7.8")."""
    rest = s.note.text[measured.end : measured.end + 40]
    return re.match(rf"[^A-Za-z\d\n]*(?:[a-z]+ )?{re.escape(value.value)}(?![\d.]*\d)", rest) is not None


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
    return (
        f"{value.number:g}" if value.number is not None else re.sub(r"\s|over", "", value.value.replace(" over ", "/"))
    )


def judge_quantities(s: Statement) -> Iterator[Judgement]:
    """Compare durations, sizes, years and other numbers with those that the note has of the same things."""
    low, high = s.bounds
    content = s.content()
    for quantity in s.summary.quantities:
        if low <= quantity.start < high and s.is_free(quantity.start, quantity.end):
            s.taken.append((quantity.start, quantity.end))
            yield _judge_quantity(s, quantity, [w for w in content if not quantity.start <= w.start < quantity.end])


def _judge_quantity(s: Statement, q: Quantity, content: list[Word]) -> Judgement:
    scored = []
    for other in s.note.quantities:
        if other.kind == q.kind:
            number = s.note.sentence_at(other.start)
            names = names_in(s.note, number)
            shared = sum(any(way <= names for way in w.ways) for w in content)
            scored.append(
                (
                    shared,
                    abs(q.low - other.low) <= (0 if q.kind in EXACT else 0.03) * q.low
                    or other.low <= q.low <= other.high,
                    other,
                )
            )
    for shared, equal, other in sorted(scored, key=lambda t: -t[0]):
        if equal and (shared or not content):
            return Judgement(q.start, q.end, SUPPORTED, "number as in the note", (other.start, other.end))
    most = max((shared for shared, _, _ in scored), default=0)
    if most:
        other = next(o for shared, _, o in scored if shared == most)
        told = " ".join(s.note.text[other.start : other.end].split())
        return Judgement(q.start, q.end, CONTRADICTED, f"number differs: {told} in the note", (other.start, other.end))
    if q.kind in ALONE and scored:  # a weight or a temperature is the patient's
        verdict, reason = (
            (SUPPORTED, "number as in the note") if any(e for _, e, _ in scored) else (CONTRADICTED, "number differs")
        )
        other = next((o for _, e, o in scored if e), scored[0][2])
        return Judgement(q.start, q.end, verdict, reason, (other.start, other.end))
    return Judgement(q.start, q.end, UNSUPPORTED, "number not in the note")


def judge_words(s: Statement, has_claims: bool, has_any: bool) -> Iterator[Judgement]:
    """Look for the words of a statement without other claims in the sentences of the note.

    Beside other claims a word counts only where the note denies it.
    """
    free = [w for w in s.content() if s.is_free(w.start, w.end)]
    if has_claims:
        yield from _denied_words(s, free)
        return
    if not free and not has_any:
        free = [w for w in s.summary.sentence_words(s.number) if w.end - w.start > 3 or len(w.ways) > 1]
    if free and any(c.isalpha() for c in s.text):
        yield _judge_sentence(s, free)


def _denied_words(s: Statement, free: list[Word]) -> Iterator[Judgement]:
    """Find words of the summary that the note has, and denies everywhere ("complicated", "COMPLICATIONS: None")."""
    for word in free:
        mine = s.summary.assertions.get(word.start)
        if (
            mine is None
            or mine.negated
            or any(way <= vocabulary().weak | SIDES for way in word.ways)
            or word.names & vocabulary().body
        ):
            continue
        told = [s.note.words[i] for i in find_word(word, s.note)]
        told = [w for w in told if w.start in s.note.assertions]
        if told and all(is_denied(s.note, w.start, w.end, s.note.assertions[w.start]) for w in told):
            yield Judgement(word.start, word.end, CONTRADICTED, "the note denies it", (told[0].start, told[0].end))


def _judge_sentence(s: Statement, free: list[Word]) -> Judgement:
    """Find the sentence of the note that has most words of a statement, and compare negation, opposites and plans."""
    note, (start, end) = s.note, (free[0].start, free[-1].end)
    weights = _weights(s, free)
    scored = []
    for number in range(len(note.sentences)):
        names = names_in(note, number)
        has = [_has(names, w, note) for w in free]
        telling = sum(1 for h, x in zip(has, weights, strict=True) if h and x == 1)
        scored.append((sum(x for x, h in zip(weights, has, strict=True) if h) / sum(weights), telling, -number))
    scored.sort(reverse=True)
    covered, _, number = scored[0] if scored else (0.0, 0, 0)
    at = note.sentences[-number] if scored else (0, 0)
    if covered < COVERED or any(w.names & vocabulary().opposites.keys() for w in free):
        for share, telling, n in scored[:6]:
            if share >= 0.3 and telling and (covered < COVERED or n == number):
                own, around = s.summary.sentence_words(s.number), note.sentence_words(-n)
                if other := find_opposite(note, own, names_in(note, -n), around):
                    return Judgement(start, end, CONTRADICTED, f"{other} in the note", note.sentences[-n])
    if covered < COVERED:
        return Judgement(start, end, UNSUPPORTED, "not in the note")
    said = s.summary.assertions
    mine = any(is_denied(s.summary, w.start, w.end, said[w.start]) for w in free if w.start in said)
    told = frozenset().union(*(w.names for w in free))
    same = [w for w in note.sentence_words(-number) if w.names & told and w.start in note.assertions]
    theirs = any(is_denied(note, w.start, w.end, note.assertions[w.start]) for w in same)
    if mine != theirs:
        return Judgement(start, end, CONTRADICTED, "the note denies it" if theirs else "the note affirms it", at)
    if (
        cue("done").search(s.text)
        and cue("future").search(note.text, *at)
        and not cue("done").search(note.text, *at)
        and not cue("future").search(s.text)
    ):
        return Judgement(start, end, CONTRADICTED, "only planned in the note", at)
    return Judgement(start, end, SUPPORTED, "the note says so", at)


def _weights(s: Statement, free: list[Word]) -> list[float]:
    """Give what each word counts: 1, less where it is generic, or where it only says when ("during the visit")."""
    weights, adjunct = [], False
    for word in s.summary.sentence_words(s.number):
        adjunct = adjunct or not word.names.isdisjoint(ADJUNCT)
        if word in free:
            weights.append(0.3 if adjunct or word.names & vocabulary().generic else 0.5 if word.names & ACTS else 1.0)
    return weights


def _has(names: frozenset[str], word: Word, note: Reading) -> bool:
    """Say whether a sentence has a word in one of its ways, perhaps mistyped."""
    return any(all(n in names or known_name(n, note) in names for n in way) for way in word.ways)
