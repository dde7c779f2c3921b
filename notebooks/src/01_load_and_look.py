# %% [markdown]
# # Load notes and look at them
#
# **Goal:** read notes from the formats you will meet, see what is wrong with them, and know your notes before any
# model reads them.
# **You need:** `00_start_here`. **Time:** thirty minutes.
#
# The notes are synthetic: no patient is behind them.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import plotly.io

import clinnlp

plotly.io.renderers.default = "plotly_mimetype"
pd.set_option("display.max_colwidth", 90)
notes = clinnlp.read_notes("../sample_data/notes.csv")
notes.dtypes

# %% [markdown]
# **What to notice:** ids are strings, also when they look like numbers, so that `007` stays `007`; dates are dates.
# Columns of your own would follow these five.
#
# What kinds of notes are there, and how long are they?

# %%
notes.groupby("note_type").agg(notes=("note_id", "count"), median_length=("text", lambda t: int(t.str.len().median())))

# %% [markdown]
# **What to notice:** the lengths (in characters) differ by a factor of nearly three. A long note names more, so compare
# like with like.
#
# ## 1. Columns with other names
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
# **What to notice:** `subject_id` has become `patient_id`, and `charttime` `date`. There is no note type, and none is
# made up. A guess can be wrong: look at the table before you go on.
#
# ## 2. A folder of text files
#
# The names of the files become the ids.

# %%
with TemporaryDirectory() as folder:
    Path(folder, "visit-1.txt").write_text("HPI: dizzy since Monday", encoding="utf-8")
    Path(folder, "visit-2.txt").write_text("PLAN: recheck BP", encoding="utf-8")
    from_folder = clinnlp.read_notes(folder)
from_folder[["note_id", "text"]]

# %% [markdown]
# ## 3. The formats of others
#
# Hospitals, databases and annotation tools have formats of their own. `formats.read` reads their notes,
# `formats.read_documents` the labels too, and `formats.write` writes.

# %%
clinnlp.formats.list_formats()

# %% [markdown]
# One of them: BRAT keeps the text in one file and the labels, by their offsets, in another beside it. `detect` looks at
# names and contents.

# %%
with TemporaryDirectory() as folder:
    Path(folder, "visit-1.txt").write_text("No fever.", encoding="utf-8")
    Path(folder, "visit-1.ann").write_text("T1\tSYMPTOM 3 8\tfever\n", encoding="utf-8")
    kind = clinnlp.formats.detect(folder)
    documents = list(clinnlp.formats.read_documents(folder))
kind

# %%
documents

# %% [markdown]
# **What to notice:** the label is no word but two offsets: `"No fever."[3:8]` is `fever`. Change one character before
# it, and the label is wrong.
#
# ## 4. When something is wrong
#
# An error says what was found and what to do. The next cell breaks on purpose: two notes have the same id.

# %% tags=["raises-exception"]
clinnlp.read_notes(pd.DataFrame({"note_id": ["a", "a"], "text": ["one", "two"]}))

# %% [markdown]
# That fault is in the whole table. A fault in one row does not cost you the others: the row is kept, and the fault is
# listed. (Nothing below needs the model that finds entities. Without it the pipeline is faster.)

# %%
nlp = clinnlp.load(exclude=["clinnlp_ner"])
faulty = clinnlp.read_notes(pd.DataFrame({"note_id": ["a", "b"], "text": ["No fever.", None]}))
clinnlp.annotate(faulty, nlp).errors

# %% [markdown]
# ## 5. Look before you count
#
# How are the notes spread over time? First the picture, then its sums.

# %%
sample = clinnlp.annotate(notes, nlp)
clinnlp.plots.notes_over_time(sample)

# %%
periods = clinnlp.plots.notes_per_period(sample)
periods.groupby(periods["period"].dt.year)["notes"].sum().to_frame().T

# %% [markdown]
# **What to notice:** some patients live in our years and some after 2128. Where notes are de-identified, dates are
# often shifted, each patient's by a number of its own. The order and the distance of the notes of *one* patient still
# hold; a trend over the years of all patients means nothing.
#
# ### Headers
#
# Which parts do the notes have? Headers come in every style, so each has a category.

# %%
sample.sections["category"].value_counts().head(8).to_frame()

# %%
headers = sample.sections.query("category == 'past_medical_history'")["header"]
headers.value_counts().sort_index().sort_values(ascending=False, kind="stable").head(10).to_frame()

# %% [markdown]
# **What to notice:** one category, many headers. Capitals, abbreviations, and headers that nobody would guess.
#
# ### Copied text
#
# Notes repeat each other. Which long paragraphs stand in more than one note?

# %%
paragraphs = notes.assign(paragraph=notes["text"].str.split(r"\n\s*\n", regex=True)).explode("paragraph")
paragraphs = paragraphs[paragraphs["paragraph"].str.len() > 200]
copied = paragraphs.groupby("paragraph")["note_id"].agg(["nunique", "first", "last"]).query("nunique > 1")
copied.reset_index(drop=True)

# %% [markdown]
# **What to notice:** one paragraph was carried from one note of a patient to another. Who counts mentions, counts it
# twice. This finds exact copies only; a copy in which a word was changed gets by.
#
# ## 6. May you look at these notes at all?
#
# A note that is meant to be de-identified may still say who somebody is. `privacy.check` lists what may.

# %%
letters = pd.DataFrame(
    {
        "note_id": ["a", "b", "c"],
        "text": [
            "Mrs. Okafor, 93 y/o, seen 3/14/2019 for Parkinson's disease.",
            "MRN: 4482190. Call 555-201-4477.",
            "Seen by Dr. [**Last Name**] for Bell's palsy in 2019.",
        ],
    }
)
clinnlp.privacy.check(letters)

# %% [markdown]
# **What to notice:** places and kinds, never the text itself: the list can be shared. Parkinson and Bell are no
# patients here, a year alone points to nobody, and note c holds a placeholder. An age counts from 90 on.
#
# `mask` puts a placeholder in the place of each. That moves offsets, so mask first and annotate after.

# %%
clinnlp.privacy.mask(letters)["text"].tolist()

# %% [markdown]
# ## Exercises
#
# Change the cell, run it, and read what the check says. The solutions are in
# [solutions/01_load_and_look_solutions](solutions/01_load_and_look_solutions.ipynb).
#
# **1.** A ward sends this table. `case` numbers the notes and `id` the patients, `note` says how the letter came in,
# and `dictation` is what was said. Read it so that each of the five columns holds what it should.

# %%
ward = pd.DataFrame(
    {
        "case": ["c1", "c2"],
        "id": [71, 72],
        "seen": ["2131-05-02", "2131-05-09"],
        "clinic": ["Chest clinic", "Heart clinic"],
        "note": ["scanned", "typed"],
        "dictation": ["CC: cough", "CC: fever"],
    }
)
clinnlp.read_notes(ward)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Two guesses are wrong, and three columns are not guessed at all. `help(clinnlp.read_notes)` lists five arguments, one
# for each column.
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_ward(table):
    wrong = {
        "text": "the text is not what was dictated: the guess took another column for it.",
        "note_id": "the note ids are not the cases.",
        "patient_id": "the notes do not lead to patients 71 and 72.",
        "date": "the dates are missing: which column says when the patient was seen?",
        "note_type": "the notes have no type: which column says what kind of letter it is?",
    }
    right = ward.set_axis(["note_id", "patient_id", "date", "note_type", "how", "text"], axis="columns")
    for column, message in wrong.items():
        assert list(table[column].astype("str")) == list(right[column].astype("str")), message
    return "nothing is left to guess."


# %% tags=["exercise"]
my_table = clinnlp.read_notes(ward)  # name the columns

attempt(check_ward, my_table)

# %% tags=["solution"]
named = clinnlp.read_notes(
    ward,
    id_column="case",
    patient_column="id",
    date_column="seen",
    type_column="clinic",
    text_column="dictation",
)

attempt(check_ward, named)

# %% [markdown]
# **2.** How many notes have a past medical history, under whatever header?
#
# <details><summary>Hint</summary>
#
# `sample.sections` has a row a section, with `note_id` and `category`. Can a note have two of a category?
#
# </details>


# %% tags=["check"]
def check_histories(number):
    sections = sample.sections.query("category == 'past_medical_history'")
    right = sections["note_id"].nunique()
    assert number != len(sections), "you counted sections, and some notes have two of them."
    assert number != sections["header"].nunique(), "you counted different headers, not notes."
    assert number >= right, "too few: a search for words misses headers such as PMH. Which table knows categories?"
    assert number == right, "too many: count the notes of one category, each once."
    return f"{number} of {len(notes)} notes have one."


# %% tags=["exercise"]
my_number = notes["text"].str.contains("PAST MEDICAL HISTORY").sum()  # change this line

attempt(check_histories, my_number)

# %% tags=["solution"]
number = sample.sections.query("category == 'past_medical_history'")["note_id"].nunique()

attempt(check_histories, number)

# %% [markdown]
# **3.** Rewrite the sentence so that it identifies nobody, and still says what the patient had and in which year.
#
# <details><summary>Hint</summary>
#
# Three things must go. Two of them can be left out; of the third a part may stay.
#
# </details>


# %% tags=["check"]
def check_sentence(sentence):
    found = clinnlp.privacy.check(pd.DataFrame({"note_id": ["a"], "text": [sentence]}))
    kinds = sorted(set(found["kind"]))
    assert not kinds, f"the check still finds: {', '.join(kinds)}."
    assert "hughes" not in sentence.lower(), (
        "the name is still there. Without its title the check missed it; you can't."
    )
    assert "4482190" not in sentence, "the number is still there. Without its label the check missed it; you can't."
    assert "pneumonia" in sentence.lower(), "what did the patient have? Clinical facts may stay."
    assert "2019" in sentence, "a year alone may stay, and tells how long ago it was."
    return "the facts are there, the person is not."


# %% tags=["exercise"]
my_sentence = "Mr. Hughes, MRN 4482190, had pneumonia on 5/2/2019."  # change this sentence

attempt(check_sentence, my_sentence)

# %% tags=["solution"]
attempt(check_sentence, "He had pneumonia in 2019.")

# %% [markdown]
# ## Limits
#
# - Dates in unusual forms, headers in no table, and copies with a changed word are missed.
# - The check for identifiers knows patterns and cues. A rare story or a photograph that is described gets by it, and a
#   bare surname may: an empty list does not make notes anonymous.
#
# **Recap.** Reading never changes a note; faults are listed, not hidden; look at types, lengths, dates, headers, copies
# and identifiers before you count conditions. Next: `02_from_text_to_flags`.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | note type | what kind of note it is: a discharge summary, a clinic letter, a report |
# | stand-off labels | labels that lie in a file beside the text and point into it by offsets |
# | identifier | what may tell who a patient is: a name, a number, a full date, a small place |
# | de-identified | with the identifiers taken out, replaced or shifted |
# | placeholder | what stands where an identifier was, such as `[NAME]` |
