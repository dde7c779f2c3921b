"""Fit the confidence of flags, and measure how far it holds on notes that the fit has not seen.

    python benchmarks/fit_confidence.py GOLD.jsonl [GOLD.jsonl ...]

GOLD has a note a line, with `text` and `conditions` (each with `condition` and `status`). A flag is right where the
note has the condition with the same status. Prints, from ten-fold cross-validation over notes, the Brier score and the
expected calibration error beside those of the share that is right, a reliability table, and the weights as YAML.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import clinnlp
from clinnlp.conditions import load
from clinnlp.evaluate import reliability
from clinnlp.flags import decide, find_features, find_findings

RIDGE, FOLDS, BINS = 2.0, 10, 5


def collect(paths: list[str]) -> pd.DataFrame:
    """Give a row a flag: note, features, and whether it is right."""
    nlp, conditions, rows = clinnlp.load(), load(), []
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            note = json.loads(line)
            gold = {c["condition"]: c["status"] for c in note["conditions"]}
            for condition, findings in find_findings(nlp(note["text"]), conditions).items():
                status, best, _ = decide(findings)
                if best and status != "implied":
                    features = find_features(status, best, findings)
                    rows.append({"note": f"{path}:{note['id']}", "right": gold.get(condition) == status, **features})
    return pd.DataFrame(rows).fillna(0.0)


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit a logistic regression with a ridge by Newton's method."""
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(x.shape[1])
        weights += np.linalg.solve(hessian, x.T @ (y - p) - RIDGE * weights)
    return weights


def main(paths: list[str]) -> None:
    """Fit and measure."""
    table = collect(paths)
    names = [c for c in table.columns if c not in ("note", "right")]
    x, y = table[names].to_numpy(float), table["right"].to_numpy(float)
    fold = table.groupby("note").ngroup().to_numpy() % FOLDS
    predicted, share = np.zeros(len(y)), np.zeros(len(y))
    for k in range(FOLDS):
        seen = fold != k
        predicted[~seen] = 1 / (1 + np.exp(-x[~seen] @ fit(x[seen], y[seen])))
        share[~seen] = y[seen].mean()
    for name, p in (("confidence", predicted), ("share right", share)):
        bins = reliability(p, y, bins=BINS)
        error = (bins["n"] * (bins["predicted"] - bins["observed"]).abs()).sum() / bins["n"].sum()
        print(f"{name}: Brier {np.mean((p - y) ** 2):.4f}, calibration error {error:.4f}, flags {len(y)}")
    above = predicted[y == 1][:, None] - predicted[y == 0][None]
    print(f"area under the curve {(above > 0).mean() + (above == 0).mean() / 2:.3f}")
    print(reliability(predicted, y, bins=BINS).round(3).to_string(index=False))
    print("confidence: {" + ", ".join(f"{n}: {w:.2f}" for n, w in zip(names, fit(x, y), strict=True)) + "}")


if __name__ == "__main__":
    main(sys.argv[1:])
