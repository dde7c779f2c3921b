"""Fit the weights of the extractive summary, and score it on reports that the fit has not seen.

    python benchmarks/fit_summary.py NOTES.jsonl

NOTES has a report a line, with `text` and a human `description` of one or two sentences. For every sentence the
target is its ROUGE-1 F1 with the description; the weights are those of a ridge regression. Prints the ROUGE-1 of the
two best sentences in five-fold cross-validation, that of the first two sentences, and the weights as YAML.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from rouge_score import rouge_scorer

import clinnlp
from clinnlp.summarise import _different, features, find_candidates

RIDGE, FOLDS, SENTENCES = 10.0, 5, 2
FEWEST = 15  # reports that a feature must be in
scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)


def rouge(description: str, text: str) -> float:
    """Give the ROUGE-1 F1 of a text."""
    return scorer.score(description, text)["rouge1"].fmeasure


def fit(notes: list[dict]) -> dict[str, float]:
    """Fit the weights on the sentences of the notes."""
    rows = [f for n in notes for f in n["features"]]
    counts = Counter(name for n in notes for name in {k for f in n["features"] for k in f})
    names = sorted(name for name, count in counts.items() if count >= FEWEST)
    index = {name: i for i, name in enumerate(names)}
    x = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        for name, value in row.items():
            if name in index:
                x[i, index[name]] = value
    y = np.array([t for n in notes for t in n["targets"]])
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(len(names)), x.T @ y)
    return dict(zip(names, weights.round(3).tolist(), strict=True))


def best(note: dict, weights: dict[str, float]) -> str:
    """Give the best sentences of a note."""
    scores = [sum(weights.get(k, 0.0) * v for k, v in f.items()) for f in note["features"]]
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return " ".join(s.text for s in _different([note["sentences"][i] for i in order], SENTENCES))


def main(path: str) -> None:
    """Fit and score."""
    nlp = clinnlp.load(exclude=["clinnlp_medications", "clinnlp_measurements", "clinnlp_codes"])
    notes = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        report = json.loads(line)
        if description := report.get("description"):
            doc = nlp(report["text"])
            sentences = find_candidates(doc)
            targets = [rouge(description, s.text) for s in sentences]
            found = list(features(doc, sentences))
            notes.append({"description": description, "sentences": sentences, "features": found, "targets": targets})
    scores, lead = [], []
    for fold in range(FOLDS):
        weights = fit([n for i, n in enumerate(notes) if i % FOLDS != fold])
        for n in notes[fold::FOLDS]:
            scores.append(rouge(n["description"], best(n, weights)))
            lead.append(rouge(n["description"], " ".join(s.text for s in n["sentences"][:SENTENCES])))
    difference = np.array(scores) - np.array(lead)
    margin = 1.96 * difference.std() / len(difference) ** 0.5
    print(f"# {len(notes)} reports, {FOLDS} folds: ROUGE-1 {np.mean(scores):.4f}, first sentences {np.mean(lead):.4f},")
    print(f"# difference {difference.mean():.4f} +- {margin:.4f}")
    print("weights:")
    for name, weight in fit(notes).items():
        if abs(weight) >= 0.005:
            print(f"  {name}: {weight:g}")


if __name__ == "__main__":
    main(sys.argv[1])
