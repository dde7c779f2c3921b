# %% [markdown]
# # Start here
#
# **Goal:** from a table of notes to entities, flags, a summary and a picture, then the same with your own notes.
# **You need:** Python and a little pandas. **Time:** ten minutes.
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
# **What to notice:** struck words are denied, and each word shows its section and the cue when you point at it.
#
# ## Who has what?
#
# A **flag** is what a note says of a condition. Over the notes of a patient, flags become patient flags.

# %%
result.patient_flags.query("patient_id == 'p01'")

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
# ## What went wrong?
#
# A note that cannot be read or annotated does not stop the run: it becomes a row of `errors`.

# %%
own.errors

# %% [markdown]
# **Recap.** `read_notes`, `load`, `annotate`; tables with offsets; flags with evidence. Save everything, with a report
# for the browser, by `result.save("out")`.
#
# **Limits.** Rules and dictionaries miss what they do not know, and read some sentences wrongly. Check a sample by hand
# before you count anything. Next: `01_load_and_look`.
