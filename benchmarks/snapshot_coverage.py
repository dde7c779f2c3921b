"""Measure what the structured snapshot has of what readers found in notes, and what it states wrongly.

    python benchmarks/snapshot_coverage.py GOLD.jsonl [GOLD.jsonl ...]

GOLD has a note a line, with `text`, `problems`, `medications` and `conditions` as readers labelled them. Prints the
share of the conditions that are present and of the active medications that have a line, and how many lines of problems
and of drugs taken come from words that readers say are denied, a relative's or hypothetical.
"""

import json
import sys
from pathlib import Path

import pandas as pd

import clinnlp
from clinnlp.plots import condition_name
from clinnlp.snapshot import snapshot

NOT_THE_PATIENTS = ("absent", "family", "hypothetical")


def main(paths: list[str]) -> None:
    """Measure."""
    notes = [json.loads(line) for path in paths for line in Path(path).read_text(encoding="utf-8").splitlines()]
    table = pd.DataFrame([{"note_id": n["id"], "text": n["text"]} for n in notes])
    result = clinnlp.annotate(clinnlp.read_notes(table), clinnlp.load())
    found = {"conditions": [], "medications": []}
    wrong, stated = [], 0
    for note in notes:
        lines = snapshot(result, note["id"]).lines
        problems = lines[lines["part"] == "problem"]
        changed = lines["text"].str.contains("^(?:to start|stopped|on hold|not to)")
        drugs = lines[(lines["part"] == "medication") & ~changed]
        stated += len(problems) + len(drugs)
        names = set(problems["text"])
        for c in note["conditions"]:
            if c["status"] == "present":
                found["conditions"].append(condition_name(c["condition"]) in names)
        said = " | ".join(drugs["text"].str.lower())
        for m in note.get("medications", []):
            if m["status"] == "active":
                found["medications"].append(m["text"].lower() in said)
        denied = [p for p in note.get("problems", []) if p["assertion"] in NOT_THE_PATIENTS]
        denied += [m for m in note.get("medications", []) if m["status"] in ("negated", "allergy")]
        for line in pd.concat([problems[problems["text"] != condition_name("drug_allergy")], drugs]).itertuples():
            wrong += [(note["id"], line.text) for d in denied if d["start"] < line.end and line.start < d["end"]]
    for kind, hits in found.items():
        print(f"{kind} {sum(hits) / max(len(hits), 1):.4f} of {len(hits)}")
    print(f"stated wrongly {len(wrong)} of {stated} lines: {wrong}")


if __name__ == "__main__":
    main(sys.argv[1:])
