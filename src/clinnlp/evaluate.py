"""Score found entities against labelled documents, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Span = tuple[int, int, str]
SAMPLES = 1000


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
