"""Score what was found against labelled documents, with bootstrap intervals."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.overlaps import meet
from clinnlp.schema import ASSERTIONS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from clinnlp.annotations import Annotations

Span = tuple[int, int, str]
Row = Mapping[str, Any]
Counts = tuple[int, int, int]  # right, found, wanted
SAMPLES = 1000
KINDS = ("sections", "problems", "medications", "measurements", "conditions")  # of labels
PROBLEMS = ("DISEASE", "SYMPTOM")
PARTS = ("dose", "route", "frequency")
HAS = ("present", "historical")


def score_entities(
    gold: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]], *, labels: Iterable[str] | None = None
) -> pd.DataFrame:
    """Score entities document by document.

    Parameters
    ----------
    gold, found
        For each document its entities as start, end and label.
    labels
        The labels that count; those of the gold if None.

    Returns
    -------
    DataFrame
        A row a label and way of matching, and those of all labels together (`micro`): label, match (`strict`: same
        start, end and label; `overlap`: a character in common and the same label, each entity used once), precision,
        recall, f1, low and high (95 % interval of f1 over documents, 1,000 bootstrap samples), support.
    """
    import numpy as np
    import pandas as pd

    kept = sorted(set(labels) if labels is not None else {label for spans in gold for *_, label in spans})
    rows = []
    for match, same in (("strict", _equal), ("overlap", _overlaps)):
        per_label = {label: _count(gold, found, label, same) for label in kept}
        if per_label:
            per_label["micro"] = np.sum(list(per_label.values()), axis=0)
        rows += [{"label": label, "match": match, **_figures(counts)} for label, counts in per_label.items()]
    return pd.DataFrame(rows)


def _equal(a: Span, b: Span) -> bool:
    return a == b


def _overlaps(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _count(
    gold: Sequence[Iterable[Span]], found: Sequence[Iterable[Span]], label: str, same: Callable[[Span, Span], bool]
) -> np.ndarray:
    """Count right, found and wanted entities, of shape (documents, 3)."""
    import numpy as np

    rows = []
    for wanted, spans in zip(gold, found, strict=True):
        free = sorted(s for s in spans if s[2] == label)
        mine = sorted(s for s in wanted if s[2] == label)
        size, right = len(free), 0
        for span in mine:
            if (hit := next((s for s in free if same(span, s)), None)) is not None:
                free.remove(hit)
                right += 1
        rows.append((right, size, len(mine)))
    return np.array(rows).reshape(-1, 3)


def _figures(counts: np.ndarray) -> Mapping[str, Any]:
    """Give precision, recall and F1 with its interval."""
    import numpy as np

    right, found, wanted = counts.sum(axis=0).tolist()
    draws = np.random.default_rng(0).integers(0, len(counts), (SAMPLES, len(counts)))
    sums = counts[draws].sum(axis=1)
    low, high = np.quantile(2 * sums[:, 0] / np.maximum(1, sums[:, 1] + sums[:, 2]), [0.025, 0.975])
    return {
        "precision": round(right / max(1, found), 4), "recall": round(right / max(1, wanted), 4),
        "f1": round(2 * right / max(1, found + wanted), 4), "low": round(float(low), 4), "high": round(float(high), 4),
        "support": int(wanted),
    }  # fmt: skip


def read_gold(path: str | Path) -> list[dict[str, Any]]:
    """Read labelled notes, a JSON object a line.

    Returns
    -------
    list of dict
        id and text, and what was labelled of sections (start, end, category), problems (start, end, assertion),
        medications (start, end, dose, route, frequency, status), measurements (start, end, value) and conditions
        (condition, status). Where `problems_complete` is false, the rest of the note, after its last problem, was not
        labelled; where there is `judged`, conditions that it does not list were not.

    Raises
    ------
    InputError
        When the file cannot be read, a line is no such object, or nothing is labelled.
    """
    try:
        documents = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as labelled notes: {type(error).__name__}.") from None
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or not {"id", "text"} <= set(document) or not set(KINDS) & set(document):
            raise InputError(
                f"{path}, object {number}: labelled notes have an id, a text, and one or more of {', '.join(KINDS)}."
            )
    if not documents:
        raise InputError(f"{path} has no labelled notes.")
    return documents


def score_annotations(gold: Iterable[Row], result: Annotations) -> pd.DataFrame:
    """Score the tables of a result against labelled notes.

    Parameters
    ----------
    gold
        The labelled notes; see `read_gold`. A note without labels of a kind does not count for that kind.
    result
        What was found in notes whose ids are those of the gold.

    Returns
    -------
    DataFrame
        A row a measure: measure, precision, recall, f1, low and high (95 % interval of f1 over notes, 1,000 bootstrap
        samples), support. Findings match by a character in common, each used once; headers by their start; `strict`
        means the same limits. The assertion, and the parts and status of medications, are scored on what matches; for
        `accuracy` precision, recall and f1 are all the share that is right.

    Raises
    ------
    InputError
        When a note of the gold is not in the result.
    """
    import numpy as np
    import pandas as pd

    from clinnlp.display import records

    known = set(result.notes["note_id"])
    found: dict[str, defaultdict[str, list[Row]]] = {}
    for name in ("sections", "entities", "medications", "measurements", "flags"):
        found[name] = defaultdict(list)
        for row in records(getattr(result, name)):
            found[name][row["note_id"]].append(row)
    counts: defaultdict[str, list[Counts]] = defaultdict(list)
    for document in gold:
        if document["id"] not in known:
            raise InputError(
                f"The labelled note {document['id']!r} is not in the result. Annotate the texts of the gold."
            )
        for measure, of_note in _measures(document, {name: rows[document["id"]] for name, rows in found.items()}):
            counts[measure].append(of_note)
    kept = {measure: np.array(of_notes) for measure, of_notes in counts.items()}
    return pd.DataFrame([{"measure": m, **_figures(n)} for m, n in kept.items() if n.any()])


def _measures(gold: Row, found: Mapping[str, list[Row]]) -> Iterator[tuple[str, Counts]]:
    """Give the counts of each measure in a note."""
    if "sections" in gold:
        pairs = _match(gold["sections"], found["sections"], lambda a, b: abs(a["start"] - b["start"]) <= 1)
        sizes = len(found["sections"]), len(gold["sections"])
        yield "section headers", (len(pairs), *sizes)
        yield "section headers with category", (sum(a["category"] == b["category"] for a, b in pairs), *sizes)
    if "problems" in gold:
        yield from _problems(gold, found["entities"])
    if "medications" in gold:
        pairs = _match(gold["medications"], found["medications"], meet)
        yield "medications", (len(pairs), len(found["medications"]), len(gold["medications"]))
        for part in PARTS:
            both = [(_plain(a.get(part)), _plain(b[part])) for a, b in pairs]
            right = sum(a == b != "" for a, b in both)
            yield f"{part} of medications", (right, sum(b != "" for _, b in both), sum(a != "" for a, _ in both))
        yield "status of medications, accuracy", _share(a["status"] == b["status"] for a, b in pairs if a.get("status"))
    if "measurements" in gold:
        pairs = _match(
            gold["measurements"], found["measurements"],
            lambda a, b: meet(a, b) and _plain(a["value"]) == _plain(b["value"]),
        )  # fmt: skip
        yield "values of measurements", (len(pairs), len(found["measurements"]), len(gold["measurements"]))
    if "conditions" in gold:
        wanted = {c["condition"]: c["status"] for c in gold["conditions"]}
        judged = gold.get("judged")
        flags = {f["condition"]: f["status"] for f in found["flags"] if judged is None or f["condition"] in judged}
        has, flagged = ({c for c, status in of.items() if status in HAS} for of in (wanted, flags))
        yield "conditions that the patient has or had", (len(has & flagged), len(flagged), len(has))
        yield "status of conditions, accuracy", _share(flags.get(c) == status for c, status in wanted.items())


def _problems(gold: Row, entities: list[Row]) -> Iterator[tuple[str, Counts]]:
    """Give the counts for problems, as far as the note was labelled, and for the assertion of those that match."""
    wanted = gold["problems"]
    complete = gold.get("problems_complete", True)
    limit = len(gold["text"]) if complete else max((p["end"] for p in wanted), default=0)
    found = [e for e in entities if e["label"] in PROBLEMS and e["start"] < limit]
    pairs = _match(wanted, found, meet)
    yield "problems", (len(pairs), len(found), len(wanted))
    strict = _match(wanted, found, lambda a, b: (a["start"], a["end"]) == (b["start"], b["end"]))
    yield "problems, strict", (len(strict), len(found), len(wanted))
    both = [(a["assertion"], b["assertion"]) for a, b in pairs]
    yield "assertion of problems, accuracy", _share(a == b for a, b in both)
    for value in reversed(ASSERTIONS):
        right = sum(a == b == value for a, b in both)
        yield f"{value} problems", (right, sum(b == value for _, b in both), sum(a == value for a, _ in both))


def _match(wanted: Iterable[Row], found: Iterable[Row], same: Callable[[Row, Row], bool]) -> list[tuple[Row, Row]]:
    """Pair what was wanted with what was found, each used once, in the order of the text."""
    free, pairs = list(found), []
    for row in wanted:
        if (hit := next((other for other in free if same(row, other)), None)) is not None:
            free.remove(hit)
            pairs.append((row, hit))
    return pairs


def _plain(cell: Any) -> str:
    return "".join(str(cell or "").lower().split()).strip(".,;")


def _share(right: Iterable[bool]) -> Counts:
    answers = list(right)
    return sum(answers), len(answers), len(answers)


def calibration_error(scores: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Give the expected calibration error: the mean gap of score and share of right ones, over bins of the score.

    Source: Guo et al., On calibration of modern neural networks, 2017.

    >>> calibration_error([0.9, 0.9], [True, False])
    0.4
    """
    groups: dict[int, list[tuple[float, bool]]] = {}
    for score, is_right in zip(scores, right, strict=True):
        groups.setdefault(min(bins - 1, int(score * bins)), []).append((score, is_right))
    gaps = (abs(sum(s for s, _ in g) - sum(r for _, r in g)) for g in groups.values())
    return round(sum(gaps) / max(1, len(scores)), 4)


def reliability(predicted: Sequence[float], right: Sequence[bool], bins: int = 5) -> pd.DataFrame:
    """Compare confidences with how often what they stand for was right.

    Parameters
    ----------
    predicted, right
        The confidence of each answer, from 0 to 1, and whether it was right.
    bins
        How many bins of about the same number of answers.

    Returns
    -------
    DataFrame
        A row a bin: predicted (mean confidence), observed (share that was right), low, high (95 % Wilson interval of
        observed) and n. `clinnlp.plots.reliability` draws it.

    Raises
    ------
    MissingExtraError
        When statsmodels is not installed.

    Examples
    --------
    >>> reliability([0.6, 0.6, 0.9, 0.9], [True, False, True, True], bins=2)[["predicted", "observed", "n"]]
       predicted  observed  n
    0        0.6       0.5  2
    1        0.9       1.0  2
    """
    import pandas as pd

    from clinnlp.cohort import needed

    answers = pd.DataFrame({"predicted": list(predicted), "right": [bool(r) for r in right]})
    ranks = answers["predicted"].rank(method="first")
    bin_of = pd.qcut(ranks, min(bins, len(answers)), labels=False)
    table = answers.groupby(bin_of).agg(predicted=("predicted", "mean"), right=("right", "sum"), n=("right", "size"))
    low, high = needed("statsmodels.stats.proportion").proportion_confint(table["right"], table["n"], method="wilson")
    table = table.assign(observed=table["right"] / table["n"], low=low, high=high)
    return table[["predicted", "observed", "low", "high", "n"]].reset_index(drop=True)
