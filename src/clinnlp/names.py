"""Names of people and towns in a note, told by what stands before them and by lists of common ones.

The cues and lists are data: `resources/privacy.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import combining, normalize

LONGEST = 5  # words of a name
PARTICLES = r"(?:de[ ](?:la|los)|v[ao]n[ ]de[rn]|de|del|della|da|dos|du|la|le|van|von|der|den|el|al|bin|ben)"
TOKEN = re.compile(
    rf"(?P<initial>[^\W\d_a-zß-ÿ]\b\.?(?![’'-]\w))|(?P<particle>(?i:{PARTICLES})[ ](?=[^\W\d_a-z]))"
    r"|(?P<word>(?:St\.[ ])?[^\W\d_]+(?:[’'-](?!s\b|S\b)[^\W\d_]+)*)"
)
CAPITALISED = re.compile(r"(?<![\w’'@./-])[^\W\d_a-zß-ÿ][^\W\d_]{2,}(?![\w@-])")
TOWN = re.compile(r"(?:St\.|[A-Z][a-z]+)(?:[ ][A-Z][a-z]+){0,2}")
SMALL = re.compile(r"(?<![\w’'-])[a-z]{3,}")
AND = re.compile(r"[ ](?:and|&)[ ](?:(?:Drs?|Mr|Mrs|Ms)\b\.?[ ])?")
SAINT = re.compile(r"\b(?:St\.?|Saint|Santa|San)[ ]$")
COMMA = re.compile(r",[ ]")
UNUSUAL = re.compile(r"^(?!(?:Ma?c|D[eiu]|L[ae]|O|Van|Fitz)[A-Z]).*[a-z][A-Z]|-[a-z]|^[XYZ]\.")  # EtOH, G-tube
NEXT = re.compile(r"[ ]([A-Z][a-z]+)")
Span = tuple[int, int, str, float, str]


@dataclass(frozen=True, slots=True)
class Finder:
    """A pattern, and texts that tell where it need not be tried; they make it some ten times as fast.

    The pattern is tried only where one of `starts` begins, and only if the text has one of `hints`, in any capitals.
    """

    regex: re.Pattern[str]
    starts: tuple[str, ...]
    hints: tuple[str, ...]

    @classmethod
    def of(cls, rule: Mapping[str, Any], key: str, parts: Mapping[str, str]) -> Finder:
        """Compile a rule of `privacy.yml`, with its parts in the place of their names."""
        pattern = rule[key]
        while names := set(re.findall(r"\{([A-Z_]+)\}", pattern)):
            for name in names:
                pattern = pattern.replace(f"{{{name}}}", parts[name])
        starts, hints = (tuple(map(str, rule.get(name, ()))) for name in ("starts", "hints"))
        return cls(re.compile(pattern), starts, hints)

    def find(self, text: str, lower: str) -> Iterator[re.Match[str]]:
        """Give the matches in a text, of which `lower` is the same in small letters."""
        if self.hints and not any(hint in lower for hint in self.hints):
            return
        if not self.starts:
            yield from self.regex.finditer(text)
        for start in self.starts:
            at = lower.find(start)
            while at >= 0:
                if match := self.regex.match(text, at):
                    yield match
                at = lower.find(start, at + 1)


def lower_case(text: str) -> str:
    """Give a text in small letters, each at its place."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) > 1 else c.lower() for c in text)


def plain(word: str) -> str:
    """Give a word in small letters without accents, as the lists have it."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in normalize("NFD", word.lower()) if not combining(c))


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands right before a name, and how the words after it are judged."""

    id: str
    style: str
    score: float
    finder: Finder
    inverted: bool


class NameReader:
    """Reads names by the cues and lists of `privacy.yml`.

    Parameters
    ----------
    data
        The content of the file.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        lists = ("given", "given_too", "surnames", "not_names", "eponyms", "towns", "towns_too", "not_towns")
        words = {name: frozenset(data[name].split()) for name in lists}
        self.given, self.surnames, self.not_names = words["given"], words["surnames"], words["not_names"]
        self.given_too = words["given_too"] - self.given
        self.given_names = self.given | self.given_too
        self.listed = self.given_names | self.surnames
        self.eponyms, self.towns = words["eponyms"], words["towns"]
        self.town_starts = frozenset(town.partition("-")[0] for town in self.towns)
        self.not_places = (words["not_towns"] | self.not_names) - self.towns - words["towns_too"]
        self.ending = re.compile(rf"(?:{'|'.join(data['not_name_endings'].split())})s?$")
        heads = "|".join(map(re.escape, data["heads"].split()))
        self.head = re.compile(rf"(?:[ -][A-Z][a-z]+)?[ -](?i:{heads})\b|[ ](?:\d-[IVX]|[A-Z]\d\b(?![ ]\d[A-Z]{{2}}))")
        self.owned_head = re.compile(rf"[’']s[ ](?i:{heads})\b")
        self.cues = tuple(
            Cue(c["id"], c["style"], c["score"], Finder.of(c, "cue", data["parts"]), c.get("inverted", False))
            for c in data["cues"]
        )

    def find(self, text: str, lower: str) -> Iterator[Span]:
        """Give the names after cues, and the given names and towns that are listed."""
        small = frozenset(SMALL.findall(text))
        for cue in self.cues:
            for match in cue.finder.find(text, lower):
                yield from self._after(text, match.end(), cue, small)
        end = 0
        for match in CAPITALISED.finditer(text):
            if match.start() < end:
                continue
            word = plain(match[0])
            if word in self.given and not self._is_no_person(text, match):
                end = self._rest(text, match.end(), match[0])
                yield match.start(), end, "name", 0.7, "given-name"
            elif word in self.given_too and self._is_pair(text, match):
                end = self._rest(text, match.end(), match[0])
                yield match.start(), end, "name", 0.6, "given-surname"
            elif word in self.town_starts and (town := self._town_end(text, match.start())):
                yield match.start(), town, "place", 0.6, "town"

    def _after(self, text: str, start: int, cue: Cue, small: frozenset[str]) -> Iterator[Span]:
        """Give the name that begins at `start`, and the one joined to it by "and"."""
        if end := self._name_end(text, start, cue.style, small, cue.inverted):
            yield start, end, "name", cue.score, cue.id
            joined = AND.match(text, end)
            if joined and (last := self._name_end(text, joined.end(), "weak", small, False)):
                yield joined.end(), last, "name", cue.score, cue.id

    def _name_end(self, text: str, start: int, style: str, small: frozenset[str], inverted: bool) -> int | None:
        """Give where the name that begins at `start` ends, None where there is none."""
        at = start
        while (token := TOKEN.match(text, at)) and token.lastgroup != "word" and at - start < 12:
            at = token.end() + (token.lastgroup == "initial" and text[token.end() : token.end() + 1] == " ")
        if token is None or token.lastgroup != "word" or not self._may_be(token["word"], style, small):
            return None
        word, end = token["word"], token.end()
        if style == "small":
            return end
        if plain(word) not in self.listed:
            following = NEXT.match(text, end)
            if UNUSUAL.search(text[start:end]):
                return None
            if style == "weak" and following and following[1].lower() in self.not_names:
                return None  # "referred to Maple Pharmacy"
        comma = COMMA.match(text, end) if inverted else None
        if comma and (given := TOKEN.match(text, comma.end())) and self._is_given(given[0], word):
            end = given.end()
        return self._rest(text, end, word)

    def _is_given(self, word: str, surname: str) -> bool:
        """Say whether a word may be the given name behind a surname and a comma."""
        if word.isupper() and surname.isupper() and len(word) > 2:
            return plain(word) not in self.not_names
        return self._goes_on(word, surname)

    def _may_be(self, word: str, style: str, small: frozenset[str]) -> bool:
        """Say whether the first word after a cue is a name; `small`: the words that the note has in small letters."""
        lower = plain(word)
        if style == "small":
            return word.islower() and lower in self.listed and lower not in self.not_names
        if not word[0].isupper() or len(word) < 2:
            return False
        if lower in self.not_names:
            return style == "titled" and lower in self.surnames and not word.isupper()
        if lower in self.listed:
            return True
        if style == "listed" or self.ending.search(lower):
            return False
        if style in ("strong", "titled"):
            return not word.isupper() or len(word) > 3
        return len(word) > 2 and not word.isupper() and lower not in small | self.eponyms

    def _rest(self, text: str, end: int, first: str) -> int:
        """Give where a name ends of which the part with its first word ends at `end`."""
        for _ in range(LONGEST - 1):
            token = TOKEN.match(text, end + 1) if text[end : end + 1] == " " else None
            if token and token.lastgroup == "particle":
                token = TOKEN.match(text, token.end())
            if token is None or not self._goes_on(token[0], first):
                return end
            if token.lastgroup == "initial":  # only before a surname
                at = token.end()
                token = TOKEN.match(text, at + 1) if text[at : at + 1] == " " else None
                if token is None or not self._goes_on(token[0], first):
                    return end
            end = token.end()
        return end

    def _goes_on(self, word: str, first: str) -> bool:
        """Say whether a word may be a further part of a name that begins with the word `first`."""
        lower = plain(word)
        if not word[0].isupper() or (
            lower in self.not_names and not (plain(first) in self.given_names and lower in self.surnames)
        ):
            return False
        if len(word.rstrip(".")) == 1:
            return True
        return lower in self.listed or not (word.isupper() or self.ending.search(lower))

    def _is_no_person(self, text: str, match: re.Match[str]) -> bool:
        """Say whether a listed given name is part of the name of a disease, sign, device or place, or too short."""
        owned = match[0].lower() in self.eponyms and self.owned_head.match(text, match.end())
        saint = SAINT.search(text, max(0, match.start() - 6), match.start())
        short = match[0].isupper() and len(match[0]) < 4
        return bool(owned or saint or short or self.head.match(text, match.end()))

    def _is_pair(self, text: str, match: re.Match[str]) -> bool:
        """Say whether a given name that is also another word stands before a listed surname ("Alice Robinson")."""
        following = NEXT.match(text, match.end())
        if following is None or match[0].isupper() or plain(match[0]) in self.eponyms | self.not_names:
            return False
        surname = plain(following[1])
        return surname in self.surnames - self.not_names and not self.head.match(text, following.end())

    def _town_end(self, text: str, start: int) -> int | None:
        """Give where the listed town that begins at `start` ends, None where there is none."""
        match = TOWN.match(text, start)
        parts = match[0].split(" ") if match else []
        for size in range(len(parts), 0, -1):
            if "-".join(parts[:size]).lower() in self.towns:
                end = start + len(" ".join(parts[:size]))
                return None if self.head.match(text, end) else end
        return None

    def is_listed(self, word: str) -> bool:
        """Say whether a word is a common name."""
        return plain(word) in self.listed

    def person(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """Give the name in a run of capitalised words, without the roles before it, None where there is none."""
        words = list(TOKEN.finditer(text, start, end))
        while words and words[0][0].lower() in self.not_names:
            words.pop(0)
        full = [w[0] for w in words if len(w[0].rstrip(".")) > 1]
        listed = any(map(self.is_listed, full))
        if not full or not all(self._goes_on(w, full[0]) or w.isupper() for w in full if w[0].isupper()):
            return None
        if any(w.lower() in self.not_names for w in full[:1]) or (any(map(str.isupper, full)) and not listed):
            return None
        if len(words) == 1 and text[end : end + 1] != "," and not listed:
            return None
        return words[0].start(), words[-1].end()

    def is_inverted(self, value: str) -> bool:
        """Say whether "Smith, John" is a surname and a given name."""
        surname, _, given = value.partition(", ")
        last, first = plain(surname), plain(given.split(" ")[0])
        if last in self.not_names or first in self.not_names:
            return False
        if last in self.surnames:
            return first in self.given_names
        return first in self.given and value.isupper() and len(first) > 3

    def is_named_place(self, value: str) -> bool:
        """Say whether some word names a place, and is not only its kind, a state or a country."""
        if any(t in value for t in ("Clinic", "Hospital")) and value.split()[0].lower() in self.eponyms - {"mayo"}:
            return False
        words = re.findall(r"[^\W\d_]+", value.lower())
        return any(w not in self.not_places and not self.ending.search(w) and len(w) > 2 for w in words)
