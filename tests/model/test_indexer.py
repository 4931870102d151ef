"""The trained index: its scores against loops in NumPy, its lesson against SciPy's entropy, the shipped weights against its records."""

import hashlib
import json
import tomllib

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from core.checkpoints.indexer import FOLDER, fits, load_indexer
from core.checkpoints.registry import MODELS
from core.measure.sparse_drift import sparse_drift, usual_directions
from core.models.indexer import Indexer, make_index
from core.models.sparse_attention import rule_of
from core.training.indexer import RECIPE, looks, missed, train

RUNS = MODELS.parent / "runs"


def turned(vector, position, width):
    """RoPE as in its paper, pair by pair, in the layout (first half, second half)."""
    out = np.array(vector, float)
    for i in range(width // 2):
        angle = position * 10_000 ** (-2 * i / width)
        a, b = vector[i], vector[i + width // 2]
        out[i], out[i + width // 2] = a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)
    return out


def test_scores_are_those_of_the_formula():
    torch.manual_seed(0)
    indexer, x = Indexer(n_layers=2, d_model=12, n_heads=3, width=4), torch.randn(7, 12)
    found = indexer.index(1, None, None, x).detach().numpy()
    q, k, w = (part[1].weight.detach().double().numpy() for part in (indexer.q, indexer.k, indexer.w))
    stream = [row / np.sqrt(np.mean(row**2) + np.finfo(np.float32).eps) for row in x.double().numpy()]
    for t in range(7):
        for s in range(7):
            key, heads = turned(k @ stream[s], s, 4), (q @ stream[t]).reshape(3, 4)
            expected = sum(weight * max(turned(head, t, 4) @ key, 0) for weight, head in zip(w @ stream[t], heads))
            assert found[t, s] == pytest.approx(expected, abs=1e-5)


def test_what_it_misses_is_the_kl_divergence_over_the_past():
    rng = np.random.default_rng(0)
    scores, weights = rng.normal(size=(6, 6)), np.tril(rng.random((6, 6)))
    weights[3, 1] = 0.0
    weights /= weights.sum(1, keepdims=True)
    expected = np.mean([entropy(weights[t, : t + 1], np.exp(scores[t, : t + 1])) for t in range(6)])
    assert float(missed(torch.tensor(scores)[None], torch.tensor(weights)[None])) == pytest.approx(expected, abs=1e-9)


def test_it_learns_where_a_model_looks(tiny):
    ids = torch.randint(0, 256, (8, 24), generator=torch.Generator().manual_seed(3))
    streams = looks(tiny.network, ids)
    assert all(torch.allclose(weights.sum(-1), torch.ones(8, 24), atol=1e-5) for _, weights in streams)
    torch.manual_seed(0)
    indexer = Indexer(tiny.config.n_layers, tiny.config.d_model, 2, 8)
    recipe = RECIPE.__class__(batch_rows=4, learning_rate=1e-2, warmup_steps=2, weight_decay=0.0)
    records = train(indexer, tiny.network, ids, 12, recipe)
    assert records[-1]["kl"] < 0.7 * records[0]["kl"] and records[-1]["tokens"] == 12 * 8 * 24


def test_the_shipped_one_is_that_of_its_card(mini):
    card = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))
    recorded = json.loads((RUNS / "indexer_evaluation.json").read_text("utf-8"))
    assert hashlib.sha256((FOLDER / "indexer.safetensors").read_bytes()).hexdigest() == card["weights_sha256"]
    assert sum(p.numel() for p in load_indexer().parameters()) == card["parameters"] == recorded["parameters"]
    assert card["data"]["tokens_seen"] == recorded["tokens_seen"] and fits(mini)
    for source, by in recorded["held_out_loss"].items():
        assert card["held_out"][source] == pytest.approx(by["trained"]["16"], abs=6e-4)
        for width in ("8", "16", "32"):
            assert by["trained"][width] < min(by[other][width] for other in ("projected", "heads", "window"))
            assert by["trained"][width] < by["own"][width] + 0.27


@pytest.mark.parametrize("book", ["alice", "heidi"])
def test_with_eight_tokens_prose_is_read_better_than_by_an_index_without_training(mini, book):
    text = (MODELS.parent / "corpora" / f"{book}.txt").read_text("utf-8")
    ids = mini.tokenizer.encode(text[5000:6500])[:300]
    full, indexes = mini.logits(ids), (load_indexer().index, make_index("projected", usual_directions(mini)))
    trained, projected = (sparse_drift(mini, ids, rule_of("top_k", 8, index), full).numbers for index in indexes)
    assert trained["full_loss"] - 0.05 < trained["loss"] < projected["loss"] - 0.05
