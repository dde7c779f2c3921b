# %% [markdown]
# # Models and entities
#
# **Goal:** see what a token classifier does with a note, what its scores are worth, and why two models disagree.
# **You need:** `02_from_text_to_flags`, and torch for the last part (`pip install "clinnlp[torch]"`).
# **Time:** forty-five minutes.
#
# The notes are synthetic. Nothing is downloaded: the model comes with the package.

# %%
import json
from pathlib import Path

import pandas as pd
import plotly.express as px
import plotly.io

import clinnlp
from clinnlp.models import compare_models, load_classifier
from clinnlp.models.windows import cut, split_pieces

plotly.io.renderers.default = "plotly_mimetype"
SAMPLES = Path("../sample_data")

# %% [markdown]
# ## 1. A token classifier
#
# A BERT reads a text in *word pieces*. For each piece it gives a probability for each *tag*: `B-` begins an entity,
# `I-` goes on with it, `O` is outside. The model that ships with clinnlp is called `mini`; one of its three heads is
# read here (part 3 says what a head is).

# %%
mini = load_classifier("mini/bc5cdr")
text = "She takes metoprolol for atrial fibrillation and had a cough."
pieces = split_pieces(text, mini.network.tokenizer)
[mini.network.tokenizer.id_to_token(i) for i in pieces.ids]

# %% [markdown]
# "metoprolol" is no word of its own in this vocabulary. A word takes the tag of its first piece, so that no entity ever
# starts or ends inside a word. Joined, the tags give entities:

# %%
pd.DataFrame(
    [(text[p.start : p.end], p.label, p.score, p.start, p.end) for p in mini.predict(text)],
    columns=["text", "label", "score", "start", "end"],
)

# %% [markdown]
# **What to notice:** `start` and `end` are characters of the text as it was given. `text[start:end]` is the entity.
#
# ## 2. Long notes: windows
#
# A BERT reads a limited number of pieces at a time. A note is cut into windows that overlap, at the ends of sentences
# and lines where there are any. A word that stands in two windows is read where it has most words around it.

# %%
notes = clinnlp.read_notes(SAMPLES / "notes.csv")
note = notes.set_index("note_id").loc["p01-04", "text"]
pieces = split_pieces(note, mini.network.tokenizer)
windows = cut(note, pieces, mini.limit, mini.overlap)
pd.DataFrame(windows, columns=["first piece", "last piece"]).assign(pieces=lambda t: t["last piece"] - t["first piece"])

# %% [markdown]
# Was every word shown to the model? `unseen` lists those that were not.

# %%
mini.unseen(note)

# %% [markdown]
# ## 3. Heads: what is an entity?
#
# The corpora that `mini` learnt from disagree. BC5CDR labels diseases (symptoms too) and chemicals; NCBI-disease labels
# diseases alone; MACCROBAT labels tests, results, procedures and places in the body as well. A plain mixture would
# teach the model that drugs are nothing in one text and something in the next. So each corpus has a *head* of its own.

# %%
heads = {name: load_classifier(f"mini/{name}") for name in ("bc5cdr", "ncbi-disease", "maccrobat")}
table = compare_models(notes.query("note_id == 'p01-04'"), heads)
table.head(12)

# %% [markdown]
# **What to notice:** for one head "Sulfa" is a drug, for the next it is nothing; one says the rash is a disease, the
# other a symptom. Nobody is wrong: each was taught so. (`DM2` is a disease, and two heads take it for a drug.)
#
# A name that does not exist is refused. This cell breaks on purpose.

# %% tags=["raises-exception"]
load_classifier("mini/bc5cd")

# %% [markdown]
# **Predict first:** of what kind are most disagreements: other words (`span`), other labels (`label`), or places where
# a head finds nothing (`missing`)?

# %%
counts = table["agreement"].value_counts().rename_axis("agreement").reset_index(name="places")
px.bar(counts, x="agreement", y="places", template="simple_white", height=300).show()
counts

# %% [markdown]
# **What to notice:** at most places one head or more finds nothing; the heads were taught to look for different things.
# Where all three find something, they mostly give it different labels. Look at some:

# %%
table.query("agreement == 'label'").head(6)

# %% [markdown]
# ## 4. What a score is worth
#
# A score of 0.8 should mean: right in eight of ten cases. The temperature of each head was set on development data so
# that this holds there. Check it on the labelled sample notes: do problems with a high score overlap a labelled one
# more often?

# %%
gold = [json.loads(line) for line in (SAMPLES / "gold.jsonl").read_text(encoding="utf-8").splitlines()]
rows = []
for document in gold:
    reach = max(p["end"] for p in document["problems"])  # forty problems of each note are labelled at most
    for p in heads["bc5cdr"].predict(document["text"]):
        if p.label == "DISEASE" and p.end <= reach:
            right = any(g["start"] < p.end and p.start < g["end"] for g in document["problems"])
            rows.append((p.score, right))
scores = pd.DataFrame(rows, columns=["score", "right"])
scores["bin"] = pd.cut(scores["score"], [0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
scores.groupby("bin", observed=True)["right"].agg(["size", "mean"]).round(2)

# %% [markdown]
# **What to notice:** the share of right ones rises from three of five to nearly all, though not at every step. It is
# even higher than the scores say, since an overlap is enough to be right here.
#
# ## 5. Model and dictionary together
#
# In the pipeline a dictionary term takes the place of what the model found there. A problem that only the model found
# counts from a score of 0.7, any other entity from 0.5. `source` tells which it was.

# %%
doc = clinnlp.load()(note)
pd.Series([e._.source for e in doc.ents]).value_counts().rename_axis("source").reset_index(name="entities")

# %%
pd.DataFrame(
    [(e.text, e.label_, e._.score, e._.assertion) for e in doc.ents if e._.source == "model"],
    columns=["text", "label", "score", "assertion"],
).head(10)

# %% [markdown]
# **What to notice:** most of these are results: numbers, which no dictionary can list.
#
# ## 6. BERT, XLNet and GPT side by side
#
# Any token-classification model of transformers can be put in place of `mini`: `clinnlp.load(ner="folder or hub id")`;
# `clinnlp models` lists some. What does the architecture change? Three tiny models are trained here on the same made-up
# sentences. In these, "discharge" is a symptom (it flows from a wound) or an event (the patient goes home), and only
# the words *after* it tell which.

# %%
after = {"Symptom": ["from the wound", "from the ear", "with a smell"], "Event": ["to home", "to rehab", "on friday"]}
starts = ["noted", "then", "there was", "planned"]
sentences = [(f"{start} discharge {end}", kind) for kind, ends in after.items() for end in ends for start in starts]
pd.DataFrame(sentences, columns=["sentence", "discharge is"]).iloc[[0, 4, 12, 16]]

# %% [markdown]
# The same start leads to both kinds. The next cell trains on all 24 sentences and asks for the word "discharge" in each
# of them.

# %%
import torch
from transformers import AutoModelForTokenClassification, BertConfig, GPT2Config, XLNetConfig, set_seed
from transformers.utils import logging

logging.set_verbosity_error()
torch.set_num_threads(1)  # the same sums, however many cores there are
tags = ["O", "Symptom", "Event"]
configs = {
    "BERT": (
        BertConfig,
        {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
    ),
    "XLNet": (XLNetConfig, {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}),
    "GPT-2": (GPT2Config, {"n_embd": 32, "n_layer": 2, "n_head": 2}),
}


def train_tiny(name, sentences):
    """Train a tiny model on sentences, and count those whose "discharge" it gets right."""
    words = [sentence.lower().split() for sentence, _ in sentences]
    number = {word: i for i, word in enumerate(sorted({w for ws in words for w in ws}), 1)}  # 0 fills up
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor([number[w] for w in ws]) for ws in words], batch_first=True)
    rows, at = range(len(words)), [ws.index("discharge") for ws in words]
    labels = torch.where(ids > 0, 0, -100)  # O for every word; -100 is not learnt
    labels[rows, at] = torch.tensor([tags.index(kind) for _, kind in sentences])
    set_seed(0)
    make, sizes = configs[name]
    model = AutoModelForTokenClassification.from_config(make(vocab_size=len(number) + 1, num_labels=3, **sizes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(100):
        model(input_ids=ids, attention_mask=(ids > 0).long(), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.inference_mode():
        best = model(input_ids=ids, attention_mask=(ids > 0).long()).logits.argmax(-1)
    return sum((best == labels)[rows, at].tolist())


right = {name: train_tiny(name, sentences) for name in configs}
pd.DataFrame([(name, right[name] == len(sentences)) for name in configs], columns=["model", "every discharge right"])

# %% [markdown]
# **What to notice:** BERT and XLNet see both sides of a word. A GPT reads from left to right: at "discharge" it has not
# seen what follows, and no amount of training helps. It can still be a good tagger where the words before decide.

# %% [markdown]
# ## Exercises
#
# Change the cell, run it, and read what the check says. The solutions are in
# [solutions/03_models_and_entities_solutions](solutions/03_models_and_entities_solutions.ipynb).
#
# **1.** Join tags to entities. `words` and `tags` are lists of the same length; give a list of `(label, words of the
# entity)`, such as `("DISEASE", "atrial fibrillation")`.
#
# <details><summary>Hint</summary>
#
# `tag.partition("-")` cuts a tag in three. On `B` add an entity to the list; on `I` make the last one longer.
#
# </details>

# %% tags=["check"]
from clinnlp.course import attempt


def check_join(join):
    cases = {
        "Takes metoprolol daily": ("O B-DRUG O", "an entity of one word, with its label and without its prefix."),
        "had atrial fibrillation": ("O B-DISEASE I-DISEASE", "I- goes on with the entity before it."),
        "gout asthma": ("B-DISEASE B-DISEASE", "here are two entities side by side: B- always begins a new one."),
        "metoprolol chest pain": ("B-DRUG B-DISEASE I-DISEASE", "two labels meet here, with no O between them."),
        "no change": ("O O", "there is no entity here: the list must be empty."),
    }
    wanted = [
        [("DRUG", "metoprolol")],
        [("DISEASE", "atrial fibrillation")],
        [("DISEASE", "gout"), ("DISEASE", "asthma")],
        [("DRUG", "metoprolol"), ("DISEASE", "chest pain")],
        [],
    ]
    for (text, (marks, message)), right in zip(cases.items(), wanted, strict=True):
        got = join(text.split(), marks.split())
        assert got is not None, "your function returns nothing: end it with return."
        assert [tuple(entity) for entity in got] == right, f"{text!r} with {marks} gives {got}: {message}"
    return f"{len(cases)} texts of {len(cases)}."


# %% tags=["exercise"]
def my_join(words, tags):
    entities = []
    for word, tag in zip(words, tags, strict=True):
        if tag != "O":
            entities.append((tag[2:], word))  # every word is an entity of its own: change this
    return entities


attempt(check_join, my_join)


# %% tags=["solution"]
def join(words, tags):
    entities = []
    for word, tag in zip(words, tags, strict=True):
        prefix, _, label = tag.partition("-")
        if prefix == "B":
            entities.append((label, word))
        elif prefix == "I":
            entities[-1] = (label, f"{entities[-1][1]} {word}")
    return entities


attempt(check_join, join)

# %% [markdown]
# **2.** A threshold throws findings with a lower score away. Of 0.5, 0.6, 0.7, 0.8 and 0.9, take the lowest that keeps
# at most fifteen wrong findings of the table `scores`.
#
# <details><summary>Hint</summary>
#
# `scores.query("score >= 0.7")` is what 0.7 keeps, in all bins above it. How many of its rows are not `right`?
#
# </details>


# %% tags=["check"]
def check_threshold(threshold):
    allowed = (0.5, 0.6, 0.7, 0.8, 0.9)
    wrong = {t: sum(~scores.query("score >= @t")["right"]) for t in allowed}
    best = min(t for t in allowed if wrong[t] <= 15)
    assert threshold in allowed, f"take one of {', '.join(map(str, allowed))}."
    assert wrong[threshold] <= 15, f"it keeps {wrong[threshold]} wrong ones; fifteen are allowed."
    assert threshold == best, "few enough are wrong, but a lower one is good enough, and throws fewer right ones away."
    lost = sum(scores.query("score < @best")["right"])
    return f"{wrong[best]} wrong ones are kept. The price: {lost} right ones are thrown away."


# %% tags=["exercise"]
my_threshold = 0.5  # change this number

attempt(check_threshold, my_threshold)

# %% tags=["solution"]
print({t: sum(~scores.query("score >= @t")["right"]) for t in (0.5, 0.6, 0.7, 0.8, 0.9)})

attempt(check_threshold, 0.7)

# %% [markdown]
# **3.** GPT fails on `my_sentences`. Rewrite them (two of each kind at least) so that it gets every "discharge" right.
# The cell trains for some seconds.
#
# <details><summary>Hint</summary>
#
# What has GPT read when it comes to "discharge"? It must be able to tell from that.
#
# </details>


# %% tags=["check"]
def check_sentences(sentences):
    before = {"Symptom": [], "Event": []}
    for sentence, kind in sentences:
        words = sentence.lower().split()
        assert kind in before, f"{kind!r} is no kind: write Symptom or Event."
        assert words.count("discharge") == 1, f"{sentence!r} must have the word discharge once, with spaces around it."
        before[kind].append(" ".join(words[: words.index("discharge")]))
    assert all(len(starts) > 1 for starts in before.values()), "keep two sentences of each kind at least."
    for start in before["Symptom"]:
        assert start not in before["Event"], f"{start!r} leads to both kinds: at this point GPT can only guess."
    right = train_tiny("GPT-2", sentences)
    assert right == len(sentences), f"{right} of {len(sentences)} right: make the words before more different."
    return "what decides stands before the word, and GPT has read it."


# %% tags=["exercise"]
my_sentences = [
    ("noted discharge from the wound", "Symptom"),
    ("noted discharge to home", "Event"),
    ("planned discharge with a smell", "Symptom"),
    ("planned discharge on friday", "Event"),
]  # change these

attempt(check_sentences, my_sentences)

# %% tags=["solution"]
told_before = [
    ("the wound has discharge", "Symptom"),
    ("home after discharge", "Event"),
    ("bad smell and discharge", "Symptom"),
    ("on friday we plan discharge", "Event"),
]

attempt(check_sentences, told_before)

# %% [markdown]
# ## Limits
#
# `mini` learnt from abstracts and case reports, not from hospital notes; its scores are calibrated there. The sample's
# labels were made with the help of models, and up to forty problems of a note are labelled. The tiny models of part 6
# are asked for sentences that they were trained on: that shows what an architecture can see, not how good it is.
#
# **Recap.** Word pieces, tags, windows, heads, scores; a model is one argument; compare models before you trust one.
# Next: `04_sections_and_context`; `08_fine_tune` adapts a model to notes of your own.
#
# **New words**
#
# | word | meaning |
# | --- | --- |
# | token classifier | a model that gives each word of a text a tag |
# | word piece | a part of a word, out of a fixed list; what a BERT reads |
# | tag | `B-` begins an entity, `I-` goes on with it, `O` is outside |
# | window | the stretch of a note that a model reads at once |
# | head | the last layer of a model, that turns what it has read into the labels of one corpus |
# | corpus | a collection of texts, here with labels |
# | score | the probability that a model gives to what it found |
# | threshold | the score below which a finding is thrown away |
