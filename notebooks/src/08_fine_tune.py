# %% [markdown]
# # Fine-tuning on a few notes
#
# **Goal:** adapt the model that ships to a handful of labelled notes, and see what changes and how sure that is.
# **You need:** `03_models_and_entities` and `pip install "clinnlp[train]"`. **Time:** thirty minutes, two of them for
# training.

# %%
import json
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from clinnlp.evaluate import score_entities
from clinnlp.models import load_classifier
from clinnlp.models.training import read_recipe, train

# %% [markdown]
# ## 1. Labelled notes
#
# The fifteen labelled sample notes have up to forty problems each. Ten are for training, five to score on. A note is
# cut where its labels end, so that what follows does not count as "nothing here".

# %%
lines = Path("../sample_data/gold.jsonl").read_text(encoding="utf-8").splitlines()
documents = []
for note in map(json.loads, lines):
    reach = len(note["text"]) if note["problems_complete"] else max(p["end"] for p in note["problems"])
    problems = [{"start": p["start"], "end": p["end"], "label": "Disease"} for p in note["problems"]]
    documents.append({"id": note["id"], "text": note["text"][:reach], "entities": problems})
learn, held_out = documents[::3] + documents[1::3], documents[2::3]
len(learn), len(held_out)

# %% [markdown]
# ## 2. Before
#
# **Predict first:** the model learnt from abstracts. Will it miss problems in these notes, or find too many?


# %%
def score(classifier):
    """Score the problems that a model finds in the notes that are held out."""
    gold = [[(e["start"], e["end"], "DISEASE") for e in d["entities"]] for d in held_out]
    found = [[(p.start, p.end, p.label) for p in ps] for ps in classifier.predict_all([d["text"] for d in held_out])]
    return score_entities(gold, found, labels=["DISEASE"]).query("label == 'micro'").drop(columns="label")


before = score(load_classifier("mini/bc5cdr"))
before

# %% [markdown]
# ## 3. A recipe
#
# A recipe says what to start from and what to learn. The head has the name and the label of one that the model has, so
# it keeps what it knows. On the command line: `clinnlp train recipe.yml --data DIR --out DIR`.

# %%
folder = Path(tempfile.mkdtemp())
(folder / "notes.jsonl").write_text("\n".join(map(json.dumps, learn)), encoding="utf-8")
recipe = {
    "base": "mini",
    "epochs": 6,
    "learning_rate": 1.0e-4,
    "batch_size": 4,
    "average": 2,
    "corpora": {"bc5cdr": {"files": ["notes.jsonl"], "labels": ["Disease"]}},
}
(folder / "recipe.yml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
print(yaml.safe_dump(recipe, sort_keys=False))

# %%
# NBVAL_IGNORE_OUTPUT
train(read_recipe(folder / "recipe.yml"), folder, folder / "mine")

# %% [markdown]
# ## 4. After

# %%
mine = load_classifier(str(folder / "mine"))
after = score(mine)
gain = pd.concat({"before": before.set_index("match"), "after": after.set_index("match")}, axis=1)["after"]["f1"]
pd.DataFrame({"match": before["match"].tolist(), "better": (gain.to_numpy() > before["f1"].to_numpy()).tolist()})

# %% [markdown]
# **What to notice:** the intervals of `before` are wide: five notes are few. Look at `after` on your own machine, and
# compare the intervals, not the figures alone. If they overlap, label more notes before you say that it helped.

# %%
# NBVAL_IGNORE_OUTPUT
after

# %% [markdown]
# ## 5. Use it
#
# The folder is a pack like `mini`: `clinnlp.load(ner=folder)`, or `clinnlp analyse NOTES --ner FOLDER --out DIR`. Its
# manifest says what it was trained on, with checksums.

# %%
sorted(f.name for f in (folder / "mine").iterdir())

# %% [markdown]
# **Recap.** A recipe, a command, a pack; score before and after on notes that were not learnt from.
#
# **Limits.** The labels are model-made, and no clinician has adjudicated them. A few notes adapt a model to a style;
# they do not teach it medicine.
