# %% [markdown]
# # Load notes and look at them
#
# **Goal:** read notes from the formats you will meet, see what is wrong with them, and know your corpus before any
# model reads it. **You need:** `00_start_here`. **Time:** fifteen minutes.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import plotly.io

import clinnlp

plotly.io.renderers.default = "plotly_mimetype"
notes = clinnlp.read_notes("../sample_data/notes.csv")
notes.dtypes

# %% [markdown]
# Ids are strings, also when they look like numbers, and dates are dates. Your own columns would follow these five.

# %%
notes.groupby("note_type").agg(notes=("note_id", "count"), median_length=("text", lambda t: int(t.str.len().median())))

# %% [markdown]
# ## Columns with other names
#
# Common names are guessed: here those of a hospital export.

# %%
export = pd.DataFrame(
    {
        "subject_id": [10, 10],
        "note_id": ["n1", "n2"],
        "charttime": ["2131-04-12 08:00", "2131-04-13 09:30"],
        "text": ["CC: cough", "CC: fever"],
    }
)
clinnlp.read_notes(export)

# %% [markdown]
# ## A folder of text files

# %%
with TemporaryDirectory() as folder:
    Path(folder, "visit-1.txt").write_text("HPI: dizzy since Monday", encoding="utf-8")
    Path(folder, "visit-2.txt").write_text("PLAN: recheck BP", encoding="utf-8")
    from_folder = clinnlp.read_notes(folder)
from_folder[["note_id", "text"]]

# %% [markdown]
# ## When something is wrong
#
# An error says what was found and what to do. This cell fails on purpose, and shows how.

# %%
try:
    clinnlp.read_notes(pd.DataFrame({"note_id": ["a", "a"], "text": ["one", "two"]}))
except clinnlp.ClinnlpError as error:
    print(type(error).__name__, "-", error)

# %% [markdown]
# A fault in one row does not cost you the others: the row is kept, and the fault is listed.

# %%
faulty = clinnlp.read_notes(pd.DataFrame({"note_id": ["a", "b"], "text": ["No fever.", None]}))
result = clinnlp.annotate(faulty, clinnlp.load())
result.errors

# %% [markdown]
# ## Look before you count
#
# How are the notes spread over time? First the table for the first eight notes, then the picture of all 74.

# %%
clinnlp.plots.notes_per_period(clinnlp.annotate(notes.head(8), clinnlp.load()))

# %%
sample = clinnlp.annotate(notes, clinnlp.load())
clinnlp.plots.notes_over_time(sample)

# %% [markdown]
# Which sections do the notes have? Headers come in every style, so each has a category.

# %%
sample.sections["category"].value_counts().head(12)

# %%
sample.sections.query("category == 'past_medical_history'")["header"].value_counts().sort_index().sort_values(
    ascending=False, kind="stable"
)

# %% [markdown]
# **What to notice:** one category, many headers. A search for "PAST MEDICAL HISTORY" would have missed most of them.
#
# ## Copied text
#
# Notes repeat each other. Which paragraphs stand in more than one note?

# %%
paragraphs = notes.assign(paragraph=notes["text"].str.split(r"\n\s*\n", regex=True)).explode("paragraph")
paragraphs = paragraphs[paragraphs["paragraph"].str.len() > 200]
copied = paragraphs.groupby("paragraph")["note_id"].agg(["nunique", "first", "last"]).query("nunique > 1")
copied.reset_index(drop=True)

# %% [markdown]
# **Recap.** Reading never changes a note; faults are listed, not hidden; look at types, lengths, dates, headers and
# copies before you count conditions. **Exercise:** read a CSV of your own with `text_column=...`, and find the note
# type with the longest notes. Next: `02_from_text_to_flags`.
