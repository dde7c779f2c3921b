"""ICD-10-CM: from the name of a disease or symptom to the code that it supports, and no further.

The descriptions and inclusion terms (National Center for Health Statistics and Centers for Medicare & Medicaid
Services, public domain) are those of the package simple-icd-10-cm. Its tabular list is read when a code is first
needed; the package itself is not imported, since it builds a tree that is not needed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from clinnlp.abbreviations import senses_of
from clinnlp.spelling import normalise
from clinnlp.vocabulary import WORD, load_vocabulary, no_collection, shipped_file, singulars

if TYPE_CHECKING:
    import pandas as pd

SYSTEM = "ICD-10-CM"
ASIDE = re.compile(r"(?<!\s)\s*+(?:\([^)]*\)|\[[^\]]*\])")
UNSAID = re.compile(
    r"\b(?:not otherwise specified|site not specified|NOS|unspecified(?: (?:organism|type|cause|site|severity))?)\b",
    re.I,
)
NOS = re.compile(r"\bNOS\b")
PAIR = re.compile(r"([\w-]+) and ([\w-]+)")  # "Dizziness and giddiness": one of the two is enough
NEOPLASM = re.compile(r"Malignant neoplasm of (.+)")
STOP = frozenset(["of", "in", "the", "a", "an", "at", "on", "to"])
SAYS_MORE = frozenset(
    ["acute", "chronic", "type", "age", "lower", "upper", "without", "uncomplicated", "not", "extremity", "secondary"]
)
KIND = ("disease", "disorder")  # that a name has or leaves out
EXTERNAL = "VWXY"  # chapters of causes from outside
CATEGORY = 3  # characters of its code
CANDIDATES = ["code_system", "code", "code_name", "how", "score", "ambiguous"]


class Icd10:
    """The codes by the words of their names, in any order, number and spelling.

    A description, an inclusion term or a category's "includes" names a code; what is in brackets there may be said or
    not, and "unspecified" need not be. A name of "other" diseases names none of them.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._codes: dict[str, list[str]] = {}
        for code, description, terms in _diagnoses():
            self.names[code] = description
            for text in (description, *terms):
                if NOS.search(text) and not _says_no_more(description, text):
                    continue
                for words in _variants(text):
                    codes = self._codes.setdefault(words, [])
                    if code not in codes:
                        codes.append(code)

    def find(self, name: str) -> list[str]:
        """Give the codes that have this name; of a code and those below it that say no more, the lowest."""
        words = _key(name)
        kinds = [words.replace(kind, "").strip() for kind in KIND]
        if " " in words and not name.endswith("virus"):  # which is no name of a disease
            kinds += [_key(f"{words} {kind}") for kind in KIND]
        codes = next((found for key in (words, *kinds) if (found := self._codes.get(key))), [])
        return [c for c in codes if not any(other != c and other.startswith(c) for other in codes)]

    def find_like(self, name: str, limit: int) -> list[tuple[str, float]]:
        """Give the codes with names most like this one, and how like they are, from 0 to 1."""
        from rapidfuzz import fuzz, process

        near = process.extract(_key(name), self._codes.keys(), scorer=fuzz.ratio, limit=limit)
        return [(code, round(score / 100, 2)) for key, score, _ in near for code in self._codes[key]][:limit]


def _diagnoses() -> Iterator[tuple[str, str, list[str]]]:
    """Give code, description and included terms of the diagnoses that a name can support."""
    path = shipped_file("simple-icd-10-cm", "icd10c-tabular-*.xml")
    for entry in ElementTree.parse(path).iter("diag"):
        code = entry.findtext("name", "")
        if "-" in code or code[0] in EXTERNAL:
            continue
        kinds = ("inclusionTerm", "includes") if len(code) == CATEGORY else ("inclusionTerm",)
        terms = [note.text or "" for kind in kinds for note in entry.findall(f"{kind}/note")]
        yield code, entry.findtext("desc", ""), terms


def _variants(text: str) -> set[str]:
    """Give the keys of a name: with what it has in brackets and without, a hyphen written or not."""
    if text.lower().startswith("other "):
        return set()
    plain = UNSAID.sub(" ", text)
    names = {plain, ASIDE.sub(" ", plain)}
    if pair := PAIR.fullmatch(text):
        names |= {name for name in pair.groups() if name.lower() != "other"}
    if site := NEOPLASM.fullmatch(ASIDE.sub(" ", plain)):
        names.add(f"{site[1]} cancer")
    return {_key(form) for name in names for form in {name, name.replace("-", "")}} - {""}


def _says_no_more(description: str, text: str) -> bool:
    """Say whether a description means no more than a term that it is the default for ("diabetes NOS" is no type 2)."""
    text = ASIDE.sub(" ", text)
    term, words = (set(_key(UNSAID.sub(" ", name)).split()) for name in (text, description))
    if (words - term) & SAYS_MORE:
        return False
    known = load_vocabulary()
    meanings = [known.find(WORD.findall(UNSAID.sub(" ", ASIDE.sub(" ", name)))) for name in (text, description)]
    return bool(term & words) or (meanings[0] is not None and meanings[0] == meanings[1])


def _key(name: str) -> str:
    """Bring a name to its words in American spelling and the singular, in alphabetical order."""
    return " ".join(sorted(filter(None, map(_word, WORD.findall(name)))))


@lru_cache(maxsize=100_000)
def _word(word: str) -> str:
    """Bring a word to American spelling and the singular; nothing of one that says nothing."""
    word = normalise(word)
    return "" if word in STOP else list(singulars(word))[-1] if word.endswith("s") and len(word) > 3 else word


@lru_cache(maxsize=1)
@no_collection()
def load_icd10() -> Icd10:
    """Read the codes once; it takes a second."""
    return Icd10()


def names_of(text: str) -> list[tuple[str, str]]:
    """Give the names under which to look up a term, with how each was found: exact, abbreviation or synonym.

    >>> names_of("CHF")
    [('CHF', 'exact'), ('Heart Failure', 'abbreviation')]
    """
    words = WORD.findall(text)
    term = load_vocabulary().find(words) if words and len(senses_of(text)) < 2 else None
    names = [(text, "exact")]
    if term is not None and term.name.lower() != text.lower():
        is_short = " ".join(words) in load_vocabulary().cased
        names.append((term.name, "abbreviation" if is_short else "synonym"))
    return names


@lru_cache(maxsize=20_000)
def code_of(text: str, synonym: str | None = None) -> tuple[str, str, str] | None:
    """Give system, code and description for the first of the names of a text, and a synonym, that has just one code.

    >>> code_of("HTN")
    ('ICD-10-CM', 'I10', 'Essential (primary) hypertension')
    >>> code_of("diabetes") is None  # of which type it is, is not said
    True
    """
    icd10 = load_icd10()
    for name in [name for name, _ in names_of(text)] + ([synonym] if synonym else []):
        if len(codes := icd10.find(name)) == 1:
            return SYSTEM, codes[0], icd10.names[codes[0]]
    return None


def find_candidates(term: str, *, limit: int = 10) -> pd.DataFrame:
    """List the codes that a term may stand for, the best first.

    Parameters
    ----------
    term
        The name or abbreviation of a disease or symptom.
    limit
        How many rows at most.

    Returns
    -------
    DataFrame
        `code_system`, `code`, `code_name`; `how` it was found: "exact" (the name of the code, or a term included in
        it), "abbreviation" or "synonym" (of a dictionary term), or "fuzzy" (a name like it); `score` from 0 to 1, that
        of a fuzzy one the likeness of the names; and `ambiguous`: whether the system has more than one code for the
        term, or the term more than one meaning. A fuzzy code is a hint for a reader: the pipeline gives none.

    Examples
    --------
    >>> find_candidates("CHF", limit=2)[["code_system", "code", "how", "ambiguous"]].values.tolist()
    [['ICD-10-CM', 'I50.9', 'abbreviation', False], ['MeSH', 'D006333', 'abbreviation', False]]
    """
    import pandas as pd

    icd10 = load_icd10()
    names, senses = names_of(term), senses_of(term)
    spelled = names + [(long, "abbreviation") for long in senses]
    rows = [(SYSTEM, code, icd10.names[code], how, 1.0) for name, how in spelled for code in icd10.find(name)]
    known = load_vocabulary().find(WORD.findall(term)) if WORD.search(term) else None
    if known is not None and known.code_system and known.code:
        rows.append((known.code_system, known.code, known.name, names[-1][1], 1.0))
    rows += [(SYSTEM, code, icd10.names[code], "fuzzy", score) for code, score in icd10.find_like(term, limit)]
    table = pd.DataFrame(rows, columns=CANDIDATES[:-1]).drop_duplicates(["code_system", "code"])
    sure = table[table["how"] != "fuzzy"]
    several = sure["code_system"].value_counts()
    open_ = (table["how"] == "fuzzy") | (len(senses) > 1)
    table["ambiguous"] = open_ | table["code_system"].map(several).gt(1)
    return table.head(limit).reset_index(drop=True)
