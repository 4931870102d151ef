"""Tiny random checkpoints written by transformers, loaded here: logits, greedy text, beams and insides must agree."""

import json
import shutil

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config

from core.checkpoints import DamagedCheckpoint, UnsupportedCheckpoint, load_model
from core.checkpoints.huggingface import open_huggingface
from core.checkpoints.stored import as_language_model
from core.checkpoints.vocabulary import byte_alphabet
from core.decoding import beam_search, generate
from core.measure.attribution import attribute
from core.measure.forward import logit_lens, read_pass
from core.models import trace
from core.quantization import quantize_model

SIZE = {"vocab_size": 300, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 256,
        "initializer_range": 0.2}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 64}
CONFIGS = {
    "llama": lambda: LlamaConfig(**SIZE),
    "llama_biases_linear": lambda: LlamaConfig(
        **SIZE, attention_bias=True, mlp_bias=True, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 3.0}
    ),
    "llama3_scaled": lambda: LlamaConfig(**SIZE, rope_parameters=LLAMA3, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**SIZE),
    "qwen2_yarn": lambda: Qwen2Config(**SIZE, rope_parameters=YARN),
    "qwen3": lambda: Qwen3Config(**SIZE, head_dim=32, tie_word_embeddings=True),
    "gpt2": lambda: GPT2Config(vocab_size=300, n_embd=48, n_layer=3, n_head=4, n_positions=256, bos_token_id=None, eos_token_id=256,
                               initializer_range=0.2),
}  # fmt: skip


def save(folder, name, **how):
    """A random model of a family, every bias and gain moved off its start, and a byte tokenizer."""
    torch.manual_seed(len(name))
    config = CONFIGS[name]()
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder, **how)
    tokenizer = Tokenizer(models.BPE({sign: i for i, sign in enumerate(byte_alphabet())}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.add_special_tokens({"eos_token": "<|endoftext|>"})
    fast.save_pretrained(folder)
    model.generation_config.pad_token_id = 0
    return model


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    theirs = save(folder, request.param, **({"max_shard_size": "60KB"} if request.param == "qwen2" else {}))
    return load_model(str(folder)), theirs


IDS = torch.randint(0, 256, (200,), generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_logits(pair):
    ours, theirs = pair
    torch.testing.assert_close(ours.logits(IDS), theirs(IDS[None]).logits[0], atol=1e-3, rtol=1e-4)


@torch.inference_mode()
def test_64_greedy_tokens_and_beams(pair):
    ours, theirs = pair
    ids = IDS[None, :20]
    greedy = theirs.generate(ids, max_new_tokens=64, do_sample=False)[0, 20:].tolist()
    assert [step.token for step in generate(ours, ids[0], 64, temperature=0)] == greedy
    for width in (2, 4):
        beams = theirs.generate(ids, max_new_tokens=12, do_sample=False, num_beams=width, num_return_sequences=width)[:, 20:].tolist()
        for hypothesis, expected in zip(beam_search(ours, ids[0], width, 12).hypotheses, beams):
            assert list(hypothesis.ids) == expected[: len(hypothesis.ids)]


@torch.inference_mode()
def test_insides(pair):
    ours, theirs = pair
    acts = trace(ours, IDS[:40])
    expected = theirs(IDS[None, :40], output_attentions=True, output_hidden_states=True)
    for layer in range(3):
        torch.testing.assert_close(acts[f"blocks.{layer}.attn.hook_pattern"], expected.attentions[layer][0], atol=1e-5, rtol=1e-3)
        torch.testing.assert_close(acts[f"blocks.{layer}.hook_resid_pre"], expected.hidden_states[layer][0], atol=1e-4, rtol=1e-4)
        assert {f"blocks.{layer}.mlp.hook_pre", f"blocks.{layer}.mlp.hook_post", f"blocks.{layer}.attn.hook_rot_q"} <= acts.keys()
    torch.testing.assert_close(acts["ln_final.hook_normalized"], expected.hidden_states[-1][0], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_what_the_pages_measure_holds_for_every_family(pair):
    """The lens ends at the model's logits, the parts of a logit sum to it, fewer bits keep the biases."""
    ours, _ = pair
    ids = IDS[:30]
    passed, logits = read_pass(ours, ids), ours.logits(ids)
    torch.testing.assert_close(logit_lens(ours, passed.stream(29))[-1], logits[29], atol=1e-3, rtol=1e-4)
    assert attribute(ours, passed, 29, 7).logit == pytest.approx(float(logits[29, 7]), abs=1e-3)
    torch.testing.assert_close(quantize_model(ours, "fp32").logits(ids), logits, atol=1e-4, rtol=1e-4)


def test_a_model_has_an_end_of_its_learned_positions(tmp_path):
    save(tmp_path, "gpt2")
    lm = load_model(str(tmp_path))
    assert lm.tokenizer.eot == 256 and lm.tokenizer.decode(lm.tokenizer.encode("Grüße 😀")) == "Grüße 😀"
    with pytest.raises(ValueError, match="learned 256 positions, the text has 257"):
        lm.logits([1] * 257)


@pytest.mark.parametrize("change, what", [
    ({"model_type": "mamba"}, "model_type 'mamba'"),
    ({"hidden_act": "relu"}, "activation 'relu'"),
    ({"attention_bias": True}, "attention_bias True"),
    ({"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4}}, "longrope"),
    ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "without factor"),
    ({"quantization_config": {"bits": 4}}, "quantization_config"),
    ({"num_hidden_layers": 10**9}, "size of 1000000000"),
    ({"vocab_size": "many"}, "size of 'many'"),
    ({"hidden_size": None}, "size of None"),
    ({"num_key_value_heads": 3}, "impossible values"),
    ({"layer_types": ["sliding_attention"]}, "sliding window"),
])  # fmt: skip
def test_what_is_unsupported_in_a_config_is_named(tmp_path, change, what):
    save(tmp_path, "llama")
    raw = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**raw, **change}))
    with pytest.raises(UnsupportedCheckpoint, match=what):
        open_huggingface(tmp_path)


def test_broken_folders_are_one_sentence(tmp_path):
    whole = tmp_path / "whole"
    save(whole, "llama", max_shard_size="60KB")
    index = json.loads((whole / "model.safetensors.index.json").read_text())
    shard = sorted(set(index["weight_map"].values()))[0]

    def broken(name, change, error, what):
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        change(folder)
        with pytest.raises(error, match=what) as caught:
            as_language_model(open_huggingface(folder))
        assert "\n" not in str(caught.value)

    def point(folder, target):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(index["weight_map"], target)}))

    def rewrite(folder, file, text):
        (folder / file).write_bytes(text)

    broken("path", lambda f: point(f, "../whole/" + shard), DamagedCheckpoint, "outside its folder")
    broken("absolute", lambda f: point(f, str(whole / shard)), DamagedCheckpoint, "outside its folder")
    broken("lost", lambda f: (f / shard).unlink(), DamagedCheckpoint, "is missing")
    broken("cut", lambda f: rewrite(f, shard, (f / shard).read_bytes()[:500]), DamagedCheckpoint, "damaged or incomplete")
    broken("header", lambda f: rewrite(f, shard, (2**60).to_bytes(8, "little") + b"{}"), DamagedCheckpoint, "damaged or incomplete")
    broken("deep", lambda f: rewrite(f, "config.json", b"[" * 100_000), DamagedCheckpoint, "config.json is damaged")
    broken("list", lambda f: rewrite(f, "config.json", b"[]"), DamagedCheckpoint, "config.json is damaged")
    broken("words", lambda f: rewrite(f, "tokenizer.json", b'{"model": 3}'), DamagedCheckpoint, "tokenizer.json is damaged")
    broken("unigram", lambda f: rewrite(f, "tokenizer.json", b'{"model": {"type": "Unigram"}}'), UnsupportedCheckpoint, "Unigram")

    def pickled(folder):
        for file in folder.glob("*.safetensors*"):
            file.unlink()
        (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")

    broken("pickle", pickled, UnsupportedCheckpoint, "pickled weights")
