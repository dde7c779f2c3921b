"""Two or more models side by side: what each finds, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clinnlp.models.token_classifier import Prediction, TokenClassifier

if TYPE_CHECKING:
    import pandas as pd


def compare_models(notes: pd.DataFrame, models: Mapping[str, TokenClassifier | str]) -> pd.DataFrame:
    """Run models over the same notes, and line up what they find.

    Parameters
    ----------
    notes
        A table with `note_id` and `text`.
    models
        Loaded classifiers, or what `load_classifier` takes, by the name of their column.

    Returns
    -------
    DataFrame
        A row a place where any of the models finds something: note_id, start, end (of the longest finding there), text,
        a column a model with what it finds (`LABEL`, or `LABEL: words` where its words differ from `text`; missing if
        it finds nothing), and agreement: `same`; `span` (same label, other words); `label`; or `missing`.
    """
    import pandas as pd

    from clinnlp.models.pack import load_classifier

    loaded = {name: load_classifier(m) if isinstance(m, str) else m for name, m in models.items()}
    ids, texts = notes["note_id"].tolist(), notes["text"].fillna("").tolist()
    found = {name: model.predict_all(texts) for name, model in loaded.items()}
    rows: list[dict[str, Any]] = []
    for n, (note_id, text) in enumerate(zip(ids, texts, strict=True)):
        rows += [{"note_id": note_id, **row} for row in _line_up(text, {name: f[n] for name, f in found.items()})]
    return pd.DataFrame(rows, columns=["note_id", "start", "end", "text", *loaded, "agreement"])


def _line_up(text: str, found: Mapping[str, list[Prediction]]) -> list[dict[str, Any]]:
    """Group the findings that overlap, and say how far they agree."""
    everything = sorted(((p, name) for name, ps in found.items() for p in ps), key=lambda x: (x[0].start, -x[0].end))
    groups: list[list[tuple[Prediction, str]]] = []
    reach = -1
    for prediction, name in everything:
        if prediction.start < reach:
            groups[-1].append((prediction, name))
        else:
            groups.append([(prediction, name)])
        reach = max(reach, prediction.end)
    rows = []
    for group in groups:
        longest = max((p for p, _ in group), key=lambda p: p.end - p.start)
        own = {name: [p for p, other in group if other == name] for name in found}
        cells = {name: _cell(text, longest, ps) for name, ps in own.items()}
        rows.append(
            {"start": longest.start, "end": longest.end, "text": text[longest.start : longest.end], **cells,
             "agreement": _agreement(own)}
        )  # fmt: skip
    return rows


def _cell(text: str, longest: Prediction, found: list[Prediction]) -> str | None:
    """Say what one model finds at a place."""
    said = [
        p.label if (p.start, p.end) == (longest.start, longest.end) else f"{p.label}: {text[p.start : p.end]}"
        for p in found
    ]
    return "; ".join(said) or None


def _agreement(own: Mapping[str, list[Prediction]]) -> str:
    """Say how far the models agree at a place."""
    if not all(own.values()):
        return "missing"
    spans = {tuple((p.start, p.end, p.label) for p in ps) for ps in own.values()}
    labels = {tuple(sorted({p.label for p in ps})) for ps in own.values()}
    return "same" if len(spans) == 1 else "span" if len(labels) == 1 else "label"
