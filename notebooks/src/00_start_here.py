# %% [markdown]
# # Start here
#
# **Goal:** from a table of notes to entities, flags, a summary and a picture, then the same with your own notes.
# **You need:** Python and a little pandas. **Time:** twenty minutes.
#
# The 74 notes are synthetic: they were written for this project, and no patient is behind them. What you see is
# for learning and research, never for a clinical decision.

# %%
import clinnlp

notes = clinnlp.read_notes("../sample_data/notes.csv")
notes[["note_id", "patient_id", "date", "note_type"]].head()

# %% [markdown]
# `load()` builds the pipeline and `annotate()` runs it. The result is one table for each kind of finding.

# %%
nlp = clinnlp.load()
result = clinnlp.annotate(notes, nlp)
result

# %% [markdown]
# ## What does a note say?
#
# Every finding is a span of the note: `text[start:end]`. Look at the words, the label, and the **assertion**: whether
# the patient has it, had it, denies it, might have it, or a relative has it.

# %%
first = result.entities.query("note_id == 'p01-01'")
first[["start", "end", "text", "label", "assertion", "cue", "section"]].head(12)

# %%
result.show("p01-04")

# %% [markdown]
# **What to notice:** struck words are denied. In JupyterLab a click on a word tells why it was read so: its cue, its
# section, its code, and the flags that it stands behind; on the left are the other notes, and a search. Where widgets
# do not run, you see the note alone.
#
# ## Who has what?
#
# A **flag** is what a note says of a condition. Over the notes of a patient, flags become patient flags.

# %%
flags = result.patient_flags.query("patient_id == 'p01'").copy()
flags["first_date"], flags["last_date"] = flags["first_date"].dt.date, flags["last_date"].dt.date
flags[["condition", "status", "first_date", "last_date", "notes_for", "notes_against"]].head(12)

# %% [markdown]
# Every flag leads back to the words behind it, for and against.

# %%
evidence = result.evidence.merge(notes[["note_id", "patient_id"]], on="note_id")
evidence.query("patient_id == 'p01' and condition == 'heart_failure'")[
    ["note_id", "polarity", "start", "end", "text", "assertion", "section"]
].head(8)

# %%
import plotly.io

plotly.io.renderers.default = "plotly_mimetype"
clinnlp.plots.timeline(result, patient_id="p01")

# %% [markdown]
# ## A summary with its sources
#
# Each line of a summary is a span of the note, not new text.

# %%
result.summaries.query("note_id == 'p01-04'")[["kind", "rank", "text", "start", "end"]]

# %% [markdown]
# ## Your own notes
#
# Any DataFrame, CSV, TSV, JSONL or Parquet file, or a folder of text files will do. Name the columns if they have
# unusual names.

# %%
import pandas as pd

mine = pd.DataFrame(
    {
        "visit": ["a", "b"],
        "words": [
            "Denies chest pain. Takes lisinopril 10 mg daily for HTN.",
            "Mother had breast cancer. No h/o asthma.",
        ],
    }
)
own = clinnlp.annotate(clinnlp.read_notes(mine, id_column="visit", text_column="words"), nlp)
own.entities[["note_id", "text", "label", "assertion"]]

# %%
own.flags[["note_id", "condition", "status", "evidence"]]

# %% [markdown]
# ## When something is wrong
#
# This cell breaks on purpose. Read what the message says was found, and what to do.

# %% tags=["raises-exception"]
clinnlp.annotate(mine, nlp)

# %% [markdown]
# **What to notice:** `annotate` needs the columns `note_id` and `text`, and says how to name yours. A single note that
# cannot be read does not stop a run: it becomes a row of `errors`, and the others go on. Here all went well:

# %%
own.errors

# %% [markdown]
# ## Exercises
#
# Change the cell, run it, and read what the check says. The solutions are in
# [solutions/00_start_here_solutions](solutions/00_start_here_solutions.ipynb).
#
# **1.** How many patients have heart failure now, by their patient flags?
#
# <details><summary>Hint</summary>
#
# `query` takes two conditions joined by `and`; the status of what a patient has now is `present`.
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_patients(number):
    flags = result.patient_flags.query("condition == 'heart_failure'")
    assert number != len(flags), "you counted the patients whose notes speak of it; some deny it."
    assert number == sum(flags["status"] == "present"), "query condition and status, and count the rows with len()."
    return f"{number} of {notes['patient_id'].nunique()} patients have it."


# %% tags=["exercise"]
my_number = len(result.patient_flags.query("condition == 'heart_failure'"))  # change this line

attempt(check_patients, my_number)

# %% tags=["solution"]
number = len(result.patient_flags.query("condition == 'heart_failure' and status == 'present'"))

attempt(check_patients, number)

# %% [markdown]
# **2.** Write one sentence that names chest pain and asthma, so that chest pain is `absent` and asthma belongs to a
# relative: `family`.
#
# <details><summary>Hint</summary>
#
# Who denies it, and whose mother had it? Start from the sentences of `mine`.
#
# </details>


# %% tags=["check"]
def check_sentence(sentence):
    found = {e.text.lower(): e._.assertion for e in nlp(sentence).ents}
    for finding, wanted in (("chest pain", "absent"), ("asthma", "family")):
        assert finding in found, f"the sentence does not name {finding}, or not in these words."
        assert found[finding] == wanted, f"{finding} is read as {found[finding]}. Which word makes it {wanted}?"
    return "one is denied, the other is a relative's."


# %% tags=["exercise"]
my_sentence = "Chest pain and asthma."  # change this sentence

attempt(check_sentence, my_sentence)

# %% tags=["solution"]
attempt(check_sentence, "Denies chest pain; mother had asthma.")

# %% [markdown]
# ## Limits
#
# Rules and dictionaries miss what they do not know, and read some sentences wrongly. Check a sample by hand before you
# count anything.
#
# **Recap.** `read_notes`, `load`, `annotate`; tables with offsets; flags with evidence. Save everything, with a report
# for the browser, by `result.save("out")`. Next: `01_load_and_look`.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | entity | words of a note that name something: a disease, a symptom, a drug, a test |
# | assertion | what a note says of a finding: present, historical, absent, uncertain, hypothetical or a relative's |
# | flag | what a note says of a condition, all its mentions taken together |
# | evidence | the mentions behind a flag, for it, against it, or beside it |
# | offset | the number of a character in the note; a span goes from one offset up to another |
