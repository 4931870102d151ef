"""A real pre-trained model in 4-bit blocks against transformers on the same (unpacked) weights."""

import pytest
import torch

from core.decoding import beam_search, generate
from core.models import trace
from tests.model.reference import as_transformers

PROMPT = "The capital of France is"


@pytest.fixture(scope="module")
def reference(smollm2):
    return as_transformers(smollm2)


@torch.inference_mode()
def test_logits_equal_transformers_and_it_knows_paris(smollm2, reference):
    ids = smollm2.tokenizer.encode("Gravity pulls apples, moons and Überraschungen 😀 down. " * 5 + PROMPT)
    logits = smollm2.logits(ids)
    torch.testing.assert_close(logits, reference(torch.tensor([ids])).logits[0], atol=1e-3, rtol=0)
    assert smollm2.tokenizer.decode([int(smollm2.logits(smollm2.tokenizer.encode(PROMPT))[-1].argmax())]) == " Paris"


@torch.inference_mode()
def test_64_greedy_tokens_equal_transformers(smollm2, reference):
    ids = smollm2.tokenizer.encode("Once upon a time, in a small village,")
    expected = reference.generate(torch.tensor([ids]), max_new_tokens=64, do_sample=False)[0, len(ids) :].tolist()
    assert len(expected) == 64
    assert [step.token for step in generate(smollm2, ids, 64, temperature=0)] == expected


@torch.inference_mode()
@pytest.mark.parametrize("width", [2, 4])
def test_beam_search_equals_transformers(smollm2, reference, width):
    ids = smollm2.tokenizer.encode(PROMPT)
    expected = reference.generate(torch.tensor([ids]), max_new_tokens=16, do_sample=False, num_beams=width, num_return_sequences=width)
    tree = beam_search(smollm2, ids, width, 16)
    eos = smollm2.tokenizer.eot
    for hypothesis, theirs in zip(tree.hypotheses, expected[:, len(ids) :].tolist()):
        end = theirs.index(eos) + 1 if eos in theirs else len(theirs)
        assert list(hypothesis.ids) == theirs[:end]


@torch.inference_mode()
def test_trace_equals_transformers_insides(smollm2, reference):
    ids = smollm2.tokenizer.encode("Anna's dog is called Bello. Anna's dog is called")
    acts = trace(smollm2, ids)
    theirs = reference(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    for layer in range(smollm2.config.n_layers):
        torch.testing.assert_close(acts[f"blocks.{layer}.attn.hook_pattern"], theirs.attentions[layer][0], atol=1e-4, rtol=1e-3)
        expected = theirs.hidden_states[layer][0]
        torch.testing.assert_close(acts[f"blocks.{layer}.hook_resid_pre"], expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-3)
    torch.testing.assert_close(acts["ln_final.hook_normalized"], theirs.hidden_states[-1][0], atol=1e-3, rtol=1e-3)
