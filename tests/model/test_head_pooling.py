"""Heads averaged: nothing changes where nothing is averaged or all are alike, and the weights are the means."""

from dataclasses import replace

import pytest
import torch

from core.kv_cache import make_cache
from core.measure import perplexity
from core.models import Decoder
from core.models.head_pooling import pool_heads
from tests.model.reference import random_ids


@pytest.fixture(params=["tiny", "mini"])
def lm(request):
    return request.getfixturevalue(request.param)


def test_as_many_heads_as_before_change_nothing(lm):
    ids = random_ids(lm, 30)
    torch.testing.assert_close(pool_heads(lm.network, lm.config.n_kv_heads)(ids), lm.forward(ids), atol=2e-4, rtol=1e-4)


def test_equal_heads_pool_without_a_loss(tiny):
    """A network whose four key and value heads are pairwise the same is exactly the one with two of them."""
    torch.manual_seed(3)
    network = Decoder(replace(tiny.config, n_kv_heads=4)).eval()
    for block in network.blocks:
        for linear in (block.attn.k, block.attn.v):
            heads = torch.nn.init.normal_(linear.weight.data, std=0.3).view(2, 2, 8, 32)
            heads[:, 1] = heads[:, 0]
    ids = random_ids(tiny, 30)
    torch.testing.assert_close(pool_heads(network, 2)(ids), network(ids), atol=1e-5, rtol=1e-4)


def test_weights_are_the_means_and_the_cache_shrinks(lm):
    few, D = pool_heads(lm.network, 1), lm.config.head_dim
    ours, theirs = few.state_dict(), lm.network.state_dict()
    for part in ("k", "v"):
        heads = theirs[f"blocks.1.attn.{part}.weight"].split(D)
        torch.testing.assert_close(ours[f"blocks.1.attn.{part}.weight"], sum(heads) / len(heads))
    torch.testing.assert_close(ours["blocks.0.attn.q.weight"], theirs["blocks.0.attn.q.weight"], rtol=0, atol=0)
    held = []
    for network in (lm.network, few):
        cache = make_cache("full", network.config)
        network(random_ids(lm, 9), cache=cache)
        held.append(cache.bytes_held)
    assert held[0] == lm.config.n_kv_heads * held[1]


def test_pooling_the_bundled_model_breaks_it_the_more_the_fewer_heads(mini):
    ids = mini.tokenizer.encode("Annas Hund heißt Bello. Am Morgen geht Anna in den Garten. Die Sonne scheint. Annas Hund heißt Bello.")
    losses = [float(perplexity(replace(mini, network=pool_heads(mini.network, n)), ids).nll.mean()) for n in (6, 3, 1)]
    assert losses[0] + 0.5 < losses[1] < losses[2] - 1
    for wrong in (0, 4, 12):
        with pytest.raises(ValueError, match="must divide 6"):
            pool_heads(mini.network, wrong)


def test_the_shared_model_stays_read_only(mini):
    pool_heads(mini.network, 1)
    assert not any(p.requires_grad for p in mini.network.parameters())
