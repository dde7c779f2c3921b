"""Running a model that generates text: an encoder-decoder (T5, BART, Pegasus) or a causal one (GPT, Llama, Qwen)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from clinnlp.errors import InputError, MissingExtraError, ModelError
from clinnlp.models.opening import could_not_load, refuse_missing, refuse_pickle
from clinnlp.models.windows import special_ends
from clinnlp.resources import read_yaml

WINDOW = 512  # tokens, where neither model nor tokenizer says how many it reads; T5 was trained on so many
LOOP = (3, 24)  # times, and tokens in all, from which words said over and over are a loop
NOTE, TASK = "{note}", "{task}"
DTYPES = ("auto", "float32", "bfloat16", "float16")
POSITIONS = ("max_position_embeddings", "n_positions", "max_encoder_position_embeddings", "max_seq_len")
KEPT = (  # of a model's own generation config: its special tokens, and nothing of how it samples or searches
    "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id", "bad_words_ids",
    "suppress_tokens", "begin_suppress_tokens",
)  # fmt: skip
OTHER_TASK = re.compile("Classification|QuestionAnswering|MultipleChoice|MaskedLM|PreTraining")

Stop: TypeAlias = Literal["end", "length", "loop"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked for; the keys are those of `resources/prompts.yml`."""

    id: str = "own"
    user: str = ""
    system: str = ""
    merge: str = ""
    encoder: str = ""


def read_prompt(prompt: str | Mapping[str, str]) -> Prompt:
    """Read a prompt: the id of one that is shipped, a text of the user's own, or a mapping with the keys of `Prompt`.

    Raises
    ------
    InputError
        When there is no such prompt, or a text of it does not have {note} once (the system's: not at all).

    Examples
    --------
    >>> read_prompt("Name the diseases in this note: {note}").id
    'own'
    """
    shipped: dict[str, dict[str, str]] = read_yaml("prompts.yml")["prompts"]
    known = [f.name for f in fields(Prompt)]
    if isinstance(prompt, str):
        own = {"user": prompt, "encoder": prompt}
        given: Mapping[str, str] = {"id": prompt, **shipped[prompt]} if prompt in shipped else own
    elif isinstance(prompt, Mapping):
        given = prompt
    else:
        raise InputError(f"A prompt is a text or a mapping; got {type(prompt).__name__}.")
    if unknown := [key for key in given if key not in known]:
        raise InputError(f"The prompt has the unknown key {unknown[0]!r}. Known keys: {', '.join(known)}.")
    for key, text in given.items():
        wanted = {"id": None, "system": 0}.get(key, 1)
        if not isinstance(text, str) or wanted not in (None, text.count(NOTE)):
            raise InputError(
                f"The prompt's {key!r} must be a text with {{note}} {'nowhere' if wanted == 0 else 'once'}, where the "
                f"note goes. Shipped prompts: {', '.join(shipped)}."
            )
    return Prompt(**given)


class GeneratingNetwork:
    """Any model of transformers that generates text, made to write the same each time.

    The most likely token is taken at each step, whatever the model's own generation config says of sampling, beams or
    lengths. No repetition is forbidden: the usual ban on saying three tokens twice would keep a model from giving two
    drugs the same dose. Instead, the model is stopped once it says the same over and over, which then stands once.

    Parameters
    ----------
    model
        A local folder or a hub id.
    download
        Whether the files of a hub id may be fetched; otherwise they must be on this machine.
    dtype
        The numbers that the weights become: "float32", "bfloat16" or "float16"; "auto" leaves them as they were saved.
    device
        Where the model runs, as torch names it: "cpu", "cuda", "mps".

    Raises
    ------
    InputError
        When there is no such dtype.
    MissingExtraError
        When torch is not installed.
    ModelError
        When the model is not there, cannot generate, has no safetensors weights, or the device is not there.
    """

    def __init__(self, model: str, *, download: bool = False, dtype: str = "auto", device: str = "cpu") -> None:
        if dtype not in DTYPES:
            raise InputError(f"There is no dtype {dtype!r}. Give one of {', '.join(DTYPES)}.")
        network, tokenizer = _open(model, download, dtype)
        try:
            self.network = network.eval().to(device)
        except (RuntimeError, AssertionError) as error:  # a torch that was built without the device asserts
            raise ModelError(f"{model} cannot run on {device!r} ({type(error).__name__}). Give device='cpu'.") from None
        config = network.config
        self.name = Path(model).resolve().name if Path(model).is_dir() else model
        self.tokenizer = tokenizer
        self.encodes = bool(config.is_encoder_decoder)
        self.task = _task(config)
        self.front, _ = special_ends(tokenizer.backend_tokenizer)
        self.window = _window(config, tokenizer)
        self.most = min(self.window, getattr(config, "max_decoder_position_embeddings", None) or self.window) - 1
        network.generation_config = _settings(network.generation_config, tokenizer)

    def frame(self, prompt: Prompt, *, merge: bool = False) -> str:
        """Give the whole text that the model reads, with {note} where the note, or the summaries to merge, go.

        Raises
        ------
        InputError
            When the prompt has nothing for this kind of model, or the model follows no instructions.
        """
        template = prompt.encoder if self.encodes else (merge and prompt.merge) or prompt.user
        if not template:
            missing = "encoder" if self.encodes else "user"
            raise InputError(f"The prompt {prompt.id!r} has nothing for {self.name}. Add the key {missing!r}.")
        if not self.encodes:
            return _chat(self.tokenizer, prompt.system, template)
        if TASK in template and template != TASK + NOTE and not self.task:
            raise InputError(
                f"{self.name} follows no instructions, so it has no use for the prompt {prompt.id!r}. Give "
                "prompt='brief', or a model that follows instructions, such as Flan-T5 or a chat model."
            )
        return template.replace(TASK, self.task)

    def ids(self, frame: str, text: str) -> list[int]:
        """Give all the ids that the model reads; what looks like a special token in the text is text."""
        before, _, after = frame.partition(NOTE)
        if self.encodes:
            return self.encode(before + text.strip() + after, ends=True)
        front = [] if self.tokenizer.chat_template else self.front
        before_ids, after_ids = (self.encode(part, plain=False) for part in (before, after))
        return [*front, *before_ids, *self.encode(text.strip()), *after_ids]

    def encode(self, text: str, *, plain: bool = True, ends: bool = False) -> list[int]:
        """Give the ids of a text; unless it is plain, the special tokens that are written in it count as such."""
        found = self.tokenizer(text, add_special_tokens=ends, split_special_tokens=plain, verbose=False)
        ids: list[int] = found.input_ids
        return ids

    def write(self, frame: str, text: str, most: int) -> tuple[str, int, int, Stop]:
        """Let the model write at most so many tokens; gives the text, the tokens in and out, and why it stopped."""
        import torch

        ids = torch.tensor([self.ids(frame, text)], device=self.network.device)
        start = 1 if self.encodes else ids.shape[1]  # a decoder starts with a token of its own

        def loops(made: Any, scores: Any, **_: Any) -> Any:
            return torch.tensor([find_loop(made[0, start:].tolist())[0] > 0], device=made.device)

        with torch.inference_mode():
            made = self.network.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), stopping_criteria=[loops], max_new_tokens=most
            )[0, start:].tolist()  # fmt: skip
        ends = self.network.generation_config.eos_token_id
        size, times = find_loop(made)
        stopped: Stop = "end" if made[-1] in (ends if isinstance(ends, list) else [ends]) else "length"
        if stopped == "length" and size:
            stopped = "loop"
        kept = made[: len(made) - size * (times - 1)] if stopped == "loop" else made
        return self.tokenizer.decode(kept, skip_special_tokens=True).strip(), ids.shape[1], len(made), stopped


def _open(model: str, download: bool, dtype: str) -> tuple[Any, Any]:
    """Load a generating model with all its weights, and its tokenizer."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError("torch", "torch") from None
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    options = {"local_files_only": not download, "trust_remote_code": False}
    refuse_pickle(model)
    try:
        config = AutoConfig.from_pretrained(model, **options)
        _check(config, model)
        tokenizer = AutoTokenizer.from_pretrained(model, **options)
        kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        network, report = kind.from_pretrained(
            model, config=config, use_safetensors=True, dtype=dtype, output_loading_info=True, **options
        )
    except ModelError:
        raise
    except Exception as error:  # each library has its own kinds
        raise could_not_load(model, error, "a model that generates text") from None
    refuse_missing(model, report["missing_keys"], "to generate text")
    if not tokenizer.is_fast:
        raise ModelError(f"The tokenizer of {model} is of the slow kind. Save it with a tokenizer.json.")
    return network, tokenizer


def _check(config: Any, model: str) -> None:
    """Refuse an encoder, such as BERT, and a model that was saved with the head of another task."""
    from transformers.models.auto import modeling_auto as auto

    kind, saved = config.model_type, config.architectures or ()
    if config.is_encoder_decoder:
        able = kind in auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    else:
        encoder = kind in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
        able = kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not encoder
    if not able or any(OTHER_TASK.search(name) for name in saved):
        raise ModelError(
            f"{model} ({', '.join([kind, *saved])}) cannot generate text. Give an encoder-decoder, such as T5, BART or "
            "Pegasus, or a causal model, such as GPT-2, Llama or Qwen."
        )


def _task(config: Any) -> str:
    """Give the words that stand before a text to summarise, as the model was trained."""
    known = (getattr(config, "task_specific_params", None) or {}).get("summarization", {})
    task: str = known.get("prefix") or (read_yaml("prompts.yml")["task"] if config.model_type == "t5" else "")
    return task


def _window(config: Any, tokenizer: Any) -> int:
    """Give the tokens that a model reads: the least of what its config and its tokenizer say."""
    config = config.get_text_config()
    said = [getattr(config, name, None) or 0 for name in POSITIONS] + [tokenizer.model_max_length]
    return min((int(n) for n in said if 0 < n < 10**9), default=WINDOW)  # a tokenizer says 10**30 for no limit


def _settings(own: Any, tokenizer: Any) -> Any:
    """Give the generation config; a model without a token for padding takes its end, since nothing is padded."""
    from transformers import GenerationConfig

    kept = {name: getattr(own, name, None) for name in KEPT}
    if kept["eos_token_id"] is None:
        kept["eos_token_id"] = tokenizer.eos_token_id
    if kept["pad_token_id"] is None:
        ends = kept["eos_token_id"]
        kept["pad_token_id"] = ends[0] if isinstance(ends, list) else ends
    return GenerationConfig(**kept, do_sample=False, num_beams=1)


def _chat(tokenizer: Any, system: str, user: str) -> str:
    """Put a prompt together: by the tokenizer's chat template, or as one text where it has none.

    Where a template refuses or drops the system's message, it stands before the user's.
    """
    joined = "\n\n".join(part.strip() for part in (system, user) if part.strip())
    if not tokenizer.chat_template:
        return joined
    from jinja2 import TemplateError

    both = [{"role": "system", "content": system.strip()}, {"role": "user", "content": user}]
    alone = [{"role": "user", "content": joined}]
    for messages in ([both] if system else []) + [alone]:
        try:
            text: str = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        except TemplateError:
            continue
        if system.strip() in text and text.count(NOTE) == 1:
            return text
    raise ModelError("The chat template of the model's tokenizer takes no plain message. Give a model for chats.")


def find_loop(ids: Sequence[int]) -> tuple[int, int]:
    """Give how many ids the ids end with over and over, and how many times; 0 and 1 where that is no loop.

    >>> find_loop([5, 1, 2, 1, 2]), find_loop([5, *[1, 2] * 12])
    ((0, 1), (2, 12))
    """
    least, tokens = LOOP
    for size in range(1, len(ids) // least + 1):
        times = 1
        while ids[-size * (times + 1) : len(ids) - size * times] == ids[-size:]:
            times += 1
        if times >= least and size * times >= tokens:
            return size, times
    return 0, 1
