"""The map of a forward pass: its states against transformers, its attribution against the logit and by hand."""

import pytest
import torch
from torch import nn

from core.measure.attribution import attribute, neurons
from core.measure.forward import brought, leads_from, logit_lens, read_pass, update_sizes, weighted
from core.models import Decoder, DecoderConfig, LanguageModel, trace
from tests.model.reference import as_transformers

TEXT = "Annas Hund heißt Bello. Tom hat eine Katze, sie heißt Mimi. Am Abend ruft Anna nach ihrem Hund. Annas Hund heißt"


@pytest.fixture(scope="module")
def passed(mini):
    return read_pass(mini, mini.tokenizer.encode(TEXT))


@pytest.mark.parametrize("name", ["tiny", "mini"])
def test_the_stream_and_the_lens_are_those_of_transformers(name, request):
    lm = request.getfixturevalue(name)
    ids = list(b"look at this text") if name == "tiny" else lm.tokenizer.encode(TEXT)
    passed = read_pass(lm, ids)
    model = as_transformers(lm)
    with torch.no_grad():
        theirs = model(torch.tensor([ids]), output_hidden_states=True)
        for position in (0, 7, len(ids) - 1):
            stream = passed.stream(position)
            assert stream.shape == (2 * lm.config.n_layers + 1, lm.config.d_model)
            for layer in range(lm.config.n_layers):  # before each layer; the last of theirs has gone through the norm
                torch.testing.assert_close(stream[2 * layer], theirs.hidden_states[layer][0, position], atol=1e-4, rtol=1e-4)
                lens = model.lm_head(model.model.norm(theirs.hidden_states[layer][0, position]))
                torch.testing.assert_close(logit_lens(lm, stream[2 * layer]), lens, atol=1e-3, rtol=1e-4)
            torch.testing.assert_close(lm.network.ln_final(stream[-1]), theirs.hidden_states[-1][0, position], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(logit_lens(lm, stream)[-1], theirs.logits[0, position], atol=1e-3, rtol=1e-4)


def test_the_lens_after_the_last_layer_is_the_model(mini, passed):
    logits = mini.logits(mini.tokenizer.encode(TEXT))
    for position in (0, 3, len(logits) - 1):
        torch.testing.assert_close(logit_lens(mini, passed.stream(position))[-1], logits[position], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("position, token", [(30, None), (30, 17), (12, None), (0, None), (0, 5)])
def test_the_parts_sum_to_the_logit_and_heads_to_what_attention_wrote(mini, passed, position, token):
    logits = logit_lens(mini, passed.stream(position))[-1]
    token = int(logits.argmax()) if token is None else token
    split = attribute(mini, passed, position, token)
    assert split.logit == pytest.approx(float(logits[token]), abs=1e-3)
    whole = trace(mini, mini.tokenizer.encode(TEXT))
    direction = mini.network.unembed.weight[token] * mini.network.ln_final.weight * split.scale
    for layer, block in enumerate(mini.network.blocks):
        name = f"blocks.{layer}."
        assert float(split.attentions[layer]) == pytest.approx(float(whole[name + "hook_attn_out"][position] @ direction), abs=1e-3)
        assert float(split.mlps[layer]) == pytest.approx(float(whole[name + "hook_mlp_out"][position] @ direction), abs=1e-3)
        by_neuron = neurons(mini, passed, layer, position, token)
        assert by_neuron.shape == (mini.config.d_ff,) and float(by_neuron.sum()) == pytest.approx(float(split.mlps[layer]), abs=1e-3)
        for head in range(mini.config.n_heads):
            columns = block.attn.o.weight[:, head * 64 : head * 64 + 64]
            alone = columns @ whole[name + "attn.hook_z"][position, head]  # what this head wrote, by the trace
            assert float(split.heads[layer, head]) == pytest.approx(float(alone @ direction), abs=1e-3)


@pytest.mark.parametrize("position", [0, 4, 16])
def test_grouped_queries_use_the_right_keys_and_values(tiny, position):
    """Four query heads on two key and value heads: the weighted values are the trace's own output of every head."""
    ids = list(b"look at this text")
    passed, whole = read_pass(tiny, ids), trace(tiny, ids)
    for layer in range(2):
        parts = weighted(passed, layer, position)
        assert parts.shape == (len(ids), 4, 8) and not parts[position + 1 :].any()
        torch.testing.assert_close(parts.sum(0), whole[f"blocks.{layer}.attn.hook_z"][position], atol=1e-6, rtol=1e-5)
    split = attribute(tiny, passed, position, 33)
    assert split.sources.shape == (2, 4, len(ids)) and not split.sources[..., position + 1 :].any()
    assert split.logit == pytest.approx(float(tiny.logits(ids)[position, 33]), abs=1e-4)


def test_by_hand():
    """One layer that does nothing but copy values, on a stream of two numbers: every part can be worked out on paper."""
    shape = {"n_layers": 1, "d_model": 2, "n_heads": 1, "n_kv_heads": 1, "d_ff": 1, "vocab_size": 3, "head_dim": 2}
    config = DecoderConfig(**shape, tied_embeddings=False, norm_eps=0.0)
    network = Decoder(config)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    block = network.blocks[0]
    for norm in (block.ln1, network.ln_final):
        nn.init.ones_(norm.weight)
    nn.init.eye_(block.attn.v.weight)
    nn.init.eye_(block.attn.o.weight)
    network.embed.weight.data = torch.tensor([[3.0, 4.0], [1.0, 1.0], [0.0, 2.0]])
    network.unembed.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
    lm = LanguageModel("paper", network, None)
    passed = read_pass(lm, [0, 1])
    # Queries are zero, so both weights are 1/2. Normed: (3, 4) / sqrt(12.5), (1, 1) / 1. MLP: zero.
    root = 12.5**0.5
    after = (1 + 1.5 / root + 0.5, 1 + 2 / root + 0.5)
    scale = ((after[0] ** 2 + after[1] ** 2) / 2) ** -0.5
    split = attribute(lm, passed, 1, 2)  # the token's row is (2, -1)
    assert split.scale == pytest.approx(scale)
    assert split.embed == pytest.approx(scale * (2 - 1))
    assert split.sources[0, 0].tolist() == pytest.approx([scale * (2 * 1.5 / root - 2 / root), scale * (2 * 0.5 - 0.5)])
    assert split.mlps.tolist() == [0.0]
    assert split.logit == pytest.approx(scale * (2 * after[0] - after[1]))
    assert brought(lm, passed, 0, 1).tolist() == pytest.approx([2.5 / root, 0.5**0.5])
    attention, mlp = update_sizes(passed)
    added = ((1.5 / root + 0.5) ** 2 + (2 / root + 0.5) ** 2) ** 0.5
    assert attention[0, 1] == pytest.approx(added / (added + 2**0.5)) and not mlp.any()


def test_the_vectors_brought_sum_to_the_attention_output(mini, passed):
    whole = trace(mini, mini.tokenizer.encode(TEXT))
    for layer in (0, 7):
        vectors = mini.network.blocks[layer].attn.o(weighted(passed, layer, 20).flatten(1))
        torch.testing.assert_close(vectors.sum(0), whole[f"blocks.{layer}.hook_attn_out"][20], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(brought(mini, passed, layer, 20), vectors.norm(dim=-1))


def test_from_which_row_on_the_answer_leads():
    assert leads_from(torch.tensor([4, 9, 9, 4, 9, 9])) == 4
    assert leads_from(torch.tensor([9, 9])) == 0 and leads_from(torch.tensor([9])) == 0 and leads_from(torch.tensor([1, 9])) == 1


def test_a_fact_and_a_name_come_from_where_the_page_says(mini):
    """What the presets let a viewer find: a late block names the capital; heads, not MLPs, bring the name back."""
    ids = mini.tokenizer.encode("Die Hauptstadt von Österreich ist")
    likeliest = logit_lens(mini, read_pass(mini, ids).stream(len(ids) - 1)[2::2]).argmax(-1)
    assert mini.tokenizer.decode([int(likeliest[-1])]) == " Wien" and leads_from(likeliest) >= 5
    ids = mini.tokenizer.encode(TEXT)
    passed = read_pass(mini, ids)
    answer = int(passed.logits.argmax())
    split = attribute(mini, passed, len(ids) - 1, answer)
    assert answer in ids and split.attentions.sum() > 2 * split.mlps.sum()
    head = split.heads.flatten().argmax()
    source = int(split.sources.flatten(0, 1)[head].argmax())
    assert ids[source] == answer  # it reads the name where it stands
