"""The parts of a model's cost: they sum to the totals, and a small case by hand."""

import pytest

from core.costs import models, parameters, parts, prefill_flops
from core.models import DecoderConfig

CONFIGS = {
    "mini": DecoderConfig(),
    "grouped": DecoderConfig(n_layers=30, d_model=576, n_heads=9, n_kv_heads=3, d_ff=1536, vocab_size=49_152),
    "two tables": DecoderConfig(n_layers=2, tied_embeddings=False),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("tokens", [1, 7, 300])
def test_the_parts_sum_to_the_whole(name, tokens):
    split = parts(CONFIGS[name], tokens)
    assert len(split) == 2 * CONFIGS[name].n_layers + 3
    assert sum(part.parameters for part in split) == parameters(CONFIGS[name])
    assert sum(part.flops for part in split) == pytest.approx(prefill_flops(CONFIGS[name], tokens), rel=1e-12)


def test_by_hand():
    config = DecoderConfig(n_layers=1, d_model=4, n_heads=2, n_kv_heads=1, head_dim=2, d_ff=3, vocab_size=10)
    embedding, attention, mlp, norm, unembedding = parts(config, 2)
    assert (embedding.parameters, embedding.flops) == (40, 0)
    assert attention.parameters == 16 + 8 + 8 + 16 + 4  # q, k, v, o, norm
    assert attention.flops == 2 * 52 * 2 + 3 * (4 * 2 * 2)  # weights; three pairs of tokens, two heads of two numbers
    assert (mlp.parameters, mlp.flops) == (3 * 12 + 4, 2 * 40 * 2)
    assert (norm.parameters, unembedding.parameters, unembedding.flops) == (4, 0, 2 * 40 * 2)


def test_parts_are_the_networks_own(tiny):
    attention, mlp = parts(tiny.config, 1)[1:3]
    block = tiny.network.blocks[0]
    count = lambda *modules: sum(p.numel() for module in modules for p in module.parameters())  # noqa: E731
    assert attention.parameters == count(block.attn, block.ln1) and mlp.parameters == count(block.mlp, block.ln2)


def test_other_architectures_are_refused():
    refused = 0
    for spec in models().values():
        try:
            assert sum(part.parameters for part in parts(spec, 3)) == parameters(spec)
        except ValueError as error:
            refused += spec.name in str(error)
    assert refused > 2
    with pytest.raises(ValueError, match="tokens"):
        parts(DecoderConfig(), -1)
