"""Terms with alternatives, as the condition definitions write them."""

from __future__ import annotations

import re
from collections.abc import Iterator


def expand(text: str) -> list[str]:
    """Write out the alternatives of a term: "(a|b|) c" stands for "a c", "b c" and "c"; groups may hold groups.

    >>> expand("(type (1|2)|) sugar")
    ['type 1 sugar', 'type 2 sugar', 'sugar']
    """
    innermost = re.search(r"\(([^()]*)\)", text)
    if innermost is None:
        return [" ".join(text.split())]
    before, after = text[: innermost.start()], text[innermost.end() :]
    if before.count("(") > before.count(")"):  # an alternative of the outer group for each of the inner one
        start = max(before.rfind("(", 0), before.rfind("|")) + 1
        stop = min(i for i in (after.find("|"), after.find(")")) if i >= 0)
        each = "|".join(f"{before[start:]}{choice}{after[:stop]}" for choice in innermost.group(1).split("|"))
        return expand(f"{before[:start]}{each}{after[stop:]}")
    return [t for choice in innermost.group(1).split("|") for t in expand(f"{before}{choice}{after}")]


def is_balanced(text: str) -> bool:
    """Say whether each bracket of a term has its other half."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return not re.search(r"[()]", text)


def plurals(text: str) -> Iterator[str]:
    """Give the term, and its plural where its last word can have one."""
    yield text
    last = text.rsplit(" ", 1)[-1]
    if len(last) < 4 or not last.isalpha() or last.endswith(("s", "ed", "ing")):
        return
    yield text[:-1] + "ies" if last.endswith("y") and last[-2] not in "aeiou" else text + "s"
