# %% [markdown]
# # Evaluate, and learn from errors
#
# **Goal:** say how good a pipeline is, and how sure you are of that; then find out *how* it errs, which is what you can
# act on.
# **You need:** `04_sections_and_context` and `06_flag_conditions`. **Time:** seventy minutes.
#
# Fifteen of the sample notes have labels made by reading them under written guidelines; the table of labels is called
# the *gold*. The notes are synthetic, and the other sentences were invented for this page. It is for learning and
# research, never for a clinical decision.
#
# **Before any figure:** notes like these were read while the rules were written. So every score here is a score on
# known ground. The page teaches how to measure; on notes of your own, expect less. Section 8 shows why.

# %%
import html
import re

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io
from IPython.display import HTML

import clinnlp
from clinnlp.agreement import disagreements, kappa
from clinnlp.evaluate import reliability, score_entities
from clinnlp.plots.style import TEMPLATE

plotly.io.renderers.default = "plotly_mimetype"
pd.set_option("display.max_colwidth", 110)
nlp = clinnlp.load(exclude=["clinnlp_ner"])

# %% [markdown]
# ## 1. What is right?
#
# A reader marked five findings, a computer four:

# %%
line = "Paroxysmal AF and gout. Stroke/TIA in 2019. No chest pain, no low mood."
reader = ["Paroxysmal AF", "gout", "Stroke/TIA", "chest pain", "low mood"]
computer = ["AF", "gout", "Stroke", "TIA"]

# %% [markdown]
# *Strict*: the same first and last character. *Overlap*: at least one character in common; each mark is used once.
# Count by hand, both ways: how many are right (true positives, TP), how many of the computer's are wrong (false
# positives, FP), how many of the reader's are missed (false negatives, FN)?

# %%
my_counts = {"strict": ("TP?", "FP?", "FN?"), "overlap": ("TP?", "FP?", "FN?")}  # write yours


# %%
def marks(words):
    return [(line.index(word), line.index(word) + len(word), "PROBLEM") for word in words]


def f1(tp, fp, fn):
    return 2 * tp / (2 * tp + fp + fn)


answers = pd.DataFrame([("strict", 1, 3, 4), ("overlap", 3, 1, 2)], columns=["match", "TP", "FP", "FN"])
answers["F1 by hand"] = f1(answers["TP"], answers["FP"], answers["FN"]).round(4)
scored = score_entities([marks(reader)], [marks(computer)], labels=["PROBLEM"]).query("label == 'PROBLEM'")
answers.merge(scored[["match", "precision", "recall", "f1"]], on="match")

# %% [markdown]
# **What to notice:** strict, only `gout` is right, and `AF` costs twice: an extra one and a missed one. With overlap,
# `Stroke` takes `Stroke/TIA`, and nothing is left for `TIA`. Neither way is "the" right one: to count who has what,
# overlap will do; to give a code, "AF" is less than "Paroxysmal AF".
#
# ### Fifteen notes
#
# The findings of the gold and of the pipeline, a row each. Before you look: will precision (the share of the
# pipeline's findings that the gold has) or recall (the share of the gold's findings that the pipeline has) be higher?

# %%
gold = pd.read_json("../sample_data/gold.jsonl", lines=True).sort_values("id").reset_index(drop=True)
ids = gold["id"].tolist()
notes = clinnlp.read_notes("../sample_data/notes.csv").query("note_id in @ids")
texts = dict(zip(notes["note_id"], notes["text"], strict=True))
result = clinnlp.annotate(notes, nlp)


def labelled(kind):
    rows = [{"note_id": note.id, **item} for note in gold.itertuples() for item in getattr(note, kind)]
    return pd.DataFrame(rows).sort_values(["note_id", "start", "end"]).reset_index(drop=True)


def findings(annotations):
    return annotations.entities.query("label in ['DISEASE', 'SYMPTOM']").reset_index(drop=True)


def spans(table, label=None):
    by_note = dict(iter(table.groupby("note_id")))
    empty = table.iloc[:0]
    return [[(r.start, r.end, label or r.label) for r in by_note.get(i, empty).itertuples()] for i in ids]


def score(wanted, found, label=None):
    table = score_entities(spans(wanted, label), spans(found, label))
    return table if label is None else table.query("label == @label").reset_index(drop=True)


problems, everything = labelled("problems"), findings(result)
score(problems, everything, "PROBLEM")

# %% [markdown]
# (`low` and `high`: in a moment.) A precision this low is suspicious. **Look at how the gold was made** before you
# blame the pipeline:

# %%
per_note = pd.DataFrame(
    {
        "in the gold": problems.groupby("note_id").size(),
        "found": everything.groupby("note_id").size(),
        "complete": gold.set_index("id")["problems_complete"],
        "gold ends at": problems.groupby("note_id")["end"].max(),
        "note ends at": {i: len(text) for i, text in texts.items()},
    }
)
per_note.head(6)

# %% [markdown]
# **What to notice:** every note has exactly forty. The guidelines say: the first forty in order, then stop. What the
# pipeline found after that is not wrong; nobody looked. So we compare only as far as the gold goes.

# %%
limit = per_note["gold ends at"].where(~per_note["complete"], per_note["note ends at"])


def within(found):
    return found[found["start"] < found["note_id"].map(limit)].reset_index(drop=True)


found = within(everything)
score(problems, found, "PROBLEM")

# %% [markdown]
# **What to notice:** nothing about the pipeline has changed. An error of the measurement looks exactly like an error
# of the computer.
#
# And with the two labels kept apart:

# %%
score(problems, found)

# %% [markdown]
# **What to notice:** a symptom that is called a disease counts twice, an extra disease and a missed symptom, although
# the finding is there. From here on both count as one label.
#
# ### How sure?
#
# `low` and `high` come from a *bootstrap*: draw fifteen of the fifteen notes with replacement, some twice, some not at
# all, compute F1, and do that a thousand times. The middle 95 % are the interval. First the counts of each note:


# %%
def side_by_side(wanted, found, what):
    """Pair findings of a note that overlap, in order, each used once, as `score_entities` does."""
    free = {note_id: list(rows.itertuples()) for note_id, rows in found.groupby("note_id")}
    rows = []
    for w in wanted.itertuples():
        left = free.get(w.note_id, [])
        place = next((k for k, f in enumerate(left) if f.start < w.end and w.start < f.end), None)
        rows.append(row(w, None if place is None else left.pop(place), what))
    rows += [row(None, f, what) for left in free.values() for f in left]
    return pd.DataFrame(rows).fillna("").sort_values(["note_id", "start", "end"]).reset_index(drop=True)


def row(w, f, what):
    one = w or f
    place = {"note_id": one.note_id, "start": one.start, "end": one.end}
    kind = "FN" if f is None else "FP" if w is None else "TP"
    sides = {
        f"{side}{name}": getattr(one, name.strip("_") or what, "")
        for side, one in (("gold", w), ("found", f))
        for name in ("", "_text", "_label")
    }
    reasons = {name: getattr(f, name, "") for name in ("cue", "section", "source")}
    return {**place, "kind": kind, **sides, **reasons}


def counts(pairs):
    return pd.crosstab(pairs["note_id"], pairs["kind"]).reindex(index=ids, columns=["TP", "FP", "FN"], fill_value=0)


pairs = side_by_side(problems, found, "assertion")
by_note = counts(pairs)
by_note["F1"] = f1(*(by_note[c] for c in ("TP", "FP", "FN"))).round(3)
by_note = by_note.sort_values("F1", kind="stable")
px.scatter(by_note.reset_index(), x="F1", y="note_id", template=TEMPLATE, height=380, range_x=[0.7, 1.01]).show()
by_note

# %% [markdown]
# **What to notice:** notes differ, and not by their kind alone: p02-01 and p06-02 are both forms with boxes, and stand
# near the two ends. That is why notes are drawn, and not findings. Forty findings of one note are no forty independent
# trials: one odd habit of its writer can cost six of them.
#
# **Predict:** if we drew the single findings instead (as many as there are), would the interval be wider or narrower?
# And if we drew whole patients? Say by how much, roughly.

# %%
my_widths = {"findings": "", "notes": "", "patients": ""}


# %%
def resample(table, measure, seed=0):
    values = table[["TP", "FP", "FN"]].to_numpy()
    drawn = np.random.default_rng(seed).integers(0, len(values), (1000, len(values)))
    return measure(*values[drawn].sum(axis=1).T)


def interval(values):
    low, high = np.quantile(values, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)


patient_of = notes.set_index("note_id")["patient_id"]
units = {
    "findings": pd.get_dummies(pairs["kind"]).astype(int),
    "notes": counts(pairs),
    "patients": counts(pairs).groupby(patient_of).sum(),
}
rows = [(name, len(table), *interval(resample(table, f1)), my_widths[name]) for name, table in units.items()]
table = pd.DataFrame(rows, columns=["drawn", "how many", "low", "high", "your guess"])
table.insert(4, "width", (table["high"] - table["low"]).round(3))
table

# %% [markdown]
# **What to notice:** drawing findings pretends to know more than we do. The row of the notes is that of
# `score_entities`. Patients are the right unit where many notes come from few people; here nearly every note has a
# patient of its own, so it matters little. With so few of either, trust no third digit. And no interval knows of notes
# from another hospital.
#
# ## 2. Two kinds of errors, two kinds of cost

# %%
total = counts(pairs).sum()
tp, fp, fn = total
meaning = {"TP": "in the gold, and found", "FP": "found, not in the gold", "FN": "in the gold, not found"}
examples = pairs.groupby("kind").first()


def words(row, around=28):
    text = texts[row["note_id"]]
    start, end = row["start"], row["end"]
    inside = f"{text[max(0, start - around) : start]}[{text[start:end]}]{text[end : end + around]}"
    return f"...{' '.join(inside.split())}..."


rows = [(kind, total[kind], meaning[kind], words(examples.loc[kind])) for kind in meaning]
pd.DataFrame(rows, columns=["", "count", "meaning", "the first one"])

# %%
shares = {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "F1": f1(tp, fp, fn)}
pd.DataFrame([shares]).round(3)

# %% [markdown]
# | | what it costs an analyst | who notices |
# | --- | --- | --- |
# | FP | time to read it; a patient in the cohort who should not be there | whoever reads the cohort |
# | FN | a patient who is not there; a count too low | nobody, unless somebody reads what was *not* found |
#
# F1 takes both for equally bad. **Predict:** two systems look for 1,000 findings. A has precision 0.95 and recall
# 0.80, B the reverse. Checking a false alarm takes a minute; a missed finding costs as much as ten. Which do you buy?

# %%
rows = []
for name, precision, recall in [("A", 0.95, 0.80), ("B", 0.80, 0.95)]:
    hits = 1000 * recall
    extra, missed = hits / precision - hits, 1000 - hits
    harmonic = 2 * precision * recall / (precision + recall)
    rows.append((name, round(harmonic, 3), round(extra), round(missed), round(extra + 10 * missed)))
pd.DataFrame(rows, columns=["system", "F1", "false alarms", "missed", "cost in minutes"])

# %% [markdown]
# **What to notice:** the same F1, and a third of the cost. Change the ten to one, and A wins. Say what an error
# costs before you choose a measure.
#
# ## 3. Assertion
#
# For findings that both have: do they agree on what is said of them? Rows are the gold, columns the pipeline.

# %%
both = pairs.query("kind == 'TP'")
order = ["present", "absent", "historical", "uncertain", "hypothetical", "family"]
confusion = pd.crosstab(both["gold"], both["found"]).reindex(index=order, columns=order, fill_value=0)
share = confusion.div(confusion.sum(axis=1), axis=0)
figure = px.imshow(share, color_continuous_scale="Blues", zmin=0, zmax=1, aspect="auto", template=TEMPLATE, height=400)
figure.update_traces(text=confusion.to_numpy().tolist(), texttemplate="%{text}")
figure.update_layout(coloraxis_colorbar_title="share of row")
figure.update_xaxes(title="pipeline", side="top", ticks="").update_yaxes(title="gold", ticks="").show()
confusion

# %% [markdown]
# **Predict:** most findings are present or absent. Imagine a lazy system that reads only those two as we do, and
# calls everything else present. How high will its accuracy (the share of right answers) be?

# %%
my_lazy_accuracy = ""


# %%
def class_scores(gold, found, names):
    rows = []
    for name in names:
        right, said, wanted = ((gold == name) & (found == name)).sum(), (found == name).sum(), (gold == name).sum()
        rows.append((name, wanted, 2 * right / max(1, said + wanted)))
    return pd.DataFrame(rows, columns=["class", "in the gold", "F1"]).set_index("class")


lazy = both["found"].where(both["found"].isin(["present", "absent"]), "present")
table = class_scores(both["gold"], both["found"], order).rename(columns={"F1": "pipeline, F1"})
table["lazy, F1"] = class_scores(both["gold"], lazy, order)["F1"]
table.round(2)

# %%
rows = [
    (name, guess, (answer == both["gold"]).mean(), class_scores(both["gold"], answer, order)["F1"].mean())
    for name, guess, answer in [("pipeline", "", both["found"]), ("lazy", my_lazy_accuracy, lazy)]
]
pd.DataFrame(rows, columns=["system", "your guess", "accuracy", "mean F1 of the six"]).round(3)

# %% [markdown]
# **What to notice:**
#
# - Accuracy flatters: a system that has never heard of relatives, doubts or the past still gets four in five, because
#   two classes hold four in five of the findings. The mean over classes (*macro* F1) shows the hole.
# - The rare classes are where the pipeline errs most often, and where a score means least: with ten hypothetical
#   findings, one of them moves a share by a tenth.
# - A finding that was missed is in none of these tables.
#
# ## 4. An error browser by kind
#
# A score says how many. To mend anything, you have to read, and it is easier to read what is sorted. A finding can be
# wrong in five ways. **Predict** which of the five is the most frequent.

# %%
matched = pairs["kind"] == "TP"
kinds = {
    "missed": pairs["kind"] == "FN",
    "extra": pairs["kind"] == "FP",
    "other limits": matched & (pairs["gold_text"] != pairs["found_text"]),
    "other label": matched & (pairs["gold_label"] != pairs["found_label"]),
    "other assertion": matched & (pairs["gold"] != pairs["found"]),
}
errors = pd.concat([pairs[is_kind].assign(error=name) for name, is_kind in kinds.items()], ignore_index=True)
errors.groupby("error", sort=False).agg(errors=("note_id", "size"), notes=("note_id", "nunique"))

# %% [markdown]
# **What to notice:** an overlap forgives other limits, and one label for all forgives the label: neither is in the F1
# of 0.911. One finding can be wrong in more ways than one.
#
# `browse` folds the errors by any column:


# %%
def browse(rows, by, n=5, around=70):
    folds = []
    for kind, heap in rows.groupby(by, sort=False):
        lines = "".join(in_text(row, around) for row in heap.head(n).itertuples())
        is_open = " open" if rows[by].nunique() == 1 else ""
        folds.append(
            f"<details{is_open}><summary><b>{html.escape(kind)}</b> ({len(heap)})</summary><ol>{lines}</ol></details>"
        )
    return HTML("".join(folds))


def in_text(row, around):
    text = texts[row.note_id]
    pieces = text[max(0, row.start - around) : row.start], text[row.start : row.end], text[row.end :][:around]
    before, finding, after = (html.escape(re.sub(r"\s+", " ", piece)) for piece in pieces)
    return f"<li><b>{row.note_id}</b> {html.escape(row.change)}: ...{before}<mark>{finding}</mark>{after}...</li>"


# %% [markdown]
# Click on a kind to read the first five of it in their text. Before the colon stands what the gold has, and what the
# pipeline has in its place.

# %%
column = {"other limits": "_text", "other label": "_label", "other assertion": ""}
errors["change"] = [
    f"{e['gold' + column[e['error']]]} -> {e['found' + column[e['error']]]}" if e["error"] in column else e["error"]
    for e in errors.to_dict("records")
]
browse(errors, by="error")

# %% [markdown]
# **What to notice:**
#
# - Two kinds can have one cause. On the form p02-01 the gold has "Emphysema/COPD" as one finding, the pipeline has two:
#   that makes one with other limits, and an extra one. Nobody would mend a rule for it.
# - Other limits are often a word more or less around the same finding: "AF" for "Paroxysmal AF". Whoever only counts
#   patients may leave them alone. What was missed, such as "hypoxic" or "wt loss", is gone.
#
# ### One kind, closer
#
# The wrong assertions, a row each:

# %%
wrong = errors.query("error == 'other assertion'").copy()
wrong["words"] = wrong.apply(words, axis=1)
wrong[["note_id", "change", "cue", "section", "words"]].head(8).reset_index(drop=True)

# %% [markdown]
# Eight rows read like eight accidents. Group them: by the kind of mistake, by the cue that decided, by section, by
# note. An empty cue means that no word decided. **Predict** which way of grouping will show the largest heap.


# %%
def heaps(column, rows=4):
    table = wrong[column].replace("", "(none)").value_counts().rename_axis("value").reset_index(name="errors")
    table = table.sort_values(["errors", "value"], ascending=[False, True]).head(rows)
    return table.assign(grouped_by=column)[["grouped_by", "value", "errors"]]


pd.concat([heaps(column) for column in ("change", "cue", "section", "note_id")]).reset_index(drop=True)

# %% [markdown]
# **What to notice:** look for the heap that says *why*. "No cue" is large, and so is one change. Cross them, and
# take the largest cell:

# %%
largest = wrong.groupby(["change", "cue"]).size().sort_values(ascending=False, kind="stable").head(3)
largest.rename("errors").reset_index().replace("", "(none)")

# %%
most, cue = largest.index[0]
heap = wrong.query("change == @most and cue == @cue")
browse(heap, by="change")

# %% [markdown]
# Read all five, then give the kind a name *before* you open the next line. A good name says what the words have in
# common, and what a rule would need to know.
#
# <details><summary><b>One name for it</b></summary>
#
# "The past, told without a cue that we know": *repleted, resolved* after a colon, *stopped last yr*, *was for*, *a cold
# the week before*. The verb or the date carries the time, no word such as "history of". It is one kind, and it has
# several sub-kinds: "# Finding: ... resolved" would be one narrow rule.
#
# </details>
#
# A heap is a proposal, no more. Before you write a rule: how many findings in *all* notes would it touch, and how many
# of them are right today? (`04_sections_and_context` has a lab for this.)
#
# The browser folds by any column. The findings that were missed, and the notes that have most of them:

# %%
missed = errors.query("error == 'missed'")
where = missed["note_id"].value_counts().rename_axis("note_id").reset_index(name="missed")
where = where.sort_values(["missed", "note_id"], ascending=[False, True]).head(3).reset_index(drop=True)
where

# %%
browse(missed[missed["note_id"] == where["note_id"].iloc[0]], by="note_id", around=50)

# %% [markdown]
# **What to notice:** findings told in plain words ("not waking up") rather than named. A longer word list would help
# with "guilt", hardly with what each patient says in words of his own.
#
# ## 5. With and without the model
#
# `load()` adds a small neural model that looks for diseases. Is the pipeline better with it? **Predict** for
# precision, recall and F1: up, down or the same?

# %%
my_guess = {"precision": "", "recall": "", "F1": ""}

# %%
with_model = clinnlp.annotate(notes, clinnlp.load())
found_too = within(findings(with_model))
pairs_too = side_by_side(problems, found_too, "assertion")
rules, model = counts(pairs), counts(pairs_too)


def precision(tp, fp, fn):
    return tp / (tp + fp)


def recall(tp, fp, fn):
    return tp / (tp + fn)


measures = {"precision": precision, "recall": recall, "F1": f1}
rows = []
for name, measure in measures.items():
    before, after = measure(*rules.sum()), measure(*model.sum())
    difference = resample(model, measure) - resample(rules, measure)
    rows.append((name, my_guess[name], before, after, after - before, *interval(difference)))
columns = ["measure", "your guess", "without", "with the model", "difference", "low", "high"]
pd.DataFrame(rows, columns=columns).round(3)

# %% [markdown]
# **What to notice:** the interval is that of the *difference*, and each time the same notes are drawn for both (a
# *paired* bootstrap). Where it holds zero, these notes cannot tell the two apart. Where it leaves out zero, the
# difference is more than luck of the draw, which does not make it large. F1 leaves it out by a hair, and is one of
# three measures that we looked at: no reason to cheer.
#
# Why paired? A hard note is hard for both; drawn for both, it cancels. The same difference of F1, notes drawn apart:

# %%
draws = {"the same notes for both": resample(rules, f1), "notes drawn apart": resample(rules, f1, seed=1)}
rows = [(name, *interval(resample(model, f1) - drawn)) for name, drawn in draws.items()]
pd.DataFrame(rows, columns=["", "low", "high"])

# %% [markdown]
# What did the model add? Its own findings, right and wrong:

# %%
added = pairs_too.query("source == 'model'").copy()
added["verdict"] = added["kind"].map({"TP": "right", "FP": "not in the gold"})
added["words"] = added.apply(words, axis=1)
added["verdict"].value_counts().rename("findings").to_frame()

# %%
shown = added.groupby("verdict").head(5).sort_values(["verdict", "note_id", "start"])
shown[["verdict", "note_id", "words"]].reset_index(drop=True)

# %% [markdown]
# **What to notice:** the model reads findings that no list holds, and takes a few words for diseases that are none. So
# recall goes up, precision down, and F1 hides that it is a trade.
#
# One more thing spoils the comparison: the word lists were tuned on notes like these, the model was not. On notes that
# neither has seen, the model may be worth more. A fair comparison needs notes that are fresh to *both*.
#
# ## 6. Conditions, medications, confidence
#
# A flag says what a note says of a condition. *Positive* is present or historical; `implied` is never counted.

# %%
said = result.flags.query("status != 'implied'")[["note_id", "condition", "status", "start", "end", "confidence"]]
flags = pd.DataFrame(
    [(note.id, item["condition"], item["status"]) for note in gold.itertuples() for item in note.conditions],
    columns=["note_id", "condition", "gold"],
).merge(said.rename(columns={"status": "found"}), how="outer", on=["note_id", "condition"])
flags[["gold", "found"]] = flags[["gold", "found"]].fillna("silent")

positive = flags[["gold", "found"]].isin(["present", "historical"])
kinds = {(True, True): "TP", (False, True): "FP", (True, False): "FN", (False, False): "neither"}
flags["kind"] = [kinds[pair] for pair in positive.itertuples(index=False, name=None)]
per_flag = counts(flags)
tp, fp, fn = per_flag.sum()
low, high = interval(resample(per_flag, f1))
pd.DataFrame(
    [(tp, fp, fn, round(f1(tp, fp, fn), 3), low, high)], columns=["TP", "FP", "FN", "positive F1", "low", "high"]
)

# %%
statuses = ["present", "historical", "uncertain", "absent", "family", "silent"]
pd.crosstab(flags["gold"], flags["found"]).reindex(index=statuses, columns=statuses, fill_value=0)

# %%
spoken = flags.query("gold != 'silent' and found != 'silent'")
pd.DataFrame(
    [(len(spoken), (spoken["gold"] == spoken["found"]).mean().round(3))],
    columns=["both say something", "same status, share"],
)

# %% [markdown]
# **What to notice:** positive F1 does not mind a present that should be historical, or an absent that should be
# family. If your study needs the difference, positive F1 is not your measure. And "both silent", for all the conditions
# that a note does not speak of, is in no table: counted in, it would make any accuracy look fine.
#
# ### Medications
#
# The gold has every mention of a drug. **Predict** which status is the hardest: active, past, planned, negated, allergy
# or other?

# %%
drugs = labelled("medications").assign(label="MEDICATION")
score(drugs, result.medications, "MEDICATION")

# %%
drug_pairs = side_by_side(drugs, result.medications, "status").query("kind == 'TP'")
class_scores(
    drug_pairs["gold"], drug_pairs["found"], ["active", "past", "planned", "negated", "allergy", "other"]
).round(2)

# %% [markdown]
# **What to notice:** the names are nearly all found; what is said of them is harder. `other` is a class of leftovers,
# and leftovers have no words in common that a rule could hold on to. Exercise 1 looks for the largest kind of mistake.
#
# ### Does confidence keep its word?
#
# `flags.confidence` is the probability that a reader gives the same status. In four bins of about the same size:

# %%
answered = flags.query("found != 'silent'").assign(right=lambda t: t["gold"] == t["found"])
bins = reliability(answered["confidence"], answered["right"], bins=4)
clinnlp.plots.reliability(bins).show()
bins.round(2)

# %%
sure_and_wrong = answered.query("not right").sort_values("confidence", ascending=False).head(5)
sure_and_wrong = sure_and_wrong.assign(words=sure_and_wrong.astype({"start": int, "end": int}).apply(words, axis=1))
sure_and_wrong[["note_id", "condition", "gold", "found", "confidence", "words"]].round(2).reset_index(drop=True)

# %% [markdown]
# **What to notice:** on the dashed line, 80 % sure is right in 80 %. The weights were fitted on notes like these, so
# this only checks that the number means what it says. The list below it is the more useful: *sure and wrong* is where
# the rules do not know what they do not know, and where a reader should look first. Read it again after section 7: not
# every row is the pipeline's mistake.
#
# ## 7. Learning from disagreements
#
# A gold is made by reading, and readers differ. Two invented readers, twice forty verdicts; they agree on 36 both
# times. **Predict:** is the agreement beyond chance (Cohen's *kappa*: 0 is chance, 1 is perfect) the same?


# %%
def verdicts(both_agree, only_ada, only_ben, neither):
    pairs = [("agree", "agree")] * both_agree + [("agree", "disagree")] * only_ada
    pairs += [("disagree", "agree")] * only_ben + [("disagree", "disagree")] * neither
    rows = [
        (f"n{number:02d}", "gout", "present", verdict, name)
        for number, pair in enumerate(pairs)
        for name, verdict in zip(("Ada", "Ben"), pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=["note_id", "condition", "status", "verdict", "reviewer"])


samples = {"easy: nearly all agree": verdicts(34, 2, 2, 2), "balanced: half agree": verdicts(18, 2, 2, 18)}
pd.concat([kappa(table).assign(sample=name) for name, table in samples.items()]).round(2).set_index("sample")

# %%
disagreements(samples["easy: nearly all agree"])

# %% [markdown]
# **What to notice:** it is the story of section 3 again. Where nearly everything is "agree", two readers who guess
# "agree" would agree often. The four notes of the list are *adjudicated*: a third person, or the two together, read
# them and settle each by the guidelines, or mend the guidelines.
#
# ### Argue with this gold
#
# Seven labels of the sample gold. For each, decide before you go on: is the gold right, the pipeline, or can one argue?

# %%
doubts = [
    ("p06-02", "before the stroke", "no label", "present"),
    ("p11-02", "before the fall", "no label", "present"),
    ("p10-04", "former smoker, recent RLL pneumonia", "historical", "present"),
    ("p08-01", "No gout attacks since last summer", "historical", "absent"),
    ("p12-01", "ibuprofen 400 mg prn knee pain", "present", "hypothetical"),
    ("p12-01", "No family history of colon cancer, blood clots or sudden death", "absent", "family"),
    ("p12-01", "no family history of heart disease listed on his form", "absent", "family"),
]
assert all(quote in " ".join(texts[note_id].split()) for note_id, quote, *_ in doubts)
pd.DataFrame(doubts, columns=["note_id", "words", "gold", "pipeline"])

# %% [markdown]
# **One reading:**
#
# - The first two are slips of the reader: the guidelines say "every mention", and these were passed over. Here the
#   "false positives" are right.
# - The "recent" pneumonia: over, or not quite? Historical or present? The gout: he has had attacks before (historical),
#   and none since summer (absent). Both readings can be defended.
# - The knee pain is the reason for a tablet "as needed". As a rule that is hypothetical; but this patient takes it two
#   or three times a week.
# - "No family history of": denied, *and* about relatives. The gold lets the denial win, the pipeline's `assertion`
#   lets the family win (`is_negated` is true as well). Nobody is wrong: it is a *convention*, and worth one line in a
#   methods section.
#
# So each disagreement ends in one of four places, and only one of them is a rule:
#
# | at fault | what to do | here |
# | --- | --- | --- |
# | the pipeline | a rule, with a counter-example, tried on all notes | "# Hypokalemia: repleted, resolved" |
# | the gold | mend it, under a new version | "before the stroke" |
# | the guidelines, which do not say | settle it, write it down, read again what it touches | the pneumonia, the gout |
# | nobody: a convention | name it where you give the score | "No family history of" |
#
# What do they do to the scores?

# %%
slips = [
    (i, texts[i].index(finding, texts[i].index(mark)), finding)
    for i, mark, finding in [("p06-02", "before the stroke", "stroke"), ("p11-02", "the fall, but", "fall")]
]
extra = [
    {"note_id": i, "start": start, "end": start + len(finding), "text": finding, "assertion": "present"}
    for i, start, finding in slips
]
mended = pd.concat([problems, pd.DataFrame(extra)]).sort_values(["note_id", "start", "end"]).reset_index(drop=True)
convention = mended["text"].isin(["colon cancer", "blood clots", "sudden death", "heart disease"])
other = {
    ("p10-04", "RLL pneumonia"): "present",
    ("p08-01", "gout attacks"): "absent",
    ("p12-01", "knee pain"): "hypothetical",
}
argued = pd.Series([other.get(key) for key in zip(mended["note_id"], mended["text"], strict=True)], dtype="str")
theirs = argued.fillna(mended["assertion"]).mask(convention & (mended["note_id"] == "p12-01"), "family")
golds = {
    "as it is": problems,
    "the two slips mended": mended,
    "and every argument won by the pipeline": mended.assign(assertion=theirs),
}
rows = []
for name, version in golds.items():
    table = side_by_side(version, found, "assertion")
    agreed = table.query("kind == 'TP'")
    rows.append((name, *counts(table).sum(), f1(*counts(table).sum()), (agreed["gold"] == agreed["found"]).mean()))
pd.DataFrame(rows, columns=["gold", "TP", "FP", "FN", "F1", "assertion, accuracy"]).round(3)

# %% [markdown]
# **What to notice:**
#
# - Both scores move by little, but the number of wrong assertions falls by nearly a third. Near the top, much of what
#   is left is argument, and a higher score may mean no more than a fit to one reader's taste.
# - **Reading only the disagreements is one-sided:** it can only turn errors into hits. Where both are wrong in the same
#   way, nobody looks. In p11-02 "loss of / consciousness" is broken over two lines; labels may not cross a line, so the
#   gold has `consciousness`, absent. It overlaps with what the pipeline found and counts as right. So adjudicate blind
#   (not knowing which side said what), and read a random sample of the *agreements* too.
# - A mended gold is a new version. Give it a number, and score everything that you compare against it again.
#
# ## 8. How to fool yourself: overfitting to the gold
#
# A toy: a denial is found by a regular expression. The finding stands in braces. Ten sentences to write the rule on,
# ten that are held out, and four rules, each made from the one before.

# %%
train = [
    ("absent", "No {fever}."),
    ("absent", "Denies {cough}."),
    ("absent", "Without {pain} at rest."),
    ("absent", "{Fever}: none."),
    ("absent", "{Rash} has gone, no itch either."),
    ("present", "{Cough} for a week."),
    ("present", "She has {gout}."),
    ("present", "{Fever} since Monday."),
    ("present", "Sore throat and {cough}."),
    ("present", "Worried about her {rash}."),
]
held_out = [
    ("absent", "No {rash} on the arms."),
    ("absent", "Denies {pain}."),
    ("absent", "{Cough}: none."),
    ("absent", "{Pain}: none at rest."),
    ("absent", "{Itch} has gone since the cream."),
    ("present", "{Cough}, no fever."),
    ("present", "{Gout} of the toe, no fever today."),
    ("present", "{Headache} with no neck stiffness."),
    ("present", "{Rash} on both arms."),
    ("present", "Back with {fever}."),
]
start = r"\b(no|denies|without) \{"
form = start + r"|\}: none"
steps = {
    "1 start": start,
    "2 form": form,
    "3 greedy": form + r"|\}.*\bno\b",
    "4 narrow": form + r"|\} has gone",
}

# %% [markdown]
# Rule 3 was written for one sentence, "{Rash} has gone, no itch either.": a "no" anywhere after the finding denies it.
# **Predict** the share of right answers of each rule, on both lists.


# %%
def right(rule, sentences):
    return sum((label == "absent") == bool(re.search(rule, text, re.I)) for label, text in sentences) / len(sentences)


rows = [(name, right(rule, train), right(rule, held_out)) for name, rule in steps.items()]
table = pd.DataFrame(rows, columns=["rule", "train", "held out"])
lines = table.melt("rule", var_name="sentences", value_name="share right")
px.line(
    lines, x="rule", y="share right", color="sentences", line_dash="sentences", markers=True, range_y=[0, 1.05],
    template=TEMPLATE, height=320,
).show()  # fmt: skip
table

# %%
[text for label, text in held_out if (label == "absent") != bool(re.search(steps["3 greedy"], text, re.I))]

# %% [markdown]
# **What to notice:**
#
# - Rules 3 and 4 are both perfect on the sentences they were written on. Only the held-out ones tell them apart.
# - A good rule (2, 4) is one that a clinician would recognise as a form of words; a bad one fits a sentence.
# - Now you have looked at the held-out list. Mend a rule because of it, and it is a training list too. Keep one more
#   that you look at once.
# - **That is the state of the fifteen notes on this page.** They were read while rules were written. Their scores
#   say that the rules do what they were meant to do, not how they will do on notes of your own.
#
# ## 9. When something is wrong
#
# Two readers agree on everything. What is their kappa? This cell breaks on purpose.

# %% tags=["raises-exception"]
kappa(verdicts(both_agree=20, only_ada=0, only_ben=0, neither=0))

# %% [markdown]
# **What to notice:** with one verdict only, chance agreement is perfect too, and kappa would be 0 / 0. An error is
# better than a number. This one is worse: the same findings, the notes in another order.

# %%
in_order, turned = spans(problems, "PROBLEM"), spans(found, "PROBLEM")[::-1]
score_entities(in_order, turned).query("label == 'PROBLEM'").round(3).reset_index(drop=True)

# %% [markdown]
# **What to notice:** no error, only a bad score. Offsets fit any note, so nothing can notice. A score that is far too
# low, or far too high, is first of all a question to your own code: look at five findings in their text.

# %% [markdown]
# ## Exercises
#
# The solutions are in
# [solutions/10_evaluate_and_error_analysis_solutions](solutions/10_evaluate_and_error_analysis_solutions.ipynb).
#
# **1.** Which mistake in the status of medications is the most frequent? Give the gold's status and the pipeline's.
#
# <details><summary>Hint</summary>
#
# `drug_pairs` has the columns `gold` and `found`. Keep the rows where they differ, and count by both.
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_mistake(gold_status, found_status):
    heap = drug_pairs.query("gold != found").groupby(["gold", "found"]).size()
    names = {*drug_pairs["gold"], *drug_pairs["found"]}
    for status in (gold_status, found_status):
        assert status in names, f"{status!r} is no status here. There are: {', '.join(sorted(names))}."
    assert gold_status != found_status, "the two are the same: that is no mistake."
    mine = int(heap.get((gold_status, found_status), 0))
    turned = int(heap.get((found_status, gold_status), 0))
    assert turned != heap.max() or mine == heap.max(), "the right pair, but turned round: the gold comes first."
    assert mine == heap.max(), (
        f"this one happens {mine} times; another happens {heap.max()} times. Count by both columns."
    )
    return f"{gold_status} read as {found_status}, {mine} times."


# %% tags=["exercise"]
my_mistake = ("active", "past")  # change: the gold's status, the pipeline's status

attempt(check_mistake, *my_mistake)

# %% [markdown] tags=["solution"]
# Group by both columns, and take the largest group. Then read it: what do its words have in common?

# %% tags=["solution"]
mistakes = drug_pairs.query("gold != found")
mistakes = mistakes.assign(change=mistakes["gold"] + " -> " + mistakes["found"])
browse(mistakes[mistakes["change"] == mistakes["change"].mode()[0]], by="change", n=7)

# %% tags=["solution"]
attempt(check_mistake, *mistakes.groupby(["gold", "found"]).size().idxmax())

# %% [markdown]
# **2.** Give the 95 % interval of the difference in **recall** that the model makes (`model` minus `rules`). The line
# below computes an interval, but not that one. Two things are wrong with it.
#
# <details><summary>Hint</summary>
#
# Section 5 has the same for F1, drawn both ways. Look at what is passed to each `resample`.
#
# </details>


# %% tags=["check"]
def check_interval(low, high):
    draws = [resample(model, recall, seed) - resample(rules, recall, seed) for seed in range(5)]
    true_low, true_high = np.mean([interval(d) for d in draws], axis=0)
    width, true_width = high - low, true_high - true_low
    assert high > 0, "below zero, and the model finds more: is it recall, and `model` minus `rules`?"
    assert width < 1.5 * true_width, f"{width / true_width:.1f} times too wide: are the same notes drawn for both?"
    close = abs(low - true_low) < 0.003 and abs(high - true_high) < 0.003
    assert close, "of the right kind, but not recall: which measure does `resample` compute?"
    return "the same notes for both, and recall."


# %% tags=["exercise"]
my_interval = interval(resample(model, f1, seed=1) - resample(rules, f1, seed=2))  # change this line

attempt(check_interval, *my_interval)

# %% [markdown] tags=["solution"]
# One seed for both, so that the same notes are drawn; and `recall` in place of `f1`.

# %% tags=["solution"]
attempt(check_interval, *interval(resample(model, recall) - resample(rules, recall)))

# %% [markdown]
# **3.** Choose the measure for each task: `precision`, `recall`, `macro F1` or `calibration`. Each is needed once.
#
# <details><summary>Hint</summary>
#
# Ask of each task which error costs more, who would notice it, and whether rare classes count.
#
# </details>


# %% tags=["check"]
def check_measures(chosen):
    wanted = {
        "A nurse reads every flagged note; no case may be missed": "recall",
        "Flagged patients get a letter, and nobody reads the notes before": "precision",
        "Two versions of the context rules; relatives and doubts matter as much as denials": "macro F1",
        "Only flags that are less than 80 % sure are read by hand": "calibration",
    }
    why = {
        "recall": "who or what finds the cases that were not flagged? Are false alarms costly here?",
        "precision": "which error sends a letter to the wrong person?",
        "macro F1": "which measure gives the rare classes the same say as the frequent ones?",
        "calibration": "what has to be true of the number 80 % for this to be safe?",
    }
    for task, measure in wanted.items():
        given = chosen.get(task, "").strip().lower()
        assert given in [name.lower() for name in why], f"{task}: write one of {', '.join(why)}."
        assert given == measure.lower(), f"{task}: {why[measure]}"
    return "the cost of an error chose the measure."


# %% tags=["exercise"]
my_measures = {  # change the measures
    "A nurse reads every flagged note; no case may be missed": "precision",
    "Flagged patients get a letter, and nobody reads the notes before": "precision",
    "Two versions of the context rules; relatives and doubts matter as much as denials": "precision",
    "Only flags that are less than 80 % sure are read by hand": "precision",
}

attempt(check_measures, my_measures)

# %% [markdown] tags=["solution"]
# The nurse takes the false alarms out, and nobody brings a missed case back: recall. A letter to the wrong person is
# the costly error: precision. Rare classes count as much: macro F1. Whoever trusts 80 % needs it to be 80 %.

# %% tags=["solution"]
chosen = {
    "A nurse reads every flagged note; no case may be missed": "recall",
    "Flagged patients get a letter, and nobody reads the notes before": "precision",
    "Two versions of the context rules; relatives and doubts matter as much as denials": "macro F1",
    "Only flags that are less than 80 % sure are read by hand": "calibration",
}

attempt(check_measures, chosen)

# %% [markdown]
# ## Limits
#
# - Fifteen notes, twelve invented patients, one set of guidelines, and no clinician has settled the labels.
# - The notes were read while the rules were written (section 8), and the confidence was fitted on notes like them.
# - Only the first forty findings of a note are labelled: the ends of notes, with their plans and instructions, are
#   hardly tested here.
# - Assertion is scored on findings that both have. A bootstrap measures the luck of the draw, not a biased draw.
# - Several comparisons were made on the same notes. Compare twenty things, and one of them will look real by chance.
#
# **Recap.** Read how the gold was made. Say what counts as right. Count TP, FP and FN; ask what each costs. Draw notes,
# not findings; compare in pairs. Look at each class. Then read the errors, in heaps, and ask of each whether the
# pipeline, the gold, the guidelines or a convention is at fault. Keep notes that no rule has seen.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | gold | the labels that one compares with; made by readers, and not without faults |
# | strict, overlap | a match with the same limits; with a character in common |
# | TP, FP, FN | found and in the gold; found only; in the gold only |
# | precision, recall, F1 | TP of all found; TP of all in the gold; their harmonic mean |
# | macro F1 | the mean of the F1 of each class, rare or not |
# | confusion matrix | how often each class was read as each other |
# | bootstrap | draw from the sample again and again, to see how much a score depends on the draw |
# | paired | the same notes drawn for both systems |
# | calibration | whether 80 % sure is right in 80 % |
# | adjudicate | settle a disagreement by the guidelines |
# | overfitting | fitting the sentences seen, and not the language |
