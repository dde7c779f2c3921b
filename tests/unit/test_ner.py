"""The model component, on a tiny BERT whose weights are set by hand: each word has a known tag."""

import re
from itertools import product

import numpy as np
import pytest

import clinnlp
from clinnlp.components import ner
from clinnlp.errors import ModelError
from clinnlp.models import token_classifier
from clinnlp.models.token_classifier import Prediction
from clinnlp.tokenizer import blank

TAGS = ["O", "B-Sign_symptom", "I-Sign_symptom", "B-Chemical"]
WORDS = {"fever": 1, "chest": 1, "pain": 2, "aspirin": 3, "no": 0, "and": 0, "the": 0, ".": 0, ",": 0, "##e": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A two-layer BERT whose layers pass the word embedding on, and whose classifier reads the tag off it."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    torch.manual_seed(0)
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=40, id2label=dict(enumerate(TAGS)), label2id={t: i for i, t in enumerate(TAGS)},
    )  # fmt: skip
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm.weight" in name:
                weight.fill_(1.0)
            else:
                weight.zero_()
        for word, i in vocabulary.items():
            model.bert.embeddings.word_embeddings.weight[i, WORDS.get(word, 0)] = 8.0
        model.classifier.weight[:, : len(TAGS)] = torch.eye(len(TAGS)) * 8
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=40, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(path)  # fmt: skip
    return str(path)


@pytest.fixture(scope="module")
def nlp(folder):
    nlp = blank()
    nlp.add_pipe("clinnlp_ner", config={"model": folder})
    return nlp


def found(doc):
    return [(e.text, e.label_) for e in doc.ents]


def test_words_of_a_tag_are_joined_and_a_new_b_starts_anew(nlp):
    doc = nlp("Fever, chest pain and aspirin. Chest pain fever")
    assert found(doc) == [
        ("Fever", "SYMPTOM"), ("chest pain", "SYMPTOM"), ("aspirin", "MEDICATION"), ("Chest pain", "SYMPTOM"),
        ("fever", "SYMPTOM"),
    ]  # fmt: skip
    assert all(e._.source == "model" and 0.9 < e._.score <= 1 for e in doc.ents)


def test_a_word_is_never_split(nlp):
    assert found(nlp("no aspirine.")) == [("aspirine", "MEDICATION")]


def test_every_word_of_a_long_note_is_read(nlp):
    text = "no fever and the chest pain , aspirin . " * 700
    doc = nlp(text)
    assert len(doc.ents) == 2100
    assert all(text[e.start_char : e.end_char] == e.text for e in doc.ents)
    assert {e.text for e in doc.ents} == {"fever", "chest pain", "aspirin"}


def test_entities_already_there_are_kept(nlp):
    doc = nlp.make_doc("chest pain and fever")
    doc.ents = [doc.char_span(6, 10, label="MINE")]
    assert found(nlp.get_pipe("clinnlp_ner")(doc)) == [("pain", "MINE"), ("fever", "SYMPTOM")]


def test_text_without_words_gives_nothing(nlp):
    assert [found(nlp(text)) for text in ("", " \n\t")] == [[], []]


def test_a_dictionary_term_takes_the_place_of_what_the_model_found(folder):
    doc = clinnlp.load(ner=folder)("No fever. Pneumonia. Take aspirine.")
    assert [(e.text, e._.source, e._.assertion) for e in doc.ents] == [
        ("fever", "lexicon", "absent"), ("Pneumonia", "lexicon", "present"), ("aspirine", "model", "present"),
    ]  # fmt: skip


def test_what_no_dictionary_has_counts_only_when_the_model_is_sure(folder):
    nlp = blank()
    nlp.add_pipe("clinnlp_lexicon")
    doc = nlp.make_doc("zorbitis and zorbopathy")
    doc.ents = [doc.char_span(0, 8, label="DISEASE"), doc.char_span(13, 23, label="DISEASE")]
    for entity, score in zip(doc.ents, (0.9, 0.3), strict=True):
        entity._.source, entity._.score = "model", score
    assert found(nlp.get_pipe("clinnlp_lexicon")(doc)) == [("zorbitis", "DISEASE")]


def test_missing_model_says_what_to_give(tmp_path):
    with pytest.raises(ModelError, match="token-classification model"):
        clinnlp.load(ner=str(tmp_path / "none"))


def test_unknown_labels_keep_their_names(folder, monkeypatch):
    from clinnlp.models import token_classifier
    from clinnlp.models.networks import TorchNetwork

    monkeypatch.setattr(token_classifier, "read_yaml", lambda name: {})
    classifier = token_classifier.TokenClassifier(TorchNetwork(folder), labels={"chemical": "DRUG"})
    assert [p.label for p in classifier.predict("fever aspirin")] == ["Sign_symptom", "DRUG"]


@pytest.mark.parametrize("between", ["\n", "\t", "    "], ids=["line", "tab", "column"])
def test_a_new_line_or_column_starts_a_new_entity(nlp, between):
    assert found(nlp(f"chest{between}pain")) == [("chest", "SYMPTOM"), ("pain", "SYMPTOM")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. pain\n2) fever\n(3) cough", []),
        ("Plan:\n1. pain\n2. fever 7.", [("7", "RESULT")]),
        ("WBC was\n12. fever", [("12", "RESULT")]),
        ("2.5 fever\n1.5 pain", [("2.5", "RESULT"), ("1.5", "RESULT")]),
    ],
)
def test_the_numbers_of_a_list_are_no_entities(text, expected):
    numbers = [Prediction(m.start(), m.end(), "RESULT", 0.9) for m in re.finditer(r"\d+(\.\d+)?", text)]
    assert found(ner._add(blank().make_doc(text), numbers)) == expected


def test_docs_in_a_batch_give_what_they_give_alone(nlp):
    texts = ["fever", "", "no fever and the chest pain , aspirin . " * 40, "Chest pain"]
    assert [found(d) for d in nlp.pipe(texts)] == [found(nlp(t)) for t in texts]


@pytest.mark.parametrize("scheme", ["IO", "BIO", "BIES"])
def test_the_tags_are_the_best_of_all_that_may_follow_each_other(scheme):
    tags = [("O", ""), *((prefix, label) for label in "AB" for prefix in scheme if prefix != "O")]
    blocked = token_classifier._blocked(tags)
    draw = np.random.default_rng(0)
    scores = [np.log(draw.dirichlet(np.ones(len(tags)) / 3, n) + 1e-9) for n in (3, 0, 1, 4, 4)]

    def total(path, own):
        before = [0, *(tag + 1 for tag in path)]
        return sum(own[word, tag] + blocked[before[word], tag] for word, tag in enumerate(path))

    for path, own in zip(token_classifier._best_paths(scores, blocked), scores, strict=True):
        every = product(range(len(tags)), repeat=len(own))
        assert tuple(path) == max(every, key=lambda path: total(path, own))


def test_a_window_seen_before_is_not_run_again(folder):
    from clinnlp.models.networks import TorchNetwork
    from clinnlp.models.token_classifier import TokenClassifier

    network = TorchNetwork(folder)
    sizes = []
    run = network.logits
    network.logits = lambda windows: (sizes.append(len(windows)), run(windows))[1]
    classifier = TokenClassifier(network)
    first = classifier.predict_all(["fever", "fever", "aspirin"])
    assert classifier.predict("fever") == first[0] == first[1]
    assert sizes == [2, 0]


def test_pickles_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        clinnlp.load(ner=str(tmp_path))
