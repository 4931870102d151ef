"""The draft model: its recipe's loss is the one it claims to be, and the shipped weights agree with mini as the card says."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.checkpoints.draft import FOLDER, fits, load_draft
from core.decoding import generate, speculate
from core.measure.drift import total_variation
from core.models import Decoder, DecoderConfig
from core.training import draft
from core.training.evaluate import SAMPLES
from core.training.loop import Recipe, initialise

ROOT = Path(__file__).resolve().parents[2]
CARD = tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))


def test_soft_targets_stand_for_the_whole_distribution():
    """Averaged over draws, cross-entropy against the targets is the one against all of softmax."""
    generator = torch.Generator().manual_seed(0)
    logits, other = torch.randn(2, 3, 50, generator=generator) * 2
    found = []
    for _ in range(600):
        ids, weights = draft.soft_targets(logits, 5, 3, generator)
        torch.testing.assert_close(weights.sum(-1), torch.ones(3))
        found.append(-(weights * other.log_softmax(-1).gather(-1, ids)).sum(-1))
    assert torch.equal(ids[:, :5], logits.topk(5).indices) and not any(set(row[:5].tolist()) & set(row[5:].tolist()) for row in ids)
    expected = -(logits.softmax(-1) * other.log_softmax(-1)).sum(-1)
    found = torch.stack(found)
    assert ((found.mean(0) - expected).abs() < 4 * found.std(0) / 600**0.5).all()


def test_with_every_token_a_candidate_the_loss_is_cross_entropy():
    generator = torch.Generator().manual_seed(1)
    hidden, embedding = torch.randn(7, 8, generator=generator), torch.randn(30, 8, generator=generator)
    ids, weights = torch.randint(0, 30, (7, 4), generator=generator), torch.rand(7, 4, generator=generator)
    weights = weights / weights.sum(-1, keepdim=True)
    full = (hidden @ embedding.T).log_softmax(-1)
    expected = -(weights * full.gather(-1, ids)).sum(-1)
    torch.testing.assert_close(draft.candidate_loss(hidden, embedding, ids, weights, 30, generator), expected)
    hard = draft.candidate_loss(hidden, embedding, ids[:, :1], torch.ones(7, 1), 30, generator)
    torch.testing.assert_close(hard, F.cross_entropy(hidden @ embedding.T, ids[:, 0], reduction="none"))
    several = torch.stack([draft.candidate_loss(hidden * 0.1, embedding, ids, weights, 4, generator) for _ in range(300)])
    few = -(weights * (hidden * 0.1 @ embedding.T).log_softmax(-1).gather(-1, ids)).sum(-1)
    torch.testing.assert_close(several.mean(0), few, atol=0.03, rtol=0)  # a few candidates stand for all


def test_the_recipe_learns_to_agree():
    """A small draft of a small random teacher, on its own text: acceptance rises, and the log says so."""
    vocab = 40
    config = DecoderConfig(n_layers=1, d_model=32, n_heads=2, n_kv_heads=2, d_ff=48, vocab_size=vocab, context_length=64, head_dim=16)
    torch.manual_seed(0)
    teacher = Decoder(config).eval().requires_grad_(False)
    for parameter in teacher.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.3)
    rows = torch.randint(0, vocab, (48, 24), generator=torch.Generator().manual_seed(2))
    chosen = draft.Distillation(n_rows=48, row=24, passes=12, likeliest=6, drawn=3, negatives=10)
    generator = torch.Generator().manual_seed(3)
    ids, weights = (torch.stack(part) for part in zip(*(draft.soft_targets(teacher(r[None])[0], 6, 3, generator) for r in rows)))
    student = Decoder(DecoderConfig(**{**config.__dict__, "d_model": 16, "n_heads": 1, "n_kv_heads": 1}))
    initialise(student, 0)
    draft.start_from(student, teacher)
    before = draft.agreement(teacher, student.eval(), rows[:8])["accepted"]
    recipe = Recipe(batch_rows=4, learning_rate=1e-2, warmup_steps=5, log_every=20, evaluate_every=40)
    records = draft.train(student, rows, ids, weights, chosen, recipe, evaluate=lambda n: draft.agreement(teacher, n, rows[:8]))
    assert records[-1]["accepted"] > before + 0.1 and student.unembed.weight is student.embed.weight
    assert records[-1]["tokens"] == 48 * 24 * 12


@pytest.fixture(scope="module")
def small():
    return load_draft()


def test_the_shipped_draft_is_small_and_has_minis_tokens(small, mini):
    assert sum(p.numel() for p in {id(p): p for p in small.network.parameters()}.values()) <= 2_000_000
    assert small.config == draft.CONFIG and CARD["parameters"] <= 2_000_000
    assert (FOLDER / "model.safetensors").stat().st_size <= 4_000_000
    assert fits(mini) and small.tokenizer.encode("Ein Satz.") == mini.tokenizer.encode("Ein Satz.")


def test_the_shipped_draft_passes_as_often_as_its_card_says(small, mini):
    """Anew on mini's own text after half of the beginnings, likeliest and drawn."""
    for temperature, told in ((0.0, CARD["own_text"]["accepted_greedy"]), (1.0, CARD["own_text"]["accepted_sampled"])):
        found = []
        for prompt in (p for prompts in SAMPLES.values() for p in prompts[::2]):
            ids = mini.tokenizer.encode(prompt)
            text = ids + [s.token for s in generate(mini, ids, 96, temperature=temperature, seed=1)]
            p, q = (lm.logits(text[:-1])[len(ids) - 1 :] for lm in (mini, small))
            if temperature == 0:
                found.append(float((p.argmax(-1) == q.argmax(-1)).float().mean()))
            else:
                found.append(float((1 - total_variation(p, q)).mean()))
        assert np.mean(found) == pytest.approx(told, abs=0.08)


def test_the_card_repeats_the_evaluation():
    measured = json.loads((ROOT / CARD["evaluation"]).read_text("utf-8"))
    assert CARD["parameters"] == measured["parameters"]
    for source, told in CARD["held_out_accepted"].items():
        if source != "explanation":
            assert told == pytest.approx(measured["held_out"][source]["accepted"], abs=0.005)
    assert CARD["own_text"]["accepted_greedy"] == pytest.approx(measured["own_text"]["temperature 0"]["same_likeliest"], abs=0.005)
    assert CARD["own_text"]["accepted_sampled"] == pytest.approx(measured["own_text"]["temperature 1"]["accepted"], abs=0.005)
    log = (ROOT / CARD["log"]).read_text("utf-8").splitlines()
    assert log[0].startswith("step,tokens,loss") and int(log[-1].split(",")[1]) == measured["tokens_seen"]


@pytest.mark.parametrize("draft_length", [1, 4, 8])
def test_greedy_with_the_shipped_pair_is_minis_own_text(small, mini, draft_length):
    ids = mini.tokenizer.encode("Es war einmal ein kleiner Fuchs, der")
    plain = [s.token for s in generate(mini, ids, 40, temperature=0)]
    rounds = list(speculate(mini, small, ids, 40, draft_length, temperature=0))
    assert [t for r in rounds for t in r.tokens] == plain and len(rounds) < len(plain)
