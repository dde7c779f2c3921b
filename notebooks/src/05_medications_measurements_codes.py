# %% [markdown]
# # Medications, measurements and codes
#
# **Goal:** read prescriptions, laboratory values and codes out of free text, know what decides each answer, and know
# which answers not to trust.
# **You need:** `02_from_text_to_flags`. **Time:** sixty minutes.
#
# Every line here was invented for this page, and the sample notes are synthetic. No model is needed: all of this is
# rules and dictionaries. It is for learning and research, never for a clinical decision.

# %%
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import plotly.express as px
import plotly.io
import simple_icd_10_cm as icd

import clinnlp
from clinnlp.catalogue import load_rules
from clinnlp.icd10 import find_candidates
from clinnlp.resources import read_yaml

plotly.io.renderers.default = "plotly_mimetype"
pd.set_option("display.max_colwidth", 100)
nlp = clinnlp.load(exclude=["clinnlp_ner"])

# %% [markdown]
# ## 1. Reading a prescription
#
# A prescription has a drug and up to five parts. Each is quoted as it is written: nothing is converted.

# %%
PARTS = ["text", "dose", "form", "route", "frequency", "duration"]


def prescriptions(*lines, fields=PARTS):
    rows = [(line, *[getattr(m, f) or "" for f in fields]) for line in lines for m in nlp(line)._.medications]
    return pd.DataFrame(rows, columns=["line", *fields]).rename(columns={"text": "drug"})


prescriptions(
    "Metformin 500 mg tablet by mouth twice daily for 30 days",
    "amoxicillin 875 mg tabs PO BID x 10 days",
    "Vancomycin 1 g IV q12h",
    "Lantus 10 units subcutaneously at bedtime",
    "fentanyl 25 mcg/hr patch q72h",
    "two tablets of paracetamol every six hours as needed",
    "Foobarol 10 mg PO BID",
)

# %% [markdown]
# **What to notice:** parts may stand before the drug ("two tablets of"). `Foobarol` is in no dictionary: it is found
# because it is written like a drug, with a dose and a route after it.
#
# ### Ranges, "as needed" and combinations
#
# Predict: how many drugs are in each of these lines, and what is the dose of each?

# %%
prescriptions(
    "Tramadol 50-100 mg PO q6h PRN",
    "oxycodone 5 mg 1-2 tabs PO q4-6h prn pain",
    "nitroglycerin 0.4 mg SL q5min x3 prn chest pain",
    "Augmentin 875/125 mg PO BID x 7 days",
    "lisinopril/HCTZ 20/12.5 daily",
    "hydrocodone-acetaminophen 5-325 mg 1 tab q6h prn",
)

# %% [markdown]
# **What to notice:**
#
# - A range stays a range, and "as needed" belongs to the frequency. The reason ("pain") is no part of it.
# - One dose is kept. Where a strength with its unit and a count are both written ("5 mg 1-2 tabs"), it is the strength.
# - Every line holds one drug. Two names joined by a slash or a hyphen are one combination, like `Augmentin`, which has
#   one name; "20/12.5" stays whole, and which number is whose is left to you.
# - "5-325 mg" looks exactly like the range "50-100 mg". Only somebody who knows the drugs can tell.
#
# ### Lists, prose, and a dose that changes

# %%
listed = """Home Medications:
- furosemide 40 mg every morning
- bisoprolol 2.5 mg daily
- paracetamol 1 g up to four times a day"""
prose = (
    "She takes furosemide 40 mg every morning, bisoprolol 2.5 mg daily and, when her knee hurts, "
    "paracetamol 1 g up to four times a day."
)
by_list, by_prose = (prescriptions(text).drop(columns="line") for text in (listed, prose))
by_list

# %%
by_list.equals(by_prose)

# %%
prescriptions(
    "Her lisinopril was increased from 10 mg to 20 mg daily.",
    "warfarin 5 mg on Monday and 2.5 mg on other days",
    "Prednisone 40 mg daily x 3 days, then 20 mg daily x 3 days, then stop.",
    "Prednisone taper: 60 mg x 2 days, 40 mg x 2 days, 20 mg x 2 days",
)

# %% [markdown]
# **What to notice:** of "from 10 mg to 20 mg" the new dose is kept. A second regimen is not: of the weekly plan and
# of the first taper only the first step is read, and of the second taper nothing but the drug.
#
# ## 2. Is it taken?
#
# A drug in a note need not be in the patient. The status is `active`, `past`, `allergy`, `planned`, `negated` (not
# taken, refused, to be avoided) or `other` (held, considered, somebody else's). Write your guess between the quotes;
# blanks are fine.

# %%
predictions = {
    "Amiodarone since May.": "",
    "Off aspirin since the bleed.": "",
    "Clopidogrel was stopped in May.": "",
    "Allergies: penicillin (hives).": "",
    "Tolerates amoxicillin despite a penicillin allergy.": "",
    "Will start apixaban 5 mg BID.": "",
    "He is not on insulin.": "",
    "Hold metoprolol for a pulse below 50.": "",
    "Never stop your prednisone.": "",
    "No relief with ibuprofen.": "",
    "Ran out of lisinopril two weeks ago.": "",
    "His wife's warfarin was in the bag.": "",
    "Tox screen positive for cocaine, potassium 4.2.": "",
}

# %%
rows = []
for line, guess in predictions.items():
    found = "; ".join(f"{m.text}: {m.status}" for m in nlp(line)._.medications)
    rows.append((line, guess, found or "(no drug)"))
pd.DataFrame(rows, columns=["line", "your guess", "status"])

# %% [markdown]
# **What to notice:**
#
# - One line can hold two drugs with two answers: the amoxicillin is tolerated, the penicillin is an allergy.
# - "Never stop" and "no relief with" look like negations of the drug and are none.
# - "Ran out of" stays `active`: the drug is still prescribed. Whether it is *taken* is another question, and here the
#   two part. Know which one your study asks.
# - A substance in a drug screen and a potassium level are no medications at all.
#
# What decided? The cues are data, each with a line where it holds and one where it does not:

# %%
cues = {cue["id"]: cue for cue in read_yaml("medications.yml")["status"]}
pd.DataFrame([cues[i] for i in ("stopped", "was_stopped", "never_stop", "not_on", "drug_allergy")])[
    ["id", "side", "status", "example", "counter"]
]

# %% [markdown]
# Where no cue speaks, the section does. The same line under six headers:

# %%
headers = ["Home Medications", "Allergies", "Past Medical History", "Family History", "Plan", "Discharge Medications"]
pd.DataFrame(
    [(header, nlp(f"{header}:\n- aspirin 81 mg daily")._.medications[0].status) for header in headers],
    columns=["header", "status of aspirin 81 mg daily"],
)

# %% [markdown]
# ## 3. Vital signs and laboratory values
#
# A measurement is the name of a test, a few filling words at most, and a value that this test can have.


# %%
def measurements(*texts):
    fields = ["test", "value", "number", "unit", "interpretation"]
    rows = []
    for text in texts:
        for m in nlp(text)._.measurements:
            rows.append((text, *["" if getattr(m, f) is None else getattr(m, f) for f in fields]))
    return pd.DataFrame(rows, columns=["line", *fields])


measurements(
    "BP 148/92, HR 88, T 37.1 C, SpO2 97% on RA",
    "Potassium of 5.6, and the sodium was 134.",
    "Cr 1.4 -> 2.1",
    "Lactate cleared from 4.2 to 1.8 overnight.",
    "H&H 9.1/27.4",
    "Trop <0.01",
    "BNP 1,240",
)

# %% [markdown]
# **What to notice:** an arrow or "from ... to" gives two rows, one for each value, in the order of the text. `number`
# is set only where the value is one number: not for a pressure, and not for "<0.01". A thousands separator is read.
#
# The same works for a list with colons and for a table:

# %%
colons = """Vital signs:
BP: 148/92
Pulse: 88
Weight: 82 kg"""
table = """| Test | Result | Reference |
| Hb   | 10.2   | 12.0-16.0 |
| WBC  | 7.4    | 4.0-11.0  |"""
columns = """Test        Result    Range
Sodium      131 L     135-145
Creatinine  1.3       0.6-1.2"""
measurements(colons, table, columns).drop(columns="line")

# %% [markdown]
# ### High or low: who says so?
#
# Three voices can be heard: a mark beside the value, such as H or L; a range that the note gives; and our own table.
# The same number five times; predict before you run the cell.

# %%
measurements("Cr 1.3", "Cr 1.3 (H)", "Cr 1.3 (0.6-1.2)", "Cr 1.3 (0.6-1.4)", "Cr 1.3 (0.6-1.4) H").drop(
    columns=["number", "unit"]
)

# %% [markdown]
# **What to notice:** the mark goes first, then the range of the note, then ours. So "high" may be the opinion of a
# laboratory that you do not know. Our own ranges are for adults, and where the sexes differ they are the outer limits:

# %%
rules = load_rules()
rows = []
for name in ("creatinine", "hemoglobin", "sodium", "potassium", "ejection_fraction"):
    for scale in rules.tests[name].scales:
        rows.append((name, ", ".join(sorted(scale.units)), scale.least, scale.most, scale.low, scale.high))
ranges = pd.DataFrame(rows, columns=["test", "units", "least possible", "most possible", "low limit", "high limit"])
ranges.astype(object).fillna("")

# %% [markdown]
# Creatinine and haemoglobin have two scales. With a unit the scale is known; without one, the size of the number
# decides:

# %%
measurements("Hb 12.1", "Hb 121", "Hb 121 g/L", "Cr 132", "Cr 132 umol/L", "INR 2.4 on warfarin")

# %% [markdown]
# **What to notice:** an INR of 2.4 is "high" by the range of people without warfarin, and it may be just what was
# wanted. `interpretation` compares; it does not judge.
#
# ### What is no measurement
#
# Each of these lines holds a number:

# %%
lines = [
    "Seen on 12/05/2019 by the nurse.",
    "A 61-year-old man from room 4.",
    "Furosemide 40 mg daily.",
    "Potassium 20 mEq daily.",
    "K+ repleted with 40 mEq.",
    "Goal BP below 130/80.",
    "Hold if SBP < 100.",
    "Hb dropped by 2.",
    "Pain 6/10, review in 2 weeks.",
    "Echo last year: LVEF 35-40%.",
]
pd.DataFrame(
    [(line, "; ".join(f"{m.test} {m.value}" for m in nlp(line)._.measurements)) for line in lines],
    columns=["line", "measurements"],
)

# %% [markdown]
# **What to notice:** dates, ages, doses, goals, limits and changes are none. The last line gives one: an ejection
# fraction is no laboratory value, but it is on our list of tests, as vital signs and scores such as the PHQ-9 are. If
# you count laboratory values, leave them out.
#
# ## 4. One value over time
#
# Patient `p04` is pregnant in the first notes. How does her haemoglobin go?

# %%
notes = clinnlp.read_notes("../sample_data/notes.csv").query("patient_id == 'p04'")
rows = []
for note in notes.itertuples():
    for m in nlp(note.text)._.measurements:
        if m.test == "Hb":
            rows.append((note.note_id, note.date, note.note_type, m.value, m.number, m.unit or "", m.interpretation))
hb = pd.DataFrame(rows, columns=["note_id", "date", "note_type", "value", "Hb", "unit", "interpretation"])
hb

# %%
scale = rules.tests["hemoglobin"].scale(128, "g/l")
figure = px.scatter(
    hb,
    x="date",
    y="Hb",
    color="interpretation",
    symbol="interpretation",
    hover_data=["note_id"],
    range_y=[80, 190],
    template="simple_white",
    height=350,
    labels={"Hb": "Hb in g/L", "date": "date of the note"},
)
figure.update_traces(marker_size=10)
figure.add_hrect(y0=scale.low, y1=scale.high, fillcolor="green", opacity=0.1, line_width=0)
figure.show()

# %% [markdown]
# **What to notice:**
#
# - The band is the range for adults, 120 to 180 g/L. Haemoglobin is usually lower in pregnancy, and the band does not
#   know that she is pregnant: "low" here is not yet a finding.
# - Three values stand in the discharge summary `p04-04`, all at the date of that *note*. When the blood was taken is
#   in the words around them. Look:

# %%
text = notes.query("note_id == 'p04-04'")["text"].item()
print("\n".join(line for line in text.splitlines() if line.startswith(("Results ", "Hb "))))

# %% [markdown]
# `Adm` is the admission: the first of the three is the value of the emergency note, told again. A table of measurements
# is a table of *mentions*: for one row a sample, drop repeats of a value within some days, and read what the heads of
# a table say.
#
# ## 5. Codes
#
# Diseases and symptoms get an ICD-10-CM code where their words support exactly one, and keep the MeSH code of the
# dictionary elsewhere, where it has one. Drugs get the code of the dictionary that knows them, mostly DrugBank.


# %%
def codes(text, pipeline=nlp):
    rows = [(e.text, e._.assertion, e._.code_system, e._.code, e._.code_name) for e in pipeline(text).ents]
    return pd.DataFrame(rows, columns=["text", "assertion", "system", "code", "name"]).fillna("")


codes(
    "PMH: diabetes, type 2 diabetes, HTN, asthma, stroke, CHF. No pneumonia. Mother had gout. "
    "Today: influenza, left knee pain. Takes Lasix, Tylenol and paracetamol."
)

# %% [markdown]
# **What to notice:** the code belongs to the *words*. Pneumonia is denied and gout is the mother's, and both have
# their codes: filter by assertion before you count. `Tylenol` and `paracetamol` share a code; that is what codes are
# for.
#
# ### Why "diabetes" gets none and "asthma" gets one
#
# ICD-10-CM lists terms that a coder may file under a code. NOS is "not otherwise specified".

# %%
rows = []
for code in ("J45.90", "J45.909", "E11", "I63.9"):
    terms = [term for term in icd.get_includes(code) + icd.get_inclusion_term(code) if "NOS" in term]
    rows.append((code, icd.get_description(code), "; ".join(terms), icd.is_leaf(code)))
pd.DataFrame(rows, columns=["code", "description", "filed under it", "most detailed"])

# %% [markdown]
# - "Unspecified asthma", J45.90, says no more than "asthma": the note supports it. "Asthma NOS" itself is filed one
#   step lower, under "unspecified asthma, *uncomplicated*", and of complications the note said nothing.
# - "Diabetes NOS" is filed under type 2, which the note did not say. A coder who bills has to choose a default; a
#   reader of notes should not invent a type. So "diabetes" gets no code and "type 2 diabetes" gets E11.
# - "Stroke NOS" is filed under cerebral infarction, but a stroke can be a bleed. It keeps the MeSH code of "Stroke".
# - E11 and J45.90 are not the most detailed codes. What lies below them asks for more than the words said. So our codes
#   are for finding and counting, not for billing.
#
# ### Candidates
#
# When you look a term up yourself, `find_candidates` says how each code was found.


# %%
def candidates(*terms, limit=2):
    found = [find_candidates(term, limit=limit).assign(term=term) for term in terms]
    return pd.concat(found, ignore_index=True)[["term", "code", "code_name", "how", "score", "ambiguous"]]


candidates("pneumonia", "CHF", "influenza", "hypertensoin")

# %% [markdown]
# **What to notice:** `exact` is the name itself, `abbreviation` one that the dictionary knows. "influenza" is exact
# and *ambiguous*: two ICD-10-CM codes have it, by whether the virus was identified. So the pipeline gave neither above,
# and kept the MeSH code. The misspelling is only `fuzzy`: its first candidate is right, its second the opposite.
#
# An abbreviation with several meanings gives a row for each, all of them `ambiguous`. In a note, the words around
# decide, or else the mention has no code:

# %%
pd.concat([candidates("CP"), candidates("RA", limit=1)], ignore_index=True)

# %%
pd.concat(
    [codes(text) for text in ("Denies CP, SOB or fever.", "Spastic CP, born at 27 weeks.", "Known to us with CP.")]
)

# %% [markdown]
# Never take a fuzzy one blindly. Predict the first fuzzy candidate of these four:

# %%
wrong = ["hyprthyroidism", "diabetis", "heart attack", "cold"]
table = pd.concat([find_candidates(t).query("how == 'fuzzy'").head(1).assign(term=t) for t in wrong])
table[["term", "code", "code_name", "how", "score", "ambiguous"]].reset_index(drop=True)

# %% [markdown]
# **What to notice:** a fuzzy score is the likeness of *letters*. A heart attack is not gout, and a cold is no colic. A
# limit for the score is no way out: the first one, hyperthyroidism with a letter missing, becomes the *opposite*
# disease with 0.93. The right candidate of "hypertensoin" had 0.92. The pipeline gives no fuzzy code.
#
# ### Terms of your own
#
# A ward has words that no dictionary knows. They go into a CSV file, a line for each term, and `load` adds them. First
# a sentence without the file:

# %%
line = "Foobarol 10 mg PO BID for high sugars."
codes(line)

# %%
terms = """term,code,system,label,name
Foobarol,F-17,list of our ward,MEDICATION,Foobarol
high sugars,R73.9,ICD-10-CM,SYMPTOM,"Hyperglycemia, unspecified"
"""


def load_with(terms):
    with TemporaryDirectory() as folder, chdir(folder):
        Path("ward.csv").write_text(terms, encoding="utf-8")
        return clinnlp.load(exclude=["clinnlp_ner"], vocabulary="ward.csv")


own = load_with(terms)
codes(line, own)

# %% [markdown]
# **What to notice:** two lines of a file are two more findings, with the codes that you chose. Nobody but you checks
# these codes. The next cell breaks on purpose: the label of the drug is now `DRUG`, as one might guess.

# %% tags=["raises-exception"]
load_with(terms.replace("MEDICATION", "DRUG"))

# %% [markdown]
# **What to notice:** the message names the file, the label that is wrong, and those that there are. Had the line been
# dropped in silence, the drug would be missing from every count, and you would not know.
#
# ## 6. Limits
#
# Real mistakes of today. `a reader` is what a person would say, `pipeline` is what comes out now.


# %%
def answer(what, text):
    doc = nlp(text)
    if what == "code":
        return "; ".join(f"{e.text}: {e._.code_name}" for e in doc.ents)
    if what in ("value", "interpretation"):
        return "; ".join(
            f"{m.test} {m.value} {m.interpretation if what != 'value' else ''}".strip() for m in doc._.measurements
        )
    return "; ".join(f"{m.text}: {getattr(m, what) or 'none'}" for m in doc._.medications)


mistakes = [
    ("status", "Apixaban ended last week.", "Apixaban: past"),
    ("status", "Prozac is a thing of the past.", "Prozac: past"),
    ("status", "Swells up with lisinopril.", "lisinopril: allergy"),
    ("frequency", "Start metformin once eGFR is above 45.", "metformin: none"),
    ("frequency", "prednisolone 5 mg tablets, six each morning", "prednisolone: each morning"),
    ("dose", "lisinopril/HCTZ 20/12.5 1 tab PO daily", "lisinopril/HCTZ: 20/12.5"),
    ("dose", "Salbutamol inhaler, two puffs as required", "Salbutamol: two puffs"),
    ("value", "Creatinine today 1.4, yesterday 1.8.", "Creatinine 1.4; Creatinine 1.8"),
    ("value", "K was 5.9 but haemolysed; repeat 4.4", "K 5.9; K 4.4"),
    ("value", "Na K Cl: 138 4.2 101", "Na 138; K 4.2; Cl 101"),
    ("value", "His wife's HbA1c is 9.1%.", "(not his)"),
    ("interpretation", "4-year-old, HR 118.", "HR 118 normal"),
    ("code", "Pain in the left knee.", "Pain in the left knee: Pain in left knee"),
]
pd.DataFrame(
    [(what, text, reader, answer(what, text)) for what, text, reader in mistakes],
    columns=["what", "text", "a reader", "pipeline"],
)

# %% [markdown]
# - What is written in words without a cue that somebody thought of ("ended", "swells up") is read as taken.
# - A strength without its unit gives way to the count ("1 tab"), and a count far from its drug is lost.
# - A second value of the same test is often missed ("yesterday 1.8"). "ESR and CRP were 40 and 12" would be paired; a
#   bare row of names before a row of values is not, and here a chloride gets the value of the sodium.
# - Nobody asks whose value it is: a wife's warfarin is `other`, her HbA1c counts as his.
# - A child is compared with the range for adults.
# - "Left knee pain" had a code of its own in section 5; said in another order, only "pain" is found.
#
# These were looked for and say nothing about how *often* the pipeline errs. Count on a sample of your own notes.

# %% [markdown]
# ## Exercises
#
# The solutions are in
# [solutions/05_medications_measurements_codes_solutions](solutions/05_medications_measurements_codes_solutions.ipynb).
#
# **1.** Which drugs does this patient take now? Give each drug once, in lower case, by the name that goes with its code
# where it has one, and by its own words otherwise.
#
# <details><summary>Hint</summary>
#
# A medication has the attributes `status`, `code_name` and `text`. `code_name` is `None` where there is no code, and
# `a or b` gives `b` where `a` is `None`.
#
# </details>

# %%
visit = """Home Medications:
- Lasix 40 mg every morning
- furosemide 40 mg every morning
- Foobarol 10 mg PO BID
Allergies: codeine (itching)
Plan: Stop warfarin. Start apixaban 5 mg BID. Not on insulin."""

# %% tags=["check"]
from clinnlp.course import attempt

NOT_TAKEN = {
    "codeine": "an allergy: which attribute of a medication says whether it is taken?",
    "warfarin": "to be stopped: one status alone means that a drug is taken.",
    "apixaban": "planned, and not taken yet.",
    "insulin": "denied: one status alone means that a drug is taken.",
}


def check_drugs(function):
    got = function(visit)
    assert got is not None, "the function gives nothing: does it end with `return`?"
    assert got, "no drug is left: how is the status of a drug that is taken written?"
    got = sorted(got)
    for drug, why in NOT_TAKEN.items():
        assert drug not in [name.lower() for name in got], f"{drug} is {why}"
    assert all(name == name.lower() for name in got), "a name has capitals: bring all of them to lower case."
    assert "foobarol" in got, "Foobarol is gone. It has no code, so what can it be called by?"
    assert "lasix" not in got, "Lasix and furosemide are one drug: which attribute is the same for both?"
    assert "furosemide" in got, "furosemide is gone, and the patient takes it."
    assert len(got) == len(set(got)), "a drug is there twice. Which collection forgets repeats?"
    assert got == ["foobarol", "furosemide"], f"there should be two drugs; you have {', '.join(got)}."
    other = sorted(function("Takes Tylenol. Off aspirin."))
    assert other == ["acetaminophen"], "right for this visit, wrong for another: do you read the text that is given?"
    return "two drugs, each by one name."


# %% tags=["exercise"]
def current_drugs(text):
    return sorted(m.text.lower() for m in nlp(text)._.medications)  # change this line


attempt(check_drugs, current_drugs)

# %% [markdown] tags=["solution"]
# Keep what is `active`; take `code_name`, or `text` where there is none; a set forgets repeats.


# %% tags=["solution"]
def taken_now(text):
    return sorted({(m.code_name or m.text).lower() for m in nlp(text)._.medications if m.status == "active"})


attempt(check_drugs, taken_now)

# %% [markdown]
# **2.** By our own table a creatinine of 1.4 is high. Write a line, as a note might have it, with a creatinine of 1.4
# that is read as *normal*.
#
# <details><summary>Hint</summary>
#
# Three voices can be heard. The mark says high or low, our table says high: which one is left, and where does a
# laboratory print it?
#
# </details>


# %% tags=["check"]
def check_line(line):
    found = nlp(line)._.measurements
    assert found, "no measurement is read: write the name of the test and a number, with a unit that fits or without."
    assert len(found) == 1, f"{len(found)} values are read: write a single one."
    m = found[0]
    assert (rules.ids.get(m.test) or rules.ids.get(m.test.lower())) == "creatinine", f"{m.test} is no creatinine."
    assert m.number == 1.4, f"the value is read as {m.value}; it should be 1.4."
    assert m.interpretation != "low", "now it is low. Is there a mark, or are the limits too high?"
    assert m.interpretation == "normal", "it is read as high. A mark, a range or our table may say so: which does here?"
    return "the note has spoken before our table."


# %% tags=["exercise"]
my_line = "Cr 1.4 mg/dL, which is normal"  # change this line

attempt(check_line, my_line)

# %% [markdown] tags=["solution"]
# A range of the note goes before ours. The words "which is normal" are not read: only a mark, a range, or the table.

# %% tags=["solution"]
attempt(check_line, "Cr 1.4 mg/dL (0.7-1.5)")

# %% [markdown]
# **3.** Write `icd10_code`: the ICD-10-CM code of a term if it is certain, else `None`. Certain is what was not found
# by likeness, and what the system has one code for. Start from this blind one.
#
# <details><summary>Hint</summary>
#
# `find_candidates("stroke")` and `find_candidates("influenza")` show the columns that tell. Keep some rows of the
# table; what should the function give when none is left?
#
# </details>


# %% tags=["check"]
UNCERTAIN = {
    "stroke": "Of which system is its certain code? Look at `code_system`.",
    "diabetis": "It is only like something: look at `how`.",
    "influenza": "ICD-10-CM has two codes for it: look at `ambiguous`.",
}


def check_code(function):
    wanted = {"asthma": "J45.90", "type 2 diabetes": "E11", "CHF": "I50.9"}
    for term, code in wanted.items():
        got = function(term)
        assert got is not None, f"{term} has a certain code, and you give none."
        assert got == code, f"{term}: you give {got!r}, and its code is {code!r}."
    for term, why in UNCERTAIN.items():
        got = function(term)
        assert got is None, f"{term}: you give {got!r} and not None. {why}"
    return "certain, or nothing."


# %% tags=["exercise"]
def icd10_code(term):
    return find_candidates(term)["code"].iloc[0]  # change this line, and add others


attempt(check_code, icd10_code)

# %% [markdown] tags=["solution"]
# Keep the rows of ICD-10-CM that are neither fuzzy nor ambiguous; if one is left, it is the code. Every fuzzy row is
# ambiguous too, so to ask for `ambiguous` alone would do; to say both is clearer.


# %% tags=["solution"]
def certain_code(term):
    table = find_candidates(term)
    sure = table[(table["code_system"] == "ICD-10-CM") & (table["how"] != "fuzzy") & ~table["ambiguous"]]
    return sure["code"].iloc[0] if len(sure) == 1 else None


attempt(check_code, certain_code)

# %% [markdown]
# **Recap.** A drug has parts that are quoted, and a status that a cue, a section or a default decides. A measurement is
# a name and a value that the test can have; "high" is said by a mark in the note, by its range, or by ours, in this
# order. A code is given where the words support it. All of them are mentions, to be filtered before they are counted.
#
# **Limits again.** This is for learning and research, never for a clinical decision.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | medication status | whether a drug is taken: active, past, planned, an allergy, negated or other |
# | measurement | the name of a test with a value that this test can have |
# | reference range | the two limits between which a value counts as normal |
# | code system | a list of names that has a code for each, such as ICD-10-CM, MeSH or DrugBank |
# | ICD-10-CM | the American codes for diseases and symptoms |
# | NOS | not otherwise specified: the words say no more than this |
# | fuzzy | found by the likeness of letters, not of meanings |
# | ambiguous | with more than one code, or more than one meaning |
# | vocabulary | terms of your own, with codes and labels, that are added to the dictionary |
