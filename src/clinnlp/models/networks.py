"""Running the windows of a text through a network: with onnxruntime, or with torch for any other model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from clinnlp.errors import MissingExtraError, ModelError
from clinnlp.models.opening import could_not_load, opening, refuse_missing, refuse_pickle

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

Window: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]  # ids of the word pieces, and their types
TOKENS = 4096  # word pieces that a batch has at most, padding included
LONGEST = 256  # word pieces of a window, where neither the model nor its pack says less


class Network(Protocol):
    """What a token classifier needs of a network."""

    tokenizer: Tokenizer
    labels: list[str]
    longest: int
    types: bool  # whether it reads what the dictionary says of each word

    def logits(self, windows: Sequence[Window]) -> list[np.ndarray]:
        """Give an array of shape (word pieces, labels) for each window."""
        ...


class OnnxNetwork:
    """A network in ONNX. Windows run one by one, on as many threads as there are cores.

    A window alone needs no padding, and a quantised network gives it the same result whatever runs beside it.

    Parameters
    ----------
    folder
        Holds config.json, tokenizer.json and the network.
    file
        Name of the network's file.
    threads
        How many windows run at a time; as many as there are cores if None.

    Raises
    ------
    ModelError
        When a file is missing or damaged, or there is not a label for each output of the network.
    """

    def __init__(self, folder: Path, file: str = "model.onnx", threads: int | None = None) -> None:
        import json

        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        with opening(folder, "config.json"):
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self.labels = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
            self.longest = _longest(config)
            self.types = bool(config.get("reads_dictionary"))
        with opening(folder, "tokenizer.json"):
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with opening(folder, file):
            self.session = onnxruntime.InferenceSession(
                str(folder / file), sess_options=options, providers=["CPUExecutionProvider"]
            )
        self.inputs = {i.name for i in self.session.get_inputs()}
        made = self.session.get_outputs()[0].shape[-1]
        if made != len(self.labels):
            raise ModelError(
                f"The config.json of the model {folder.name} names {len(self.labels)} labels, its network has {made}. "
                "Give each output of the network its label in id2label."
            )
        self.threads = threads or count_cores()

    def logits(self, windows: Sequence[Window]) -> list[np.ndarray]:
        """Give an array of shape (word pieces, labels) for each window."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(self._run, windows))

    def _run(self, window: Window) -> np.ndarray:
        import numpy as np

        ids = np.array([window[0]], dtype=np.int64)
        feed = {
            "input_ids": ids, "attention_mask": np.ones_like(ids),
            "token_type_ids": np.array([window[1]], dtype=np.int64),
        }  # fmt: skip
        found: np.ndarray = self.session.run(["logits"], {k: v for k, v in feed.items() if k in self.inputs})[0][0]
        return found


class TorchNetwork:
    """Any token-classification model of transformers. Windows of like length run together.

    Parameters
    ----------
    model
        A local folder or a hub id.
    download
        Whether the files of a hub id may be fetched; otherwise they must be on this machine.

    Raises
    ------
    MissingExtraError
        When torch is not installed.
    ModelError
        When the model is not there, is damaged, lacks weights, has none in safetensors, or its tokenizer gives no
        offsets.
    """

    def __init__(self, model: str, *, download: bool = False) -> None:
        try:
            import torch
        except ImportError:
            raise MissingExtraError("torch", "torch") from None
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        refuse_pickle(model)
        try:
            tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=not download)
            network, report = AutoModelForTokenClassification.from_pretrained(
                model, local_files_only=not download, use_safetensors=True, dtype=torch.float32,
                output_loading_info=True,
            )  # fmt: skip
        except Exception as error:  # each library has its own kinds
            raise could_not_load(model, error, "a token-classification model") from None
        refuse_missing(model, report["missing_keys"], "for token classification")
        if not tokenizer.is_fast:
            raise ModelError(f"The tokenizer of {model} gives no character offsets. Save it with a tokenizer.json.")
        config = network.config
        self.network = network.eval()
        self.tokenizer = tokenizer.backend_tokenizer
        self.labels = [config.id2label[i] for i in range(config.num_labels)]
        self.longest = min(_longest(config.to_dict()), tokenizer.model_max_length)
        self.types = bool(getattr(config, "reads_dictionary", False))
        self.pad = tokenizer.pad_token_id or 0

    def logits(self, windows: Sequence[Window]) -> list[np.ndarray]:
        """Give an array of shape (word pieces, labels) for each window."""
        found: dict[int, np.ndarray] = {}
        for batch in make_batches([len(ids) for ids, _ in windows], TOKENS):
            for i, result in zip(batch, self._run([windows[i] for i in batch]), strict=True):
                found[i] = result[: len(windows[i][0])]
        return [found[i] for i in range(len(windows))]

    def _run(self, windows: Sequence[Window]) -> np.ndarray:
        import torch

        longest = max(len(ids) for ids, _ in windows)
        ids = torch.full((len(windows), longest), self.pad)
        mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, (pieces, kinds) in enumerate(windows):
            ids[row, : len(pieces)] = torch.tensor(pieces)
            mask[row, : len(pieces)] = 1
            types[row, : len(pieces)] = torch.tensor(kinds)
        feed = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self.types else {})
        with torch.inference_mode():
            found: np.ndarray = self.network(**feed).logits.float().numpy()
        return found


def _longest(config: Mapping[str, Any]) -> int:
    """Give the word pieces of a window; RoBERTa and its kind have two positions fewer than they say."""
    positions = config.get("max_position_embeddings") or LONGEST
    lost = 2 if config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "longformer") else 0
    return int(config.get("longest_window") or min(LONGEST, positions - lost))


def count_cores() -> int:
    """Give the number of cores that this process may use, or where the system does not say, that the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Put items of like length together, as many as fit into a number of tokens with their padding.

    >>> list(make_batches([5, 100, 6, 90], 200))
    [[1, 3], [2, 0]]
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
