"""Tiny models of each architecture, built from their configurations: offsets, windows, and the same result always."""

from itertools import pairwise

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from clinnlp.models.networks import TorchNetwork
from clinnlp.models.token_classifier import TokenClassifier
from clinnlp.models.windows import cut, split_pieces

TEXT = (
    "Mrs. Doe, 71 y/o, c/o SOB x3d; denies chest pain.\r\n\r\nMeds:\n- lisinopril 10mg p.o. q.d.\n- 5-FU\n"
    "T 38.2, WBC 12.3 H. Naïve café \U0001f600 β-blocker \N{COMBINING ACUTE ACCENT}\tfim.\n"
) * 12
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>", "<mask>", "[PAD]", "[UNK]", "[CLS]", "[SEP]"]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def word_pieces():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator([TEXT], trainers.WordPieceTrainer(vocab_size=200, special_tokens=SPECIAL))
    return _with_ends(tokenizer, "[CLS] $A [SEP]", ("[CLS]", "[SEP]"))


def byte_pieces(template="<s> $A </s>"):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return _with_ends(tokenizer, template, ("<s>", "</s>")) if template else tokenizer


def sentence_pieces(template):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=SPECIAL, unk_token="<unk>")
    tokenizer.train_from_iterator([TEXT], trainer)
    return _with_ends(tokenizer, template, ("<s>", "</s>"))


def _with_ends(tokenizer, template, names):
    special = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    return tokenizer


def _families():
    from transformers import (
        BertConfig,
        DebertaV2Config,
        ElectraConfig,
        GPT2Config,
        ModernBertConfig,
        RobertaConfig,
        XLNetConfig,
    )  # fmt: skip

    return {
        "bert": (lambda n: BertConfig(vocab_size=n, max_position_embeddings=64, **SIZES), word_pieces),
        "electra": (lambda n: ElectraConfig(vocab_size=n, embedding_size=16, max_position_embeddings=64, **SIZES),
                    word_pieces),
        "roberta": (lambda n: RobertaConfig(vocab_size=n, max_position_embeddings=66, pad_token_id=0, **SIZES),
                    byte_pieces),
        "gpt2": (lambda n: GPT2Config(vocab_size=n, n_positions=64, n_embd=16, n_layer=2, n_head=2),
                 lambda: byte_pieces("")),
        "modernbert": (lambda n: ModernBertConfig(vocab_size=n, max_position_embeddings=64, pad_token_id=0, **SIZES),
                       byte_pieces),
        "deberta-v2": (lambda n: DebertaV2Config(vocab_size=n, max_position_embeddings=64, relative_attention=True,
                                                 pos_att_type=["p2c", "c2p"], **SIZES),
                       lambda: sentence_pieces("<s> $A </s>")),
        "xlnet": (lambda n: XLNetConfig(vocab_size=n, d_model=16, n_layer=2, n_head=2, d_inner=16),
                  lambda: sentence_pieces("$A </s> <s>")),
    }  # fmt: skip


FAMILIES = ("bert", "electra", "roberta", "gpt2", "modernbert", "deberta-v2", "xlnet")


@pytest.fixture(scope="module", params=FAMILIES)
def network(request, tmp_path_factory):
    import torch
    from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast

    config, make_tokenizer = _families()[request.param]
    tokenizer = make_tokenizer()
    torch.manual_seed(1)
    config = config(tokenizer.get_vocab_size())
    tags = ["O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical"]
    config.id2label, config.label2id = dict(enumerate(tags)), {t: i for i, t in enumerate(tags)}
    folder = tmp_path_factory.mktemp(request.param)
    AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, pad_token="<pad>").save_pretrained(folder)
    return TorchNetwork(str(folder))


def test_each_piece_is_of_its_word_and_each_word_is_seen(network):
    pieces = split_pieces(TEXT, network.tokenizer)
    spans = cut(TEXT, pieces, 40, 8)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(pieces.ids)
    assert all(a < c <= b and b - a <= 40 for (a, b), (c, _) in pairwise(spans))
    unseen = {TEXT[a:b] for a, b in TokenClassifier(network).unseen(TEXT)}
    assert unseen <= {"\N{COMBINING ACUTE ACCENT}", "\U0001f600"}  # what some normalisers leave out


def test_entities_are_whole_words_on_one_line(network):
    found = TokenClassifier(network).predict(TEXT)
    words = set(split_pieces(TEXT, network.tokenizer).words)
    starts, ends = {a for a, _ in words}, {b for _, b in words}
    assert found
    for entity in found:
        assert entity.start in starts
        assert entity.end in ends
        assert "\n" not in TEXT[entity.start : entity.end]
        assert entity.label in ("DISEASE", "MEDICATION")
        assert 0 < entity.score <= 1


def test_batches_and_order_change_nothing(network, monkeypatch):
    from clinnlp.models import networks

    texts = [TEXT[:n] for n in (30, 900, 0, 200, 1500)]
    alone = [TokenClassifier(network).predict(text) for text in texts]
    for tokens in (1, 200, 100_000):
        monkeypatch.setattr(networks, "TOKENS", tokens)
        together = TokenClassifier(network).predict_all(texts[::-1])[::-1]
        for a, b in zip(alone, together, strict=True):
            assert [(p.start, p.end, p.label) for p in a] == [(p.start, p.end, p.label) for p in b]
            assert [p.score for p in a] == pytest.approx([p.score for p in b], abs=1e-4)
