"""Encoder, decoder and both: masks against a plain loop, blocks against torch's own, words there and back, the recipe."""

import json
import math
import random

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from core.models.attention import causal_mask
from core.models.seq2seq import Attention, Block, Seq2Seq, Seq2SeqConfig, bidirectional_mask, translate
from core.training import encoder_decoder as recipe
from core.training.loop import Recipe
from core.translation.words import END, GAP, PAD, START, TO_EN, UNKNOWN, Words, held_out, join, pairs, split, vocabulary

SMALL = Seq2SeqConfig(n_words=30, n_encoder_layers=2, n_decoder_layers=2, d_model=16, n_heads=4, d_ff=24, most_words=12)
SEEN = torch.tensor([[True] * 5, [True, True, True, False, False]])


@pytest.fixture(scope="module")
def words():
    return vocabulary(4_000)


def network(**changes) -> Seq2Seq:
    torch.manual_seed(0)
    return Seq2Seq(Seq2SeqConfig(**{**SMALL.__dict__, **changes})).eval()


# --- masks ---


@pytest.mark.parametrize("kind", ["bidirectional", "causal", "cross"])
def test_masks_equal_a_plain_loop(kind):
    """Every weight written out: who may look at whom, and a softmax over those alone."""
    torch.manual_seed(1)
    attention, T = Attention(SMALL), 4 if kind == "cross" else 5
    x, source = torch.randn(2, T, 16), torch.randn(2, 5, 16)
    memory = source if kind == "cross" else x
    mask = causal_mask(T, T) if kind == "causal" else bidirectional_mask(SEEN)
    seen = {}
    out = attention(x, memory, mask, lambda name, value: seen.setdefault(name, value.detach()))
    q, k, v = (layer(value).detach() for layer, value in ((attention.q, x), (attention.k, memory), (attention.v, memory)))
    for b in range(2):
        for t in range(T):
            result = []
            for h in range(4):
                part = slice(4 * h, 4 * h + 4)
                allowed = [s for s in range(memory.shape[1]) if (s <= t if kind == "causal" else bool(SEEN[b, s]))]
                exps = {s: math.exp(float(q[b, t, part] @ k[b, s, part]) / 2) for s in allowed}
                weights = {s: e / sum(exps.values()) for s, e in exps.items()}
                for s in range(memory.shape[1]):
                    assert float(seen["hook_pattern"][b, h, t, s]) == pytest.approx(weights.get(s, 0.0), abs=1e-5)
                result.append(sum(weight * v[b, s, part] for s, weight in weights.items()))
            torch.testing.assert_close(attention.o(torch.cat(result)), out[b, t], atol=1e-5, rtol=1e-4)


def copied(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    theirs.in_proj_weight.data = torch.cat([layer.weight for layer in (ours.q, ours.k, ours.v)]).detach().clone()
    theirs.in_proj_bias.data = torch.cat([layer.bias for layer in (ours.q, ours.k, ours.v)]).detach().clone()
    theirs.out_proj.load_state_dict(ours.o.state_dict())


@pytest.mark.parametrize("cross", [False, True])
def test_blocks_equal_torchs_layers(cross):
    torch.manual_seed(2)
    block, x, source = Block(SMALL, cross).eval(), torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    kind = nn.TransformerDecoderLayer if cross else nn.TransformerEncoderLayer
    layer = kind(16, 4, 24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True).eval()
    copied(block.attn, layer.self_attn)
    norms = [block.ln1, block.ln_cross, block.ln2] if cross else [block.ln1, block.ln2]
    for i, norm in enumerate(norms, 1):
        getattr(layer, f"norm{i}").load_state_dict(norm.state_dict())
    layer.linear1.load_state_dict(block.up.state_dict())
    layer.linear2.load_state_dict(block.down.state_dict())
    if cross:
        copied(block.cross, layer.multihead_attn)
        ours = block(x, causal_mask(5, 5), source, SEEN)
        theirs = layer(x, source, tgt_mask=~causal_mask(5, 5), memory_key_padding_mask=~SEEN)
    else:
        ours, theirs = block(x, bidirectional_mask(SEEN)), layer(x, src_key_padding_mask=~SEEN)
    torch.testing.assert_close(ours[SEEN] if not cross else ours, theirs[SEEN] if not cross else theirs, atol=1e-5, rtol=1e-4)


def test_who_learns_of_a_changed_word():
    """A later word changes every place of an encoder, none before it of a decoder, and all of a target that reads the source."""
    ids, seen = torch.tensor([[5, 9, 3, 7]]), torch.ones(1, 4, dtype=torch.bool)
    other = torch.tensor([[5, 9, 3, 8]])
    encoder, decoder, both = network(n_decoder_layers=0), network(n_encoder_layers=0), network()
    moved = (encoder.fill(ids, seen) - encoder.fill(other, seen)).abs().amax(-1)[0]
    assert (moved > 1e-4).all()
    moved = (decoder.decode(ids) - decoder.decode(other)).abs().amax(-1)[0]
    assert (moved[:3] == 0).all() and moved[3] > 1e-4
    moved = (both(ids, seen, ids) - both(other, seen, ids)).abs().amax(-1)[0]
    assert (moved > 1e-5).all()


def test_what_fills_a_row_up_changes_nothing():
    both, target = network(), torch.tensor([[1, 4, 6]])
    short = both(torch.tensor([[5, 9]]), torch.ones(1, 2, dtype=torch.bool), target)
    filled = both(torch.tensor([[5, 9, PAD, PAD]]), torch.tensor([[True, True, False, False]]), target)
    torch.testing.assert_close(short, filled, atol=1e-5, rtol=1e-4)


def test_translating_is_the_likeliest_word_again_and_again():
    both, source = network(), [5, 9, 3]
    written, looked = translate(both, source, START, END, most=6)
    seen, ids = torch.ones(1, 3, dtype=torch.bool), [START]
    for word in written:
        assert word == int(both(torch.tensor([source]), seen, torch.tensor([ids]))[0, -1].argmax())
        ids.append(word)
    assert looked.shape == (len(written), 3) and torch.allclose(looked.sum(-1), torch.ones(len(written)))


def test_impossible_configs_and_too_long_rows():
    with pytest.raises(ValueError, match="encoder layers, decoder layers or both"):
        network(n_encoder_layers=0, n_decoder_layers=0)
    with pytest.raises(ValueError, match="d_model"):
        Seq2SeqConfig(d_model=10, n_heads=4)
    with pytest.raises(ValueError, match="at most 12 words, got 13"):
        network().decode(torch.ones(1, 13, dtype=torch.long), torch.zeros(1, 2, 16), torch.ones(1, 2, dtype=torch.bool))


# --- words and recipe ---


def test_every_sentence_comes_back_from_its_words(words):
    for pair in pairs(random.Random(3), 300):
        for sentence in pair:
            ids = words.encode(sentence)
            assert UNKNOWN not in ids and words.decode(ids) == sentence
    assert words.encode("Der Qwertz schläft.")[1] == UNKNOWN and words.decode([START, GAP, END]) == "<gap>"
    assert split("") == [] and join([]) == ""


def test_one_sentence_in_ten_is_kept_out():
    drawn = [de for de, _ in pairs(random.Random(0), 400)]
    assert not any(map(held_out, drawn)) and all(held_out(de) for de, _ in pairs(random.Random(0), 40, kept_out=True))


def test_what_is_asked(words):
    sentences = pairs(random.Random(5), 6)
    encoder = recipe.make_batch("encoder", words, sentences, random.Random(1))
    assert ((encoder.source == GAP) == (encoder.asked != PAD)).all() and 6 <= int((encoder.source == GAP).sum()) <= 12
    translator = recipe.make_batch("translator", words, sentences, random.Random(1))
    for source, target, asked, (de, en) in zip(translator.source, translator.target, translator.asked, sentences):
        a, b = (de, en) if int(source[0]) == TO_EN else (en, de)
        assert words.decode(source.tolist()) == a and words.decode(asked.tolist()) == b
        assert target[0] == START and target[1:].tolist() == [i if i != END else PAD for i in asked.tolist()][:-1]


def test_the_three_have_the_same_size(words):
    n = [sum(p.numel() for p in recipe.make_network(kind, words).parameters()) for kind in recipe.KINDS]
    assert max(n) <= 1.05 * min(n) and 2 * max(n) < 10e6
    with pytest.raises(ValueError, match="no kind 'other'"):
        recipe.make_network("other", words)


def test_the_recipe_learns_saves_and_evaluates(tmp_path):
    """A handful of steps on the processor."""
    small = Recipe(batch_rows=8, learning_rate=3e-3, warmup_steps=3, log_every=4)
    result = recipe.run(tmp_path, n_steps=16, recipe=small, device="cpu", n_held_out=3)
    saved = Words(tuple(json.loads((tmp_path / "words.json").read_text("utf-8"))))
    for kind, found in result["networks"].items():
        log = (tmp_path / f"{kind}.csv").read_text().splitlines()
        assert float(log[-1].split(",")[3]) < float(log[1].split(",")[3]) - 0.5  # the loss
        config = Seq2SeqConfig(**json.loads((tmp_path / f"{kind}.json").read_text()))
        again = Seq2Seq(config).eval()
        again.load_state_dict({name: value.float() for name, value in load_file(tmp_path / f"{kind}.safetensors").items()})
        assert recipe.evaluate(again, kind, saved, 3)["loss"] == pytest.approx(found["loss"], rel=1e-4)
    assert 0 <= result["networks"]["translator"]["de_to_en"] <= 1
