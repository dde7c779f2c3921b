# %% [markdown]
# # Fine-tuning on a few notes
#
# **Goal:** adapt the model that ships to a handful of labelled notes, and see what changes, what is lost, and how sure
# that is.
# **You need:** `03_models_and_entities` and `pip install "clinnlp[train]"`. **Time:** forty minutes, less than one of
# them for training.
#
# The notes are synthetic. The labels were made with the help of models; no clinician has adjudicated them.

# %%
import json
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from clinnlp.evaluate import score_entities
from clinnlp.models import load_classifier
from clinnlp.models.documents import read_documents
from clinnlp.models.training import read_recipe, train

# %% [markdown]
# ## 1. Labelled notes
#
# Fifteen sample notes are labelled, up to forty problems in each. A note is cut where its labels end, so that what
# follows does not count as "nothing here".

# %%
documents = []
for line in Path("../sample_data/gold.jsonl").read_text(encoding="utf-8").splitlines():
    note = json.loads(line)
    reach = len(note["text"]) if note["problems_complete"] else max(p["end"] for p in note["problems"])
    problems = [{"start": p["start"], "end": p["end"], "label": "Disease"} for p in note["problems"]]
    documents.append({"id": note["id"], "text": note["text"][:reach], "entities": problems})
first = documents[0]
[first["text"][e["start"] : e["end"]] for e in first["entities"][:5]]

# %% [markdown]
# Some notes are learnt from, the others are **held out**: no step of the training sees them, and they say what it was
# worth. The notes of four patients are for learning.

# %%
learn = [d for d in documents if d["id"][:3] in ("p01", "p02", "p03", "p04")]
held_out = [d for d in documents if d not in learn]
pd.DataFrame(
    [(name, len(ds), sum(len(d["entities"]) for d in ds)) for name, ds in (("learn", learn), ("held out", held_out))],
    columns=["part", "notes", "problems"],
)

# %% [markdown]
# **What to notice:** the parts are told apart by patient, not by note. Notes of one patient repeat each other; with one
# of them on each side, the score would praise a good memory.
#
# ## 2. Before
#
# **Predict first:** the model learnt from abstracts. Will it miss problems in these notes, or find too many?


# %%
def score(classifier, documents):
    """Score the problems that a model finds in documents."""
    gold = [[(e["start"], e["end"], "DISEASE") for e in d["entities"]] for d in documents]
    found = [[(p.start, p.end, p.label) for p in ps] for ps in classifier.predict_all([d["text"] for d in documents])]
    return (
        score_entities(gold, found, labels=["DISEASE"])
        .query("label == 'micro'")
        .set_index("match")
        .drop(columns="label")
    )


mini = load_classifier("mini/bc5cdr")
before = score(mini, held_out)
before

# %% [markdown]
# **What to notice:** precision is higher than recall: it misses more than it makes up. The row `strict` asks for the
# same first and last character, `overlap` for any character in common; `low` and `high` are the limits between which F1
# lies for other notes of this kind, in 95 of 100 cases.
#
# ## 3. A recipe
#
# A recipe says what to start from and what to learn. The head has the name and the label of one that the model has, so
# it keeps what it knows of diseases. An epoch is one pass over the notes.

# %%
folder = Path(tempfile.mkdtemp())
(folder / "notes.jsonl").write_text("\n".join(map(json.dumps, learn)), encoding="utf-8")
recipe = {
    "base": "mini",
    "epochs": 2,
    "learning_rate": 3.0e-4,
    "batch_size": 4,
    "average": 1,
    "corpora": {"bc5cdr": {"files": ["notes.jsonl"], "labels": ["Disease"]}},
}
(folder / "recipe.yml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
print(yaml.safe_dump(recipe, sort_keys=False))

# %% [markdown]
# On the command line: `clinnlp train recipe.yml --data DIR --out DIR`. A fault in the labels is found before anything
# is learnt. The next cell breaks on purpose: one label ends after its note.

# %% tags=["raises-exception"]
broken = {**first, "entities": [{"start": 2_200, "end": 9_000, "label": "Disease"}]}
(folder / "broken.jsonl").write_text(json.dumps(broken), encoding="utf-8")
list(read_documents(folder / "broken.jsonl"))

# %% [markdown]
# Now the right ones. This takes some seconds.

# %% tags=["nbval-ignore-output"]
train(read_recipe(folder / "recipe.yml"), folder, folder / "mine")

# %% [markdown]
# ## 4. After

# %%
mine = load_classifier(str(folder / "mine"))
after = score(mine, held_out)
(after["low"] > before["high"]).to_frame("better beyond the intervals")

# %% [markdown]
# The rise is more than chance: the interval after lies above the one before. The figures differ a little from machine
# to machine.

# %% tags=["nbval-ignore-output"]
pd.concat({"before": before, "after": after}, axis=1).swaplevel(axis=1)[["precision", "recall", "f1", "low", "high"]]

# %% [markdown]
# **What to notice:** five notes have taught it much, mostly what counts as a problem in such notes, and where one ends.
# If the intervals of `before` and `after` overlap on your notes, label more of them before you say that it helped.
#
# ## 5. What was lost?
#
# **Predict first:** the head `bc5cdr` knew drugs, too. The recipe names diseases only.

# %%
sentence = "She takes metoprolol for atrial fibrillation."
pd.DataFrame(
    [(name, sorted({p.label for p in model.predict(sentence)})) for name, model in (("mini", mini), ("mine", mine))],
    columns=["model", "labels found"],
)

# %% [markdown]
# **What to notice:** the new model has no label for drugs any more. Adding `Chemical` to the labels of the recipe would
# not help: no drug is labelled in these notes, so it would learn that all drugs are nothing. A model knows only what it
# is shown.
#
# ## 6. Use it
#
# The folder is a pack like `mini`: `clinnlp.load(ner=folder)`, or `clinnlp analyse NOTES --ner FOLDER --out DIR`. Its
# manifest says what it was trained on, with checksums.

# %%
sorted(f.name for f in (folder / "mine").iterdir())

# %% [markdown]
# ## Exercises
#
# Change the cell, run it, and read what the check says. Nothing is trained again. The solutions are in
# [solutions/08_fine_tune_solutions](solutions/08_fine_tune_solutions.ipynb).
#
# **1.** Somebody holds out every third note, whoever's it is. Which of the notes held out leak: a note of the same
# patient is learnt from? Give their ids as a set.

# %%
learn_thirds, held_thirds = documents[::3] + documents[1::3], documents[2::3]
[d["id"] for d in learn_thirds], [d["id"] for d in held_thirds]

# %% [markdown]
# <details><summary>Hint</summary>
#
# The first three characters of an id are the patient. Make the set of the patients who are learnt from.
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_leaks(ids):
    held, seen = {d["id"] for d in held_thirds}, {d["id"].split("-")[0] for d in learn_thirds}
    right = {i for i in held if i.split("-")[0] in seen}
    assert not isinstance(ids, str | int), "give a set of ids, such as {'p12-01'}."
    assert set(ids) <= held, "some of these are not held out: look for them among held_thirds."
    assert not set(ids) - right, "some of these are of patients whose notes are all held out; they do not leak."
    assert set(ids) == right, "some are missing: compare patients, not notes."
    return f"{len(right)} of {len(held)} notes held out are of patients whom the model would know."


# %% tags=["exercise"]
my_leaks = {d["id"] for d in held_thirds}  # not all of them

attempt(check_leaks, my_leaks)

# %% tags=["solution"]
known = {d["id"][:3] for d in learn_thirds}

attempt(check_leaks, {d["id"] for d in held_thirds if d["id"][:3] in known})

# %% [markdown]
# **2.** The first line of each note names the hospital. Take it off, with its line break, so that the labels are still
# right. What was labelled in that line goes, too.
#
# <details><summary>Hint</summary>
#
# `text.index("\n") + 1` is where the second line starts. By how much does each offset move?
#
# </details>


# %% tags=["check"]
def check_cut(cut):
    text = "Gout Clinic\nHas gout, no asthma."
    ends = {"Gout": (0, 4), "gout": (16, 20), "asthma": (25, 31)}
    given = {
        "id": "a",
        "text": text,
        "entities": [{"start": a, "end": b, "label": "Disease"} for a, b in ends.values()],
    }
    got = cut(json.loads(json.dumps(given)))
    assert got is not None, "your function returns nothing: end it with return."
    assert got["text"] == "Has gout, no asthma.", f"the text that is left is {got['text']!r}."
    assert all(e["start"] >= 0 for e in got["entities"]), "a label of the first line is still there, before the text."
    words = [got["text"][e["start"] : e["end"]] for e in got["entities"]]
    assert words[-2:] == ["gout", "asthma"], f"the labels now stand on {words}: move start and end, both by the same."
    assert len(words) == 2, "a label of the first line is still there, and stands on other words now."
    assert got["entities"][0]["label"] == "Disease", "the label itself should stay as it was."
    return "every label stands on its words."


# %% tags=["exercise"]
def my_cut(document):
    start = document["text"].index("\n") + 1
    return {**document, "text": document["text"][start:]}  # and the entities?


attempt(check_cut, my_cut)


# %% tags=["solution"]
def cut(document):
    start = document["text"].index("\n") + 1
    kept = [e for e in document["entities"] if e["start"] >= start]
    moved = [{**e, "start": e["start"] - start, "end": e["end"] - start} for e in kept]
    return {**document, "text": document["text"][start:], "entities": moved}


attempt(check_cut, cut)

# %% [markdown]
# **3.** The gain is one of recall, and it may have a price. For which of the notes held out did the precision
# (`overlap`) of `mine` fall, compared with `mini`? Give a list of their ids.
#
# <details><summary>Hint</summary>
#
# `score(mini, [d])["f1"]["strict"]` is the strict F1 of one note `d`. Take the other column and the other row.
#
# </details>


# %% tags=["check"]
def check_price(ids):
    before, after = ({d["id"]: score(m, [d])["precision"]["overlap"] for d in held_out} for m in (mini, mine))
    fell = {i for i in before if after[i] < before[i]}
    assert set(ids) <= set(before), "some of these are not held out."
    assert not set(ids) - fell, "for some of these it rose, or stayed as it was: that is no fall."
    assert set(ids) == fell, "some are missing: go through held_out note by note, and compare the two models."
    return "whoever finds more, finds more that is wrong. Whether that is worth it is for you to say."


# %% tags=["exercise"]
my_notes = []  # go through held_out

attempt(check_price, my_notes)

# %% tags=["solution"]
fell = []
for d in held_out:
    old, new = (score(model, [d])["precision"]["overlap"] for model in (mini, mine))
    if new < old:
        fell.append(d["id"])

attempt(check_price, fell)

# %% [markdown]
# ## Limits
#
# - All fifteen notes have the same makers. On notes of another hospital the gain may be smaller.
# - The labels are model-made, and no clinician has adjudicated them.
# - A few notes adapt a model to a style; they do not teach it medicine.
#
# **Recap.** A recipe, a command, a pack; score before and after on notes of patients that were not learnt from, and
# look at what was lost. Next: `09_summarise`.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | fine-tune | go on training a model that has learnt before, on a few texts of one's own |
# | held out | kept away from training, to score on |
# | leak | what tells a model, in training, about the notes that are held out |
# | recipe | a file that says what to start from and what to learn |
# | epoch | one pass over all texts that are learnt from |
# | learning rate | how far a model moves at each step of training |
# | pack | the folder of a trained model, with a manifest |
