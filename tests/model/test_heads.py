"""All heads of a text: the maps are those of the trace, and switching heads off is what it says."""

from dataclasses import replace

import pytest
import torch

from core.measure.heads import logits_without, other_heads, read_heads
from core.models import Decoder, LanguageModel, trace


def test_maps_and_logits_are_those_of_the_trace(tiny):
    ids = list(b"abcabcab")
    reading, whole = read_heads(tiny, ids), trace(tiny, ids)
    for layer in range(2):
        torch.testing.assert_close(reading.patterns(layer), whole[f"blocks.{layer}.attn.hook_pattern"], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(reading.logits, whole["logits"][-1], atol=1e-5, rtol=1e-5)
    assert all(name.endswith(("hook_rot_q", "hook_rot_k", "hook_v")) for name in reading.activations)


@pytest.mark.parametrize("same", [0, 1, 5, 8, 9])
@pytest.mark.parametrize("other", [{}, {"qk_norm": True}, {"learned_positions": True, "n_kv_heads": 4}])
def test_reading_on_is_reading_anew(tiny, other, same):
    torch.manual_seed(2)
    lm = LanguageModel("other", Decoder(replace(tiny.config, **other)), tiny.tokenizer)
    before, text = list(b"abcabcab!"), [*b"abcabcab!"[:same], *b"xyzx"]
    again = read_heads(lm, text, read_heads(lm, before), same)
    anew = trace(lm, text)
    torch.testing.assert_close(again.logits, anew["logits"][-1], atol=1e-5, rtol=1e-5)
    for layer in range(lm.config.n_layers):
        torch.testing.assert_close(again.patterns(layer), anew[f"blocks.{layer}.attn.hook_pattern"], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(again.activations[f"blocks.{layer}.attn.hook_v"], anew[f"blocks.{layer}.attn.hook_v"], atol=1e-5, rtol=1e-4)


def test_a_head_switched_off_is_a_head_whose_output_weights_are_zero(tiny):
    """Reference: the same model with those columns of the output matrix set to zero."""
    ids = list(b"look at this")
    weight = tiny.network.blocks[1].attn.o.weight
    kept = weight.clone()
    try:
        weight.data[:, 16:24] = 0.0  # head 2 of 4, 8 numbers each
        expected = tiny.logits(ids)[-1]
    finally:
        weight.data.copy_(kept)
    torch.testing.assert_close(logits_without(tiny, ids, [(1, 2)]), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits_without(tiny, ids, []), tiny.logits(ids)[-1], atol=1e-5, rtol=1e-5)


def test_no_such_head(tiny):
    with pytest.raises(ValueError, match="no head 4 in layer 0"):
        logits_without(tiny, list(b"ab"), [(0, 4)])


def test_other_heads_are_as_many_and_others(tiny):
    off = [(0, 1), (1, 3)]
    drawn = other_heads(tiny, off, seed=3)
    assert len(drawn) == len(set(drawn)) == 2 and not set(drawn) & set(off) and drawn == other_heads(tiny, off, seed=3)
    assert len(other_heads(tiny, [(layer, head) for layer in range(2) for head in range(4)])) == 0


def test_mini_has_an_induction_head_that_carries_a_returning_name(mini):
    """What the page lets the viewer find: without the induction heads the name is lost, without others it is not."""
    from core.measure import kl
    from core.measure.attention_stats import head_kind, head_profile

    text = "Annas Hund heißt Bello. Tom hat eine Katze, sie heißt Mimi. Am Abend ruft Anna nach ihrem Hund. Annas Hund heißt"
    ids = mini.tokenizer.encode(text)
    reading = read_heads(mini, ids)
    off = []
    for layer in range(mini.config.n_layers):
        profile = head_profile(reading.patterns(layer), ids)
        off += [(layer, head) for head in range(mini.config.n_heads) if head_kind(profile, head) == "induction"]
    assert 1 <= len(off) <= 10
    effect = float(kl(reading.logits, logits_without(mini, ids, off)))
    others = [logits_without(mini, ids, other_heads(mini, off, seed)) for seed in range(3)]
    chance = sum(float(kl(reading.logits, other)) for other in others) / 3
    assert effect > 10 * chance and effect > 0.5
