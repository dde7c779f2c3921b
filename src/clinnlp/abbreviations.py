"""Clinical abbreviations: what a short form stands for, where the note decides it, and that it is open where not."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc

from clinnlp.components.extensions import section_at, text_of
from clinnlp.resources import read_yaml
from clinnlp.schema import ENTITY_LABELS, Section

if TYPE_CHECKING:
    import pandas as pd

NEAR = 8  # words on either side in which a neighbour counts
TOKEN = re.compile(r"\[\*\*[^\]]{0,80}\]|(?P<token>[^\W_]+(?:[/&-][^\W_]+)*)")  # or what stands for a name taken out
PART = re.compile(r"[^\W_]+")
WORD = re.compile(r"[^\W\d_][^\W_]*|\d+")
BRACKET = re.compile(r"\(([^()]{2,100})\)")
SHORT = re.compile(r"[A-Za-z][A-Za-z0-9/&-]{1,9}")
SHORT_BEFORE = re.compile(rf"(?<![\w/&-])(?P<short>{SHORT.pattern})\s?\Z")
NUMBERED = re.compile(
    r"\s?#?\s?\d{1,3}(?![\w%/.-]*[\w%/])(?! ?(?:x|times|h|hrs?|hours?|days|sessions|per)\b)"
)  # "HD#2", "HD 4,"
CLAUSE = re.compile(r"[.,;:!?()\[\]]|\n\s*[\n*•-]")  # a long form goes over none of these
JOINING = frozenset(["of", "the", "and", "or", "to", "in", "for", "with", "on", "by", "a", "an", "due", "from"])


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """A mention of an abbreviation: its `short` form and the `long` one, which is None where nothing decides.

    `how` is "defined" (by the note itself), "only" (it has one sense), "neighbour", "section" or "ambiguous"; `senses`
    are the long forms that are possible.
    """

    start: int
    end: int
    short: str
    long: str | None
    how: str
    senses: tuple[str, ...]


class _Words:
    """The words of a text and where its sentences start, to look up what is near a mention."""

    def __init__(self, doc: Doc, text: str) -> None:
        self._text = text
        self._words = [(match.start(), match[0]) for match in WORD.finditer(text)]
        has_sentences = doc.has_annotation("SENT_START")
        starts = [s.start_char for s in doc.sents] if has_sentences else [m.end() for m in re.finditer("\n", text)]
        self._bounds = [0, *starts, len(text)]

    def near(self, start: int, end: int, section: Section | None) -> set[str]:
        """Give the words near and in the sentence, or line, or the header before it: as is, in lower case, singular.

        "#" stands for a number right after the mention.
        """
        i = bisect_right(self._bounds, start)
        low, high = self._bounds[i - 1 : i + 1]
        if section and 0 <= low - section.end < 10 and "\n" not in self._text[section.end : low]:
            low = section.start
        first, last = (bisect_left(self._words, (offset, "")) for offset in (start, end))
        around = self._words[max(0, first - NEAR) : first] + self._words[last : last + NEAR]
        words = {form for offset, word in around if low <= offset < high for form in (word, word.lower())}
        if NUMBERED.match(self._text, end):
            words.add("#")
        return words | {word[:-1] for word in words if word.endswith("s") and len(word) > 3}


@cache
def _load_table() -> dict[str, dict[str, Any]]:
    """Read the entries of `abbreviations.yml` by their short forms once."""
    return {entry["short"]: entry for entry in read_yaml("abbreviations.yml")["abbreviations"]}


def label_of(found: Abbreviation) -> str | None:
    """Give the entity label of the sense of a mention; None where it has none, or the note defined it."""
    senses = _load_table().get(found.short, {}).get("senses", ())
    return next((s["label"] for s in senses if s["long"] == found.long and s["label"] in ENTITY_LABELS), None)


def senses_of(short: str) -> list[str]:
    """Give the long forms that the table has for a short form.

    >>> senses_of("CP")
    ['chest pain', 'cerebral palsy']
    """
    return [sense["long"] for sense in _load_table().get(short, {}).get("senses", ())]


def find_abbreviations(doc: Doc) -> list[Abbreviation]:
    """Find the abbreviations of a note and what each stands for, in the order of the text.

    What the note itself defines comes first, from there on (the method of Schwartz & Hearst 2003, with the initial of
    each word but joining ones); then the table: its only sense, the one sense that words nearby speak for, or else the
    section. Where they speak for several or for none, it stays ambiguous.

    >>> from clinnlp.tokenizer import blank
    >>> doc = blank()("Lungs CTA. MS on interferon. Chronic heart failure (CHF).")
    >>> [(a.short, a.long, a.how) for a in find_abbreviations(doc)][1:]
    [('MS', 'multiple sclerosis', 'neighbour'), ('CHF', 'chronic heart failure', 'defined')]
    """
    text, table = text_of(doc), _load_table()
    definitions = dict(_definitions(text))
    shorts, words = table.keys() | {short for short, _ in definitions.values()}, _Words(doc, text)
    defined: dict[str, str] = {}
    found = []
    for start, end, short in _mentions(text, shorts):
        if start in definitions:
            defined[short] = definitions[start][1]
        if short in defined:
            found.append(Abbreviation(start, end, short, defined[short], "defined", (defined[short],)))
        elif short in table:
            senses, section = table[short]["senses"], section_at(doc._.sections, start)
            long, how = _decide(senses, words.near(start, end, section), section.category if section else None)
            found.append(Abbreviation(start, end, short, long, how, tuple(sense["long"] for sense in senses)))
    return found


def abbreviations_table(doc: Doc) -> pd.DataFrame:
    """List the abbreviations of a note.

    Parameters
    ----------
    doc
        A note that the pipeline has read; without sections and sentences, only the words of the line decide.

    Returns
    -------
    DataFrame
        `start`, `end`, `short`, `long` (missing where nothing decides), `how` it was found: "defined", "only",
        "neighbour", "section" or "ambiguous"; and `senses`: the long forms that are possible.

    Examples
    --------
    >>> from clinnlp.tokenizer import blank
    >>> abbreviations_table(blank()("HTN and PND"))[["start", "end", "short", "how"]].values.tolist()
    [[0, 3, 'HTN', 'only'], [8, 11, 'PND', 'ambiguous']]
    """
    import pandas as pd

    rows = [astuple(found) for found in find_abbreviations(doc)]
    table = pd.DataFrame(rows, columns=[field.name for field in fields(Abbreviation)])
    return table.astype({"start": "int64", "end": "int64", "short": "str", "long": "str", "how": "str"})


def _decide(senses: list[dict[str, Any]], near: set[str], category: str | None) -> tuple[str | None, str]:
    """Give the sense that the evidence is for, and which evidence it is."""
    if len(senses) == 1:
        return senses[0]["long"], "only"
    by_words = [sense["long"] for sense in senses if not near.isdisjoint(sense.get("neighbours", ()))]
    by_section = [sense["long"] for sense in senses if category in sense.get("sections", ())]
    longs, how = (by_words, "neighbour") if by_words else (by_section, "section")
    return (longs[0], how) if len(longs) == 1 else (None, "ambiguous")


def _mentions(text: str, shorts: set[str]) -> Iterator[tuple[int, int, str]]:
    """Give start, end and short form of what is one of them or its plural, whole or between slashes and hyphens."""
    names = {short: short for short in shorts} | {f"{short}s": short for short in shorts if short.isupper()}
    for match in TOKEN.finditer(text):
        for part in [match] if match[0] in names else PART.finditer(text, *match.span("token")):
            short = names.get(part[0])
            if short and not (_load_table().get(short, {}).get("word") and _in_capitals(text, *part.span(), shorts)):
                yield part.start(), part.end(), short


def _in_capitals(text: str, start: int, end: int, shorts: set[str]) -> bool:
    """Say whether the words around a mention on its line are all in capitals, and not all of them abbreviations."""
    before, after = text[max(0, start - 60) : start], text[end : end + 60]
    around = WORD.findall(before.rpartition("\n")[2] + " " + after.partition("\n")[0])
    return "".join(around).isupper() and not shorts.issuperset(around)


def _definitions(text: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """Give where the note defines a short form, with that and its long form, for either one in the brackets."""
    for match in BRACKET.finditer(text):
        inner = re.split("[,;:]", match[1], maxsplit=1)[0]
        start = match.start(1) + len(inner) - len(inner.lstrip())
        if SHORT.fullmatch(inner.strip()):
            short, long = inner.strip(), CLAUSE.split(text[max(0, match.start() - 300) : match.start()])[-1]
        elif before := SHORT_BEFORE.search(text, max(0, match.start() - 12), match.start()):
            start, short, long = before.start(), before["short"], inner
        else:
            continue
        base = short[:-1] if short.endswith("s") and short[:-1].isupper() else short
        spelled = _spelled(base, long, whole=long is inner)
        if spelled and sum(letter.isupper() for letter in base) > 1:
            yield start, (base, spelled)


def _spelled(short: str, long: str, *, whole: bool) -> str | None:
    """Give the last words of `long` (or else all) that the letters of `short` are taken from, initials if possible."""
    letters = re.sub(r"[^a-z0-9]", "", short.lower())
    words = list(PART.finditer(long))
    for most in (1, len(letters)):
        left = {len(letters)}
        for word in reversed(words[-min(len(letters) + 5, 2 * len(letters)) :]):
            left = _take(word[0].lower(), letters, left, most)
            if 0 in left and (word is words[0] or not whole):
                enough = word is not words[-1] or len(word[0]) > 2 * len(letters) > 4
                return " ".join(long[word.start() : words[-1].end()].lower().split()) if enough else None
            left.discard(0)
    return None


def _take(word: str, letters: str, left: set[int], most: int) -> set[int]:
    """Give how many letters may be left after a word has taken up to `most` of the last ones."""
    after = set(left) if word in JOINING else set()
    for end in left:
        for start in range(max(0, end - most), end):
            rest = iter(word)
            if word[0] == letters[start] and all(letter in rest for letter in letters[start:end]):
                after.add(start)
    return after
