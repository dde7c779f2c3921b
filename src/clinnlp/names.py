"""Names of people and towns in a note, told by what stands before them and by lists of common ones.

The cues and short lists are data: `resources/privacy.yml`; the long lists are those of `name_lists`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clinnlp.name_lists import NameLists, plain, read_terms

LONGEST = 5  # words of a name
PARTICLES = (
    r"(?:das|dos|di|do|ter|ten|zu|ibn|abu|de[ ](?:la|los)|v[ao]n[ ]de[rn]"
    r"|de|del|della|da|du|la|le|van|von|der|den|el|al|bin|ben)"
)
TOKEN = re.compile(
    rf"(?P<initial>[^\W\d_a-zß-ÿ]\b\.?(?![’'-]\w))|(?P<particle>(?i:{PARTICLES})[ ](?=[^\W\d_a-z]))"
    r"|(?P<word>(?:St\.[ ])?[^\W\d_]+(?:[’'-](?!s\b|S\b)[^\W\d_]+)*)"
)
CAPITALISED = re.compile(r"(?<![\w’'@./-])[^\W\d_a-zß-ÿ][^\W\d_]{2,}(?![\w@-])")
TOWN = re.compile(r"(?:St\.|[A-Z][a-z]+)(?:-(?:[a-z]{1,4}-)?[A-Z][a-z]+)*(?:[ ][A-Z][a-z]+){0,2}")
SMALL = re.compile(r"(?<![\w’'-])[a-z]{3,}")
AND = re.compile(r"(?:,?[ ](?:and|&)[ ]|[ ]?/[ ]?)(?:(?:Drs?|Mr|Mrs|Ms)\b\.?[ ])?")
IN = re.compile(r"\b(?i:in|near|from|outside)[ ]$")
INITIALS = re.compile(r"(?<![\w.’'/-])(?:(?:[A-Z]\.[ ]?){1,3}|[B-HJ-Z][ ])$")
FROM = re.compile(r"\b(?i:from|to|of|at|around)[ ]$")
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


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands right before a name, and how the words after it are judged."""

    id: str
    style: str
    score: float
    finder: Finder
    inverted: bool


class NameReader:
    """Reads names by the cues and short lists of `privacy.yml` and the lists of installed packages.

    Parameters
    ----------
    data
        The content of the file.
    lists
        Names, towns and words, of `load_lists`.
    """

    def __init__(self, data: Mapping[str, Any], lists: NameLists) -> None:
        short = ("given_too", "not_names", "eponyms", "towns_too", "not_towns")
        given_too, self.not_names, self.eponyms, towns_too, not_towns = (
            frozenset(data[name].split()) for name in short
        )
        self.lists = lists
        self.given = lists.given - given_too - self.not_names - self.eponyms - not_towns
        self.given_names = lists.given | lists.given_too | given_too
        self.given_too = self.given_names - self.given
        self.surnames = lists.surnames
        self.listed = self.given_names | self.surnames
        self.towns = lists.cities - towns_too - self.not_names - not_towns
        self.more_towns = (lists.towns | lists.cities) - not_towns | towns_too
        self.town_starts = frozenset(town.partition("-")[0] for town in self.towns)
        self.not_places = (not_towns | self.not_names) - self.towns - towns_too
        self.doubtful = self.eponyms | self.not_places | given_too | self.given_too - self.surnames
        self.ending = re.compile(rf"(?:{'|'.join(data['not_name_endings'].split())})s?$")
        self.town_ending = re.compile(rf".+(?:{'|'.join(data['town_endings'].split())})$")
        self.sides = frozenset(data["sides"].split())
        after = "|".join(data["after_names"].split())
        self.free = re.compile(rf"[ ]*(?:[.,;:()\n!?/]|$|[’']s[ ][a-z]|[ ](?:{after})\b)")
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
        """Give the name that begins at `start`, and those joined to it by "and" or a comma."""
        if end := self._name_end(text, start, cue.style, small, cue.inverted):
            yield start, end, "name", cue.score, cue.id
            for _ in range(LONGEST):
                if not (joined := AND.match(text, end) or COMMA.match(text, end)):
                    break
                style = "open" if joined[0] == ", " else "weak"
                if not (end := self._name_end(text, joined.end(), style, small, False) or 0):
                    break
                yield joined.end(), end, "name", cue.score, cue.id

    def _name_end(self, text: str, start: int, style: str, small: frozenset[str], inverted: bool) -> int | None:
        """Give where the name that begins at `start` ends, None where there is none."""
        at = start
        while (token := TOKEN.match(text, at)) and token.lastgroup != "word" and at - start < 12:
            at = token.end() + (token.lastgroup == "initial" and text[token.end() : token.end() + 1] == " ")
        if token is None or token.lastgroup != "word":
            return None
        if not self._may_be(token["word"], style, small) and not self._before_surname(text, token, style, small):
            return None
        word, end = token["word"], token.end()
        if style == "small":
            return end
        unknown = style == "loose" and plain(word) not in self.listed and not self.head.match(text, end)
        if (
            style in ("guarded", "open", "loose")
            and not unknown
            and not self.free.match(text, self._rest(text, end, word))
        ):
            return None
        if plain(word) in self.eponyms and style not in ("titled", "strong") and self.head.match(text, end):
            return None  # "Surgery (Penrose drain)"
        if plain(word) not in self.listed:
            following = NEXT.match(text, end)
            if UNUSUAL.search(text[start:end]):
                return None
            if style in ("weak", "labelled") and following and following[1].lower() in self.not_names:
                return None  # "referred to Maple Pharmacy"
        comma = COMMA.match(text, end) if inverted else None
        if comma and (given := TOKEN.match(text, comma.end())) and self._is_given(given[0], word):
            end = given.end()
        return self._rest(text, end, word)

    def _before_surname(self, text: str, token: re.Match[str], style: str, small: frozenset[str]) -> bool:
        """Say whether a word that alone is no name, by the style, is one before a surname."""
        following = NEXT.match(text, token.end())
        if following is None or style in ("open", "loose", "small"):
            return False
        surname = plain(following[1])
        known = surname in self.surnames and self._is_only_name(following[1], surname)
        if self._may_be(token["word"], "weak", small):
            return known or (style == "listed" and self._may_be(following[1], "weak", small))
        lower = plain(token["word"])
        if lower in self.not_names or lower in self.eponyms or lower in self.not_places or self.ending.search(lower):
            return False
        return known and style not in ("listed", "guarded") and token["word"].istitle()

    def _is_given(self, word: str, surname: str) -> bool:
        """Say whether a word may be the given name behind a surname and a comma."""
        if word.isupper() and surname.isupper() and len(word) > 2:
            return plain(word) not in self.not_names
        return self._goes_on(word, surname)

    def _may_be(self, word: str, style: str, small: frozenset[str]) -> bool:
        """Say whether the first word after a cue is a name; `small`: the words that the note has in small letters."""
        lower = plain(word)
        if style == "small":
            return (
                word.islower()
                and lower not in self.not_names
                and (lower in self.listed or not (len(word) < 4 or self.is_word(lower) or self.ending.search(lower)))
            )
        if not word[0].isupper() or len(word) < 2:
            return False
        if lower in self.not_names:
            return style == "titled" and lower in self.surnames and not word.isupper()
        if lower in self.listed:
            short = word.isupper() and len(word) < 3  # MI, HA
            return not short and (style not in ("guarded", "open", "loose") or self._is_only_name(word, lower))
        if style in ("listed", "guarded") or self.ending.search(lower):
            return False
        if style in ("strong", "titled"):
            return not word.isupper() or len(word) > 3
        if style in ("open", "loose") and ("-" in word or lower in self.not_places or lower in self.lists.words):
            return False
        capitals = word.isupper() and not (style == "labelled" and len(word) > 3)
        return (
            len(word) > 2
            and not capitals
            and lower not in small
            and lower not in self.eponyms
            and not self.is_word(lower)
        )

    def _is_only_name(self, word: str, lower: str) -> bool:
        """Say whether a listed word is neither an eponym, a country nor another word."""
        return not (word.isupper() or lower in self.doubtful or self.is_word(lower))

    def is_word(self, lower: str) -> bool:
        """Say whether a word in small letters is one of clinical or general English, and so no name."""
        forms = {lower, lower.removesuffix("s")}
        if forms & self.not_names or any(map(self.lists.is_word, forms)):
            return True
        return lower not in self.listed and not forms.isdisjoint(read_terms())

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
        if lower in self.listed:
            return True
        if word.isupper():
            return first.isupper() and len(word) > 3 and not (self.is_word(lower) or self.ending.search(lower))
        return not self.ending.search(lower)

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

    def town(self, text: str, start: int) -> tuple[int, int] | None:
        """Give the town that begins at `start` after a preposition: a listed one, or one that looks like a town."""
        match = TOWN.match(text, start)
        parts = match[0].split(" ") if match else []
        for size in range(len(parts), 0, -1):
            end = start + len(" ".join(parts[:size]))
            if self._is_town(text, start, [plain(part) for part in parts[:size]]) and not self.head.match(text, end):
                return start, end
        return None

    def _is_town(self, text: str, start: int, parts: list[str]) -> bool:
        """Say whether the words that begin at `start` are a listed town, or a word after a side or "in" that may be."""
        name, last = "-".join(parts), parts[-1]
        if name in self.eponyms:
            return False
        if name in self.more_towns:
            return not (name in self.listed and FROM.search(text, max(0, start - 8), start))
        side = len(parts) == 2 and parts[0] in self.sides
        if not side and (len(parts) > 1 or "-" in last or last in self.listed):
            return False
        if parts[0] in self.not_places - self.sides or last in self.not_places or self.is_word(last):
            return False
        shaped = self.town_ending.match(last) or side or IN.search(text, max(0, start - 9), start)
        return bool(shaped and not self.ending.search(last))

    def is_alone(self, text: str, start: int, end: int, *, listed: bool, doubtful: bool = False) -> bool:
        """Say whether a word is a name and nothing else: no eponym, word, or head of a term.

        `listed`: it must be on a list; `doubtful`: a given name may also be another word.
        """
        word, lower = text[start:end], plain(text[start:end])
        if lower in self.not_names or self.head.match(text, end):
            return False
        if (
            doubtful
            and lower in self.given_too
            and lower not in self.eponyms
            and lower not in self.not_places
            and word.istitle()
        ):
            return True
        if not self._is_only_name(word, lower):
            return False
        return lower in self.listed or not (listed or self.ending.search(lower) or UNUSUAL.search(word))

    def with_initials(self, text: str, start: int) -> int:
        """Give where the initials begin that stand before a surname, or where the surname does."""
        before = INITIALS.search(text, max(0, start - 8), start)
        return before.start() if before else start

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
        if len(words) == 1 and text[end : end + 1] != "," and not self.is_alone(text, *words[0].span(), listed=False):
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
