"""The words of a text under one name each, whatever the way of saying it: `resources/faithfulness.yml`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from clinnlp.resources import read_yaml
from clinnlp.spelling import normalise

WORD = re.compile(r"[A-Za-z]{1,3}\d+[A-Za-z]*|[A-Za-z]+(?:[&/'’-][A-Za-z]+)*|\d+(?:[.,]\d+)*")
ENDINGS = re.compile(r"(?:'s|’s|s)$")
VERBAL = re.compile(r"(?<=[a-z]{3})(?:ings?|ed|es|ely|ly|e)$")
WHOLE = frozenset({"follow-up", "mini-stroke", "lap-chole"})
SIDES = frozenset({"left", "right", "bilateral"})
Phrase = tuple[tuple[str, ...], str, bool]  # its stems, its name, whether it counts in capitals only


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The compiled content of `faithfulness.yml`."""

    phrases: dict[str, list[Phrase]]  # by the first stem, the longest first
    opposites: dict[str, frozenset[str]]
    weak: frozenset[str]
    generic: frozenset[str]
    body: frozenset[str]
    empty: frozenset[str]
    broad: frozenset[str]
    relatives: dict[str, str]
    events: dict[str, re.Pattern[str]]
    drug_classes: dict[str, re.Pattern[str]]
    cues: dict[str, re.Pattern[str]]


@dataclass(slots=True)
class Word:
    """A word, or a phrase that has a name of its own; `ways` are the sets of names it can be compared under."""

    start: int
    end: int
    ways: tuple[frozenset[str], ...]
    sentence: int
    in_header: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All its names."""
        return frozenset().union(*self.ways)


@cache
def vocabulary() -> Vocabulary:
    """Read and compile `faithfulness.yml`."""
    data = read_yaml("faithfulness.yml")
    phrases: dict[str, list[Phrase]] = {}
    for group in data["synonyms"]:
        name = "+".join(stem(w) for w in str(group[0]).split())
        for way in map(str, group):
            stems = tuple(stem(w) for _, w in split_words(way))
            phrases.setdefault(stems[0], []).append((stems, name, way.isupper()))
    for ways in phrases.values():
        ways.sort(key=lambda p: -len(p[0]))
    opposites: dict[str, set[str]] = defaultdict(set)
    for group in data["opposites"]:
        members = [tuple(map(stem, w.split())) for w in group]
        names = {next((p[1] for p in phrases.get(s[0], ()) if p[0] == s), s[0]) for s in members}
        for name in names:
            opposites[name] |= names - {name}
    return Vocabulary(
        phrases,
        {k: frozenset(v) for k, v in opposites.items()},
        frozenset(map(stem, data["weak"].split()))
        | {n for n in opposites if n.startswith("type+") or n.endswith("+quadrant")},
        frozenset(map(stem, data["generic"].split())),
        frozenset(map(stem, data["body"].split())),
        frozenset(w for word in data["empty"].split() for w in (word, stem(word))),
        frozenset(data["broad"]),
        {way: name for name, ways in data["relatives"].items() for way in ways},
        *(
            {name: re.compile(p, re.IGNORECASE) for name, p in data[key].items()}
            for key in ("events", "drug_classes", "cues")
        ),
    )


def cue(name: str) -> re.Pattern[str]:
    """Give the words of a cue of `faithfulness.yml`."""
    return vocabulary().cues[name]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Give a word without its ending, in American spelling.

    >>> [stem(w) for w in ("Stopped", "biopsies", "diagnosis", "lungs")]
    ['stop', 'biopsy', 'diagnosis', 'lung']
    """
    word = normalise(word).replace("’", "'")
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = ENDINGS.sub("", word)
    if len(word) > 6 and word.endswith(("tion", "sion")):
        word = word[:-3]
    short = VERBAL.sub("", word) if len(word) > 4 else word
    return short[:-1] if len(short) > 3 and short[-1] == short[-2] != "s" else short


def split_words(text: str) -> Iterator[tuple[int, str]]:
    """Give the words with their starts; strokes and hyphens part words, but not "c/o", "C-section" or "x-ray"."""
    for match in WORD.finditer(text):
        parts = re.split("[/-]", match.group())
        if len(parts) > 1 and all(len(p) > 1 for p in parts) and match.group().lower() not in WHOLE:
            yield from ((match.start() + m.start(), m.group()) for m in re.finditer(r"[^/-]+", match.group()))
        else:
            yield match.start(), match.group()


def find_phrase(known: Vocabulary, written: list[str], stems: list[str]) -> tuple[int, list[str]]:
    """Give how many of the words are a phrase of the synonyms, the longest, and its names."""
    length, names = 1, []
    for phrase, name, capitals in known.phrases.get(stems[0], ()):
        if len(phrase) < length:
            break
        if tuple(stems[: len(phrase)]) == phrase and (not capitals or written[0].isupper()):
            length = len(phrase)
            names.append(name)
    return length, names


def names_of(known: Vocabulary, long: list[str]) -> list[frozenset[str]]:
    """Give the names of a long form: its words, and those of the phrases in it."""
    ways, i = [frozenset(long) - known.empty], 0
    names: set[str] = set()
    while i < len(long):
        phrases = (p for p in known.phrases.get(long[i], ()) if not p[2])
        found = next((p for p in phrases if tuple(long[i : i + len(p[0])]) == p[0]), None)
        names.add(found[1] if found else long[i])
        i += len(found[0]) if found else 1
    return [*ways, frozenset(names) - known.empty]
