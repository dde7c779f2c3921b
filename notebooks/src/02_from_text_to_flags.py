# %% [markdown]
# # From text to flags
#
# **Goal:** follow one note through the pipeline, step by step, and see why "no chest pain" is not chest pain.
# **You need:** `01_load_and_look`. **Time:** forty minutes.
#
# The note and the sentences were invented for this page; the cohort at the end is synthetic.

# %%
import pandas as pd
import plotly.io

import clinnlp

plotly.io.renderers.default = "plotly_mimetype"
nlp = clinnlp.load()
nlp.pipe_names

# %% [markdown]
# **What to notice:** the pipeline is a row of components. Each reads what those before it found, and adds its own.
#
# ## 1. Sentences and sections
#
# A note is messy on purpose here: a line that is broken in the middle of a sentence, a list, a form.

# %%
text = """HPI: 61M w/ HTN and DM2 c/o SOB for three days, worse when
lying flat. Denies chest pain, fever or chills.
PMH:
- MI in 2019 s/p CABG
- Former smoker
FAMILY HISTORY: Mother had breast cancer.
ROS: cough (+), hemoptysis (-)
PLAN: Lasix 40 mg PO BID. Return if fever develops. Rule out pneumonia."""
doc = nlp(text)
[sentence.text for sentence in doc.sents]

# %% [markdown]
# **What to notice:** the break after "worse when" ends no sentence; the breaks of the list do.

# %%
pd.DataFrame(
    [(s.header, s.category, text[s.body_start : s.body_end]) for s in doc._.sections],
    columns=["header", "category", "body"],
)

# %% [markdown]
# ## 2. Entities and their assertion
#
# **Predict first:** which of the diseases and symptoms does the patient have now?

# %%
pd.DataFrame(
    [(e.text, e.label_, e._.assertion, e._.cue, e._.rule) for e in doc.ents],
    columns=["text", "label", "assertion", "cue", "rule"],
).fillna("")

# %% [markdown]
# **What to notice:** the cue is the word that decided, and the rule can be looked up. "Denies" reaches all three of its
# list, and stops at the end of the sentence. Fever stands here twice: denied now, and feared for later. One entity is
# wrong: `HPI` is a header, no test.
#
# ## 3. Medications and measurements
#
# A drug is read with its dose, a number with its test.

# %%
pd.DataFrame(
    [(m.text, m.dose, m.route, m.frequency, m.status) for m in doc._.medications],
    columns=["drug", "dose", "route", "frequency", "status"],
)

# %%
labs = nlp("VS: BP 169/74, HR 88, T 38.2 C. Labs: Cr 1.4 -> 2.1, K 4.9, HbA1c 8.2%")
pd.DataFrame(
    [(m.test, m.value, m.unit, m.interpretation) for m in labs._.measurements],
    columns=["test", "value", "unit", "interpretation"],
).fillna("")

# %% [markdown]
# **What to notice:** an arrow joins two values of creatinine, and each is a measurement. `05` goes into these.
#
# ## 4. Flags
#
# A condition is defined as data: what states it, what only looks like it, what points to it.

# %%
print(clinnlp.conditions.explain("gout"))

# %% [markdown]
# The next cell breaks on purpose. A name that does not exist is refused, and those that do are listed.

# %% tags=["raises-exception"]
clinnlp.conditions.explain("goutt")

# %% [markdown]
# Now the whole note. **Predict first:** which conditions will be flagged, and with which status?

# %%
result = clinnlp.annotate(pd.DataFrame({"note_id": ["demo"], "text": [text]}), nlp)
result.flags[["condition", "status", "basis", "evidence", "rule"]]

# %%
result.evidence[["condition", "polarity", "text", "assertion", "section"]]

# %% [markdown]
# **What to notice:** a family history is not the patient's; "rule out" is uncertain; a former smoker is historical; a
# bypass (CABG) states coronary artery disease although nobody wrote the words. What speaks neither for nor against is
# kept as `context`.
#
# The same in the note itself:

# %%
result.show("demo")

# %% [markdown]
# ## 5. Implied, not stated
#
# Metformin and an HbA1c of 8.2 % point to diabetes. Nothing states it, and the flag says so.

# %%
hint = clinnlp.annotate(
    pd.DataFrame({"note_id": ["hint"], "text": ["Meds: metformin 500 mg BID. Labs: HbA1c 8.2%"]}), nlp
)
hint.flags[["condition", "status", "basis", "evidence"]]

# %% [markdown]
# ## 6. The whole cohort
#
# The flags of all notes of a patient become the patient's. How many patients have what?

# %%
notes = clinnlp.read_notes("../sample_data/notes.csv")
cohort = clinnlp.annotate(notes, nlp)
clinnlp.plots.conditions_by_status(cohort)

# %%
clinnlp.plots.counts_by_status(cohort).head(8)

# %% [markdown]
# Where does a patient's story disagree with itself?

# %%
both = cohort.patient_flags.query("notes_for > 0 and notes_against > 0").reset_index(drop=True)
both[["patient_id", "condition", "status", "notes_for", "notes_against"]].head(8)

# %% [markdown]
# **What to notice:** a disagreement is no error as such: what one note denies, a later one may find. But it is where to
# look first. For the patient's status, one note that says `present` is enough, whatever the others say.

# %% [markdown]
# ## Exercises
#
# Change the cell, run it, and read what the check says. The solutions are in
# [solutions/02_from_text_to_flags_solutions](solutions/02_from_text_to_flags_solutions.ipynb).
#
# **1.** The note ends with "Rule out pneumonia." Write two other endings: after one the flag of pneumonia is `present`,
# after the other `absent`.
#
# <details><summary>Hint</summary>
#
# A word before "pneumonia" may be an order, a doubt or a denial. Which of the three is "rule out", and which words are
# of the other kinds, or of none?
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def flag_of(note, condition):
    """Give the flag of a condition in a note, or nothing."""
    flags = clinnlp.annotate(pd.DataFrame({"note_id": ["a"], "text": [note]}), nlp).flags
    return next(flags.query("condition == @condition").itertuples(), None)


def check_endings(present, absent):
    for ending, wanted in ((present, "present"), (absent, "absent")):
        flag = flag_of(text.replace("Rule out pneumonia.", ending), "pneumonia")
        assert flag, f"{ending!r} gives no flag at all. Does it name the pneumonia?"
        assert flag.status == wanted, f"{ending!r} makes the flag {flag.status}; it should be {wanted}."
    return "the same disease, and one word decides."


# %% tags=["exercise"]
my_present = "Rule out pneumonia."  # change this sentence
my_absent = "Rule out pneumonia."  # and this one

attempt(check_endings, my_present, my_absent)

# %% tags=["solution"]
attempt(check_endings, "Has pneumonia.", "No pneumonia.")

# %% [markdown]
# **2.** Write a short note that implies migraine and does not state it.
#
# <details><summary>Hint</summary>
#
# What points to migraine? The definition says: look it up as that of gout above.
#
# </details>


# %% tags=["check"]
def check_migraine(note):
    flag = flag_of(note, "migraine")
    assert flag, "nothing found in it points to migraine: symptoms alone do not. What would a patient take for it?"
    assert flag.basis != "stated", f"{flag.evidence!r} states it: the status is {flag.status}."
    assert flag.status == "implied", f"the status is {flag.status}, not implied."
    return f"{flag.evidence!r} points to it, and nobody said the word."


# %% tags=["exercise"]
my_note = "Bad headaches on one side, with flashes of light."  # change this note

attempt(check_migraine, my_note)

# %% [markdown] tags=["solution"]
# `print(clinnlp.conditions.explain("migraine"))` lists the drugs that imply it.

# %% tags=["solution"]
attempt(check_migraine, "Meds: sumatriptan 50 mg PRN.")

# %% [markdown]
# **3.** Somebody counts patients with diabetes by a search for the word. Which patients would be counted by mistake:
# found by the search, but with no diabetes by their flags? Give their ids as a set.
#
# <details><summary>Hint</summary>
#
# `cohort.patient_flags` has a row for a patient and a condition. Take the set of those whose diabetes is `present`, and
# subtract it.
#
# </details>


# %% tags=["check"]
def check_mistakes(patients):
    flags = cohort.patient_flags.query("condition == 'diabetes'").set_index("patient_id")["status"]
    have = set(flags[flags == "present"].index)
    found = set(notes[notes["text"].str.contains("diabetes", case=False)]["patient_id"])
    assert not set(patients) & have, "some of these do have diabetes: the search was right about them."
    assert set(patients) <= found, "some of these the search does not find: all their ids must come from it."
    assert set(patients) == found - have, "some are missing: who has no flag, or another status than present?"
    return f"{len(found)} found, {len(found - have)} of them by mistake."


# %% tags=["exercise"]
searched = set(notes[notes["text"].str.contains("diabetes", case=False)]["patient_id"])
my_patients = searched  # without those who have it

attempt(check_mistakes, my_patients)

# %% tags=["solution"]
searched = set(notes[notes["text"].str.contains("diabetes", case=False)]["patient_id"])
have_it = set(cohort.patient_flags.query("condition == 'diabetes' and status == 'present'")["patient_id"])

attempt(check_mistakes, searched - have_it)

# %% [markdown]
# ## Limits
#
# These are rules; they will be wrong on sentences that nobody thought of. `evidence` is there to be read. A drug that
# implies a disease is often given for another.
#
# **Recap.** Text, sentences and sections, entities, assertion, flags: every step keeps its offsets and says why. Next:
# `03_models_and_entities`.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | pipeline | the row of components that a note goes through |
# | label | what kind of thing an entity is: DISEASE, SYMPTOM, MEDICATION |
# | stated, implied | named, or done for it; only pointed to by a drug or a value |
# | look-alike | words that contain the name of a condition and do not mean it: "pseudogout" |
# | basis | what a flag rests on: words that state it, a drug, a measurement |
# | cohort | the patients, or the notes, that are studied together |
