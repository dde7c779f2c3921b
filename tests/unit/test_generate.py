"""Generated summaries, on tiny models: two whose weights are set by hand, so that what they write is known."""

import re
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from clinnlp.errors import InputError, MissingExtraError, ModelError
from clinnlp.generate import Chunk, GeneratedSummary, load_generator
from clinnlp.models.generation import find_loop, read_prompt
from clinnlp.resources import read_yaml
from clinnlp.schema import Section
from clinnlp.tokenizer import blank

FINDINGS = ("gout", "asthma", "migraine")
WORDS = ("summarize", ":", ".", "well", "doubtful", "[user]", "[system]", "[reply]", "over", "again")
COUNT = tuple(f"w{i}" for i in range(40))
SPECIAL = ("<pad>", "</s>", "<unk>", "<s>")
IDS = {word: i for i, word in enumerate((*SPECIAL, *FINDINGS, *WORDS, *COUNT))}
SIZE = len(IDS)
NOTE = (
    "Seen in clinic.\n\nHPI: He has gout. He sleeps and he eats.\n\n"
    "PMH:\n- Asthma since childhood.\n- A broken arm.\n\n"
    "Social History: He rides a bicycle to work and has two cats.\n\nPlan: He has migraine. He will rest at home.\n"
)
OWN = "{note} :"
CHAT = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}{% if add_generation_prompt %}[reply]{% endif %}"
    "{% if enable_thinking is not defined or enable_thinking %} over{% endif %}"
)
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('No system message.') }}{% endif %}" + CHAT
DROPS = "[user] {{ messages[-1].content }} [reply]"


def save_tokenizer(folder, *, template="$A </s>", **options):
    """Save a tokenizer with a token a word; the words that it does not know are <unk>."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("[:.]"), "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(token, IDS[token]) for token in SPECIAL]
    )
    options = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"} | options
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **options).save_pretrained(folder)


def save_bytes(folder, **options):
    """Save a tokenizer for which each byte is a token, as GPT-2 has them: without a token for padding."""
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(["<pad>", "</s>", *alphabet])}, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", **options).save_pretrained(folder)


def clear(model):
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if re.search(r"(layer_?norm|ln_\w+)\.weight$", name) else 0.0)


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    """Save a T5 that names the findings of what it reads, each once, and ends.

    Its decoder sees the mean of what was read in dimensions `SIZE` on, and the word before in those up to `SIZE`.
    """
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=SIZE, d_model=2 * SIZE, d_kv=2 * SIZE, d_ff=4, num_layers=1, num_heads=1, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0,
        task_specific_params={"summarization": {"prefix": "again: ", "num_beams": 4}},
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(torch.empty(SIZE, 2 * SIZE))  # of its own, as in T5 1.1
    clear(model)
    eye = torch.eye(SIZE)
    attention = model.decoder.block[0].layer[1].EncDecAttention
    with torch.no_grad():
        model.shared.weight[:, :SIZE] = eye
        attention.v.weight[SIZE:, :SIZE] = eye
        attention.o.weight[:] = 100 * torch.eye(2 * SIZE)
        model.lm_head.weight[1, SIZE + 1] = 0.5  # ends, unless there is a finding
        for i, finding in enumerate(FINDINGS):
            model.lm_head.weight[IDS[finding], SIZE + IDS[finding]] = 1 + (len(FINDINGS) - i) * 0.01
            for later in FINDINGS[i:]:
                model.lm_head.weight[IDS[finding], IDS[later]] = -1000
    folder = tmp_path_factory.mktemp("finder")
    model.save_pretrained(folder)
    save_tokenizer(folder, model_max_length=48)
    return load_generator(folder)


def save_chain(folder, *words, chat=None, positions=400, template="$A"):
    """Save a GPT-2 that writes these words after ":" and "doubtful" after "[reply]", but samples if one lets it."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=SIZE, n_positions=positions, n_embd=SIZE, n_layer=1, n_head=1, bos_token_id=None,
        eos_token_id=None, tie_word_embeddings=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    clear(model)
    with torch.no_grad():
        model.transformer.wte.weight[:] = torch.eye(SIZE)
        for word, following in (*pairwise((":", *words)), ("[reply]", "doubtful"), ("doubtful", "</s>")):
            model.lm_head.weight[IDS[following], IDS[word]] = 5.0
    model.generation_config.update(
        do_sample=True, temperature=50.0, min_new_tokens=30, repetition_penalty=9.0, forced_eos_token_id=1
    )
    model.save_pretrained(folder)
    save_tokenizer(folder, template=template, chat_template=chat)
    return str(folder)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return load_generator(save_chain(tmp_path_factory.mktemp("chain"), "well", ".", "</s>"))


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    """Save a BART with random weights."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(3)
    config = BartConfig(
        vocab_size=258, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=96, pad_token_id=0,
        bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=1, init_std=1.0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("bart")
    BartForConditionalGeneration(config).save_pretrained(folder)
    save_bytes(folder, pad_token="<pad>")
    return load_generator(folder)


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    """Save a GPT-2 with random weights, and a generation config that samples."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(5)
    config = GPT2Config(
        vocab_size=258, n_positions=128, n_embd=16, n_layer=1, n_head=2, initializer_range=1.0, bos_token_id=1,
        eos_token_id=1,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    model.generation_config.update(do_sample=True, temperature=5.0, top_k=50)
    folder = tmp_path_factory.mktemp("gpt2")
    model.save_pretrained(folder)
    save_bytes(folder)
    return load_generator(folder)


def of_round(summary, number):
    return [c for c in summary.chunks if c.round == number]


def check_chunks(summary, text, limit):
    """See that the chunks of the first round, put together, are the note, and that each chunk fits."""
    chunks = of_round(summary, 1)
    assert "".join(text[c.start : c.end] for c in chunks) == text
    assert [c.start for c in chunks] == [0, *(c.end for c in chunks[:-1])]
    assert all(text[c.start : c.end].strip() for c in chunks)
    assert max(c.tokens_in for c in summary.chunks) <= limit


def test_a_short_note_goes_in_at_once(finder):
    found = finder.summarise("He has gout. He has migraine.", max_new_tokens=9)
    assert (found.text, str(found), found.parts, found.cut) == ("gout migraine", "gout migraine", 1, False)
    # in: "again", ":", the words and stops, the end; out: two words and the end
    assert found.chunks == (Chunk(1, 0, 29, (), "gout migraine", 2 + 8 + 1, 3, "end"),)
    assert found.prompt == "brief"
    assert found.model.startswith("finder")


def test_a_long_note_is_cut_between_sections_and_the_summaries_are_merged(finder):
    found = finder.summarise(NOTE, max_new_tokens=9)
    check_chunks(found, NOTE, 48)
    assert [[s.header for s in c.sections] for c in of_round(found, 1)] == [["HPI", "PMH", "Social History"], ["Plan"]]
    assert [c.text for c in found.chunks] == ["gout asthma", "migraine", "gout asthma migraine"]
    [merged] = of_round(found, 2)
    assert (merged.start, merged.end, len(merged.sections)) == (0, len(NOTE), 4)
    assert (found.text, found.parts) == ("gout asthma migraine", 1)


def test_summaries_are_merged_in_as_many_rounds_as_they_need(finder):
    text = "".join(f"Plan: He has {finding}. {'He is at rest and eats. ' * 4}\n\n" for finding in FINDINGS * 30)
    found = finder.summarise(text, max_new_tokens=9)
    check_chunks(found, text, 48)
    assert found.text == "gout asthma migraine"
    counts = [len(of_round(found, number)) for number in range(1, found.chunks[-1].round + 1)]
    assert len(counts) >= 3
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1
    for number in range(2, len(counts) + 1):  # each goes back to characters that follow those of the one before
        spans = [(c.start, c.end) for c in of_round(found, number)]
        assert spans[0][0] == 0
        assert spans[-1][1] == len(text)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_section_too_long_alone_is_cut_between_sentences(finder):
    text = "CC: Foot pain.\n\nHPI: " + "He walks in the park. He sleeps well. " * 12 + "\n\nPlan: He will rest."
    found = finder.summarise(text, max_new_tokens=9)
    check_chunks(found, text, 48)
    chunks = of_round(found, 1)
    assert len(chunks) > 2
    assert all(text[c.start :].startswith(("CC", "He ", "Plan")) for c in chunks)


@pytest.mark.parametrize(
    ("text", "start"), [("walking " * 60, r"walking"), ("\U0001f600" * 80, r"\S"), ("a" * 300, r"a")]
)
def test_a_sentence_too_long_alone_is_cut_between_words_and_a_word_anywhere(text, start, bart):
    found = bart.summarise(text, max_new_tokens=8)
    check_chunks(found, text, 96)
    assert all(re.match(start, text[c.start :]) for c in of_round(found, 1))


def test_a_doc_gives_the_same_as_its_text(finder):
    nlp = blank()
    nlp.add_pipe("clinnlp_sections")
    assert finder.summarise(nlp(NOTE), max_new_tokens=9) == finder.summarise(NOTE, max_new_tokens=9)
    doc = nlp(NOTE)
    doc._.sections = doc._.sections[2:3]  # the sections of the doc count
    assert finder.summarise(doc, max_new_tokens=9).chunks[0].sections == ()


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_nothing_is_made_of_a_note_without_text(text, finder):
    assert finder.summarise(text, max_new_tokens=9) == GeneratedSummary("", (), finder.network.name, "brief")


def test_summaries_that_do_not_get_shorter_stay_side_by_side(tmp_path):
    generator = load_generator(save_chain(tmp_path, *COUNT, "</s>", positions=90))
    text = "rest and eat " * 35
    found = generator.summarise(text, prompt="{note} :", max_new_tokens=45)
    check_chunks(found, text, 45)
    assert found.parts == len(found.chunks) == 3
    assert found.text == "\n\n".join([" ".join(COUNT)] * 3)
    assert "3 partial summaries" in found._repr_html_()


def test_a_causal_model_gives_only_what_is_new_and_never_samples(chain):
    found = [chain.summarise(NOTE, max_new_tokens=20) for _ in range(3)]
    assert [(f.text, f.chunks[0].tokens_out, f.cut) for f in found] == [("well .", 3, False)] * 3


@pytest.mark.parametrize("template", [CHAT, REFUSES, DROPS])
def test_a_chat_template_is_used_and_the_rules_are_never_lost(template, tmp_path):
    generator = load_generator(save_chain(tmp_path, "well", "</s>", chat=template, template="<s> $A </s>"))
    assert generator.summarise(NOTE, max_new_tokens=20).text == "doubtful"  # what follows "[reply]"
    ids = generator.network.ids(generator.network.frame(read_prompt("brief")), NOTE)
    assert ids[-1] == IDS["[reply]"]
    assert IDS["<s>"] not in ids  # a template brings its own
    assert ids.count(IDS["[user]"]) == 1
    assert ids.count(IDS["[system]"]) == (template == CHAT)
    frame = generator.network.frame(read_prompt("brief"))
    assert frame.count(read_yaml("prompts.yml")["rules"]) == 1
    assert frame.count("{note}") == 1


def test_the_likeliest_token_is_taken_whatever_the_model_says(gpt2):
    import torch

    network = gpt2.network
    ids = network.ids("{note}:", "He has gout.")
    start = len(ids)
    for _ in range(12):
        ids.append(int(network.network(torch.tensor([ids])).logits[0, -1].argmax()))
    assert network.network.generation_config.pad_token_id == 1  # its end, as it has none for padding
    text, tokens_in, tokens_out, _ = network.write("{note}:", "He has gout.", 12)
    assert (tokens_in, tokens_out) == (start, 12)
    assert text == network.tokenizer.decode(ids[start:], skip_special_tokens=True).strip()


@pytest.mark.parametrize("name", ["bart", "gpt2"])
def test_random_models_read_every_character_within_their_positions_and_twice_the_same(name, request):
    generator = request.getfixturevalue(name)
    prompt = {"user": "{note}\n:", "encoder": "{note}"}
    new = 30
    found = generator.summarise(NOTE, prompt=prompt, max_new_tokens=new)
    check_chunks(found, NOTE, generator.network.window - (new if name == "gpt2" else 0))
    assert len(of_round(found, 1)) > 2
    assert found == generator.summarise(NOTE, prompt=prompt, max_new_tokens=new)


def test_what_looks_like_a_special_token_in_a_note_is_text(bart, gpt2):
    assert bart.network.ids("{note}", "a</s>b") == bart.network.encode("a</s>b")
    for generator in (bart, gpt2):
        assert 1 not in generator.network.ids("{note}:", "gout</s>")
    assert gpt2.network.ids("</s>{note}", "a")[0] == 1  # in a prompt it is one


def test_a_causal_prompt_starts_as_the_tokenizer_starts_a_text_but_does_not_end_so(tmp_path):
    network = load_generator(save_chain(tmp_path, "well", "</s>", template="<s> $A </s>")).network
    assert network.ids("{note} :", "gout") == [IDS[word] for word in ("<s>", "gout", ":")]


def test_a_model_that_is_stopped_is_said_to_be(chain, tmp_path):
    found = chain.summarise(NOTE, max_new_tokens=1)
    assert (found.text, found.chunks[0].stopped, found.cut) == ("well", "length", True)
    assert "stopped before its end" in found._repr_html_()
    loop = load_generator(save_chain(tmp_path, "well", ".", "over", "again", "over"))
    found = loop.summarise(NOTE, max_new_tokens=100)
    assert (found.text, found.chunks[0].stopped, found.cut) == ("well . over again", "loop", True)
    assert found.chunks[0].tokens_out == 2 + 24


@pytest.mark.parametrize(
    ("ids", "loop"),
    [([], (0, 1)), ([7] * 23, (0, 1)), ([7] * 24, (1, 24)), ([*range(12)] * 2, (0, 1)), ([1, *range(9)] * 3, (10, 3))],
)
def test_a_loop_is_said_at_least_three_times_and_has_at_least_24_tokens(ids, loop):
    assert find_loop(ids) == loop


@pytest.mark.parametrize(("name", "window"), [("finder", 48), ("bart", 96), ("gpt2", 128), ("chain", 400)])
def test_a_model_reads_what_its_config_or_its_tokenizer_says(name, window, request):
    assert request.getfixturevalue(name).network.window == window


def test_a_t5_that_says_nothing_reads_512_tokens_after_its_prefix(tmp_path):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=SIZE, d_model=8, d_kv=4, d_ff=4, num_layers=1, num_heads=1, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    network = load_generator(tmp_path, dtype="bfloat16").network
    assert network.window == 512
    assert network.frame(read_prompt("brief")) == "summarize: {note}"
    assert str(network.network.dtype) == "torch.bfloat16"


@pytest.mark.parametrize("prompt", read_yaml("prompts.yml")["prompts"])
def test_shipped_prompts_work_for_each_kind_of_model(prompt, finder, chain):
    found = read_prompt(prompt)
    assert found.id == prompt
    assert found.system == read_yaml("prompts.yml")["rules"]
    assert found.user != found.merge
    for text in (found.user, found.merge, found.encoder):
        assert text.count("{note}") == 1
    assert "{task}" in found.encoder
    assert finder.network.frame(found).endswith("again: {note}")
    assert chain.summarise(NOTE, prompt=prompt, max_new_tokens=9).text == "well ."


def test_a_prompt_of_ones_own(finder, chain, bart):
    assert finder.summarise("He is here.", prompt="{note} and gout :", max_new_tokens=9).text == "gout"
    own = {"id": "mine", "system": "Be brief.", "user": "Read {note} :", "merge": "Merge {note} :"}
    found = chain.summarise("He is here.", prompt=own, max_new_tokens=9)
    assert (found.text, found.prompt, found.chunks[0].tokens_in) == ("well .", "mine", 3 + 1 + 4 + 1)
    assert chain.network.frame(read_prompt(own), merge=True) == "Be brief.\n\nMerge {note} :"
    too_long = own | {"merge": "so " * 500 + "{note}"}  # is of no use for a short note
    assert chain.summarise("He is here.", prompt=too_long, max_new_tokens=9).text == "well ."
    assert bart.network.frame(read_prompt("brief")) == "{note}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "briefly"}, "Shipped prompts: brief, patient, problems"),
        ({"prompt": "{note} {note}"}, "once"),
        ({"prompt": {"user": "{note}", "system": "{note}"}}, "nowhere"),
        ({"prompt": {"text": "{note}"}}, "unknown key 'text'"),
        ({"prompt": {"encoder": "{note}"}}, "Add the key 'user'"),
        ({"prompt": {"user": 5}}, "'user' must be a text"),
        ({"prompt": 5}, "got int"),
        ({"prompt": "so " * 360 + "{note}"}, "shorter prompt"),
        ({"max_new_tokens": 0}, "can write 1 to 399"),
        ({"max_new_tokens": 400}, "can write 1 to 399"),
    ],
)
def test_what_cannot_be_asked_for(options, message, chain):
    with pytest.raises(InputError, match=message):
        chain.summarise("He has gout.", **({"max_new_tokens": 9} | options))


def test_a_note_is_a_doc_or_a_text(chain):
    with pytest.raises(InputError, match="got int"):
        chain.summarise(5)


def test_a_model_without_instructions_is_not_asked_to_follow_them(bart):
    with pytest.raises(InputError, match=r"follows no instructions.*'patient'"):
        bart.summarise("He has gout.", prompt="patient", max_new_tokens=9)


def test_models_that_do_not_generate_are_refused(tmp_path):
    from transformers import BartConfig, BartForSequenceClassification, BertConfig, BertModel

    sizes = {"vocab_size": SIZE, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    BertModel(BertConfig(**sizes, intermediate_size=8)).save_pretrained(tmp_path / "bert")
    BartForSequenceClassification(
        BartConfig(vocab_size=SIZE, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
                   decoder_attention_heads=1)
    ).save_pretrained(tmp_path / "mnli")  # fmt: skip
    for name in ("bert", "mnli"):
        save_tokenizer(tmp_path / name)
        with pytest.raises(ModelError, match=f"{name}.*cannot generate text. Give an encoder-decoder, such as T5"):
            load_generator(tmp_path / name)


def test_weights_that_are_missing_are_not_made_up(tmp_path):
    from transformers import GPT2Config, GPT2Model

    GPT2Model(
        GPT2Config(vocab_size=SIZE, n_embd=8, n_layer=1, n_head=1, tie_word_embeddings=False, architectures=None)
    ).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(ModelError, match=r"lacks the weights lm_head\.weight"):
        load_generator(tmp_path)


def test_a_pickle_is_never_opened(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        load_generator(tmp_path)


def test_a_model_in_the_cache_is_found_but_never_its_pickle(tmp_path, monkeypatch):
    import torch
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--some--model" / "refs").mkdir(parents=True)
    (tmp_path / "models--some--model" / "refs" / "main").write_text("1" * 40)
    folder = tmp_path / "models--some--model" / "snapshots" / ("1" * 40)
    save_chain(folder, "well", ".", "</s>")
    generator = load_generator("some/model")
    found = generator.summarise(NOTE, max_new_tokens=9)
    assert (found.text, found.model) == ("well .", "some/model")
    (folder / "model.safetensors").unlink()
    torch.save(generator.network.network.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="could not be loaded"):
        load_generator("some/model")


def test_damaged_weights_and_a_model_that_is_not_there(tmp_path):
    save_chain(tmp_path, "well")
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    for model in (tmp_path, tmp_path / "none", "nobody/no-such-model"):
        with pytest.raises(ModelError, match="could not be loaded"):
            load_generator(model)


def test_unknown_dtype_and_device(tmp_path):
    with pytest.raises(InputError, match="float32, bfloat16"):
        load_generator(tmp_path, dtype="int8")
    with pytest.raises(ModelError, match="cannot run on 'nowhere'"):
        load_generator(save_chain(tmp_path, "well"), device="nowhere")


def test_without_torch_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'pip install "clinnlp\[torch\]"'):
        load_generator(tmp_path)


NASTY = "- <img src=x onerror=alert(1)> & **5*3** [a](http://b) `c` $x$\n    1. a_b_c # <script>\x00"


class Reader(HTMLParser):
    """Reads the tags and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def test_a_summary_shows_as_text_and_never_as_markup():
    from markdown_it import MarkdownIt

    sections = (Section(0, 3, "<b>PMH</b>", "past_medical_history", 4, 9),)
    found = GeneratedSummary(NASTY, (Chunk(1, 0, 9, sections, NASTY, 5, 6, "end"),), "a/<u>model</u>", "brief")
    page = Reader(found._repr_html_())
    assert page.tags <= {"div", "p", "small", "details", "summary", "table", "tr", "th", "td"}
    shown = NASTY.replace("\x00", "\ufffd")
    assert shown in page.text
    assert "<b>PMH</b>" in page.text
    assert "a/<u>model</u>" in page.text
    page = Reader(MarkdownIt("commonmark").render(found._repr_markdown_()))
    assert page.tags == {"p", "br", "em"}
    lines = [line.strip() for line in page.text.splitlines()]
    assert lines[:2] == [line.strip() for line in shown.splitlines()]
    assert "a/<u>model</u>, prompt brief, from 1 chunk of the note" in page.text
    assert NASTY not in repr(found)
