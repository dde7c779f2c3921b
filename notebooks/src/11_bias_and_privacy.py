# %% [markdown]
# # Bias and privacy
#
# **Goal:** ask of a pipeline whom it reads worse, and of notes whom they give away; and say how much a small test can
# answer.
# **You need:** `07_explore_a_cohort` and `10_evaluate_and_error_analysis`. **Time:** seventy-five minutes.
#
# Every sentence was invented for this page, and the notes are synthetic: no patient is behind them. It is for learning
# and research, never for a clinical decision.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io
from statsmodels.stats.proportion import proportion_confint

import clinnlp
from clinnlp import cohort, privacy
from clinnlp.evaluate import score_entities
from clinnlp.plots.style import TEMPLATE
from clinnlp.resources import read_yaml

plotly.io.renderers.default = "plotly_mimetype"
pd.set_option("display.max_colwidth", 110, "display.precision", 3)
nlp = clinnlp.load(exclude=["clinnlp_ner"])

# %% [markdown]
# ## 1. Change one word
#
# Who a patient is should not decide what is read of the disease. So write one sentence twice, change only the word for
# the sex, the age, the ethnicity or the name, and see whether a flag changes. This is a **counterfactual test**; a
# change of a flag is a **flip**.

# %%
pair = pd.DataFrame(
    [
        ("a", "Ms Carter is a 54-year-old White woman with heart failure."),
        ("b", "Ms Carter is a 54-year-old White man with heart failure."),
        ("c", "Gout is a 54-year-old White woman with heart failure."),
    ],
    columns=["note_id", "text"],
)
clinnlp.annotate(pair, nlp).flags[["note_id", "condition", "status", "evidence"]]

# %% [markdown]
# **What to notice:** `a` and `b` have the same flag. `c` has one more, and its evidence is her name. (That a man is
# called "Ms" is no matter here: one thing changes at a time.)
#
# One pair is an anecdote. Here are twenty-four sentences with four slots each:

# %%
templates = """
{name} is a {age} {ethnicity} {sex} with heart failure and gout.
{age} {ethnicity} {sex} admitted with community acquired pneumonia. {name} denies chest pain.
{name}, a {age} {ethnicity} {sex}, has type 2 diabetes and high blood pressure.
Reviewed {name}, {age} {ethnicity} {sex}: no asthma, no COPD.
{name} ({age} {ethnicity} {sex}) says that {his} mother had breast cancer.
History of stroke in this {age} {ethnicity} {sex}. {name} takes warfarin for atrial fibrillation.
{name} is an anxious {age} {ethnicity} {sex}, depression in the past.
Possible pulmonary embolism in a {age} {ethnicity} {sex}; CT ordered for {name}.
{age} {ethnicity} {sex}. {He} smokes ten a day. {name} wants to stop.
{name} drank heavily until last year. This {age} {ethnicity} {sex} now has cirrhosis.
Letter about {name}: {age} {ethnicity} {sex} with epilepsy, no seizure for two years.
{He} has chronic kidney disease and anaemia. {name} is a {age} {ethnicity} {sex}.
ER visit: {age} {ethnicity} {sex} with chest pain, myocardial infarction ruled out. {name} went home.
{name} is a {age} {ethnicity} {sex} who uses heroin and has hepatitis C.
{age} {ethnicity} {sex} with HIV on treatment. {name} feels well.
Obese {age} {ethnicity} {sex}. {name} may have sleep apnoea.
{name} fell at home. A {age} {ethnicity} {sex} with osteoporosis and dementia.
This {age} {ethnicity} {sex} was looked at for sickle cell disease. {name} was told.
{name} has rheumatoid arthritis, {he} says; a {age} {ethnicity} {sex}.
{age} {ethnicity} {sex} in pain, 8/10. {name} is allergic to penicillin.
Discussed with {name} that {his} father had colon cancer. {age} {ethnicity} {sex}, well.
{name}: return if fever or bleeding. {age} {ethnicity} {sex} with deep vein thrombosis.
{age} {ethnicity} {sex} with hypothyroidism and migraine. Will see {name} in the summer.
{name}, {age} {ethnicity} {sex}, had a urinary tract infection last month, treated.
""".strip().splitlines()
reference = {"sex": "woman", "age": "54-year-old", "ethnicity": "White", "name": "Ms Carter"}
others = {
    "sex": "man, lady, trans woman, non-binary person, mother, father",
    "age": "19-year-old, 92-year-old, young, middle-aged",
    "ethnicity": "Black, Hispanic, Romani, Somali, non-white",
    "name": "Ms Okafor, Ms Nguyen, Ms Li, Mrs O'Brien",
    "name that is a word": "Ms Gout, Ms Cancer, Ms No, Mr Parkinson",
    "name without a title": "Carter, Li, Gout, Cancer, No",
}
pronouns = {
    **dict.fromkeys(["man", "father"], ("he", "his")),
    "non-binary person": ("they", "their"),
}


def fill(template, **changed):
    words = {**reference, **changed}
    he, his = pronouns.get(words["sex"], ("she", "her"))
    text = template.format(**words, he=he, He=he.capitalize(), his=his)
    return text[0].upper() + text[1:]


rows = []
for number, template in enumerate(templates):
    rows.append((number, "reference", "", fill(template)))
    for changed, words in others.items():
        slot = changed.partition(" ")[0]
        rows += [(number, changed, word, fill(template, **{slot: word})) for word in words.split(", ")]
sentences = pd.DataFrame(rows, columns=["template", "changed", "word", "text"])
sentences.insert(0, "note_id", [f"s{number:04}" for number in range(len(sentences))])
sentences.groupby("changed", sort=False).size().rename("sentences").to_frame().T

# %% [markdown]
# **Predict first:** in which of the rows will flags flip in *any* of the templates? Write yes or no.

# %%
my_guess = dict.fromkeys(others, "")  # such as my_guess["age"] = "yes"

# %% [markdown]
# What a sentence says is the set of its flags, each with its status. It is compared with what the reference of the same
# template says.


# %%
def said(found, columns):
    by_note = found.groupby("note_id")
    sets = {note_id: frozenset(rows[columns].itertuples(index=False, name=None)) for note_id, rows in by_note}
    return sentences["note_id"].map(lambda note_id: sets.get(note_id, frozenset()))


def flips(values):
    before = values[sentences["changed"] == "reference"]
    table = sentences.assign(after=values, before=before.set_axis(templates_in_order).loc[sentences["template"]].values)
    return table[table["before"] != table["after"]]


def show_set(value):
    return ", ".join(sorted(": ".join(item) for item in value)) or "nothing"


templates_in_order = range(len(templates))
tests = sentences[sentences["changed"] != "reference"]
rules = clinnlp.annotate(sentences, nlp)
flips_of_rules = flips(said(rules.flags, ["condition", "status"]))
by_axis = pd.DataFrame(
    {
        "your guess": my_guess,
        "pairs": tests.groupby("changed").size(),
        "flips": flips_of_rules.groupby("changed").size(),
        "templates with a flip": flips_of_rules.groupby("changed")["template"].nunique(),
    }
).reindex(list(others))
by_axis = by_axis.fillna({"flips": 0, "templates with a flip": 0}).astype({"flips": int, "templates with a flip": int})
by_axis

# %% [markdown]
# A count says that there are flips. To know what they are, look at every word that makes one, at how often, and at an
# example:

# %%
first = flips_of_rules.groupby(["changed", "word"], sort=False).agg(
    flips=("template", "size"), text=("text", "first"), before=("before", "first"), after=("after", "first")
)
first["before"], first["after"] = first["before"].map(show_set), first["after"].map(show_set)
first.reset_index()

# %% [markdown]
# Why does "No" lose something? Every finding knows the cue that decided:

# %%
decided = rules.entities.query("cue == 'No'").merge(sentences, on="note_id", suffixes=("", "_of_note"))
decided[["text_of_note", "text", "assertion", "cue"]]

# %% [markdown]
# **What to notice:**
#
# - No flag depends on the words for sex, age or ethnicity here, and none on a name after a title: what follows "Ms" is
#   read as a name, whatever the word.
# - Without the title, a name that is a disease becomes a disease, in every template (but one that speaks of gout
#   anyway), and "No" denies what follows. No is a family name in Korea; whose names are words of the language of the
#   notes, and whose are not?
# - A test like this one has found worse. An earlier version of the rules read the "non" of "non-binary" and "non-white"
#   as a denial, and took "a 54-year-old mother with heart failure" for the mother of somebody else: diseases were lost
#   for just these patients. So the test is kept, and run again whenever a rule changes.
#
# Nobody meant any of this. Bias in a rule looks like any other bug; what tells is *whom* it meets.
#
# Not every change would be wrong. Put "pregnant" in the slot for the age, and a flag for pregnancy *should* appear. Ask
# of each flip: did the sentence change its meaning?
#
# ### How sure?
#
# An exact interval (*Clopper-Pearson*) says which rates of flips fit what was seen. Of what, pairs or templates?

# %%
rows = []
for unit, total, hits in [
    ("pairs", by_axis["pairs"], by_axis["flips"]),
    ("templates", len(templates), by_axis["templates with a flip"]),
]:
    low, high = proportion_confint(hits, total, method="beta")
    rows.append(pd.DataFrame({"unit": unit, "n": total, "flips": hits, "rate": hits / total, "low": low, "high": high}))
rates = pd.concat(rows, names=["changed"]).fillna({"low": 0.0, "high": 1.0}).reset_index(names="changed")
figure = px.scatter(
    rates, x="rate", y="changed", color="unit", symbol="unit", template=TEMPLATE, height=320, range_x=[-0.02, 1.02],
    error_x=rates["high"] - rates["rate"], error_x_minus=rates["rate"] - rates["low"],
)  # fmt: skip
figure.update_layout(scattermode="group").update_yaxes(autorange="reversed").show()
rates

# %% [markdown]
# **What to notice:** the interval of the pairs is narrow, and promises too much. Four ages in one template are no four
# independent trials: if the template holds for one, it mostly holds for all. With templates as the unit there are
# twenty-four trials, however many words we try. (In `10_evaluate_and_error_analysis` it was findings and notes.)
#
# And a rate of pairs depends on the list: add ten ordinary names to the last row, and its rate falls, although nothing
# is mended. So report the words, not just the rate.
#
# ### No flip is not "never"
#
# **Predict first:** no template of twenty-four flips with the age. How large could the true rate still be?

# %%
my_upper_end = ""

# %% [markdown]
# If one template in ten flipped, twenty-four templates without a flip would still happen with a chance of 0.9
# multiplied by itself twenty-four times. The largest rate at which that chance is 5 % is the upper end. Close to it,
# and easy in the head, is the **rule of three**: 3 / n.

# %%
pd.DataFrame(
    [(n, 0.9**n, 1 - 0.05 ** (1 / n), 3 / n) for n in (10, 24, 100, 1000)],
    columns=["n without a flip", "chance if one in ten flips", "upper end, exact", "rule of three"],
).round(4)

# %% [markdown]
# **What to notice:** after twenty-four templates without a flip, a rate of one in nine still fits. (The figure above
# goes a little higher: it has 2.5 % on either side, and this 5 % on one side.) And even that holds only for sentences
# *like these*: they were made up, and all in one manner.
#
# A test that finds nothing might be a test that cannot find anything. The names without a title are the *positive
# control*: there had to be flips, and there were.
#
# ### And with the model?
#
# The model `mini` learnt from texts, and nobody can list what it learnt. **Predict first:** where will it flip and the
# rules not?

# %%
my_guess = dict.fromkeys(others, "")  # such as my_guess["age"] = "yes"

# %%
with_model = clinnlp.annotate(sentences, clinnlp.load())


def problems(result):
    return said(result.entities.query("label in ['DISEASE', 'SYMPTOM']"), ["text", "assertion"])


measures = {
    "flags, rules": said(rules.flags, ["condition", "status"]),
    "flags, with mini": said(with_model.flags, ["condition", "status"]),
    "findings, rules": problems(rules),
    "findings, with mini": problems(with_model),
}
per_axis = {name: flips(values).groupby("changed")["template"].nunique() for name, values in measures.items()}
table = pd.DataFrame(per_axis).reindex(list(others)).fillna(0).astype(int)
table.insert(0, "your guess", my_guess)
table

# %% [markdown]
# The numbers are templates with a flip. The flips of the findings (diseases and symptoms) that only the model makes,
# the first of each kind:

# %%
both = flips(measures["findings, with mini"])
only = both[~both["note_id"].isin(flips(measures["findings, rules"])["note_id"])]
only = only.assign(
    lost=[show_set(b - a) for b, a in zip(only["before"], only["after"], strict=True)],
    gained=[show_set(a - b) for b, a in zip(only["before"], only["after"], strict=True)],
)
kinds = only.groupby(["changed", "lost", "gained"], sort=False).agg(flips=("word", "size"), text=("text", "first"))
kinds.reset_index()[["changed", "flips", "lost", "gained", "text"]]

# %% [markdown]
# **What to notice:**
#
# - The flags flip in no more templates than with the rules alone: they come from the names of conditions in the
#   dictionary. The *findings* are where a model shows.
# - It finds "anxious" beside some names, ages and sexes, and not beside others. It loses "Obese" before "young", and
#   "apnoea" after "middle-aged". No rule says so; a score just passes 0.7, or does not.
# - These few flips are no proof that the model is unfair to anybody. They do show that names and ages reach it, and
#   that rules and models fail in different ways: a rule fails for a word that one can look up, a model here and there.
#
# What this test cannot see: whether notes *say* the same of different people. If pain is written down less for some
# patients, every flag can be right, and the cohort still wrong. More of this in part 3.
#
# ## 2. Scores of subgroups
#
# Does the pipeline find less in the notes of women, or of the old? Fifteen sample notes have labels (the gold), and we
# know sex and age of the patients. As in `10_evaluate_and_error_analysis`, what was found counts only as far as the
# gold goes.

# %%
patients = pd.DataFrame(
    {"sex": list("MFMFFMFMMFFM"), "age": [68, 54, 47, 31, 70, 77, 38, 56, 26, 63, 83, 45]},
    index=pd.Index([f"p{number:02}" for number in range(1, 13)], name="patient_id"),
)
patients["age group"] = pd.cut(patients["age"], [0, 50, 70, 120], right=False, labels=["under 50", "50-69", "70 up"])
notes = clinnlp.read_notes("../sample_data/notes.csv")
result = clinnlp.annotate(notes, nlp)
gold = pd.read_json("../sample_data/gold.jsonl", lines=True).sort_values("id")
patient_of = notes.set_index("note_id")["patient_id"]


def tally(note):
    wanted = [(p["start"], p["end"], "PROBLEM") for p in note.problems]
    limit = len(note.text) if note.problems_complete else max(end for _, end, _ in wanted)
    rows = result.entities.query("note_id == @note.id and label in ['DISEASE', 'SYMPTOM']")
    found = [(row.start, row.end, "PROBLEM") for row in rows.itertuples() if row.start < limit]
    score = score_entities([wanted], [found], labels=["PROBLEM"]).query("label == 'PROBLEM' and match == 'overlap'")
    return {"patient_id": patient_of[note.id], "notes": 1, "right": round(score["recall"].iloc[0] * len(wanted)),
            "found": len(found), "gold": len(wanted)}  # fmt: skip


counts = pd.DataFrame([tally(note) for note in gold.itertuples()]).groupby("patient_id").sum()
counts.head(4)

# %% [markdown]
# Two notes of one patient are alike, so whole patients are drawn for the bootstrap. **Predict first:** how wide will
# the interval of recall be for the six women: 0.01, 0.05 or 0.2?

# %%
my_width = ""


# %%
def draw(table, seed=0):
    values = table[["right", "found", "gold"]].to_numpy()
    return values[np.random.default_rng(seed).integers(0, len(values), (1000, len(values)))].sum(axis=1).T


def recall(right, found, gold):
    return right / gold


def f1(right, found, gold):
    return 2 * right / (found + gold)


def interval(values):
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


rows = []
for column in ("sex", "age group"):
    for group, part in counts.groupby(patients[column], observed=True):
        sums = part.sum()
        for name, measure in (("recall", recall), ("F1", f1)):
            value = measure(sums["right"], sums["found"], sums["gold"])
            rows.append((group, len(part), sums["notes"], sums["gold"], name, value, *interval(measure(*draw(part)))))
columns = ["group", "patients", "notes", "findings", "measure", "value", "low", "high"]
subgroups = pd.DataFrame(rows, columns=columns)
figure = px.scatter(
    subgroups, x="value", y="group", color="measure", symbol="measure", range_x=[0.7, 1.0],
    template=TEMPLATE, height=320,
    error_x=subgroups["high"] - subgroups["value"], error_x_minus=subgroups["value"] - subgroups["low"],
)  # fmt: skip
figure.update_layout(scattermode="group").update_yaxes(autorange="reversed").show()
subgroups

# %% [markdown]
# What we asked for is a difference, so look at its interval, not at whether two intervals overlap:

# %%
sexes = dict(iter(counts.groupby(patients["sex"])))
rows = []
for name, measure in (("recall", recall), ("F1", f1)):
    women, men = (measure(*sexes[sex].sum()[["right", "found", "gold"]]) for sex in "FM")
    drawn = measure(*draw(sexes["F"])) - measure(*draw(sexes["M"], seed=1))
    rows.append((name, women - men, *interval(drawn)))
pd.DataFrame(rows, columns=["measure", "women minus men", "low", "high"])

# %% [markdown]
# **What to notice:**
#
# - The difference of the sexes is near zero, and its interval reaches from five points worse to seven better. So: we do
#   not know. "No difference was found" would be true, and would be read as "there is none".
# - The ages look different: the notes of those from 70 up are read worst. Three patients, a note each; with three, a
#   bootstrap has ten different draws, and its interval is too narrow. Their notes are also of other kinds and of other
#   writers. And we looked at five groups and two measures: some group always comes last.
# - The rules were written with notes like these at hand, and nobody here is real. It is the method that counts.
#
# ### How many would it take?
#
# A simple formula (Lehr's rule of sixteen: a difference is found in four studies of five, at the 5 % level): to tell
# two recalls around r apart that differ by d, each group needs about 16 r (1 - r) / d² findings, *if findings were
# independent*. They are not, so multiply by the **design effect**: how much larger the variance is with patients drawn
# than with findings drawn.

# %%
total = counts.sum()
r = recall(total["right"], total["found"], total["gold"])
spread_of_findings = r * (1 - r) / total["gold"]
design_effect = float(np.var(recall(*draw(counts))) / spread_of_findings)
per_patient = total["gold"] / len(counts)
rows = []
for d in (0.10, 0.05, 0.02, 0.01):
    findings = 16 * r * (1 - r) / d**2
    rows.append((d, findings, findings * design_effect, np.ceil(findings * design_effect / per_patient)))
pd.DataFrame([(r, design_effect, per_patient)], columns=["recall", "design effect", "findings a patient"]).round(2)

# %%
columns = ["difference", "independent findings", "findings, design effect", "patients a group"]
pd.DataFrame(rows, columns=columns).set_index("difference").round().astype(int)

# %% [markdown]
# **What to notice:** with six men and six women, only a difference of ten points or so had a fair chance to be found.
# For half the difference, four times as many. (The design effect of twelve patients is a rough guess itself; take more
# than the table says. Near 0 and 1, and for a handful of patients, the formula is a rule of thumb at best.)
#
# Findings are many in each note. For the recall of one *flag* a patient is one trial, and only if he or she has the
# condition: read the column `independent findings` as patients with the condition. Where one in ten has it, label ten
# times as many patients.
#
# ## 3. Who has notes at all?
#
# A note is written when somebody comes. Whoever is ill and stays at home, has no record, is moved, or is not asked, is
# not read badly: they are not read at all. A **selection effect** like this is in no score.
#
# Even among those with notes, some have many. Suppose a disease that one in five has, everywhere, and that a visit gets
# it written down in four of ten cases. Of all patients, how many are flagged?

# %%
visits = [0, 1, 2, 4, 8]
pd.DataFrame([(n, 0.20, 0.20 * (1 - 0.6**n)) for n in visits], columns=["visits", "have it", "flagged"]).round(3)

# %% [markdown]
# **What to notice:** the same disease in each row. Somebody who lives far away, or has to pay, or was treated badly the
# last time, stands in the upper rows. A comparison of the groups would find a difference that is one of visits.
#
# The same in the sample: of each patient, read only the first notes.

# %%
order = notes.assign(number=notes.groupby("patient_id").cumcount() + 1)[["note_id", "number"]]
positive = result.flags.query("status in ['present', 'historical']").merge(order, on="note_id")
first_seen = positive.groupby(["patient_id", "condition"])["number"].min()
known = pd.DataFrame([(k, (first_seen <= k).sum() / len(patients)) for k in range(1, 7)])
known.columns = ["notes read", "conditions a patient"]
px.line(
    known, x="notes read", y="conditions a patient", markers=True, template=TEMPLATE, height=280, range_y=[0, None]
).show()
known

# %% [markdown]
# **What to notice:** the same twelve patients seem to get sicker with every note. Whoever has more notes has more
# flags. Compare groups with the number of notes in view, and say who had none.
#
# ## 4. What a privacy check finds
#
# Now the other risk: that a note gives its patient away. `clinnlp.privacy` looks for the eighteen kinds of identifiers
# of the Safe Harbor rule (45 CFR 164.514): names, dates, numbers, addresses. Ten invented sentences; **predict** for
# each whether the check finds who it is.

# %%
letters = pd.DataFrame(
    [
        ("n01", "Mrs Okafor has a cough.", "Okafor"),
        ("n02", "Seen by Dr Lindqvist this morning.", "Lindqvist"),
        ("n03", "Admitted on 14 March 2019.", "14 March 2019"),
        ("n04", "MRN: 4482190. Stable.", "4482190"),
        ("n05", "Call her daughter: 617-555-0142.", "617-555-0142"),
        ("n06", "Write to a.okafor@example.org.", "a.okafor@example.org"),
        ("n07", "The patient is 93 years old.", "93"),
        ("n08", "bean came in again, tired as ever.", "bean"),
        ("n09", "The only one who walked away from the balloon crash.", "the balloon crash"),
        ("n10", "Plays the organ in the village church, and is its mayor.", "its mayor"),
    ],
    columns=["note_id", "text", "who"],
)
found = privacy.check(letters)
found[["note_id", "start", "end", "kind", "score", "rule"]]

# %% [markdown]
# The list has places, no words: it can be mailed. With the text beside it, and what was missed:

# %%
letters.merge(found.groupby("note_id")["kind"].agg(", ".join).reset_index(), how="left", on="note_id").fillna("missed")

# %% [markdown]
# **What to notice:** what has a *form* is found: a title before a name, digits in groups, a date. A nickname in small
# letters is a word like any other. And nothing in `n09` or `n10` is an identifier of any list; yet anybody from the
# village knows who it is. No list of patterns will mend that.
#
# Ten chosen sentences give no rate. To measure a check, label identifiers in a random sample of *your* notes, and count
# what was missed, with an interval.
#
# ### Mask, or refuse

# %%
privacy.mask(letters)["text"].tolist()

# %% [markdown]
# A pipeline that must not see identifiers can be guarded by `refuse`. This cell breaks on purpose: the message says how
# many of which kind and where, and never the words themselves.

# %% tags=["raises-exception"]
privacy.refuse(letters)

# %% [markdown]
# Masked notes pass. That is *not* a promise that nobody can be recognised:

# %%
masked = privacy.mask(letters)
privacy.refuse(masked)
masked["text"].tail(3).tolist()

# %% [markdown]
# ### Alone in a table
#
# No name is needed where a combination is rare. Sex and age stand in most tables; a neighbour knows them (they are
# **quasi-identifiers**). For each combination of columns: how many patients share it? The smallest such group is the
# *k* of **k-anonymity**. **Predict first:** how many of the twelve are alone by sex and age?

# %%
my_alone = ""

# %%
table = cohort.cohort_table(result).join(patients)
rare = "rheumatoid_arthritis_lupus"
rows = []
for chosen in (["sex"], ["sex", "age group"], ["sex", "age group", rare], ["sex", "age"], ["sex", "age", rare]):
    sizes = table.groupby(chosen, observed=True)["notes"].transform("size")
    rows.append((" + ".join(chosen), sizes.min(), (sizes == 1).sum()))
pd.DataFrame(rows, columns=["columns", "k", "alone, of 12"])

# %% [markdown]
# What does somebody learn who knows of a woman under fifty that she has lupus?

# %%
her = table.query(f"sex == 'F' and `age group` == 'under 50' and {rare}")
conditions = her.select_dtypes("bool").T
conditions[conditions.all(axis=1)].index.tolist() if len(her) == 1 else f"{len(her)} patients fit"

# %% [markdown]
# **What to notice:**
#
# - By sex and year of age, everybody is alone. With age in bands, one still is; with a rare disease beside it, three.
# - One fact known (lupus) gave the rest of the list. This is **linkage**, and no identifier was needed for it.
# - A flag can be wrong, and sticks to her all the same: whoever sees such a list rarely sees the evidence behind it.
# - Alone among twelve is not alone in a town. But do you know who else is in the town, and what the neighbour knows?
#
# ## 5. Open models: what a licence says
#
# `clinnlp models` prints the models that were looked at for this package. The licences, and in short what they allow:

# %%
allowed = {
    "Apache-2.0": "use, change, sell, pass on; keep the notices, state changes; patents included; no warranty",
    "MIT": "use, change, sell, pass on; keep the notice; no word on patents; no warranty",
}
models = pd.DataFrame(read_yaml("models.yml"))
models["the licence allows"] = models["licence"].map(allowed)
models[["id", "licence", "trained_on", "parameters"]]

# %%
models.groupby(["licence", "the licence allows"]).size().rename("models").reset_index()

# %% [markdown]
# **What to notice:**
#
# - Both licences let you do nearly anything, and promise nothing. Neither says that a model is good, fair, safe, or
#   allowed as a medical device.
# - Other licences say less: "NC" forbids commercial use, some forbid uses by name, and no licence at all means no right
#   to use it.
# - The licence is that of the weights. The *data* have terms of their own: the i2b2 notes are given only to those who
#   sign an agreement. A model can also repeat what it was trained on; ask what was in it.
# - None learnt from notes like yours. MACCROBAT is case reports, BC5CDR and NCBI-disease are abstracts: nobody's
#   nickname, no forms, and patients whom somebody found worth a paper.
#
# A **model card** says what a model is for. Three paragraphs of that of `mini`:

# %%
card = (Path(clinnlp.__file__).parent / "models" / "packs" / "mini" / "README.md").read_text(encoding="utf-8")
made, limits = card.partition("**Made from**")[2], card.partition("## Limits")[2]
intended = card.partition("**Intended use.**")[2].partition("\n\n")[0]
for title, text in (("Intended use", intended), ("Made from", made.partition("\n\n")[0]), ("Limits", limits)):
    print(f"{title}: {' '.join(text.split())}\n")

# %% [markdown]
# **What to notice:** the card says what the model was not made for, and where its scores come from. It has no scores by
# sex, age or ethnicity: the corpora do not tell. Not known is not the same as no difference.
#
# ### Ask before you use an open model on patients
#
# | question | where to look |
# | --- | --- |
# | May I use it, and for this? | licence of the weights, of the code, of the data |
# | On whose texts did it learn, in which language, of which years? | model card, paper |
# | Where does the text go when it runs? | your own machine, or somebody's server? |
# | How good is it on *my* notes, with an interval, and for whom is it worse? | a labelled sample of your own |
# | Who sees an error, and can it be undone? | the people who act on the output |
# | Does it stay the same? | a version, a checksum |
# | Who has agreed? | ethics board, data protection, the patients |

# %% [markdown]
# ## Exercises
#
# Change the cell, run it, and read what the check says. The solutions are in
# [solutions/11_bias_and_privacy_solutions](solutions/11_bias_and_privacy_solutions.ipynb).
#
# **1.** The register of the clinic knows the name of the patient. Write `prepare`, which gets a text and that name, and
# changes the text before it is annotated, so that the name flips no flag, with a title or without. What the sentences
# say otherwise must stay.
#
# <details><summary>Hint</summary>
#
# Ms Gout may have gout: what tells the two words apart? And a short name may be a part of longer words.
# `re.sub(pattern, new, text)` replaces what a pattern finds, and `\b` in a pattern is the edge of a word.
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_prepare(prepare):
    named = sentences[sentences["changed"].str.startswith(("reference", "name"))]
    names = named["word"].replace("", reference["name"])
    texts = [prepare(text, name) for text, name in zip(named["text"], names, strict=True)]
    assert all(isinstance(text, str) for text in texts), "prepare gets a text and a name, and returns a text."
    after = said(clinnlp.annotate(named.assign(text=texts), nlp).flags, ["condition", "status"]).loc[named.index]
    right = (
        measures["flags, rules"][sentences["changed"] == "reference"]
        .set_axis(templates_in_order)
        .loc[named["template"]]
    )
    says_less = [not dict(before).keys() <= dict(now).keys() for before, now in zip(right, after, strict=True)]
    lost = named[says_less].query("word != 'No'")
    assert lost.empty, (
        f"flags are lost, such as in a sentence of {lost['word'].iloc[0] or reference['name']}. "
        "Change the name, and nothing else."
    )
    bad = named[after.values != right.values]
    assert bad.empty, (
        f"{len(bad)} sentences still flip, such as those of {bad['word'].iloc[0]}. The name is given: no list needed."
    )
    unseen = pd.DataFrame({"note_id": ["x"], "text": [prepare("Go has asthma and Gout.", "Go")]})
    assert len(clinnlp.annotate(unseen, nlp).flags) == 2, (
        "a patient called Go, who has Gout, loses a disease: a name may be a part of another word."
    )
    return "no name flips, and nothing else has changed."


# %% tags=["exercise"]
def prepare(text, name):
    return text.replace("Gout", "Ms N")  # change this line


attempt(check_prepare, prepare)

# %% [markdown] tags=["solution"]
# The name as a whole word, with its capital, and what a name can have in it taken literally (`re.escape`). It helps for
# the patient whose name is known, and no further: relatives, doctors and misspelt names slip by. And a sentence that
# begins with "Gout" may be about either. `privacy.mask` knows more forms of names, but has to leave words alone that
# are mostly no names.

# %% tags=["solution"]
import re


def without_name(text, name):
    return re.sub(rf"\b{re.escape(name)}\b", "[NAME]", text)


attempt(check_prepare, without_name)

# %% [markdown]
# **2.** You test templates and see no flip in any. How many must they be (the smallest number) until rates of 1 in 100
# and more are ruled out, with 95 % on one side?
#
# <details><summary>Hint</summary>
#
# At a rate of 1 in 100, what is the chance that n templates in a row do not flip? It has to be 5 % or less.
#
# </details>


# %% tags=["check"]
def check_templates(n):
    assert n == int(n), "give a whole number."
    assert n != 100, "among 100 we expect one flip, but none at all still happens with a chance of 0.99 ** 100."
    assert 0.99**n <= 0.05, f"with {n}, no flip happens with a chance of {0.99**n:.5f}, even at a rate of 1 in 100."
    assert n <= 300, "enough, but more than needed."
    by = "the rule of three" if n == 300 else "the exact formula"
    return f"{n}, by {by}."


# %% tags=["exercise"]
my_templates = 100  # change this number

attempt(check_templates, my_templates)

# %% [markdown] tags=["solution"]
# By the rule of three: 3 / n = 0.01, so n = 300. Exactly: the smallest n with 0.99 ** n at most 0.05.

# %% tags=["solution"]
enough = next(n for n in range(1, 1000) if 0.99**n <= 0.05)

attempt(check_templates, enough)

# %% [markdown]
# **3.** Publish sex and age of the twelve patients, in bands of age, so that each patient shares both with at least two
# others (k = 3). Choose the edges of the bands, and keep as much of the age as that allows: one band says nothing.
#
# <details><summary>Hint</summary>
#
# Sort the ages of the women, and those of the men. Between which two ages can one cut both lists, with three or more on
# either side? Everybody must be in a band.
#
# </details>


# %% tags=["check"]
def check_edges(edges):
    bands = pd.cut(patients["age"], edges, right=False)
    assert bands.notna().all(), (
        f"{bands.isna().sum()} patients are in no band: leaving them out is not protecting them."
    )
    sizes = patients.groupby([patients["sex"], bands], observed=True)["age"].transform("size")
    assert bands.nunique() > 1, "all are in one band: safe, and of no use. Cut once."
    assert (sizes >= 3).all(), (
        f"{(sizes == 1).sum()} of the patients are alone, {(sizes == 2).sum()} share with one other only: fewer bands, "
        "or a cut elsewhere?"
    )
    return f"k is {sizes.min()}, with {bands.nunique()} bands."


# %% tags=["exercise"]
my_edges = [0, 50, 70, 120]  # change these: a band goes from one edge up to, but not including, the next

attempt(check_edges, my_edges)

# %% tags=["solution"]
attempt(check_edges, [0, 55, 120])

# %% [markdown]
# ## Limits
#
# - Twenty-four templates by one author: what they do not contain was not tested. Ethnicity is more than a word in a
#   sentence, and most notes do not even have the word.
# - Twelve invented patients. The subgroup scores show how to compute, and how little can be said; no more.
# - k-anonymity knows of the columns that one lists. It does not help where all of a group share the secret, and free
#   text is no column.
# - A check, a mask and a licence are aids. None of them is consent, an ethics approval or advice of a lawyer.
#
# **Recap.** Change one word, count flips by template, look at each; no flip is an upper end, not a zero. Scores by
# subgroup need many patients: compute how many before you start. Ask who has no notes. A check finds forms; people are
# recognised by stories. A licence says what you may do, not what is right to do.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | counterfactual test | the same text with one word changed that should not matter |
# | flip | a flag or finding that changes when only such a word does |
# | exact interval | the interval of a share by the binomial distribution itself (Clopper-Pearson) |
# | rule of three | none of n seen: the true rate may still be up to 3 / n |
# | positive control | a case in which the test has to find something, to show that it can |
# | design effect | how much larger the variance is because cases come in groups, such as the notes of one patient |
# | selection effect | what is seen depends on who is there to be seen |
# | masking | writing a placeholder such as [NAME] in the place of an identifier |
# | linkage | learning more of somebody by joining what one knows with a table |
# | quasi-identifier | what identifies only together with others: sex, age, a rare disease |
# | k-anonymity | each combination of the quasi-identifiers is shared by at least k patients |
# | model card | a page on what a model is for, what it learnt from, how good it is and where it fails |
