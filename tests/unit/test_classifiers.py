"""Document classifiers, on tiny models whose weights are set by hand: a word decides the label."""

import sys

import pytest
import spacy

import clinnlp
from clinnlp.components import classifiers as _registered  # noqa: F401
from clinnlp.errors import InputError, MissingExtraError, ModelError
from clinnlp.models.document_classifier import DocumentClassifier, Question, SequenceNetwork, Vote, read_spec
from clinnlp.pipeline import COMPONENTS

WORDS = ("podagra", "wheeze", "gout", "asthma", "the", "patient", "has", "foot", "is", "no", "and", ".")
IDS = {w: i for i, w in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS))}
PODAGRA, WHEEZE, GOUT, ASTHMA, NEVER = 1, 2, 3, 4, 14  # dimensions that a word shows in; any other word is in 0
LONGEST = 40
FILLER = "The patient has the foot and no foot is the patient. "
SIZES = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": LONGEST, "hidden_act": "relu",
}  # fmt: skip


def save_tokenizer(path, single="[CLS] $A [SEP]", **options):
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordPiece(IDS, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    if single:
        tokenizer.post_processor = TemplateProcessing(
            single=single, pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[(t, IDS[t]) for t in ("[CLS]", "[SEP]")]
        )
    options = {"pad_token": "[PAD]", "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]} | options
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LONGEST, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        **options,
    ).save_pretrained(path)  # fmt: skip


def save_bytes(path):
    """Save a tokenizer for which each byte is a piece, white space too."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(["[PAD]", *alphabet])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LONGEST, pad_token="[PAD]"
    ).save_pretrained(path)  # fmt: skip


def clear(model):
    """Let a network do nothing, but for its normalisation, and show each word in its dimension."""
    import torch

    for name, weight in model.named_parameters():
        is_norm = name.endswith("weight") and ("LayerNorm" in name or "ln_" in name)
        weight.data.fill_(float(is_norm))
    for word, i in IDS.items():
        place = {"podagra": PODAGRA, "wheeze": WHEEZE, "gout": GOUT, "asthma": ASTHMA}.get(word, 0)
        model.get_input_embeddings().weight.data[i, place] = 8.0
    return torch.eye(16) * 100


def save_bert(path, labels, logits, *, both=(), **options):
    """Save a BERT whose [CLS] sees the mean of all words; `logits` gives label, dimension and weight of each.

    Of each pair in `both` the first dimension is left only where the second is there too.
    """
    from transformers import BertConfig, BertForSequenceClassification

    model = BertForSequenceClassification(BertConfig(vocab_size=len(IDS), id2label=labels, **options, **SIZES))
    eye = clear(model)
    layer = model.bert.encoder.layer[0]
    layer.attention.self.value.weight.data.copy_(eye)
    layer.attention.output.dense.weight.data.copy_(eye / 100)
    for unit, (first, second) in enumerate(both):
        layer.intermediate.dense.weight.data[unit, [first, second]] = layer.intermediate.dense.weight.new([1.0, -1.0])
        layer.output.dense.weight.data[first, unit] = -1.0
    model.bert.pooler.dense.weight.data.copy_(eye)
    model.bert.pooler.dense.weight.data[:, NEVER] -= 100
    model.classifier.bias.data[:] = -8.0
    for label, dimension in logits:
        model.classifier.weight.data[label, dimension] = 16.0
    model.save_pretrained(path)
    save_tokenizer(path)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A multi-label BERT for two words."""
    path = tmp_path_factory.mktemp("many")
    save_bert(
        path, {0: "M10.9", 1: "J45"}, [(0, PODAGRA), (1, WHEEZE)], problem_type="multi_label_classification"
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def nli(tmp_path_factory):
    """A BERT for which podagra entails gout, and wheeze asthma."""
    path = tmp_path_factory.mktemp("nli")
    labels = {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}
    save_bert(path, labels, [(2, PODAGRA), (2, WHEEZE)], both=[(PODAGRA, GOUT), (WHEEZE, ASTHMA)])
    return path


@pytest.fixture(scope="module", params=["[PAD]", None], ids=["padded", "unpadded"])
def binary(request, tmp_path_factory):
    """A GPT-2 with two labels that exclude each other, the second for podagra."""
    from transformers import GPT2Config, GPT2ForSequenceClassification

    path = tmp_path_factory.mktemp("gpt2")
    config = GPT2Config(vocab_size=len(IDS), n_positions=LONGEST, n_embd=16, n_layer=1, n_head=2, num_labels=2)
    model = GPT2ForSequenceClassification(config)
    eye = clear(model)
    model.transformer.h[0].attn.c_attn.weight.data[:, 32:] = eye
    model.transformer.h[0].attn.c_proj.weight.data.copy_(eye / 100)
    model.score.weight.data[0, [0, NEVER]] = eye.new([1.0, -1.0])
    model.score.weight.data[1, [PODAGRA, NEVER]] = eye.new([100.0, -100.0])
    model.save_pretrained(path)
    save_tokenizer(path, single="", pad_token=request.param, model_input_names=["input_ids", "attention_mask"])
    return path


def load(classifiers, **options):
    return clinnlp.load(classifiers=classifiers, exclude=COMPONENTS, **options)


def found(doc):
    return [(v.condition, v.label) for v in doc._.votes]


MANY = {"M10.9": "gout", "J45": "asthma"}


def test_each_label_of_a_multi_label_model_votes_for_itself(many):
    nlp = load({"model": many, "labels": MANY})
    assert [found(nlp(text)) for text in ("The foot has podagra.", "Wheeze.", "No foot.", "", " \n")] == [
        [("gout", "M10.9")], [("asthma", "J45")], [], [], [],
    ]  # fmt: skip
    text = "  The patient has podagra and wheeze. "
    gout, asthma = sorted(nlp(text)._.votes, key=lambda v: v.condition, reverse=True)
    assert gout == Vote("gout", "M10.9", gout.score, many.name, "classifier", 2, len(text) - 1)
    assert 0.99 < gout.score <= 1 and 0.99 < asthma.score <= 1  # noqa: PT018


def test_the_window_with_the_word_speaks_for_a_long_note(many, nli):
    text = FILLER * 20 + "The foot has podagra. " + FILLER * 30
    nlp = load([{"model": many, "labels": MANY}, {"model": nli, "zero_shot": ["asthma", "gout"]}])
    votes = nlp(text)._.votes
    assert sorted((v.kind, v.condition) for v in votes) == [("classifier", "gout"), ("zero-shot", "gout")]
    for vote in votes:
        assert "podagra" in text[vote.start : vote.end]
        assert vote.end - vote.start < 250
        assert text[vote.start - 1] == " "
        assert text[vote.end - 1] == "."


def test_a_positive_label_votes_for_its_condition(binary):
    nlp = load({"gout": str(binary)})
    text = FILLER * 9 + "The foot has podagra."
    texts = [FILLER * 9, "Podagra.", text, "", "No foot and no podagra and no foot."]
    alone = [nlp(t)._.votes for t in texts]
    assert [[(v.condition, v.label) for v in votes] for votes in alone] == [
        [], [("gout", "LABEL_1")], [("gout", "LABEL_1")], [], [("gout", "LABEL_1")],
    ]  # fmt: skip
    assert "podagra" in text[alone[2][0].start : alone[2][0].end]
    assert [doc._.votes for doc in nlp.pipe(texts)] == alone


def test_a_zero_shot_model_is_asked_about_each_condition(nli):
    nlp = load({"model": nli, "zero_shot": ["gout", "asthma"]})
    for text, condition in (("The foot has podagra.", "gout"), ("Wheeze and no foot.", "asthma")):
        (vote,) = nlp(text)._.votes
        assert (vote.condition, vote.label, vote.kind) == (condition, "ENTAILMENT", "zero-shot")
        assert (vote.start, vote.end) == (0, len(text))
        assert vote.score > 0.99
    assert nlp("The patient has no foot.")._.votes == ()


def test_the_hypothesis_of_the_user_is_asked(nli):
    spec = {"model": nli, "zero_shot": ["tobacco_use"], "hypothesis": "The patient has asthma."}
    assert found(load(spec)("Wheeze.")) == [("tobacco_use", "ENTAILMENT")]


@pytest.mark.parametrize(("threshold", "votes"), [(0.0, 2), (0.5, 1), (1.0, 0)])
def test_a_vote_reaches_the_threshold(many, threshold, votes):
    assert len(load({"model": many, "labels": MANY, "threshold": threshold})("Podagra.")._.votes) == votes


def save_random(family, path):
    import torch
    from transformers import AutoModelForSequenceClassification, BertConfig, GPT2Config, XLNetConfig

    shape = {"num_labels": 3, "initializer_range": 1.0, "vocab_size": 257, "pad_token_id": 0}
    config, save = {
        "bert": (BertConfig(**shape, **SIZES), save_tokenizer),
        "gpt2": (GPT2Config(n_embd=16, n_layer=1, n_head=2, **shape), save_bytes),
        "xlnet": (
            XLNetConfig(d_model=16, n_layer=1, n_head=2, d_inner=16, **shape),
            lambda path: save_tokenizer(path, single="$A [SEP] [CLS]:2", padding_side="left"),
        ),
    }[family]
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    model.save_pretrained(path)
    save(path)
    return model


@pytest.mark.parametrize(
    ("family", "hypothesis"), [("bert", None), ("bert", "The foot has gout."), ("gpt2", None), ("xlnet", None)]
)
def test_a_text_is_read_as_the_tokenizer_of_the_model_writes_it(family, hypothesis, tmp_path):
    from transformers import AutoTokenizer

    model = save_random(family, tmp_path)
    questions = [Question(condition, f"LABEL_{i}", hypothesis) for i, condition in enumerate("abc")]
    classifier = DocumentClassifier(SequenceNetwork(str(tmp_path)), questions, threshold=0.0)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    texts = ["No wheeze.", " Foot  has\n\n podagra, and the\tgout. ", "Foot"]
    for text, votes in zip(texts, classifier.predict_all(texts), strict=True):
        wanted = model(**tokenizer(text, hypothesis, return_tensors="pt")).logits.softmax(-1)[0].tolist()
        assert len({round(p, 3) for p in wanted}) == 3
        assert [v.score for v in votes] == pytest.approx(wanted, abs=1e-3)


def test_a_word_longer_than_a_window_is_read_on(tmp_path):
    save_random("gpt2", tmp_path)
    nlp = load({"model": tmp_path, "labels": {"LABEL_0": "gout"}, "threshold": 0.0})
    text = "a" * 500 + " " * 500 + "b."
    (vote,) = nlp(text)._.votes
    assert 0 <= vote.start < vote.end <= len(text)


def test_the_pipeline_comes_back_from_its_config(many, tmp_path):
    spec = {"model": many, "labels": {"M10.9": "gout"}, "threshold": 0.9}
    nlp = load([spec])
    assert nlp.config["components"]["clinnlp_classifiers"]["classifiers"] == [spec | {"model": str(many)}]
    nlp.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    assert again("Podagra.")._.votes == nlp("Podagra.")._.votes != ()


def test_votes_leave_what_the_text_states(many):
    import pandas as pd

    notes = pd.DataFrame({"note_id": ["1"], "text": ["Denies gout. The foot has podagric wheeze."]})
    rules = {"clinnlp_sentences", "clinnlp_sections", "clinnlp_lexicon", "clinnlp_context"}
    nlp = clinnlp.load(classifiers={"model": many, "labels": {"J45": "gout"}}, exclude={*COMPONENTS} - rules)
    assert found(nlp(notes["text"][0])) == [("gout", "J45")]
    flag = clinnlp.annotate(notes, nlp).flags.query("condition == 'gout'").iloc[0]
    assert (flag["status"], flag["basis"], flag["evidence"]) == ("absent", "stated", "gout")


def test_a_user_s_own_condition_can_be_voted_on(many, tmp_path):
    own = tmp_path / "own.yml"
    own.write_text(
        "- {id: toe_pain, name: toe pain, group: own, chronic: false, names: [toe pain], example: Toe pain., "
        "counter: Pain.}",
        encoding="utf-8",
    )
    nlp = load({"model": many, "labels": {"M10.9": "toe_pain"}}, conditions=str(own))
    assert found(nlp("Podagra.")) == [("toe_pain", "M10.9")]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"model": "m", "condition": "gowt"}, "no condition 'gowt'.*gout"),
        ({"model": "m", "zero_shot": ["gout", "gowt"]}, "no condition 'gowt'"),
        ({"model": "m", "labels": {"X": "gowt"}}, "no condition 'gowt'"),
        ({"model": "m", "labels": {"X": ["gout", "asthma"]}}, "no condition"),
        ({"model": "m", "label": {"X": "gout"}}, "unknown key 'label'.*labels"),
        ({"model": "m"}, "no task.*condition, labels, zero_shot"),
        ({"model": "m", "condition": "gout", "zero_shot": ["gout"]}, "condition and zero_shot"),
        ({"model": "m", "zero_shot": "gout"}, "'zero_shot': got str"),
        ({"condition": "gout"}, "'model': got NoneType"),
        ({"model": "m", "condition": "gout", "threshold": 50}, "threshold 50.*0 to 1"),
        ({"model": "m", "zero_shot": ["gout", "asthma"], "hypothesis": "Gout."}, "without {}"),
    ],
)
def test_bad_classifiers_are_told_apart(spec, message):
    with pytest.raises(InputError, match=message):
        read_spec(spec, clinnlp.conditions.load())


@pytest.mark.parametrize("classifiers", ["path", ["path"], [{"gout": "path"}, "path"]])
def test_other_things_than_classifiers_are_refused(classifiers):
    with pytest.raises(InputError, match="Give classifiers as"):
        load(classifiers)


def test_labels_that_a_model_lacks(many, nli):
    with pytest.raises(ModelError, match=r"no label M10\. It has: M10\.9, J45"):
        load({"model": many, "labels": {"M10": "gout"}})
    with pytest.raises(ModelError, match=r"no label for entailment.*It has: M10\.9, J45"):
        load({"model": many, "zero_shot": ["gout"]})
    with pytest.raises(ModelError, match=r"Which label of .* means gout"):
        load({"gout": many})
    with pytest.raises(ModelError, match="hypothesis is too long"):
        load({"model": nli, "zero_shot": ["gout"], "hypothesis": "The patient has the foot. " * 9})


def test_models_that_cannot_vote(tmp_path, monkeypatch):
    from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

    config = BertConfig(vocab_size=len(IDS), **SIZES)
    with pytest.raises(ModelError, match="could not be loaded from a local folder"):
        load({"gout": str(tmp_path / "none")})
    with pytest.raises(ModelError, match=r"local model cache.*download=True"):
        load({"gout": "no-such/model"})
    BertForTokenClassification(config).save_pretrained(tmp_path / "tags")
    save_tokenizer(tmp_path / "tags")
    with pytest.raises(ModelError, match=r"lacks the weights bert\.pooler"):
        load({"gout": tmp_path / "tags"})
    config.num_labels, config.problem_type = 1, "regression"
    BertForSequenceClassification(config).save_pretrained(tmp_path / "numbers")
    save_tokenizer(tmp_path / "numbers")
    with pytest.raises(ModelError, match="is a regression"):
        load({"gout": tmp_path / "numbers"})
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        load({"gout": tmp_path})
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"clinnlp\[torch\]"):
        load({"gout": tmp_path})
