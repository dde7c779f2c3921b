"""Every regular expression that the package compiles, and texts made from each to make it slow.

Run as a script it tries each pattern on its texts, and prints a line of JSON a pattern that is slower than it may be.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
import re
import re._constants as op
import re._parser as parser
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from functools import _lru_cache_wrapper
from inspect import getsource, signature
from types import ModuleType
from typing import Any

FIRST, SIZES = 2_000, (10_000, 40_000)  # characters
DOUBTFUL = 0.0005  # seconds for the first text from which a pattern is tried on the longer ones
SECONDS = 1.0  # that a pattern may take for the longest text
GROWTH, SLOW = 9, 0.15  # how much longer four times the text may take (linear 4, quadratic 16), from so many seconds on
WATCH = 1.2  # seconds after which a pattern is stopped
MANY = 8  # a repeat of so many is long enough to be attacked
COMMON = (
    " ", "\t", "\n", "\r\n", " \n", "\n ", "a", "A", "a ", "A ", "Aa ", "a, ", "a\n", "1", "1 ", "1,", "1.", "1/", "(",
    ")", "[", "()", "[]", "[ ] ", "(a", ".", ". ", ",", ":", "a: ", "A: ", ";", "-", "- ", "_", "*", "#", "=", "|",
    "/", '"', "'", "é", "\0", "and ", "or ", "no ", "yes ", "the ", "of ", "mg ", "10 mg ", "[**a**] ", "1/1/2020 ",
    "<", ">", )  # fmt: skip
NOTE = """HPI: 54 y/o M seen by Dr. Jane Stone on 3/4/2020 denies chest pain, fever or cough. h/o MI in 2019.
PMH:\n1. HTN\n2. DM, A1c 8.2%, Cr 1.4 -> 2.1\nMEDICATIONS: lisinopril 10 mg PO BID, Foobarol 5 mg daily for 7 days
ROS: Fever: no  Cough: yes [x] HTN [ ] DM\nBP 169/74, WBC 12.3 H. Mother had breast cancer. Quit smoking. NKDA.
Plan: start metformin 500 mg BID. Follow up in 2 weeks. Tel 555-0100, mail a.b@example.org."""


class TooSlowError(Exception):
    """Raised by the watch."""


def collect() -> tuple[list[re.Pattern[str]], dict[str, set[str]]]:
    """Collect the patterns that the package compiles when it is imported, its rules are read and a note is annotated.

    Gives them all, and for those that are only tried at one place of a text how: by `match`, `fullmatch` or both.
    """
    found: dict[tuple[str, int], re.Pattern[str]] = {}
    calls: dict[str, set[str]] = {}
    compile_one = re._compile  # type: ignore[attr-defined]

    def record(pattern: Any, flags: int) -> Any:
        compiled = compile_one(pattern, flags)
        depth, frame = 1, sys._getframe(1)
        how = frame.f_code.co_name  # the function of re that was called
        while frame.f_globals["__name__"] == "re":
            depth += 1
            frame = sys._getframe(depth)
        if frame.f_globals["__name__"].startswith("clinnlp") and isinstance(compiled.pattern, str):
            found[compiled.pattern, compiled.flags] = compiled
            calls.setdefault(compiled.pattern, set()).add(how)
        return compiled

    re._compile = record  # type: ignore[attr-defined]
    try:
        modules = _exercise()
    finally:
        re._compile = compile_one  # type: ignore[attr-defined]
    for pattern in _bounded():
        found.pop((pattern.pattern, pattern.flags), None)
    anchored = {pattern: how for pattern, how in calls.items() if how <= {"match", "fullmatch"}}
    anchored |= {pattern: how for module in modules for pattern, how in _anchored(module)}
    return list(found.values()), anchored | dict(_tried_at_words())


def _bounded() -> Iterator[re.Pattern[str]]:
    """Give the patterns that only see some hundred characters: lines of lists, what is near a drug, test or parent."""
    from clinnlp import catalogue, icd10, name_lists, sig
    from clinnlp.components import measurements, medications, scope, sections
    from clinnlp.faithfulness import drugs

    parts, drug_rules = sig.load_patterns(), medications.load_rules()
    yield from (parts.part, parts.bare, parts.counted, parts.leading, parts.next_leading)
    for cue in (*drug_rules.before, *drug_rules.after, *drug_rules.inside):
        yield from (pattern for pattern in (cue.pattern, cue.drugs) if pattern)
    yield from (pattern for pattern, _ in drug_rules.headers)
    yield from map(scope.load_terms, ("parents", "relatives"))
    yield from (pattern for _, pattern in sections.load_headers().keywords)
    values = measurements.load_patterns()
    yield from (values[name] for name in values.keys() - {"saturation", "fluid_head", "joint"})

    rules = catalogue.load_rules()
    yield from (icd10.ASIDE, icd10.PAIR, name_lists.SHARE, drugs.NEW_LINE, rules.filler, rules.link)


def _tried_at_words() -> Iterator[tuple[str, set[str]]]:
    """Give the patterns that are kept in an index and only tried where their first word is, or passed on to a match."""
    from clinnlp import comorbidity, privacy
    from clinnlp.components import measurements, medications, scope
    from clinnlp.faithfulness import wording

    between = (medications.BOTH, medications.COMMA, measurements.load_patterns()["joint"])
    yield from ((pattern.pattern, {"fullmatch"}) for pattern in between)
    tied = comorbidity.read_yaml("comorbidity.yml")["tied"]
    for item in (*comorbidity.find_items("charlson"), *comorbidity.find_items("elixhauser")):
        yield f"{tied}(?:{item.complications})", {"match"}
    names, cue = privacy.load_rules().names, wording.cue
    for pattern in (names.free, names.town_ending, cue("workup"), cue("none")):
        yield pattern.pattern, {"match"}
    yield from ((pattern.pattern, {"match"}) for terms in scope.load_index().values() for pattern, _ in terms)


def _anchored(module: ModuleType) -> Iterator[tuple[str, set[str]]]:
    """Give the patterns that a module names and uses by `match` and `fullmatch` alone, and by which of them."""
    source = getsource(module)
    for name, value in vars(module).items():
        if isinstance(value, re.Pattern) and f"\n{name} = re.compile(" in source:
            uses = re.findall(rf"\b{name}\b(?:\.(\w+)\()?", source)
            if set(uses) <= {"", "match", "fullmatch"} and uses.count("") == 1:
                yield value.pattern, set(uses) - {""}


def _exercise() -> list[ModuleType]:
    """Import every module, read every rule, and run what compiles patterns only when they are used."""
    import clinnlp

    modules = [
        importlib.import_module(m.name)
        for m in pkgutil.walk_packages(clinnlp.__path__, "clinnlp.")
        if not m.name.endswith("__main__")
    ]
    for module in modules:
        for value in list(vars(module).values()):
            if isinstance(value, _lru_cache_wrapper) and not signature(value).parameters:
                value()
    import pandas as pd

    nlp = clinnlp.load(exclude=["clinnlp_ner"])
    table = pd.DataFrame({"note_id": ["n"], "patient_id": ["p"], "text": [NOTE]})
    result = clinnlp.annotate(table, nlp)
    clinnlp.check_summary("A 54-year-old man with diabetes takes metformin 500 mg twice daily.", NOTE, nlp)
    clinnlp.privacy.check(table)
    clinnlp.comorbidity.elixhauser(result)
    clinnlp.snapshot.snapshot(result, "n")
    clinnlp.conflicts.find_conflicts(result.evidence)
    return modules


def characters(items: Any) -> Iterator[str]:
    """Give a few characters of a class."""
    negated = items and items[0][0] is op.NEGATE
    tests = [chr(c) for c in (*range(32, 127), 9, 10, 13, 0xE9, 0x2022)]
    kinds = {op.CATEGORY_SPACE: str.isspace, op.CATEGORY_DIGIT: str.isdigit,
             op.CATEGORY_WORD: lambda c: c.isalnum() or c == "_"}  # fmt: skip
    opposite = {op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE, op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
                op.CATEGORY_NOT_WORD: op.CATEGORY_WORD}  # fmt: skip

    def holds(c: str, kind: Any, value: Any) -> bool:
        if kind is op.LITERAL:
            return ord(c) == value
        if kind is op.RANGE:
            return value[0] <= ord(c) <= value[1]
        if kind is op.CATEGORY:
            return kinds[value](c) if value in kinds else not kinds[opposite[value]](c)
        return False

    listed = [chr(v) for k, v in items if k is op.LITERAL]
    fits = [c for c in (*"a1A .,-_\n\t", *listed, *tests) if any(holds(c, k, v) for k, v in items) != bool(negated)]
    yield from dict.fromkeys(fits[:1] + [c for c in listed if c in fits][:2] + fits[1:3] or ["\u4e00"])


class Sampler:
    """Makes texts that match parts of a pattern."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.groups: dict[int, str] = {}
        self.pumps: list[tuple[str, str]] = []  # what leads to a repeat, and what it repeats

    def sample(self, parts: Any, lead: str = "") -> str:
        """Make a text that matches, and note each long repeat on the way; look-arounds are taken to hold."""
        made = ""
        for kind, value in parts:
            made += self._one(kind, value, lead + made)
        return made

    def _one(self, kind: Any, value: Any, lead: str) -> str:
        if kind is op.LITERAL:
            return chr(value)
        if kind is op.NOT_LITERAL:
            return "a" if value != ord("a") else "b"
        if kind is op.ANY:
            return self.random.choice("a 1.")
        if kind is op.IN:
            return self.random.choice(list(characters(value)))
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            least, most, body = value
            if most >= MANY:
                self.pumps += [(lead, self.sample(body)) for _ in range(2)]
            times = max(least, min(most, self.random.choice((0, 1, 1, 2))))
            return "".join(self.sample(body, lead) for _ in range(times))
        if kind is op.SUBPATTERN:
            made = self.sample(value[3], lead)
            self.groups[value[0] or 0] = made
            return made
        if kind is op.ATOMIC_GROUP:
            return self.sample(value, lead)
        if kind is op.BRANCH:
            return self.sample(self.random.choice(value[1]), lead)
        if kind is op.GROUPREF:
            return self.groups.get(value, "")
        if kind in (op.ASSERT, op.ASSERT_NOT):
            self.sample(value[1], lead)
        return ""


def attacks(tree: Any) -> Iterator[tuple[str, str, str]]:
    """Give lead, repeated text and end of texts that could make a pattern slow."""
    seen: set[tuple[str, str, str]] = set()
    samples = []
    for seed in range(4):
        sampler = Sampler(seed)
        samples.append(sampler.sample(tree))
        for lead, body in sampler.pumps:
            for end in ("", "\0"):
                seen.add((lead, body, end))
    for whole in samples:
        for cut in (len(whole), len(whole) - 1, len(whole) // 2):
            seen |= {("", whole[:cut], "\0"), ("", whole[:cut] + " ", "\0")}
    yield from sorted(attack for attack in seen if attack[1])


def has_long_repeat(parts: Any) -> bool:
    """Whether a part may repeat often, so that its time can grow with the text."""
    for kind, value in parts:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            inner, long = [value[2]], value[1] >= MANY
        else:
            long, inner = False, {
                op.SUBPATTERN: lambda v: [v[3]], op.ATOMIC_GROUP: lambda v: [v], op.BRANCH: lambda v: v[1],
                op.ASSERT: lambda v: [v[1]], op.ASSERT_NOT: lambda v: [v[1]],
            }.get(kind, lambda _: [])(value)  # fmt: skip
        if long or any(has_long_repeat(part) for part in inner):
            return True
    return False


def seconds(
    pattern: re.Pattern[str],
    text: str,
    anchored: Collection[str],
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Give the time of finding all matches, or of trying at the beginning; infinite where the watch stopped it."""
    signal.setitimer(signal.ITIMER_VIRTUAL, WATCH)
    start = clock()
    try:
        for method in anchored:
            getattr(pattern, method)(text)
        if not anchored:
            deque(pattern.finditer(text), 0)
        return clock() - start
    except TooSlowError:
        return float("inf")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _stop(*_: Any) -> None:
    raise TooSlowError


def slow_text(pattern: re.Pattern[str], anchored: Collection[str] = ()) -> dict[str, Any] | None:
    """Say on which text a pattern takes too long; None where on none."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    common = [("", text, end) for text in COMMON for end in ("", "\0")] if has_long_repeat(tree) else []
    for lead, body, end in dict.fromkeys([*common, *attacks(tree)]):

        def text(size: int, parts: tuple[str, str, str] = (lead, body, end)) -> str:
            return parts[0] + parts[1] * (size // len(parts[1])) + parts[2]

        first = seconds(pattern, text(FIRST), anchored, time.perf_counter)  # CPU time may tick too slowly
        if first < DOUBTFUL:
            continue
        short = seconds(pattern, text(SIZES[0]), anchored) if first < SECONDS else float("inf")
        long = seconds(pattern, text(SIZES[1]), anchored) if short < SECONDS else float("inf")
        if long > SECONDS or (long > SLOW and long > GROWTH * short):
            return {"pattern": pattern.pattern, "seconds": [short, long], "text": [lead, body, end]}
    return None


def main() -> None:
    """Print what is too slow."""
    signal.signal(signal.SIGVTALRM, _stop)
    patterns, anchored = collect()
    for pattern in patterns:
        if found := slow_text(pattern, anchored.get(pattern.pattern, ())):
            print(json.dumps(found), flush=True)
    print(json.dumps({"patterns": len(patterns), "seconds": time.process_time()}))


if __name__ == "__main__":
    main()
