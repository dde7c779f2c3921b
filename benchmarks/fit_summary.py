"""Fit the weights of the extractive summary on one half of some reports, and score it on the other half.

    python benchmarks/fit_summary.py NOTES.jsonl [--write]

NOTES has a report a line, with `text` and a human `description` of one or two sentences. Two ridge regressions foretell
of each sentence its ROUGE-1 recall and precision against the description. Prints ROUGE-1, -2 and -L of the two-sentence
extract on the half that the fit has not seen, beside those of the first two sentences, TextRank and LexRank (sumy),
with a paired bootstrap interval. `--write` then fits on all reports and writes `resources/summary_weights.csv`.
"""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from rouge_score import rouge_scorer
from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
from sumy.summarizers.lex_rank import LexRankSummarizer
from sumy.summarizers.text_rank import TextRankSummarizer

import clinnlp
from clinnlp.ranking import WORD, choose, count_words, features
from clinnlp.summarise import find_candidates

RIDGE, SENTENCES, FEWEST, SEED, SAMPLES = 30.0, 2, 12, 0, 1000
KINDS = ("rouge1", "rouge2", "rougeL")
WEIGHTS = Path(clinnlp.__file__).parent / "resources/summary_weights.csv"
scorer = rouge_scorer.RougeScorer(list(KINDS), use_stemmer=True)
single = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)


class Words:
    """The tokenizer that sumy asks for."""

    def to_words(self, text: str) -> list[str]:
        """Give the words of a sentence."""
        return WORD.findall(text.lower())


def read(path: Path) -> list[dict]:
    """Give each report that has a description, with its sentences, their features and their targets."""
    nlp = clinnlp.load(exclude=["clinnlp_ner", "clinnlp_medications", "clinnlp_measurements", "clinnlp_codes"])
    reports = []
    for line in path.read_text(encoding="utf-8").splitlines():
        report = json.loads(line)
        if not report.get("description"):
            continue
        doc = nlp(report["text"])
        sentences = find_candidates(doc)
        found = [single.score(report["description"], s.text)["rouge1"] for s in sentences]
        reports.append(
            {
                "description": report["description"],
                "sentences": [s.text for s in sentences],
                "features": list(features(doc, sentences)),
                "targets": [(f.recall, f.precision) for f in found],
            }
        )
    return reports


def matrix(reports: list[dict], index: dict[str, int]) -> np.ndarray:
    """Make the matrix of the features, a row a sentence."""
    rows = [f for r in reports for f in r["features"]]
    x = np.zeros((len(rows), len(index)), dtype="float32")
    for i, row in enumerate(rows):
        for name, value in row.items():
            if name in index:
                x[i, index[name]] = value
    return x


def fit(reports: list[dict]) -> tuple[dict[str, int], np.ndarray]:
    """Fit the two regressions: the index of the features, and weights of shape (features, 2)."""
    counts = Counter(name for r in reports for name in {k for f in r["features"] for k in f})
    index = {name: i for i, name in enumerate(sorted(n for n, count in counts.items() if count >= FEWEST))}
    gram, moment = RIDGE * np.eye(len(index)), np.zeros((len(index), 2))
    for first in range(0, len(reports), 100):
        some = reports[first : first + 100]
        x = matrix(some, index).astype(float)
        gram += x.T @ x
        moment += x.T @ np.array([t for r in some for t in r["targets"]])
    return index, np.linalg.solve(gram, moment)


def extract(report: dict, index: dict[str, int], weights: np.ndarray) -> str:
    """Give the extract of a report."""
    words = [count_words(s) for s in report["sentences"]]
    chosen = choose(words, matrix([report], index) @ weights, SENTENCES)
    return " ".join(report["sentences"][i] for i, _ in chosen)


def ranked(summarizer: LexRankSummarizer | TextRankSummarizer, report: dict) -> str:
    """Give the sentences that sumy chooses."""
    sentences = [Sentence(s, Words()) for s in report["sentences"]]
    document = ObjectDocumentModel([Paragraph(sentences)])
    return " ".join(str(s) for s in summarizer(document, SENTENCES))


def main(path: str, *options: str) -> None:
    """Fit, score, and write the weights."""
    reports = read(Path(path))
    order = np.random.default_rng(SEED).permutation(len(reports))
    half = len(reports) // 2
    index, weights = fit([reports[i] for i in order[:half]])
    unseen = [reports[i] for i in order[half:]]
    systems = {
        "clinnlp": lambda r: extract(r, index, weights),
        "first two sentences": lambda r: " ".join(r["sentences"][:SENTENCES]),
        "TextRank": lambda r: ranked(TextRankSummarizer(), r),
        "LexRank": lambda r: ranked(LexRankSummarizer(), r),
    }
    scores = {}
    for name, system in systems.items():
        found = [scorer.score(r["description"], system(r)) for r in unseen]
        scores[name] = np.array([[f[kind].fmeasure for kind in KINDS] for f in found])
        print(f"{name}: " + ", ".join(f"{k} {v:.4f}" for k, v in zip(KINDS, scores[name].mean(axis=0), strict=True)))
    better = scores["clinnlp"] - scores["first two sentences"]
    drawn = np.random.default_rng(SEED).integers(len(better), size=(SAMPLES, len(better)))
    low, high = np.percentile(better[drawn].mean(axis=1), [2.5, 97.5], axis=0)
    print(f"reports {len(unseen)}, of which clinnlp over the first two sentences (95 % interval): ", end="")
    print(", ".join(f"{k} {a:+.4f} to {b:+.4f}" for k, a, b in zip(KINDS, low, high, strict=True)))
    if "--write" in options:
        index, weights = fit(reports)
        with WEIGHTS.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["feature", "recall", "precision"])
            for name, (recall, precision) in zip(index, weights, strict=True):
                if max(abs(recall), abs(precision)) >= 0.002:
                    out.writerow([name, f"{recall:.3f}", f"{precision:.3f}"])


if __name__ == "__main__":
    main(*sys.argv[1:])
