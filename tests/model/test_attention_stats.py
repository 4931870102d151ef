"""Head measures on constructed patterns, against plain loops, and on the trained model."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy

from core.measure.attention_stats import KINDS, head_kind, head_profile, profiles_on_repeats, without_first
from core.measure.head_steps import head_steps
from core.models import trace
from tests.model.reference import random_ids


def one_hot(targets):
    return F.one_hot(torch.tensor(targets), len(targets)).float()[None]


def test_constructed_heads_get_their_name():
    ids = [5, 6, 7, 8, 5, 6, 7, 8]
    heads = {
        "previous": one_hot([0, 0, 1, 2, 3, 4, 5, 6]),
        "first": one_hot([0] * 8),
        "same": one_hot([0, 0, 0, 0, 0, 1, 2, 3]),
        "induction": one_hot([0, 0, 0, 0, 1, 2, 3, 4]),
        "local": torch.ones(8, 8).tril().triu(-1)[None] / torch.ones(8, 8).tril().triu(-1).sum(-1)[None, :, None],
    }
    for kind, pattern in heads.items():
        profile = head_profile(pattern, ids)
        assert float(getattr(profile, kind)) == pytest.approx(1.0), kind
    named = ("previous", "first", "same", "induction")
    assert tuple(head_kind(head_profile(heads[kind], ids), 0) for kind in named) == named
    even = torch.ones(8, 8).tril() / torch.arange(1, 9)[:, None]
    assert float(head_profile(even[None], ids).diffuse) == pytest.approx(1.0)


@pytest.mark.parametrize("n_tokens", [20, 400])
def test_a_head_is_diffuse_from_half_of_the_tokens_on_however_long_the_text(n_tokens):
    """Every row spread evenly over a share of its tokens: the measure is that share."""
    rows = torch.arange(1, n_tokens + 1)
    for share, kind in ((0.3, "mixed"), (0.6, "diffuse")):
        width = (share * rows).ceil()
        keys = torch.arange(n_tokens)[None] - ((1 - share) / 2 * rows)[:, None].floor()  # from the middle: neither first nor near
        pattern = ((keys >= 0) & (keys < width[:, None])).float() / width[:, None]
        profile = head_profile(pattern[None], list(range(n_tokens)))
        assert float(profile.diffuse) == pytest.approx(share, abs=1.2 / (n_tokens**0.5))
        assert head_kind(profile, 0) == kind


def test_scores_equal_plain_loops(tiny):
    ids = [3, 9, 3, 9, 9, 1, 3, 2, 9]
    pattern = trace(tiny, ids)["blocks.0.attn.hook_pattern"]
    profile = head_profile(pattern, ids)
    for h in range(4):
        p = pattern[h].tolist()
        same = [sum(p[i][j] for j in range(i) if ids[j] == ids[i]) for i in range(9) if ids[i] in ids[:i]]
        after = [[j for j in range(1, i) if ids[j - 1] == ids[i]] for i in range(9)]
        induction = [sum(p[i][j] for j in keys) for i, keys in enumerate(after) if keys]
        assert float(profile.same[h]) == pytest.approx(sum(same) / len(same), abs=1e-5)
        assert float(profile.induction[h]) == pytest.approx(sum(induction) / len(induction), abs=1e-5)
        assert float(profile.previous[h]) == pytest.approx(sum(p[i][i - 1] for i in range(1, 9)) / 8, abs=1e-5)
        assert float(profile.first[h]) == pytest.approx(sum(p[i][0] for i in range(2, 9)) / 7, abs=1e-5)
        assert float(profile.local[h]) == pytest.approx(sum(p[i][j] for i in range(5, 9) for j in range(i - 3, i + 1)) / 4, abs=1e-5)
        looked_at = [math.exp(entropy(p[i][: i + 1])) for i in range(2, 9)]
        assert float(profile.diffuse[h]) == pytest.approx(sum(looked_at) / sum(range(3, 10)), abs=1e-5)
    assert all(0 <= float(getattr(profile, k).min()) and float(getattr(profile, k).max()) <= 1.0001 for k in KINDS)


def test_trained_model_has_previous_token_and_induction_heads(mini, tiny):
    profiles = profiles_on_repeats(mini)
    assert len(profiles) == mini.config.n_layers
    assert {"previous", "induction"} <= {head_kind(p, h) for p in profiles for h in range(mini.config.n_heads)}
    untrained = profiles_on_repeats(tiny)
    assert max(float(p.induction.max()) for p in untrained) < 0.2  # nothing to follow without training


def test_repeats_are_the_same_tokens_twice(tiny):
    half = torch.randint(0, 257, (20,), generator=torch.Generator().manual_seed(3))
    ids = torch.cat((half, half))
    expected = head_profile(trace(tiny, ids)["blocks.1.attn.hook_pattern"], ids)
    torch.testing.assert_close(profiles_on_repeats(tiny, 20, seed=3)[1].induction, expected.induction)
    with pytest.raises(ValueError, match="n_tokens must be in 1..64, got 65"):
        profiles_on_repeats(tiny, 65)


def test_a_score_without_a_query_is_zero():
    profile = head_profile(torch.eye(3)[None], [1, 2, 3])  # nothing repeats, too short for "local"
    assert [float(getattr(profile, kind)) for kind in ("induction", "same", "local", "previous")] == [0, 0, 0, 0]
    assert all(float(getattr(head_profile(torch.ones(1, 1, 1), [5]), kind)) == 0 for kind in KINDS)


def test_steps_equal_fused_attention(tiny):
    ids = random_ids(tiny, 12)[0]
    acts = trace(tiny, ids)
    for head in range(4):
        steps = head_steps(acts, 1, head, 7)
        fused = F.scaled_dot_product_attention(steps.query[None], steps.keys[:8], steps.values[:8])[0]
        torch.testing.assert_close(steps.result, fused)
        torch.testing.assert_close(steps.result, acts["blocks.1.attn.hook_z"][7, head])
        torch.testing.assert_close(steps.weights, acts["blocks.1.attn.hook_pattern"][head, 7])


def test_hiding_the_sink_leaves_rows_that_sum_to_one(tiny):
    pattern = without_first(trace(tiny, random_ids(tiny, 10)[0])["blocks.0.attn.hook_pattern"])
    assert (pattern[:, 1:, 0] == 0).all()
    torch.testing.assert_close(pattern.sum(-1), torch.ones(4, 10))


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match="must have shape"):
        head_profile(torch.zeros(2, 3, 3), [1, 2])
