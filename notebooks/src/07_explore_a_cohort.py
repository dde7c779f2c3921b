# %% [markdown]
# # Explore a cohort
#
# **Goal:** answer "how common is it, and how sure are we?" for a group of patients: search their notes, choose and
# describe them, count, check the flags by hand, and correct the count for what the check has found.
# **You need:** `02_from_text_to_flags`. **Time:** seventy minutes.
#
# The notes are synthetic: 74 notes of 12 invented patients. No model is needed. This is for learning and research,
# never for a clinical decision.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import plotly.express as px
import plotly.io
from statsmodels.stats.proportion import proportion_confint

import clinnlp
from clinnlp import agreement, cohort, comorbidity, plots
from clinnlp.explorer import explore
from clinnlp.review import Session
from clinnlp.search import TextIndex

plotly.io.renderers.default = "plotly_mimetype"
pd.set_option("display.max_colwidth", 100, "display.precision", 2)
nlp = clinnlp.load(exclude=["clinnlp_ner"])

# %% [markdown]
# ## 1. Who is in the cohort?
#
# The sample notes carry no sex and no age, so here they are, read from each patient's first notes. Any column that has
# one value a patient can be put beside the notes before they are annotated.

# %%
patients = pd.DataFrame(
    {"sex": list("MFMFFMFMMFFM"), "age": [68, 54, 47, 31, 70, 77, 38, 56, 26, 63, 83, 45]},
    index=[f"p{number:02}" for number in range(1, 13)],
)
notes = clinnlp.read_notes("../sample_data/notes.csv").join(patients, on="patient_id")
result = clinnlp.annotate(notes, nlp)
table = cohort.cohort_table(result)
table[["notes", "sex", "age", "hypertension", "anemia", "heart_failure"]].head(4)

# %% [markdown]
# A row a patient, a column a condition: now a question is an ordinary filter. A patient is a **case** of a condition
# that is present or historical in any note; "uncertain", "implied" and the rest do not count unless you ask for them.
#
# *Heart failure and chronic kidney disease:*

# %%
both = table[table["heart_failure"] & table["chronic_kidney_disease"]]
both[["sex", "age", "notes", "heart_failure", "chronic_kidney_disease"]]

# %% [markdown]
# *... and no dialysis.* Dialysis is no condition here, it is a procedure. So search for the word: `TextIndex` knows
# where each word of all the notes stands.

# %%
index = TextIndex(result)
hits = index.words("dialysis").merge(result.notes[["note_id", "patient_id"]], on="note_id")
hits

# %% [markdown]
# **Predict first:** the next cell leaves out the patients of these notes. Will ours be in or out?

# %%
both.index.difference(hits["patient_id"]).tolist()

# %% [markdown]
# Nobody is left. Before you believe a search, read what it has found. The **explorer** shows a note with all that was
# found in it.

# %%
explore(result, "p01-07")

# %% [markdown]
# **What to notice:** run the cell in JupyterLab, and "dialysis" is struck through: the note denies it. Type `dialysis`
# into the search field: it lists the same two notes as the table above, and a click opens each at its place. A click on
# the struck word says why it was read so: the cue "No". (Until the cell has run, and where widgets do not run, you see
# the note alone, perhaps with all marks in one colour.)
#
# What is *asserted* is in the tables:

# %%
procedures = result.entities.query("label == 'PROCEDURE'").merge(result.notes[["note_id", "patient_id"]], on="note_id")
dialysis = procedures[procedures["text"].str.lower() == "dialysis"].reset_index(drop=True)
dialysis[["patient_id", "note_id", "text", "assertion", "cue"]]

# %%
on_dialysis = set(dialysis.loc[dialysis["assertion"] == "present", "patient_id"])
chosen = both.index.difference(on_dialysis).tolist()
chosen

# %% [markdown]
# **What to notice:** the word stands in two notes, and both say no ("No dialysis needed", an empty box). A search for
# the word alone leaves out the very patient who fits. A filter on what is *asserted* keeps him.
#
# ### How to ask
#
# A search can be asked in several ways. How many notes does each find? **Predict** it for the two spellings at least.

# %%
queries = ["dialys", "CKD dialysis", "no dialysis", '"no dialysis"', "hemodialysis", "anemia", "anaemia"]
pd.DataFrame([(query, len(index.words(query))) for query in queries], columns=["query", "notes"])

# %% [markdown]
# **What to notice:** a word finds all that begin with it. Several words must all be in the note, in any order; in
# quotes they stand as they are. And letters are all that it knows: two spellings find two sets of notes, and
# "hemodialysis" finds none, which does not say that nobody has it. A search by *meaning* reads sentences:

# %%
index.meaning("low blood count", n=4)[["note_id", "score", "text"]].round(2)

# %% [markdown]
# **What to notice:** not one of these sentences has the words "low" or "count". The explorer searches by meaning too.
# It is good for finding things to read, and no good for counting: it hardly ever finds nothing.
#
# ### Cut the result
#
# `select` cuts all tables of a result down to some patients, so that what follows can be done with them alone.

# %%
part = cohort.select(result, chosen)
pd.DataFrame(
    {name: [len(getattr(r, name)) for r in (result, part)] for name in ("notes", "entities", "flags")}
).set_axis(["all patients", "the chosen"])

# %% [markdown]
# ## 2. Table 1
#
# The first table of a paper: who are they? Name the conditions, or leave them out for all that anybody has.

# %%
some = ["hypertension", "tobacco_use", "anemia", "hyperlipidemia", "acute_kidney_injury", "depression", "diabetes"]
cohort.table_one(result, by="sex", conditions=some, missing=False).tableone

# %% [markdown]
# **What to notice:** read Table 1 as a proof-reader, before you read it as a scientist. One patient more or less is
# 17 % of a group of six. Sex and age were put in by hand; the conditions come from flags, which part 6 checks. And no
# column should surprise somebody who knows the patients: look up the evidence of what does.
#
# ## 3. How common, and how sure?
#
# Five of the six women have hypertension. A share of so few is loose: an **interval** says which shares of a larger
# group of such patients would fit what was seen. **Predict first:** write the ends of the 95 % interval of 5 in 6.

# %%
guess_low, guess_high = None, None  # such as 0.7 and 0.9

# %%
shares = cohort.prevalence(result, ["hypertension", "depression", "diabetes"], by="sex")
plots.prevalence_intervals(shares).show()
shares

# %%
first = shares.iloc[0]
pd.DataFrame(
    {"low": [guess_low or "", round(first["low"], 2)], "high": [guess_high or "", round(first["high"], 2)]},
    index=["your guess", "Wilson"],
)

# %% [markdown]
# **What to notice:**
#
# - Five of six is anything from less than one half to nearly all.
# - No woman has diabetes in these notes: the interval still reaches 39 %. "None seen" is not "none".
# - Half of the men have it. The intervals of men and women overlap: twelve patients cannot tell them apart.
# - The interval knows of chance alone. It supposes patients drawn at random (ours are invented), and flags that are
#   right.
#
# How many patients does it take? The width of the interval around one half:

# %%
sizes = [6, 12, 50, 100, 400, 1000]
ends = [proportion_confint(n / 2, n, method="wilson") for n in sizes]
widths = pd.DataFrame([(n, low, high, high - low) for n, (low, high) in zip(sizes, ends, strict=True)])
widths.set_axis(["patients", "low", "high", "width"], axis="columns")

# %% [markdown]
# To halve the width takes four times as many patients: compare 100 with 400.
#
# ## 4. Two pictures
#
# Which statuses does a condition have? The first twelve rows, and the numbers behind the first three.

# %%
figure = plots.status_matrix(result)
figure.update_layout(height=450).update_yaxes(autorange=False, range=[11.5, -0.5]).show()
plots.status_shares(result).query("condition in ['drug_allergy', 'hypertension', 'tobacco_use']")

# %% [markdown]
# **What to notice:** the patients of a row are those with *any* flag of the condition. That nobody wrote of anaemia in
# a patient is not the same as `absent`.
#
# Which conditions come together? **Lift** compares the patients who have both with how many would, if one had nothing
# to do with the other: 1 is "as expected".

# %%
plots.co_occurrence_map(result, n=8, measure="lift").show()
pairs = plots.co_occurrence(result, n=8).query("condition < other")
pairs.sort_values(["lift", "condition"], ascending=[False, True]).head(5).reset_index(drop=True)

# %% [markdown]
# **What to notice:** anxiety and depression seem to seek each other out: two patients expected, four seen. The asterisk
# warns: where fewer than five are expected, one patient more or less moves the lift by a lot. And there are many pairs:

# %%
pd.DataFrame({"pairs": [len(pairs)], "marked": [pairs["unreliable"].sum()]})

# %% [markdown]
# Chance alone gives four or more of both here about once in twenty-two times. Among 28 pairs, one such is no surprise.
# (Real anxiety and depression do come together. These notes cannot show it.)
#
# ## 5. How ill are they?
#
# A comorbidity index adds points for diseases that last. Two are known all over: Charlson's and Elixhauser's.

# %%
scores = comorbidity.charlson(result, ages="age").round({"ten_year_survival": 2})
scores.assign(elixhauser=comorbidity.elixhauser(result)["score"]).sort_values(["score", "patient_id"], ascending=False)

# %% [markdown]
# **What to notice:** the two rank patients differently: each was made for a question and patients of its own. In
# Elixhauser's, points can be negative. The ten-year survival is Charlson's formula, with age; 0.00 is not "nobody",
# it is a formula of 1987, far from the patients that it was made with.
#
# A score is only as good as its points. `p12` has 3 of the one and 14 of the other. Why 14?

# %%
points = comorbidity.points(result, "elixhauser").query("patient_id == 'p12' and points != 0")
points.groupby("item").agg(points=("points", "first"), notes=("note_id", "size"), text=("text", "first"))

# %%
texts = result.notes.set_index("note_id")["text"]
heavy = points[points["item"] != "obesity"].drop_duplicates("item")
around = [texts[p.note_id][p.start - 25 : p.end + 40].replace("\n", " ") for p in heavy.itertuples()]
heavy[["item", "points", "note_id", "text"]].assign(around=around)

# %% [markdown]
# **What to notice:** a fatty liver seen on ultrasound weighs as much as a cirrhosis, and a heart that pumps normally
# again still has its points. No flag is wrong here: the index counts what is *named*, not how bad it is. `points`
# lets you see this in a minute. Look first at what weighs most, and at what a single note says.
#
# ## 6. Flags are not the truth
#
# So check a sample by hand. We ask of **anaemia**: does the note show that the patient has, or had, it? First write
# the rule down, or two people will answer two questions:
#
# > A case: the note says so, **or** gives a haemoglobin below 13 g/dL in a man, 12 in a woman, 11 in pregnancy
# > (WHO 2011).
#
# In a notebook of your own, you would check with the review widget:
#
# ```python
# sample = agreement.next_to_review(result, "anemia", n=20)
# clinnlp.review.review(result, "anemia", "reviews.csv", reviewer="Ada", notes=sample)
# ```
#
# It shows one note at a time, the evidence marked in it, and what the flag claims. `a` agrees, `d` disagrees, `u` is
# unsure, `z` takes back, the arrows move. Each verdict goes to the file at once; opened again, it resumes.
#
# Which notes? Drawn by chance, both of the *flagged* and of the *unflagged*: whoever reads only what was flagged never
# meets what was missed.

# %%
sample = agreement.next_to_review(result, "anemia", n=20)
sample.head(5)

# %% [markdown]
# To spare you the reading, here are the verdicts on all 74 notes. Each was searched for the word and for the value, and
# read around them. In these notes Ada **disagrees** with the flag, by the reason; with all the others she agrees. (Ada,
# and Ben who comes later, are invented.)

# %%
reasons = {
    "a value below 12 g/dL, the word is not written": "p01-07 p06-03 p06-04 p06-06 p07-02 p07-03 p07-06 p11-05",
    "a man, a value between 12 and 13 g/dL": "p01-01 p01-05 p03-01 p06-01",
    "a value in g/L, without its unit": "p04-03",
}
disagreed = {note: reason for reason, ids in reasons.items() for note in ids.split()}

# %% [markdown]
# A verdict is on *the note being a case or not*. To agree with `present` says "a case". To agree with `absent`,
# `silent` or `implied` says "no case"; to disagree with one of these says "a case, and it was missed".
#
# The widget is a window on a `Session`. We press its keys from Python, as Ada would:

# %%
pairs = sample[["note_id", "condition"]].itertuples(index=False)
with TemporaryDirectory() as folder:
    session = Session(result, pairs, Path(folder, "reviews.csv"), "Ada")
    shown = session.view()
    for item in session.items:
        session.press("d" if item.note_id in disagreed else "a")
    first_20 = session.reviews
pd.DataFrame([shown])[["position", "total", "about", "condition", "status", "meaning"]]

# %%
first_20.head(5)

# %% [markdown]
# ## 7. The corrected prevalence
#
# Of 74 notes, 14 are flagged. What do Ada's 20 verdicts say of the flags?

# %%
accuracy = agreement.flag_accuracy(result, "anemia", first_20)
accuracy

# %% [markdown]
# - **Precision:** of the flagged, how many are cases? **Npv:** of the unflagged, how many are none?
# - **Sensitivity:** of the cases, how many are flagged? **Specificity:** of those without it, how many are unflagged?
#
# **Predict:** the flags give 19 %. Is the true share of notes higher, or lower?

# %%
agreement.corrected_prevalence(result, "anemia", first_20)

# %% [markdown]
# **Higher, by far.** Two ways to see the number. In words: what we *see* flagged is the cases that are found plus the
# false alarms. Take away the false alarms, then make up for the cases that are missed. This is the formula of Rogan
# and Gladen. Or count: a checked note stands for its whole stratum. All 6 flagged ones were cases, and so were 6 of
# the 14 unflagged.

# %%
apparent = 14 / 74
sensitivity, specificity = accuracy["estimate"][2:]
by_formula = (apparent + specificity - 1) / (sensitivity + specificity - 1)
by_count = (14 * 6 / 6 + 60 * 6 / 14) / 74
round(by_formula, 3), round(by_count, 3)

# %% [markdown]
# **What to notice:** the plain share of the 20 that are cases is 12 / 20 = 60 %. That is wrong: nearly half of the
# flagged were drawn, and only a quarter of the unflagged. The weights put this right.
#
# ### Which notes next?

# %%
more = agreement.next_to_review(result, "anemia", first_20, n=20)
more["stratum"].value_counts().to_frame()

# %% [markdown]
# All twenty are unflagged. The six flagged ones were all right, so there is little left to learn of them. Of the
# unflagged nearly half were wrong, and there are 46 more: that is where the doubt is, so that is where to look.
#
# Go on in twenties to the end:


# %%
def read(drawn):
    """Give Ada's verdicts on the notes that were drawn."""
    verdicts = drawn["note_id"].isin(disagreed).map({True: "disagree", False: "agree"})
    return drawn.assign(verdict=verdicts, reviewer="Ada")[first_20.columns]


rounds = [first_20]
for _ in range(3):
    so_far = pd.concat(rounds)
    rounds.append(read(agreement.next_to_review(result, "anemia", so_far, n=20)))
stages = [pd.concat(rounds[: k + 1], ignore_index=True) for k in range(4)]
shrinking = pd.concat([agreement.corrected_prevalence(result, "anemia", s).assign(checked=len(s)) for s in stages])
shrinking = shrinking.assign(width=shrinking["high"] - shrinking["low"]).reset_index(drop=True)
figure = px.scatter(
    shrinking.assign(up=shrinking["high"] - shrinking["prevalence"], down=shrinking["prevalence"] - shrinking["low"]),
    x="checked", y="prevalence", error_y="up", error_y_minus="down", range_x=[0, 80], range_y=[0, 1],
    template="none", height=340, labels={"checked": "notes checked", "prevalence": "share of notes"},
)  # fmt: skip
figure.add_hline(14 / 74, line_dash="dash", annotation_text="flagged: 19 %", annotation_position="bottom right").show()
shrinking[["checked", "apparent", "prevalence", "low", "high", "width"]]

# %% [markdown]
# **What to notice:**
#
# - The interval shrinks, but not to nothing: even with all 74 read, they are a sample of all the notes there might be.
# - The first estimate was far from the last one, and its interval said that this could be.
# - The dashed line lies outside all four intervals. The error of the flags is larger than that of chance, and no number
#   of *unread* notes would make it smaller.
#
# ### Why were they missed?

# %%
missed = pd.DataFrame({"note_id": list(disagreed), "reason": list(disagreed.values())}).merge(
    result.notes, on="note_id"
)
pd.crosstab(missed["reason"], missed["sex"])

# %% [markdown]
# The rules know one limit, 12 g/dL, for all, and what only a value points to is `implied`, which is no case by default.
# So they miss more in men. Does the correction know? **Predict:** will the corrected share of men be right, too high or
# too low?

# %%
everything = stages[-1]
flagged = everything["status"].isin(cohort.CASES)
by_hand = everything.assign(case=flagged == (everything["verdict"] == "agree")).merge(result.notes, on="note_id")
by_sex = agreement.corrected_prevalence(result, "anemia", everything, by="sex")
by_sex.assign(by_hand=by_sex["group"].map(by_hand.groupby("sex")["case"].mean()))[
    ["group", "n", "flagged", "apparent", "prevalence", "by_hand", "low", "high"]
]

# %% [markdown]
# **What to notice:** too low in men, too high in women. The correction uses *one* sensitivity for both groups: 52 %. It
# is 38 % in men and 64 % in women. A difference between groups that comes out of a correction may be one of the flags,
# not of the patients. (The intervals are wide enough to hold the truth here. With thousands they would not be.)
# To compare groups, check enough of each.
#
# ### Notes or patients?
#
# So far the **unit** was the note. "How many *patients*?" is another question: one case among the notes makes a case.

# %%
units = [agreement.corrected_prevalence(result, "anemia", everything, unit=unit) for unit in ("notes", "patients")]
pd.concat(units, ignore_index=True)

# %% [markdown]
# **What to notice:** of patients, 7 of 12 are flagged and 8 are cases: whom one note misses, another one finds. The
# interval is far wider: there are 12 patients. That over notes is too narrow, since six notes of one patient are not
# six independent witnesses. Which unit is right? That of your question.
#
# ## 8. A second reviewer
#
# Ben has read the first forty notes too, but nobody showed him the rule. He calls a value low only if the note marks it
# as low, and is not sure of an ulcer that bled.

# %%
ada = stages[1]
ben_differs = {"p03-05": "unsure", "p04-03": "agree", "p05-04": "disagree", "p06-03": "agree", "p07-03": "agree"}
ben = ada.assign(reviewer="Ben", verdict=ada["note_id"].map(ben_differs).fillna(ada["verdict"]))
two = pd.concat([ada, ben], ignore_index=True)
agreement.kappa(two)

# %% [markdown]
# They agree on 35 of 40. Some of this they would by chance, since both press `a` most of the time. **Kappa** is what
# remains: 0 is no better than chance, 1 is perfect.

# %%
agreement.disagreements(two)

# %% [markdown]
# **What to notice:** these five are no slips. Ben and Ada follow two rules. (Look at `p05-04`: the flag came from
# "low blood counts", which there are a *risk* of the drug. The haemoglobin further down is 108 g/L, so it is right
# for a wrong reason.) What to do:
#
# 1. Read the five notes together, and do not vote: find the sentence of the rule that is missing.
# 2. Write it down ("also a value that is not marked"), and read again what it touches.
# 3. What stays open goes to a third person, or stays `unsure`.
#
# What is it worth? Where two differ, the note counts as not checked. After the talk, say, they settle on Ada's reading.

# %%
agreed = two.assign(verdict=two["note_id"].map(ada.set_index("note_id")["verdict"]))
versions = {"Ada alone": ada, "Ben alone": ben, "both, before the talk": two, "both, after the talk": agreed}
rows = [agreement.corrected_prevalence(result, "anemia", reviews) for reviews in versions.values()]
pd.concat(rows)[["prevalence", "low", "high"]].set_axis(list(versions))

# %% [markdown]
# **What to notice:** leaving the disputed notes out is not harmless. They are the hard ones, not a random few, and here
# most of them are cases.
#
# ## 9. When something is wrong
#
# Eight notes are too few. This cell breaks on purpose: the message says what is lacking, and what draws it.

# %% tags=["raises-exception"]
agreement.flag_accuracy(result, "anemia", first_20.head(8))

# %% [markdown]
# **What to notice:** it does not give a number that looks like the others. Of the *flagged*, at least five must be
# read, whatever the number of all.

# %% [markdown]
# ## Exercises
#
# The solutions are in [solutions/07_explore_a_cohort_solutions](solutions/07_explore_a_cohort_solutions.ipynb).
#
# **1.** With pandas: the patients with hypertension *or* diabetes, but *without* chronic kidney disease.
#
# <details><summary>Hint</summary>
#
# `|` is or, `&` is and, `~` is not. `&` goes before `|`, so put brackets around the "or".
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_filter(rows):
    assert isinstance(rows, pd.DataFrame), "give rows of the table: table[...], with the filter in the brackets."
    either, kidney = table["hypertension"] | table["diabetes"], table["chronic_kidney_disease"]
    ids, wanted = set(rows.index), set(table.index[either & ~kidney])
    ill = ids & set(table.index[kidney])
    assert not ill, f'{len(ill)} of yours have chronic kidney disease. Which sign says not? Is the "or" in brackets?'
    assert ids <= set(table.index[either]), f"{len(ids - wanted)} of yours have neither of the two diseases."
    assert ids == wanted, (
        f"{len(wanted - ids)} of {len(wanted)} are missing: is one of the two diseases enough for you?"
    )
    return f"{len(ids)} patients, and none has chronic kidney disease."


# %% tags=["exercise"]
my_patients = table[table["hypertension"]]  # change this filter

attempt(check_filter, my_patients)

# %% tags=["solution"]
either = table["hypertension"] | table["diabetes"]

attempt(check_filter, table[either & ~table["chronic_kidney_disease"]])

# %% [markdown]
# **2.** Eight of the 74 notes are flagged for sepsis. Be the reviewer, by this rule:
#
# > A case: the note names sepsis as what the patient has, or had. A question, or the name of a treatment, does not do.
#
# With which of the eight flags do you disagree? Below is what speaks for each flag. Before you answer: will the
# corrected prevalence be higher or lower than what is flagged? (In the other 66 notes, Ada has found no case.)

# %%
sepsis = result.flags.query("condition == 'sepsis' and status in @cohort.CASES")["note_id"].tolist()
told = result.evidence.query("condition == 'sepsis' and polarity == 'for' and note_id in @sepsis")
around = [" ".join(texts[t.note_id][t.start - 42 : t.end + 42].split()) for t in told.itertuples()]
told[["note_id", "assertion"]].assign(around=around).reset_index(drop=True)

# %% [markdown]
# <details><summary>Hint</summary>
#
# One row that names it as a diagnosis is enough, so read all rows of a note. If a row is not enough to tell, open the
# note: `explore(result, "p05-06")`.
#
# </details>


# %% tags=["check"]
def check_sepsis(ids):
    ids, wrong = set([ids] if isinstance(ids, str) else ids), {"p04-03", "p04-04"}
    assert ids <= set(sepsis), f"{', '.join(sorted(ids - set(sepsis)))}: not among the eight notes that are flagged."
    extra, missing = sorted(ids - wrong - {"p02-03"}), len(wrong - ids)  # p02-03 can be argued
    assert not extra, f"{extra[0]} does name sepsis as what the patient has or had. Read all its rows."
    assert not missing, (
        f"{missing} more among the eight: which of them only asks, or names a treatment, or takes it back?"
    )
    every = agreement.next_to_review(result, "sepsis", n=len(result.notes))
    verdicts = every["note_id"].isin(ids).map({True: "disagree", False: "agree"})
    share = agreement.corrected_prevalence(result, "sepsis", every.assign(verdict=verdicts, reviewer="you")).iloc[0]
    return (
        f"{share['apparent']:.1%} of the notes are flagged, {share['prevalence']:.1%} are cases. False alarms pull the "
        "corrected share down, cases that were missed push it up; the larger of the two wins."
    )


# %% tags=["exercise"]
my_disagreed = {"p05-06"}  # change: the ids of the notes whose flag is wrong

attempt(check_sepsis, my_disagreed)

# %% [markdown] tags=["solution"]
# In p04-03 "Sepsis 6" is the name of a treatment, and the impression has a question mark. p04-04 says it outright:
# treated on the sepsis pathway, sepsis not confirmed; "urosepsis" is what somebody coded. p05-06 tells of an admission
# in July *with* sepsis, so it is a case that is over. p02-03 can be argued: "early sepsis" in the course, and "R/o
# sepsis" as the diagnosis. The check takes it either way.

# %% tags=["solution"]
attempt(check_sepsis, {"p04-03", "p04-04"})

# %% [markdown]
# **3.** A trap. Twelve patients, two wards: ward A (the women) has sent the first two notes of each patient, ward B
# (the men) all of them. Where is anaemia more common, by the flags?


# %%
def flagged_patients(keep):
    """Count, in each ward, the patients with a flag in the first `keep[ward]` notes."""
    wards = result.notes["sex"].map({"F": "A", "M": "B"})
    dated = result.notes.assign(ward=wards).sort_values(["patient_id", "date", "note_id"])
    kept = dated[dated.groupby("patient_id").cumcount() < dated["ward"].map(keep)]
    found = result.flags.query("condition == 'anemia' and status in @cohort.CASES")["note_id"]
    seen = kept.assign(flagged=kept["note_id"].isin(found)).groupby(["ward", "patient_id"])["flagged"].any()
    counted = seen.groupby("ward").agg(patients="size", flagged="sum")
    return counted.assign(notes=kept.groupby("ward").size(), share=counted["flagged"] / counted["patients"])


flagged_patients({"A": 2, "B": 7})

# %% [markdown]
# Ward B, it seems. Make the comparison fair: choose how many notes of each patient are read.
#
# <details><summary>Hint</summary>
#
# What does one more note do to the chance that a patient is flagged in *any* note? And how many notes can ward A give?
#
# </details>


# %% tags=["check"]
def check_fair(keep):
    assert sorted(keep) == ["A", "B"], "give one number for A and one for B."
    assert min(keep.values()) >= 1, "without a note nobody can be flagged."
    assert keep["A"] <= 2, "ward A has sent no more than two notes of a patient."
    assert keep["B"] <= keep["A"], "each note is one more chance to be flagged, and B has more of them than A."
    assert keep["B"] == keep["A"], "now each patient of A has more chances than one of B."
    a, b = flagged_patients(keep)["flagged"]
    return f"now ward A has {a} of 6 and ward B {b} of 6. B was ahead only because more of it was read."


# %% tags=["exercise"]
my_keep = {"A": 2, "B": 7}  # change: the number of notes of each patient

attempt(check_fair, my_keep)

# %% [markdown] tags=["solution"]
# The same number of notes in both wards, and that can be two at most. This is what happens to the same twelve patients,
# the more notes of each are read:

# %% tags=["solution"]
growth = pd.concat([flagged_patients({"A": k, "B": k}).assign(k=k) for k in range(1, 8)]).reset_index()
px.line(
    growth, x="k", y="flagged", color="ward", symbol="ward", line_dash="ward", markers=True, range_y=[0, 6.3],
    template="none", height=320, labels={"k": "notes read", "flagged": "patients flagged"},
).show()  # fmt: skip
growth.pivot(index="ward", columns="k", values="flagged")

# %% [markdown] tags=["solution"]
# **What to notice:** nobody fell ill between two columns of this table; we only read on. More notes, more chances: of
# a true finding and of a false alarm. Look at "notes per patient" in Table 1 before you compare groups. (And think:
# are the patients with many notes not also the more ill? Then cutting all to two notes hides something true.)

# %% tags=["solution"]
attempt(check_fair, {"A": 2, "B": 2})

# %% [markdown]
# ## Limits
#
# - Twelve invented patients say nothing about any real ones. Here the point is the way, not the numbers.
# - No clinician has adjudicated the definitions of the conditions, nor the verdicts on this page.
# - Verdicts belong to the statuses that count as a case. Count `implied` too, and "disagree" with an implied flag means
#   the opposite: then review those notes again.
# - The correction is as good as the sample: drawn at random, and read by the rule.
# - A search finds what is written, and only as it is spelt.
#
# **Recap.** Search, and read what was found; a filter on what is asserted; Table 1, read as a proof-reader; a share
# with its interval; a rule, a random sample of flagged *and* unflagged notes, verdicts; then a corrected share with an
# interval that is honest. Next: `08_fine_tune`.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | case | a patient, or a note, with the condition |
# | interval | the values that fit what was seen: wide where little was seen |
# | prevalence | the share with a condition; *apparent*: the share flagged; *corrected*: after the errors of the flags |
# | lift | how many have both of two conditions, over how many would by chance |
# | comorbidity | a disease beside the one in question; an index adds points for those that last |
# | stratum | a part of the notes that is sampled by itself, such as the flagged ones |
# | sensitivity, specificity | of the cases, the share flagged; of the others, the share not flagged |
# | unit | what is counted: notes or patients |
# | kappa | agreement of two readers beyond chance |
