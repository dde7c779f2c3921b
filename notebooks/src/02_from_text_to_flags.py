# %% [markdown]
# # From text to flags
#
# **Goal:** follow one note through the pipeline, step by step, and see why "no chest pain" is not chest pain.
# **You need:** `00_start_here`. **Time:** twenty minutes.

# %%
import pandas as pd
import plotly.io

import clinnlp

plotly.io.renderers.default = "plotly_mimetype"
nlp = clinnlp.load()
nlp.pipe_names

# %% [markdown]
# ## 1. Words, sentences, sections
#
# A note is messy on purpose here: a hard-wrapped line, a list, a form.

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

# %%
pd.DataFrame([(s.header, s.category, s.body_start, s.body_end) for s in doc._.sections])

# %% [markdown]
# ## 2. Entities and their assertion
#
# Before you run the next cell, predict: which of the findings does the patient have now?

# %%
pd.DataFrame(
    [(e.text, e.label_, e._.assertion, e._.cue, e._.rule) for e in doc.ents],
    columns=["text", "label", "assertion", "cue", "rule"],
)

# %% [markdown]
# **What to notice:** the cue is the word that decided, and the rule can be looked up. One cue can reach several
# findings in a list, and stops at the end of the sentence.
#
# ## 3. Medications and measurements

# %%
pd.DataFrame([(m.text, m.dose, m.route, m.frequency, m.status) for m in doc._.medications])

# %%
labs = nlp("VS: BP 169/74, HR 88, T 38.2 C. Labs: Cr 1.4 -> 2.1, K 4.9, HbA1c 8.2%")
pd.DataFrame([(m.test, m.value, m.number, m.unit, m.interpretation) for m in labs._.measurements])

# %% [markdown]
# ## 4. Flags
#
# A condition is defined as data: names, look-alikes, what states it and what points to it.

# %%
print(clinnlp.conditions.explain("heart_failure"))

# %%
result = clinnlp.annotate(pd.DataFrame({"note_id": ["demo"], "text": [text]}), nlp)
result.flags[["condition", "status", "basis", "evidence", "rule"]]

# %%
result.evidence[["condition", "polarity", "text", "assertion", "section", "rule"]]

# %% [markdown]
# **What to notice:** a family history is not the patient's; "rule out" is uncertain; a former smoker is historical; a
# bypass states coronary artery disease although nobody wrote the words.
#
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

# %%
notes = clinnlp.read_notes("../sample_data/notes.csv")
cohort = clinnlp.annotate(notes, nlp)
clinnlp.plots.conditions_by_status(cohort)

# %%
clinnlp.plots.counts_by_status(cohort).head(10)

# %% [markdown]
# Where does one patient's story disagree with itself?

# %%
both = cohort.patient_flags.query("notes_for > 0 and notes_against > 0")
both[["patient_id", "condition", "status", "notes_for", "notes_against"]]

# %% [markdown]
# **Recap.** Text, sentences and sections, entities, assertion, flags: every step keeps its offsets and says why.
# **Exercise:** change one word of the demo note so that `pneumonia` becomes present, then absent.
# **Limits:** these are rules; they will be wrong on sentences nobody thought of. `evidence` is there to be read.
