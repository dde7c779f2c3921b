# %% [markdown]
# # Models and entities
#
# **Goal:** see what a token classifier does with a note, what its scores are worth, and why two models disagree.
# **You need:** `00_start_here`, and torch for the last part (`pip install "clinnlp[torch]"`). **Time:** thirty minutes.

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
# ## 6. BERT, XLNet and GPT side by side
#
# Any token-classification model of transformers can be put in place of `mini`: `clinnlp.load(ner="folder or hub id")`;
# `clinnlp models` lists some. What does the architecture change? Three tiny models are trained here on the same made-up
# sentences. In these, "discharge" is a symptom or an event, and only the words *after* it tell which.

# %%
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoModelForTokenClassification, BertConfig, GPT2Config, XLNetConfig, set_seed
from transformers.utils import logging

logging.set_verbosity_error()
torch.set_num_threads(1)  # the same sums, however many cores there are
after = {"Symptom": ["from the wound", "from the ear", "with a smell"], "Event": ["to home", "to rehab", "on friday"]}
starts = ["noted", "then", "there was", "planned"]
sentences = [(f"{s} discharge {a}", len(s.split()), kind) for kind, ends in after.items() for a in ends for s in starts]
words = sorted({w for s, *_ in sentences for w in s.split()})
tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[UNK]", *words])}, unk_token="[UNK]"))
tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
tags = ["O", "Symptom", "Event"]
n = len(words) + 1
configs = {
    "BERT": BertConfig(vocab_size=n, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64),
    "XLNet": XLNetConfig(vocab_size=n, d_model=32, n_layer=2, n_head=2, d_inner=64),
    "GPT-2": GPT2Config(vocab_size=n, n_embd=32, n_layer=2, n_head=2),
}


def train_tiny(config):
    """Train a model of this configuration on the sentences, and say what it makes of "discharge" in each."""
    set_seed(0)
    config.id2label, config.label2id = dict(enumerate(tags)), {t: i for i, t in enumerate(tags)}
    model = AutoModelForTokenClassification.from_config(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch = [(torch.tensor([tokenizer.encode(s).ids]), at, tags.index(kind)) for s, at, kind in sentences]
    for _ in range(80):
        for ids, at, tag in batch:
            labels = torch.zeros_like(ids)
            labels[0, at] = tag
            model(input_ids=ids, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    with torch.inference_mode():
        return sum(model(input_ids=ids).logits[0, at].argmax().item() == tag for ids, at, tag in batch)


right = {name: train_tiny(config) for name, config in configs.items()}
pd.DataFrame([(name, right[name] == len(sentences)) for name in configs], columns=["model", "every discharge right"])

# %% [markdown]
# **What to notice:** BERT and XLNet see both sides of a word. A GPT reads from left to right: at "discharge" it has not
# seen what follows, and no amount of training helps. It can still be a good tagger where the words before decide.
#
# **Recap.** Word pieces, tags, windows, heads, scores; a model is one argument; compare models before you trust one.
#
# **Limits.** `mini` learnt from abstracts and case reports, not from hospital notes; its scores are calibrated there.
# Next: `08_fine_tune` adapts it to notes of your own.
