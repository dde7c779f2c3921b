"""Find section headers, their category and the extent of their body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from spacy.language import Language
from spacy.tokens import Doc

from clinnlp.components.extensions import text_of
from clinnlp.resources import read_yaml
from clinnlp.schema import Section

NAME = r"[^\W\d_][\w/&,()'’.+\- \t]{0,70}"
LINE = re.compile(
    r"^[ \t]*(?:[*#=_>•-]{1,3}[ \t]*)?(?P<number>(?:\d{1,2}|[IVX]{1,4})[.)][ \t]+)?(?P<name>" + NAME + r"?)"
    r"(?:[ \t]*\[\*\*[^\]\r\n]*\])?[ \t]*(?P<mark>:[*_]{0,2}|[*_#=]{1,3}:?|-{2,}|-(?=[ \t])|(?=\r?$))",
    re.MULTILINE,
)
RUN_IN = re.compile(r"(?<=[.!?;)\]])[ \t]{1,3}(?P<number>)(?P<name>[A-Z][A-Z/&\- ]{2,45}[A-Z])(?P<mark>:)")
UNDERLINE = re.compile(r"\r?\n[ \t]*[=\-~_]{3,}[ \t]*(?:\r?\n|$)")
BLANK = re.compile(
    r"(?:^|\n)[ \t\r]*\n[ \t\r]*(?:[*#=_>•-]{1,3}[ \t]*)?(?:\w{1,4}[.)][ \t]+)?\Z"
)  # a blank line before
REST = re.compile(r"[ \t]*\r?(?:\n|$)")
ASIDE = re.compile(r"(?<![ \t])[ \t]++\([^()]*\)?$")  # "(check all that apply)" after a header
WRITTEN_OUT = {"hx": "history", "dx": "diagnosis"}
IN_EXAM = ("physical_exam", "review_of_systems", "vital_signs")
JOINING = frozenset(["and", "of", "the", "system", "systems", "right", "left", "upper", "lower", "bilateral", "exam"])
SHORT = 3  # abbreviations of up to so many letters are headers in capitals, with a colon or alone below a blank line


class Headers:
    """The header tables of `sections.yml`: `category` names the category of a header, or None for what is none."""

    def __init__(self) -> None:
        data = read_yaml("sections.yml")
        self.known = {normalise(str(h)): category for category, names in data["headers"].items() for h in names}
        self.keywords = [(category, re.compile(pattern)) for category, pattern in data["keywords"]]
        self.organs = frozenset(str(o) for o in data["organs"])

    def category(self, name: str, parent: str | None, *, colon: bool, apart: bool, fresh: bool) -> str | None:
        """Name the category of a possible header.

        Parameters
        ----------
        name
            The header as written.
        parent
            Category of the section that it stands in.
        colon
            Whether a colon or an underline marks it as a header.
        apart
            Whether nothing else stands on its line.
        fresh
            Whether a blank line is before it.
        """
        name = ASIDE.sub("", name)
        capitals = name.isupper()
        if not (colon or capitals or (apart and name[0].isupper())):
            return None
        key = normalise(name)
        in_exam = parent in IN_EXAM
        if key in self.organs and (in_exam or key not in self.known):
            return None
        if key in self.known:
            marked = colon or (apart and fresh)
            if len(key) <= SHORT and not capitals and not (marked and len(key) > 1 and name[0].isupper()):
                return None
            if parent == self.known[key] == "labs_studies" and not (fresh or apart):
                return None  # a study among others
            return self.known[key]
        words = key.split()
        if colon and apart and words[0] in self.known and name.split()[0].isupper() and len(words[0]) > SHORT:
            return self.known[words[0]]  # "MEDS as the pharmacy has them:", with nothing after it
        if not capitals or len(words) > 8 or not (colon or (apart and len(words) > 1)) or len(key) <= SHORT:
            return None
        found = next((category for category, pattern in self.keywords if pattern.search(key)), None)
        if found is None and (in_exam or not (colon or fresh) or all(w in self.organs or w in JOINING for w in words)):
            return None
        return found or "other"


def normalise(name: str) -> str:
    """Write a header in lower case, with single spaces for anything but letters and digits, without abbreviations.

    >>> normalise("PAST PSYCH HX")
    'past psych history'
    """
    words = re.findall(r"[^\W_]+", name.lower().replace("&", " and ").replace("'", "").replace("’", ""))
    return " ".join(WRITTEN_OUT.get(word, word) for word in words)


@lru_cache(maxsize=1)
def load_headers() -> Headers:
    """Read the header tables once."""
    return Headers()


@lru_cache(maxsize=1)  # the sentences of a note ask first
def find_sections(text: str) -> tuple[Section, ...]:
    """Find the sections of a note, in order; a body runs to the next header.

    >>> [(s.header, s.category) for s in find_sections("CC: cough\\nPMH:\\nHTN")]
    [('CC', 'chief_complaint'), ('PMH', 'past_medical_history')]
    """
    found = list(_headers(text))
    starts = [start for start, *_ in found[1:]] + [len(text)]
    return tuple(
        Section(start, end, text[start:end], category, body, max(body, _trim(text, body, stop)))
        for (start, end, body, category), stop in zip(found, starts, strict=False)
    )


def _trim(text: str, start: int, stop: int) -> int:
    """Move `stop` back over what leads in the next header."""
    while stop > start and text[stop - 1] in " \t\r\n*#=":
        stop -= 1
    return stop


def _headers(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Give start, end, start of the body and category of each header."""
    headers = load_headers()
    parent: str | None = None
    numbered = False
    matches = sorted([*LINE.finditer(text), *RUN_IN.finditer(text)], key=lambda m: m.start("name"))
    last = 0
    for match in matches:
        start, end = match.span("name")
        if start < last:
            continue
        underline = UNDERLINE.match(text, match.end()) if not match["mark"] else None
        apart = match.re is LINE and REST.match(text, match.end()) is not None
        if match["number"] and parent == "assessment_plan" and not (numbered or apart):
            continue  # "6. Vaccines: flu today" is an item of the plan
        colon = match["mark"] not in ("", "-") or underline is not None
        fresh = BLANK.search(text, max(0, start - 80), start) is not None
        category = headers.category(match["name"], parent, colon=colon, apart=apart, fresh=fresh)
        if category is None or (match.re is RUN_IN and category == "other"):
            continue
        last = underline.end() if underline else match.end()
        parent, numbered = category, bool(match["number"])
        yield start, end, last, category


@Language.factory("clinnlp_sections")
class Sections:
    """Store the sections of the doc in `doc._.sections`."""

    def __init__(self, nlp: Language, name: str = "clinnlp_sections") -> None:
        self.name = name
        load_headers()  # now, so that the first note is not the slow one

    def __call__(self, doc: Doc) -> Doc:
        """Add the sections."""
        doc._.sections = find_sections(text_of(doc))
        return doc
