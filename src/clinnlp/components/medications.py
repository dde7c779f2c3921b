"""Find each drug mention with its dose, form, route, frequency, duration and status.

The drugs are the MEDICATION entities of the doc; names that no dictionary holds are added where they are written like a
drug ("Foobarol 10 mg PO BID"). Cue words and patterns are data: `resources/medications.yml`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import chain

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinnlp.components.extensions import PARTS, section_at, text_of
from clinnlp.resources import read_yaml
from clinnlp.schema import Medication, Section
from clinnlp.sig import Sig, fill, leads, load_patterns, read_sig

REACH = 160  # characters after a drug in which its parts are looked for
BEFORE = 160  # characters before a drug, within its clause, in which a cue is looked for
AFTER = 70  # characters after a drug and its parts, within the clause, in which a cue is looked for
SHORT = 80  # characters of an allergy list that may hold a blank line
WRAP = 55  # a line of at least so many characters may go on in the next one

BOUNDARY = re.compile(
    r"[.!?;][\"')\]]*\s+(?=[A-Z(\[#*•-])|;|[ ]\(?\d{1,2}\)[ ]|\n[ \t\r]*\n"
    r"|\n(?=[ \t]*(?:[-*•#+]|\d{1,2}[.)]|[A-Z]{3,}\b))|(?P<wrap>\n)"
)
MARKS = re.compile(r"(?:[ \t,:;)\]*>=-]|[(\[](?![+-]\)))*")  # what may stand before a cue that comes after
LIST = re.compile(r"[\s,/+&]*+(?:(?:and|or|as well as|then)\b)?\s*(?:the |her |his |a |an |some )?")
ASIDE = re.compile(r"(?:\(|^)[^()]*\)")  # what stands in brackets says nothing of the drugs after them
BLANK = re.compile(r"\n[ \t\r]*\n")
NO_DRUG = re.compile(r"^[a-z]+(?:ed|ing|ly|tion|sis|itis|emia|ness)$")  # the endings of other words
KEY = re.compile(r"[ \t]*[A-Z][\w /]{1,30}:")
BOTH = re.compile(r"[ ,]*+(?:and|or|&|/)[ ]*(?:the[ ])?")
COMMA = re.compile(r"[ ]*,[ ]*")
PLURAL = re.compile(r"[ \t(]*(?:were|both|all|have|held|stopped|discontinued|declined|refused)\b", re.IGNORECASE)
SAME = re.compile(r"[ ]?(?:/|\(|-|\+)[ ]?|[ ]or[ ]")


@dataclass(frozen=True, slots=True)
class Cue:
    """A rule of `medications.yml` about the status of a drug, or only of the `drugs` that it names."""

    id: str
    status: str
    pattern: re.Pattern[str]
    drugs: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The compiled content of `medications.yml` that is not about sigs."""

    before: tuple[Cue, ...]
    after: tuple[Cue, ...]
    inside: tuple[Cue, ...]
    headers: tuple[tuple[re.Pattern[str], str], ...]
    sections: dict[str, str]
    analytes: frozenset[str]
    substances: frozenset[str]
    treatment: re.Pattern[str]
    not_treatment: re.Pattern[str]
    unlisted: re.Pattern[str]
    listed_line: re.Pattern[str]
    not_names: frozenset[str]
    forms: frozenset[str]


@dataclass(slots=True)
class Mention:
    """A drug in the text, or a combination ("lisinopril/HCTZ"); `spans` are its entities, if a dictionary has them."""

    start: int
    end: int
    spans: tuple[Span, ...]
    section: Section | None
    sig: Sig
    cue: Cue | None = None

    def quote_codes(self) -> dict[str, str]:
        """Give the code of the drug; that of a combination joins its parts' codes, where each of them has one."""
        codes = [{k: s._.get(k) for k in PARTS} for s in self.spans]
        if len(codes) > 1 and any(None in c.values() or c["code_system"] != codes[0]["code_system"] for c in codes):
            return {}
        return {
            k: "/".join(c[k] for c in codes) if len(codes) > 1 and k != "code_system" else codes[0][k]
            for k in PARTS
            if codes
        }


def find_medications(doc: Doc) -> list[Medication]:
    """Find the drugs of a doc, in the order of the text.

    Parameters
    ----------
    doc
        A doc with MEDICATION entities; sections and assertions are used where they are set.

    Returns
    -------
    list of Medication
        `start` and `end` cover the name of the drug; `dose`, `form`, `route`, `frequency` and `duration` are quoted as
        they are written. `status` is active, past (stopped, completed, given before), allergy, planned (to be started),
        negated (not taken, refused, to be avoided) or other (held, considered, given during a procedure, a family
        member's). An entity that is not a treatment here ("potassium 4.2", "cocaine use") is left out.

    Examples
    --------
    >>> from clinnlp.tokenizer import blank
    >>> doc = blank()("Started Foobarol 10 mg PO BID x 7 days.")
    >>> [(m.text, m.dose, m.route, m.frequency, m.duration) for m in find_medications(doc)]
    [('Foobarol', '10 mg', 'PO', 'BID', 'x 7 days')]
    """
    text, rules = text_of(doc), load_rules()
    mentions = _mentions(doc, text, rules)
    for before, mention in zip([None, *mentions], mentions, strict=False):
        mention.cue = _cue(text, mention, before, rules)
    _share_cues(text, mentions, rules)
    found: list[Medication] = []
    seen: set[str] = set()
    for mention in mentions:
        name = text[mention.start : mention.end]
        if _is_treatment(text, mention, rules):
            status = _status(text, mention, name.lower() in seen, rules)
            sig, codes = mention.sig.quote(text), mention.quote_codes()
            found.append(Medication(mention.start, mention.end, name, **sig, status=status, **codes))
        seen.add(name.lower())
    return found


@cache
def load_rules() -> Rules:
    """Read and compile `medications.yml`."""
    data = read_yaml("medications.yml")
    cues = {
        side: tuple(
            Cue(c["id"], c["status"], *(re.compile(c[k], re.IGNORECASE) for k in ("pattern", "drugs") if k in c))
            for c in data["status"]
            if c["side"] == side
        )
        for side in ("before", "after", "inside")
    }
    not_treatment = data["not_treatment"].replace(" |", "|")  # the file goes on in a new line before a "|"
    dose = fill(data["attributes"]["dose"][0]["pattern"], data)
    parts = "|".join(fill(p["pattern"], data) for kind in ("frequency", "route") for p in data["attributes"][kind])
    flags = re.IGNORECASE | re.VERBOSE
    name = r"(?P<name>[A-Za-z][A-Za-z-]{3,}+(?:/[A-Za-z-]{3,}+)?+)(?:[ ](?:[xcesil]r|la|xl|dr|hcl|ds))?+[ \t,:-]{1,20}+"
    return Rules(
        **cues,
        headers=tuple((re.compile(h["pattern"], re.IGNORECASE), h["status"]) for h in data["headers"]),
        sections=data["sections"],
        analytes=frozenset(data["analytes"].split()),
        substances=frozenset(data["substances"].split()),
        treatment=re.compile(rf"[ ](?:{data['as_treatment']})\b", re.IGNORECASE),
        not_treatment=re.compile(rf"(?::[ ]|[ -])(?:{not_treatment})(?![A-Za-z])", re.IGNORECASE),
        unlisted=re.compile(
            rf"(?<![A-Za-z/-]){name}{dose}[ ,]{{0,3}}(?:{fill('{FORM}', data)}[ ,]{{1,3}})?(?:{parts})", flags
        ),
        listed_line=re.compile(rf"(?:^|\n)[ \t]*+(?:(?:[-*•#]|\d{{1,2}}[.)])[ \t]*+)?{name}{dose}", flags),
        forms=frozenset(data["form"].split()),
        not_names=frozenset(f"{data['not_names']} {data['fillers']} {data['form']} {data['stops']}".split()),
    )


def _mentions(doc: Doc, text: str, rules: Rules) -> list[Mention]:
    """Collect the drugs with their sigs."""
    sections, entities = doc._.sections, doc.ents
    taken = [(e.start_char, e.end_char) for e in entities]
    drugs: list[tuple[int, int, tuple[Span, ...]]] = []
    for entity in entities:
        if entity.label_ != "MEDICATION":
            continue
        if drugs and text[drugs[-1][1] : entity.start_char] in ("/", "-"):
            start, _, spans = drugs.pop()
            drugs.append((start, entity.end_char, (*spans, entity)))
        else:
            drugs.append((entity.start_char, entity.end_char, (entity,)))
    drugs += [(start, end, ()) for start, end in _unlisted(text, sections, rules) if not _overlaps(taken, start, end)]
    drugs.sort(key=lambda d: d[:2])
    mentions: list[Mention] = []
    low = 0
    for i, (start, end, spans) in enumerate(drugs):
        stop = min(len(text), end + REACH)
        if i + 1 < len(drugs):
            stop = min(stop, leads(text, end, drugs[i + 1][0]))
        sig = read_sig(text, start, end, low, stop)
        mentions.append(Mention(start, end, spans, section_at(sections, start), sig))
        low = sig.end
    for first, second in zip(mentions[-2::-1], mentions[:0:-1], strict=True):
        if first.sig.end == first.end and SAME.fullmatch(text, first.end, second.start):
            first.sig.parts = {**second.sig.parts, **first.sig.parts}  # "acetaminophen (Tylenol) 650 mg"
    return mentions


def _unlisted(text: str, sections: tuple[Section, ...], rules: Rules) -> set[tuple[int, int]]:
    """Find words that are written like a drug and that no dictionary holds."""
    matches = list(rules.unlisted.finditer(text))
    for section in sections:
        if section.category == "medications":
            matches += rules.listed_line.finditer(text, section.body_start, section.body_end)
    return {
        m.span("name") for m in matches if m["name"].lower() not in rules.not_names and not NO_DRUG.search(m["name"])
    }


def _overlaps(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    i = bisect_right(taken, (start, start))
    return any(s < end and start < e for s, e in taken[max(0, i - 1) : i + 1])


def _cue(text: str, mention: Mention, before: Mention | None, rules: Rules) -> Cue | None:
    """Find the cue that decides the status: right after the drug, else inside, else the nearest in front of it.

    "No antibiotics given": a denial or an allergy in front holds over an end that comes after.
    """
    front, sig = _front_cue(text, mention, before, rules), mention.sig
    tail = _line(text, sig.end)
    pos = marks.end() if (marks := MARKS.match(tail)) else 0
    after = (c for c in rules.after if c.pattern.match(tail, pos))
    inside = (c for c in rules.inside if c.pattern.search(text, mention.end, sig.end))
    named = (c for c in chain(after, inside) if not c.drugs or c.drugs.search(text, mention.start, sig.end))
    cue = next(named, None)
    if cue and front and (cue.drugs or (cue.status == "past" and front.status in ("negated", "allergy"))):
        return front
    return cue or front


def _front_cue(text: str, mention: Mention, before: Mention | None, rules: Rules) -> Cue | None:
    """Find the cue in front of a drug, or in front of the list that it is in."""
    if before and before.cue in rules.before and LIST.fullmatch(text, before.sig.end, mention.start):
        return before.cue
    start = max(_clause_start(text, mention.start), mention.section.start if mention.section else 0)
    clause = text[start : mention.start].replace("\r", " ").replace("\n", " ")
    clause = ASIDE.sub(lambda aside: " " * len(aside[0]), clause)
    hits = [
        (m.start() + len(m.group().rstrip()), len(m.group()), cue)
        for cue in rules.before
        for m in cue.pattern.finditer(clause)
    ]
    return max(hits, key=lambda h: h[:2])[2] if hits else None


def _line(text: str, pos: int) -> str:
    """Give what follows `pos` on its line, and on the next one where the line is long enough to go on there."""
    line, newline, rest = text[pos : pos + AFTER].partition("\n")
    goes_on = newline and _is_long(text, pos + len(line)) and not KEY.match(rest)
    return f"{line.rstrip()} {rest.split(chr(10))[0]}" if goes_on else line


def _is_long(text: str, end: int) -> bool:
    """Say whether the line that ends at `end` is so long that it may go on in the next one."""
    return end > WRAP and "\n" not in text[end - WRAP : end]


def _clause_start(text: str, pos: int) -> int:
    """Give the start of the clause around `pos`; a long line goes on in the next one."""
    low = max(0, pos - BEFORE)
    for match in reversed(list(BOUNDARY.finditer(text, low, pos + 1))):
        if not match["wrap"] or not _is_long(text, match.start()):
            return match.end()
    return low


def _share_cues(text: str, mentions: list[Mention], rules: Rules) -> None:
    """Let the first drugs of a list have the cue that comes after the last ("X, Y and Z were stopped")."""
    shared = False
    for first, second in zip(mentions[-2::-1], mentions[:0:-1], strict=True):
        plural = second.cue in rules.after and PLURAL.match(text, second.sig.end) and BOTH
        between = plural or (COMMA if shared else None)
        shared = between is not None and between.fullmatch(text, first.sig.end, second.start) is not None
        if shared:
            first.cue = second.cue


def _is_treatment(text: str, mention: Mention, rules: Rules) -> bool:
    """Tell a drug from a laboratory test or a substance of abuse with the same name."""
    name, parts = text[mention.start : mention.end].lower(), mention.sig.parts
    if name in rules.forms or rules.not_treatment.match(text, mention.end):
        return False
    if name in rules.substances:
        return bool(parts.keys() & {"dose", "form"})
    if name in rules.analytes:
        listed = mention.section is not None and mention.section.category == "medications"
        taken = mention.cue is not None and mention.cue.id in ("taking", "start", "will_receive", "stopped")
        united = re.search("[A-Za-z]", mention.sig.quote(text).get("dose", "")) is not None
        directed = united or bool(parts.keys() & {"route", "frequency"})
        return listed or taken or directed or rules.treatment.match(text, mention.end) is not None
    return True


def _has_regimen(mention: Mention) -> bool:
    return bool(mention.sig.parts.keys() & {"dose", "route", "frequency"})


def _status(text: str, mention: Mention, seen: bool, rules: Rules) -> str:
    """Decide the status: the cue, else the section header, the section, the assertion of the entity, the plan."""
    section, cue = mention.section, mention.cue
    if section and section.category == "allergies":
        if _in_first_lines(text, section, mention.start):
            tolerated = "tolerat" in text[_clause_start(text, mention.start) : mention.start].lower()
            return cue.status if cue and (tolerated or cue.status == "negated") else "allergy"
        section = None
    if section and section.category == "family_history":
        if _in_first_lines(text, section, mention.start):
            return "other"
        section = None
    category = section.category if section else ""
    if cue:
        return "other" if category == "procedure" and cue.status == "active" else cue.status
    for pattern, status in rules.headers if section else ():
        if section and pattern.search(section.header):
            return status
    if category in rules.sections:
        return rules.sections[category]
    if mention.spans and category != "medications":
        first = mention.spans[0]
        for axis, status in (
            ("family", "other"),
            ("negated", "negated"),
            ("hypothetical", "other"),
            ("historical", "past"),
        ):
            if first._.get(f"is_{axis}") and not (axis == "historical" and first._.is_background):
                return status
    if category in ("assessment_plan", "discharge_instructions") and not seen and _has_regimen(mention):
        return "planned"
    return "active"


def _in_first_lines(text: str, section: Section, pos: int) -> bool:
    """Say whether `pos` is not in a long paragraph further down, which belongs to no header of its own."""
    above = text[section.body_start : min(pos, section.body_start + 10 * SHORT)].strip()
    return len(above) < SHORT or not BLANK.search(above)


@Language.factory("clinnlp_medications")
class Medications:
    """Store the drugs of a doc, with how they are taken and their status, in `doc._.medications`.

    See `find_medications` for what is found.
    """

    def __init__(self, nlp: Language, name: str = "clinnlp_medications") -> None:
        self.name = name
        load_rules()  # now, so that the first note is not the slow one
        load_patterns()

    def __call__(self, doc: Doc) -> Doc:
        """Add the medications of the doc."""
        doc._.medications = tuple(find_medications(doc))
        return doc
