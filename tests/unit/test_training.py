"""Training from a recipe to a pack that runs without torch, on a tiny model and a handful of made-up sentences."""

import json
import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import spacy
import yaml
from typer.testing import CliRunner

from clinnlp.cli import app
from clinnlp.errors import InputError, ModelError
from clinnlp.evaluate import calibration_error, score_entities
from clinnlp.models import compare_models, load_classifier
from clinnlp.models.documents import read_documents
from clinnlp.models.networks import TorchNetwork
from clinnlp.models.token_classifier import TokenClassifier
from clinnlp.models.training import Corpus, read_recipe, train, word_tags
from clinnlp.models.windows import split_words

DRUGS, DISEASES = ("aspirin", "lasix", "heparin"), ("gout", "asthma", "sepsis")


def documents(label, words):
    texts = [
        (text.format(w=w, o=o), w)
        for text in ("He has {w} now.\nTake {o} then.", "Take {o} then.\nHe has {w} now. He has {w}.", "{w}. {o}")
        for w in words
        for o in (*DRUGS, *DISEASES)
        if o not in words
    ]
    return [
        {
            "id": str(i),
            "text": t,
            "entities": [{"start": m.start(), "end": m.end(), "label": label} for m in re.finditer(w, t)],
        }
        for i, (t, w) in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data, a base to start from, and a recipe."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

    folder = tmp_path_factory.mktemp("data")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *DRUGS, *DISEASES, "he", "has", "now", ".", "take", "then"]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    set_seed(3)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder / "base")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", mask_token="[MASK]").save_pretrained(
        folder / "base"
    )
    for name, label, own in (("drugs", "Chemical", DRUGS), ("diseases", "Disease", DISEASES)):
        lines = "\n".join(map(json.dumps, documents(label, own)))
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    recipe = {
        "base": str(folder / "base"), "epochs": 8, "learning_rate": 5e-3, "batch_size": 4, "window": 24, "average": 2,
        "masked": 0.1,
        "corpora": {
            "drugs": {"files": ["drugs.jsonl"], "labels": ["Chemical"], "dev": ["drugs.jsonl"]},
            "diseases": {"files": ["diseases.jsonl"], "labels": ["Disease"]},
        },
    }  # fmt: skip
    (folder / "recipe.yml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pack(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("pack")
    arguments = ["train", str(data / "recipe.yml"), "--data", str(data), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.exception
    return out


def found(classifier, text):
    return [(text[p.start : p.end], p.label) for p in classifier.predict(text)]


def test_each_head_learns_its_own_labels(pack):
    text = "He has gout now. He has lasix now."
    assert found(load_classifier(str(pack)), text) == [("gout", "DISEASE"), ("lasix", "MEDICATION")]


def test_the_network_without_torch_says_what_the_weights_say(pack):
    text = "He has gout now. He has lasix now."
    light, heavy = load_classifier(str(pack)), TokenClassifier(TorchNetwork(str(pack)))
    assert found(light, text) == found(heavy, text)


def test_threads_change_nothing(pack):
    texts = ["He has gout now.", "He has lasix now. " * 30, ""]
    results = [load_classifier(str(pack), threads=n).predict_all(texts) for n in (1, 2, 4)]
    assert results[0] == results[1] == results[2]


def test_the_manifest_tells_how_the_pack_was_made_and_is_checked(pack, tmp_path):
    manifest = json.loads((pack / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) >= {"config.json", "model.onnx", "model.safetensors", "tokenizer.json"}
    assert manifest["scores"]["drugs"]["entities"][0]["f1"] == 1.0
    assert set(json.loads((pack / "training.json").read_text(encoding="utf-8"))["data"]) == {
        "drugs.jsonl", "diseases.jsonl",
    }  # fmt: skip
    copy = tmp_path / "copy"
    shutil.copytree(pack, copy, ignore=shutil.ignore_patterns("checkpoints"))
    with (copy / "config.json").open("a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(ModelError, match=r"config\.json"):
        load_classifier(str(copy))


def test_a_run_goes_on_where_it_ended_and_gives_the_same(data, pack, tmp_path):
    recipe = read_recipe(data / "recipe.yml")
    shutil.copytree(pack / "checkpoints", tmp_path / "out" / "checkpoints")
    last = max((tmp_path / "out" / "checkpoints").iterdir(), key=lambda p: int(p.name.rpartition("-")[2]))
    shutil.rmtree(last)
    train(recipe, data, tmp_path / "out")
    hashes = [json.loads((f / "manifest.json").read_text(encoding="utf-8"))["files"] for f in (pack, tmp_path / "out")]
    assert hashes[0]["model.safetensors"] == hashes[1]["model.safetensors"]


def test_the_weights_of_a_pack_may_learn_from_what_it_is_scored_on(data, tmp_path):
    text = "heparin heparin"
    entities = [{"start": a, "end": b, "label": "Disease"} for a, b in ((0, 7), (8, 15))]
    lines = [json.dumps({"id": str(i), "text": text, "entities": entities}) for i in range(20)]
    (tmp_path / "dev.jsonl").write_text("\n".join(lines), encoding="utf-8")
    shutil.copy(data / "diseases.jsonl", tmp_path)
    corpora = {"d": Corpus(files=("diseases.jsonl",), labels=("Disease",), dev=("dev.jsonl",))}
    recipe = replace(read_recipe(data / "recipe.yml"), corpora=corpora, dictionary=False)
    for name, with_dev in (("without", False), ("with", True)):
        train(replace(recipe, with_dev=with_dev), tmp_path, tmp_path / name)
    assert found(load_classifier(str(tmp_path / "without")), text) == []
    assert found(load_classifier(str(tmp_path / "with")), text) == [("heparin", "DISEASE")] * 2
    scores = [json.loads((tmp_path / f / "manifest.json").read_text())["scores"] for f in ("without", "with")]
    assert scores[0] == scores[1]


def test_models_side_by_side(pack):
    notes = pd.DataFrame({"note_id": ["a"], "text": ["He has gout now. He has lasix now."]})
    classifier = load_classifier(str(pack))
    only = TokenClassifier(classifier.network, heads={"drugs": ()})
    table = compare_models(notes, {"both": classifier, "drugs": only})
    assert table[["text", "both", "agreement"]].values.tolist() == [
        ["gout", "DISEASE", "missing"], ["lasix", "MEDICATION", "same"],
    ]  # fmt: skip
    assert table["drugs"].isna().tolist() == [True, False]


def test_an_unknown_head_and_a_bad_recipe_say_so(pack, tmp_path):
    with pytest.raises(ModelError, match="nose"):
        TokenClassifier(load_classifier(str(pack)).network, heads={"nose": ()})
    bad = tmp_path / "bad.yml"
    bad.write_text("colour: red", encoding="utf-8")
    with pytest.raises(InputError, match="base, corpora"):
        read_recipe(bad)
    with pytest.raises(InputError, match="Check the path"):
        read_recipe(tmp_path / "none.yml")


def test_tags_of_words_and_the_longest_of_overlapping_entities():
    text = "severe chest pain, gout"
    entities = [
        {"start": a, "end": b, "label": label}
        for a, b, label in ((13, 17, "A"), (7, 17, "A"), (19, 23, "B"), (0, 6, "C"))
    ]
    assert word_tags(split_words(text), entities, ["A", "B"]) == ["O", "B-A", "I-A", "O", "B-B"]


def test_documents_in_three_formats(tmp_path):
    text = "Known gout.\r\nTakes colchicine."
    wanted = [(6, 10, "Disease"), (19, 29, "Chemical")]
    entities = [{"start": a, "end": b, "label": c} for a, b, c in wanted]
    (tmp_path / "d.jsonl").write_text(json.dumps({"id": 1, "text": text, "entities": entities}), encoding="utf-8")
    brat = tmp_path / "brat"
    brat.mkdir()
    (brat / "1.txt").write_bytes(text.encode())
    (brat / "1.ann").write_text(
        "T1\tDisease 6 10\tgout\nA1\tNegation T1\nT2\tChemical 19 22;23 29\tcol hicine\n", encoding="utf-8"
    )
    doc = spacy.blank("en")(text)
    doc.ents = [doc.char_span(a, b, label=c) for a, b, c in wanted]
    spacy.tokens.DocBin(docs=[doc]).to_disk(tmp_path / "d.spacy")
    for name in ("d.jsonl", "brat", "d.spacy"):
        (document,) = read_documents(tmp_path / name)
        assert document["text"] == text
        assert [(e["start"], e["end"], e["label"]) for e in document["entities"]] == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "secret gout", "entities": [{"start": 7, "end": 70, "label": "D"}]}', "7-70 is outside"),
        ('{"text": "secret gout"}', "line 1"),
        ("secret", "line 1"),
    ],
)
def test_bad_documents_are_named_and_not_quoted(content, message, tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        list(read_documents(path))
    assert "secret" not in str(caught.value)


def test_scores():
    gold = [[(0, 4, "A"), (5, 9, "B")], [(0, 4, "A")]]
    table = score_entities(gold, [[(0, 4, "A"), (5, 8, "B")], [(6, 9, "A")]]).set_index(["label", "match"])["f1"]
    assert table["A", "strict"] == 0.5
    assert table["B", "strict"] == 0.0
    assert table["B", "overlap"] == 1.0
    assert table["micro", "overlap"] == pytest.approx(2 / 3, abs=1e-4)
    assert calibration_error([0.55, 0.55, 0.95], [True, False, True]) == pytest.approx(0.05)


def test_open_models_are_listed():
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    assert "mini (ships)" in result.output
