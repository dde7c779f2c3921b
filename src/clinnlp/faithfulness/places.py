"""Find where a note speaks of what a summary claims, and whether it denies it there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rapidfuzz import process

from clinnlp.components.context import Assertion
from clinnlp.components.extensions import section_at
from clinnlp.faithfulness.claims import Reading
from clinnlp.faithfulness.wording import Word, cue, vocabulary

SUPPORTED, CONTRADICTED, UNSUPPORTED = VERDICTS = ("supported", "contradicted", "unsupported")
ALIKE = 88  # of 100: from here on a word is a mistyped other
NEAR = 10  # words between the parts of a finding


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a claim.

    `start` and `end` are its place in the summary; `at` is that of the best support, or of what contradicts it, in the
    note.
    """

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
        return [
            w for w in self.summary.sentence_words(self.number) if not all(n.isdigit() or n in empty for n in w.names)
        ]


def place_at(s: Statement, start: int, end: int, assertion: Assertion, context: list[Word]) -> Place:
    """Describe a place of the note: its sentence, and how many words of the statement are there too."""
    number = s.note.sentence_at(start)
    names = names_in(s.note, number)
    return Place(start, end, assertion, number, sum(any(way <= names for way in w.ways) for w in context))


def find_place(s: Statement, start: int, end: int) -> Place | None:
    """Find where the note has the words of a claim, whatever they are there."""
    context = [w for w in s.content() if not start <= w.start < end]
    places = [
        place_at(s, a, b, s.note.assertions[a], context)
        for a, b in find_words(s.summary.words_in(start, end), s.note)
        if a in s.note.assertions
    ]
    return max(places, key=lambda p: p.shared, default=None)


def find_words(words: list[Word], note: Reading) -> list[tuple[int, int]]:
    """Find the sentences of the note that have all telling words of a finding, and there the last of them."""
    known = vocabulary()
    telling = [
        w for w in words if not any(way <= known.weak | known.empty for way in w.ways) and not w.names <= known.empty
    ]
    telling = telling or [w for w in words if not w.names <= known.empty]
    if not telling:
        return []
    found: list[tuple[int, int]] = []
    hits = [find_word(w, note) for w in telling]
    if not all(hits):
        return []
    for i in hits[-1]:
        word = note.words[i]
        if all(
            any(
                abs(j - i) <= NEAR
                and abs(note.words[j].sentence - word.sentence) <= (word.in_header or note.words[j].in_header)
                for j in h
            )
            for h in hits[:-1]
        ):
            found.append((word.start, word.end))
    return found


def find_word(word: Word, note: Reading) -> list[int]:
    """Give the numbers of the note's words that are the same as a word; of a way of several words the last."""
    found: set[int] = set()
    for way in word.ways:
        names = [known_name(n, note) for n in way]
        if not names or None in names:
            continue
        first, *rest = sorted((note.places[n] for n in names if n), key=len)
        for i in first:
            if all(any(abs(i - j) <= 4 for j in r) for r in rest):
                found.add(i)
    return sorted(found)


def known_name(name: str, note: Reading) -> str | None:
    """Give the name as the note has it, also mistyped; None if it has not."""
    if name in note.places:
        return name
    if len(name) < 7:
        return None
    match = process.extractOne(
        name, [n for n in note.places if abs(len(n) - len(name)) < 3 and n[0] == name[0]], score_cutoff=ALIKE
    )
    return match[0] if match else None


def names_in(note: Reading, number: int) -> frozenset[str]:
    """Give all names of the words of a sentence, and of the header of its section."""
    names = [w.names for w in note.sentence_words(number)]
    section = section_at(note.doc._.sections, note.sentences[number][0])
    if section:
        names += [w.names for w in note.words_in(section.start, section.end)]
    return frozenset().union(*names) if names else frozenset()


def sentence_text(note: Reading, number: int) -> str:
    """Give a sentence of the note."""
    return note.text[slice(*note.sentences[number])]


def is_denied(reading: Reading, start: int, end: int, assertion: Assertion) -> bool:
    """Say whether a text denies what is at a place; a cue before another key ("PSH: none  Meds: X") does not count."""
    denial = assertion.negated
    if denial and denial.end <= start and re.search(r"\w:[ ]", reading.text[denial.end : start]):
        denial = None
    return (
        denial is not None
        or is_denied_by_header(reading, start, end)
        or cue("refused").search(reading.text[max(0, start - 30) : start]) is not None
    )


def is_denied_by_header(reading: Reading, start: int, end: int) -> bool:
    """Say whether a place is a header, or a key, that is answered by "none"."""
    is_header = (
        any(w.in_header for w in reading.words_in(start, end)) or reading.text[end : end + 20].lstrip(" ")[:1] == ":"
    )
    return is_header and cue("none").match(reading.text, end) is not None


def no_allergies(note: Reading) -> tuple[int, int] | None:
    """Find where the note says that there are no drug allergies."""
    return next(
        ((f.start, f.end) for f in note.findings if "drug_allergy" in f.conditions and f.assertion.negated), None
    )


def find_opposite(note: Reading, mine: list[Word], names: frozenset[str], around: list[Word]) -> str | None:
    """Give the word of the note that excludes one of a statement which the note's sentence has not."""
    opposites = vocabulary().opposites
    for word in mine:
        if any(way <= names for way in word.ways):
            continue
        against = frozenset().union(*(opposites.get(n, frozenset()) for n in word.names))
        if other := next((w for w in around if w.names & against), None):
            return note.text[other.start : other.end].lower()
    return None


def is_warning(note: Reading, place: Place) -> bool:
    """Say whether a place is among what the patient should come back for."""
    start = note.sentences[place.sentence][0]
    return cue("warning").search(note.text, start, place.start) is not None
