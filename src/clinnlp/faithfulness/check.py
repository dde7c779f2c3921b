"""Check a summary against its note: is each claim supported, contradicted, or not said there at all?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from clinnlp.display import escape
from clinnlp.errors import InputError
from clinnlp.faithfulness.claims import read
from clinnlp.faithfulness.drugs import judge_drugs
from clinnlp.faithfulness.findings import judge_findings
from clinnlp.faithfulness.places import CONTRADICTED, SUPPORTED, UNSUPPORTED, Judgement, Statement
from clinnlp.faithfulness.words import judge_quantities, judge_values, judge_words

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language

MARKS = {  # verdict, the worst first -> its colour and its sign
    "contradicted": ("213 94 0", "✗"), "unsupported": ("230 159 0", "?"), "supported": ("0 158 115", "✓"),
}  # fmt: skip
COLUMNS = {"claim": "str", "verdict": "str", "start": "Int64", "end": "Int64", "reason": "str"}


@lru_cache(maxsize=1)
def _default() -> Language:
    from clinnlp.pipeline import load

    return load()


def _judge_statement(s: Statement) -> Iterator[Judgement]:
    found = [*_person(s), *judge_drugs(s), *judge_values(s)]
    found += judge_findings(s)
    found += judge_quantities(s)
    named = [j for j in found if not j.reason.startswith(("age", "sex"))]
    found += judge_words(s, bool(named), bool(found))
    yield from found


def _person(s: Statement) -> Iterator[Judgement]:
    """Compare age and sex, where the sentence states them."""
    low, high = s.bounds
    age, sex = s.summary.age, s.summary.sex
    if age and low <= age[0] < high:
        s.taken.append(age[:2])
        if s.note.age is None:
            yield Judgement(*age[:2], UNSUPPORTED, "age not in the note")
        elif age[2] == s.note.age[2]:
            yield Judgement(*age[:2], SUPPORTED, "age as in the note", s.note.age[:2])
        else:
            yield Judgement(*age[:2], CONTRADICTED, f"age differs: {s.note.age[2]:g} in the note", s.note.age[:2])
    if sex and low <= sex[0] < high and s.note.sex:
        is_named = len(s.summary.text[sex[0] : sex[1]]) > 3
        if sex[2] != s.note.sex[2]:
            yield Judgement(*sex[:2], CONTRADICTED, f"sex differs: {s.note.sex[2]} in the note", s.note.sex[:2])
        elif is_named:
            yield Judgement(*sex[:2], SUPPORTED, "sex as in the note", s.note.sex[:2])


def judge(summary: str, note_text: str, nlp: Language | None = None) -> list[Judgement]:
    """Judge the claims of a summary in the order of its text; see `check_summary`."""
    for name, text in (("summary", summary), ("note_text", note_text)):
        if not isinstance(text, str):
            raise InputError(f"{name} should be a string, got {type(text).__name__}. Give the text itself.")
    nlp = nlp or _default()
    told, note = read(nlp, summary), read(nlp, note_text)
    found = [j for i in range(len(told.sentences)) for j in _judge_statement(Statement(told, note, i))]
    return sorted(found, key=lambda j: (j.start, j.end))


def check_summary(summary: str, note_text: str, nlp: Language | None = None) -> pd.DataFrame:
    """Compare each claim of a summary with the note.

    Parameters
    ----------
    summary
        Any summary of the note, made here or elsewhere.
    note_text
        The note.
    nlp
        The pipeline; `clinnlp.load()` where none is given.

    Returns
    -------
    DataFrame
        A row a claim: `claim` as it stands in the summary; `verdict`: supported, contradicted or unsupported; `start`
        and `end` in the note of the best support, or of what contradicts the claim, missing where the note says
        nothing of it; `reason` in a few words. A claim that says less than the note ("possible" of what the note is
        sure of) is supported; one that is surer than the note is contradicted.

    Raises
    ------
    InputError
        When the summary or the note is no string.

    Examples
    --------
    >>> claims = check_summary("No history of diabetes. Takes lisinopril.", "T2DM. Lisinopril 10 mg daily.")
    >>> claims[["claim", "verdict", "reason"]].values.tolist()
    [['diabetes', 'contradicted', 'the note affirms it'], ['lisinopril', 'supported', 'the note has it as taken']]
    """
    import pandas as pd

    rows = [
        {
            "claim": summary[j.start : j.end], "verdict": j.verdict, "start": j.at[0] if j.at else None,
            "end": j.at[1] if j.at else None, "reason": j.reason,
        }
        for j in judge(summary, note_text, nlp)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def faithfulness_score(claims: pd.DataFrame) -> float:
    """Give the share of claims that the note supports, 0 to 1; NaN where there are none.

    >>> faithfulness_score(check_summary("Has T2DM. Takes aspirin.", "Type 2 diabetes."))
    0.5
    """
    return float((claims["verdict"] == SUPPORTED).mean())


@dataclass(frozen=True)
class CheckView:
    """A summary beside its note, which Jupyter shows with the claims marked in both; printed, it is one line."""

    score: float
    claims: int
    html: str = field(repr=False)

    def __repr__(self) -> str:
        """Count the claims and give the share that is supported."""
        share = f"{self.score:.0%}" if self.claims else "none"
        return f"<summary: {self.claims} claims, {share} supported>"

    def _repr_html_(self) -> str:
        return self.html


def show_check(summary: str, note_text: str, nlp: Language | None = None) -> CheckView:
    """Show a summary and its note side by side, each claim and its place in the note marked with its verdict.

    A colour and a sign (✓ supported, ✗ contradicted, ? not in the note) mark a claim; its tooltip says why.

    Raises
    ------
    InputError
        When the summary or the note is no string.
    """
    judged = judge(summary, note_text, nlp)
    supported = sum(j.verdict == SUPPORTED for j in judged)
    told = _marked(summary, [(j.start, j.end, j) for j in judged])
    note = _marked(note_text, [(*j.at, j) for j in judged if j.at])
    legend = " ".join(f'<mark class="{v}">{v}</mark>' for v in MARKS)
    page = (
        f'<div class="clinnlp-check"><style>{_stylesheet()}</style><p>{legend} {supported} of {len(judged)} claims '
        f"supported</p><h4>Summary</h4><div>{told}</div><h4>Note</h4><div>{note}</div></div>"
    )
    return CheckView(supported / len(judged) if judged else float("nan"), len(judged), page)


def _marked(text: str, spans: list[tuple[int, int, Judgement]]) -> str:
    """Mark spans in a text; of those that overlap the first, and of those that start together the worst."""
    out, position = [], 0
    for start, end, judged in sorted(spans, key=lambda s: (s[0], list(MARKS).index(s[2].verdict))):
        if start >= position:
            title = escape(f"{judged.verdict}: {judged.reason}")
            mark = f'<mark class="{judged.verdict}" title="{title}">{escape(text[start:end])}</mark>'
            out += [escape(text[position:start]), mark]
            position = end
    return "".join([*out, escape(text[position:])])


def _stylesheet() -> str:
    """Give the style of the marks; translucent fills suit light and dark pages."""
    rules = (
        f'.clinnlp-check mark.{verdict}{{--hue:{hue}}}.clinnlp-check mark.{verdict}::after{{content:"{sign}"}}'
        for verdict, (hue, sign) in MARKS.items()
    )
    return (
        ".clinnlp-check div{white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.75}"
        ".clinnlp-check mark{color:inherit;"
        "background:rgb(var(--hue)/.22);border-bottom:2px solid rgb(var(--hue));border-radius:2px;padding:1px}"
        f".clinnlp-check mark::after{{margin-left:3px;font-size:.8em}}{''.join(rules)}"
    )
