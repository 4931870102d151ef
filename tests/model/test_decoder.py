"""The network against transformers' LlamaForCausalLM on the same weights."""

import resource

import pytest
import torch

from core.models import DecoderConfig, trace
from core.models.decoder import Decoder
from core.models.outline import outline
from tests.model.reference import as_transformers, random_ids


@pytest.fixture(params=["tiny", "mini"])
def lm(request):
    return request.getfixturevalue(request.param)


@torch.inference_mode()
def test_logits_equal_transformers(lm):
    ids = random_ids(lm, 100)
    expected = as_transformers(lm)(ids).logits[0]
    torch.testing.assert_close(lm.logits(ids[0]), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(lm.logits(ids[0].tolist()), lm.logits(ids)[0], atol=0, rtol=0)


@torch.inference_mode()
def test_trace_equals_transformers_insides(lm):
    ids = random_ids(lm, 40)
    acts = trace(lm, ids[0])
    reference = as_transformers(lm)(ids, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(acts["logits"], reference.logits[0], atol=1e-4, rtol=1e-4)
    for layer in range(lm.config.n_layers):
        torch.testing.assert_close(acts[f"blocks.{layer}.attn.hook_pattern"], reference.attentions[layer][0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(acts[f"blocks.{layer}.hook_resid_pre"], reference.hidden_states[layer][0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(acts["ln_final.hook_normalized"], reference.hidden_states[-1][0], atol=1e-4, rtol=1e-4)


def test_trace_is_consistent(tiny):
    """Each named value follows from the ones before it by the formula the pages show."""
    ids = random_ids(tiny, 12)[0]
    acts = trace(tiny, ids)
    q, k = acts["blocks.1.attn.hook_rot_q"], acts["blocks.1.attn.hook_rot_k"].repeat_interleave(2, dim=1)
    scores = torch.einsum("qhd,khd->hqk", q, k) / tiny.config.head_dim**0.5
    below = torch.ones(12, 12).tril().bool()
    torch.testing.assert_close(acts["blocks.1.attn.hook_attn_scores"][:, below], scores[:, below])
    assert torch.isneginf(acts["blocks.1.attn.hook_attn_scores"][:, ~below]).all()
    pre, attn = acts["blocks.1.hook_resid_pre"], acts["blocks.1.hook_attn_out"]
    torch.testing.assert_close(acts["blocks.1.hook_resid_mid"], pre + attn)


def test_ablated_head_brings_back_nothing_and_leaves_no_trace(tiny):
    ids = random_ids(tiny, 12)[0]
    before = tiny.logits(ids)
    acts = trace(tiny, ids, ablate=[(0, 1), (0, 2)])
    assert (acts["blocks.0.attn.hook_z"][:, [1, 2]] == 0).all()
    assert (acts["blocks.0.attn.hook_z"][:, [0, 3]] != 0).any()
    assert not torch.allclose(acts["logits"], before)
    assert torch.equal(tiny.logits(ids), before)
    with pytest.raises(ValueError, match="no head 4 in layer 0"):
        trace(tiny, ids, ablate=[(0, 4)])


def test_batch_rows_are_independent(tiny):
    ids = random_ids(tiny, 20)[0].view(2, 10)
    both = tiny.logits(ids)
    torch.testing.assert_close(both[1], tiny.logits(ids[1]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("ids, message", [([], "at least one"), ([257], "must be in 0..256"), ([-1], "must be in")])
def test_bad_ids_are_named(tiny, ids, message):
    with pytest.raises(ValueError, match=message):
        tiny.logits(ids)


def test_dropout_only_trains(tiny):
    from dataclasses import replace

    network = Decoder(replace(tiny.config, dropout=0.5))
    ids = random_ids(tiny, 8)
    network.train()
    assert not torch.equal(network(ids), network(ids))
    network.eval()
    assert torch.equal(network(ids), network(ids))


def test_an_outline_takes_no_room():
    """A quarter of a gigabyte of weights that nobody filled yet: memory is asked for and not written to."""

    def resident():
        with open("/proc/self/statm") as numbers:
            return int(numbers.read().split()[1]) * resource.getpagesize()

    config = DecoderConfig(n_layers=2, d_model=1_024, n_heads=8, n_kv_heads=8, d_ff=4_096, vocab_size=32_000, context_length=64)
    before = resident()
    network = outline(config)
    assert sum(p.nbytes for p in network.parameters()) > 200e6 and resident() - before < 40e6
