"""A damaged model is one ModelError that says which file is wrong and what to do."""

import json
import os
import shutil

import pytest

import clinnlp
from clinnlp.errors import ModelError
from clinnlp.models import load_classifier, pack

FILES = ("config.json", "tokenizer.json", "model.onnx")


@pytest.fixture
def folder(tmp_path):
    """The shipped model as a folder of one's own, without a manifest."""
    (tmp_path / "own").mkdir()
    for name in FILES:
        os.link(pack.PACKS / "mini" / name, tmp_path / "own" / name) if name == "model.onnx" else shutil.copy(
            pack.PACKS / "mini" / name, tmp_path / "own"
        )
    return tmp_path / "own"


@pytest.fixture
def shipped(folder, monkeypatch):
    """The same with its manifest, in the place of those that ship."""
    shutil.copy(pack.PACKS / "mini" / "manifest.json", folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"] = {name: digest for name, digest in manifest["files"].items() if name in FILES}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setattr(pack, "PACKS", folder.parent)
    return folder


def replace(path, content):
    path.unlink()
    path.write_bytes(content)


def refuse(model, match):
    with pytest.raises(ModelError, match=match) as caught:
        load_classifier(str(model))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(str(caught.value)) < 400


def test_whole_models_load(folder, shipped):
    assert load_classifier(str(folder)).predict("She has gout.") == load_classifier("own").predict("She has gout.")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, b"", b"\0\xff garbage", b"[1, 2]", b"{}"])
def test_a_file_of_ones_own_model(folder, name, content):
    if content is None and name == "model.onnx":
        pytest.skip("without it the folder is one for torch")
    (folder / name).unlink() if content is None else replace(folder / name, content)
    refuse(folder, f"file {name} of the model own is missing or damaged.*again")


def test_a_network_cut_short(folder):
    replace(folder / "model.onnx", (pack.PACKS / "mini" / "model.onnx").read_bytes()[:-10_000])
    refuse(folder, r"file model\.onnx of the model own is missing or damaged")


@pytest.mark.parametrize("labels", [{"0": "O"}, {}, {"0": "O", "7": "B-X"}, [1], None])
def test_labels_that_are_not_those_of_the_network(folder, labels):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    replace(folder / "config.json", json.dumps({**config, "id2label": labels}).encode())
    refuse(folder, r"config\.json of the model own")


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_file_of_a_shipped_model(shipped, name, damage):
    (shipped / name).unlink() if damage == "missing" else replace(shipped / name, b"{}")
    refuse("own", rf"file {name} of the model own is missing or (changed|damaged).*[Rr]einstall clinnlp")


def test_pickled_weights(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    refuse(tmp_path, "pickle.*Convert it to safetensors")


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 8, b"\x02\0\0\0\0\0\0\0{}"])
def test_damaged_weights_for_torch(tmp_path, folder, content):
    pytest.importorskip("torch")
    (folder / "model.onnx").unlink()
    (folder / "model.safetensors").write_bytes(content)
    refuse(folder, "could not be loaded from that folder|lacks the weights")


def test_a_pipeline_says_the_same(folder):
    replace(folder / "tokenizer.json", b"garbage")
    with pytest.raises(clinnlp.ClinnlpError, match=r"tokenizer\.json"):
        clinnlp.load(ner=str(folder))
