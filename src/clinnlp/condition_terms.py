"""The look-up of condition terms: which words and phrases of a text belong to which condition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from clinnlp.overlaps import Overlaps, find_inner
from clinnlp.schema import FLAG_STATUSES
from clinnlp.spelling import Spelling
from clinnlp.vocabulary import WORD, load_vocabulary

if TYPE_CHECKING:
    from clinnlp.conditions import Condition

GAP = re.compile(r"[ \t'’‐–-]{0,3}(?:\r?\n[ \t>]{0,40})?")  # what may stand between two words of a name
WINDOW = 160  # characters before and after a phrase word in which its phrases are looked for
STATES = {"names": "name", "abbreviations": "abbreviation", "states_it": "procedure", "wider": "wider"}
LOOK_ALIKE = "look_alike"

Hit: TypeAlias = tuple[int, int, str, str]  # start, end, condition, rule
_compiled = cache(partial(re.compile, flags=re.IGNORECASE))


@dataclass(frozen=True, slots=True)
class Term:
    """A term in the index: its words, the rule it belongs to, and whether capitals count."""

    words: tuple[str, ...]
    condition: str
    rule: str
    cased: bool


class Conditions(Mapping[str, "Condition"]):
    """All definitions by id, ready to be matched.

    >>> from clinnlp.conditions import load
    >>> load().match("Longstanding HTN; pulmonary hypertension was excluded.")
    [(13, 16, 'hypertension', 'hypertension.name')]
    """

    def __init__(self, definitions: Iterable[Condition]) -> None:
        self._by_id = {d.id: d for d in definitions}
        self._index: dict[str, list[Term]] = {}
        self._phrase_words: dict[str, list[str]] = {}
        self.statuses = {f"{d.id}.{p.id}": p.status for d in self.values() for p in d.phrases}
        self.statuses |= {f"{d.id}.{LOOK_ALIKE}": LOOK_ALIKE for d in self.values()}
        self._spelling = Spelling(
            (w for d in self.values() for t in d.names for w in WORD.findall(t)), real=load_vocabulary().words()
        )
        for definition in self.values():
            self._add(definition)
        for terms in self._index.values():
            terms.sort(key=lambda t: -len(t.words))

    def __getitem__(self, key: str) -> Condition:
        return self._by_id[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def match(self, text: str) -> list[Hit]:
        """Find what states a condition, its assertion left to the context: start, end, condition and rule."""
        words = self._words(text)
        hits = [*self._find_terms(text, words), *self._find_phrases(text, words, (None, LOOK_ALIKE))]
        spans: dict[str, list[tuple[int, int]]] = {}
        for start, end, condition, _ in filter(self._is_look_alike, hits):
            spans.setdefault(condition, []).append((start, end))
        look_alikes = {condition: Overlaps(own) for condition, own in spans.items()}
        kept = [h for h in hits if not self._is_look_alike(h) and not _is_part(h, look_alikes)]
        inner = find_inner(h[:2] for h in kept)
        return sorted(h for h in kept if not (self.is_wider(h[3]) and h[:2] in inner))

    def is_wider(self, rule: str) -> bool:
        """Say whether a rule is that of a broader term, which leaves a condition open when it is stated."""
        return rule.endswith(".wider")

    def match_phrases(self, text: str) -> list[tuple[int, int, str, str, str]]:
        """Find phrases that carry their own status: start, end, condition, rule and status.

        >>> from clinnlp.conditions import load
        >>> load().match_phrases("Ex-smoker.")
        [(0, 9, 'tobacco_use', 'tobacco_use.former', 'historical')]
        """
        hits = self._find_phrases(text, self._words(text), FLAG_STATUSES)
        return sorted((*hit, str(self.statuses[hit[3]])) for hit in hits)

    def _add(self, definition: Condition) -> None:
        for kind, rule in [*STATES.items(), ("look_alikes", LOOK_ALIKE)]:
            cased = kind == "abbreviations"
            for text in getattr(definition, kind):
                words = tuple(WORD.findall(text))
                fixed = words if cased else tuple(map(self._spelling.fix, words))
                term = Term(fixed, definition.id, f"{definition.id}.{rule}", cased)
                self._index.setdefault(self._spelling.fix(words[0]), []).append(term)
        for word in definition.phrase_words:
            self._phrase_words.setdefault(self._spelling.fix(word), []).append(definition.id)

    def _is_look_alike(self, hit: Hit) -> bool:
        return self.statuses.get(hit[3]) == LOOK_ALIKE

    def _words(self, text: str) -> list[tuple[int, int, str]]:
        fix = self._spelling.fix
        return [(m.start(), m.end(), fix(m.group())) for m in WORD.finditer(text)]

    def _find_terms(self, text: str, words: list[tuple[int, int, str]]) -> Iterator[Hit]:
        taken: dict[tuple[str, bool], int] = {}  # up to where the terms, or the look-alikes, of a condition reach
        for i, (start, _, word) in enumerate(words):
            after = words[i + 1][2] if i + 1 < len(words) else ""
            for term in self._index.get(word, ()):
                if not term.cased and term.words[1:2] not in ((), (after,)):
                    continue
                key = (term.condition, term.rule.endswith(LOOK_ALIKE))
                if taken.get(key, 0) <= start and (end := _end(text, words, i, term)):
                    taken[key] = end
                    yield start, end, term.condition, term.rule

    def _find_phrases(
        self, text: str, words: list[tuple[int, int, str]], statuses: Iterable[str | None]
    ) -> Iterator[Hit]:
        windows: dict[str, list[tuple[int, int]]] = {}
        for start, end, word in words:
            for condition in self._phrase_words.get(word, ()):
                own = windows.setdefault(condition, [])
                if own and start - WINDOW < own[-1][1]:
                    own[-1] = (own[-1][0], end + WINDOW)
                else:
                    own.append((max(0, start - WINDOW), end + WINDOW))
        for condition, own in windows.items():
            for phrase in self[condition].phrases:
                if phrase.status not in statuses:
                    continue
                for a, b in own:
                    for m in _compiled(phrase.pattern).finditer(text, a, b):
                        if found := m.group().strip():
                            start = text.index(found, m.start())
                            yield start, start + len(found), condition, f"{condition}.{phrase.id}"


def _end(text: str, words: list[tuple[int, int, str]], i: int, term: Term) -> int:
    """Give the end of the term if it stands at word `i`, else 0."""
    last = i + len(term.words) - 1
    if last >= len(words):
        return 0
    for n, word in enumerate(term.words, i):
        start, end, fixed = words[n]
        if (text[start:end] if term.cased else fixed) != word:
            return 0
        if n < last and not GAP.fullmatch(text, end, words[n + 1][0]):
            return 0
    return words[last][1]


def _is_part(hit: Hit, look_alikes: Mapping[str, Overlaps]) -> bool:
    """Say whether a look-alike of the condition overlaps the hit, unless the hit is the longer term around it."""
    start, end, condition, _ = hit
    return any(
        not (start <= a and b <= end and b - a < end - start)
        for a, b in (look_alikes[condition].of(start, end) if condition in look_alikes else ())
    )
