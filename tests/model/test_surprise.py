"""Surprise against transformers' loss on the same weights, and what the presets of the page promise."""

import math

import pytest
import torch
import torch.nn.functional as F

from core.measure import perplexity
from core.ui.surprise import comparison, surprise
from core.ui.texts import Texts
from tests.model.reference import as_transformers, random_ids


@torch.inference_mode()
def test_every_token_costs_what_transformers_says(tiny, mini):
    for lm in (tiny, mini):
        ids = random_ids(lm, 40)[0].tolist()
        found = surprise(lm, ids)
        read = torch.tensor([[lm.tokenizer.eot, *ids]])
        reference = as_transformers(lm)(read, labels=read)
        expected = F.cross_entropy(reference.logits[0, :-1], read[0, 1:], reduction="none") / math.log(2)
        assert found.bits.tolist() == pytest.approx(expected.tolist(), abs=1e-3)
        assert found.measured.perplexity == pytest.approx(math.exp(reference.loss), rel=1e-4)
        assert found.bits.sum() == pytest.approx(40 * float(reference.loss) / math.log(2), rel=1e-4)


def test_it_is_the_perplexity_of_core(mini):
    ids = mini.tokenizer.encode("Die Sonne scheint, und die Vögel singen.")
    found = surprise(mini, ids)
    torch.testing.assert_close(found.measured.nll, perplexity(mini, [mini.tokenizer.eot, *ids]).nll, atol=1e-4, rtol=1e-4)


def test_bits_a_byte_by_hand(mini):
    text = "Größe: 10 €"
    found = surprise(mini, mini.tokenizer.encode(text))
    row = comparison([("a", found)]).iloc[0]
    assert row["bytes"] == 15 and row["tokens"] == len(found.labels)  # ö and ß take two bytes each, € three
    assert row["per_byte"] == pytest.approx(found.bits.sum() / 15, abs=0.006)


def test_without_a_sign_for_the_start_the_first_token_does_not_count(tiny, monkeypatch):
    monkeypatch.setattr(tiny.tokenizer, "eot", None)
    ids = random_ids(tiny, 12)[0].tolist()
    found = surprise(tiny, ids)
    assert len(found.bits) == 11 and found.labels == tiny.tokenizer.labels(ids[1:])
    torch.testing.assert_close(found.measured.nll, perplexity(tiny, ids).nll, atol=1e-4, rtol=1e-4)


def test_what_was_expected_is_the_distribution_before_the_token(mini):
    found = surprise(mini, mini.tokenizer.encode("The capital of Italy is Rome. The capital of France is Berlin."))
    place = found.most
    share, rank, likeliest = found.expected(place)
    assert share == pytest.approx(2 ** -found.bits[place], rel=1e-3)
    probs = mini.logits(found.reading.ids[: place + 1])[-1].softmax(-1)
    assert [p for _, p in likeliest] == pytest.approx(probs.topk(8).values.tolist(), abs=1e-5)
    assert rank == int((probs > probs[found.reading.ids[place + 1]]).sum()) + 1


def both(lm, language, preset):
    t = Texts("perplexity", language)
    return [surprise(lm, lm.tokenizer.encode(t.plain(f"presets.{preset}.{name}"))) for name in ("prompt", "against")]


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_presets_promise(mini, language):
    right, wrong = both(mini, language, "fact")
    assert wrong.labels[wrong.most] == "␣Berlin" and right.labels[wrong.most] == "␣Paris"
    assert wrong.bits[wrong.most] > right.bits[wrong.most] + 6
    assert abs(wrong.bits - right.bits).tolist().index(max(abs(wrong.bits - right.bits))) == wrong.most

    ordered, shuffled = both(mini, language, "shuffled")
    assert shuffled.measured.perplexity > 50 * ordered.measured.perplexity

    rounds, once = both(mini, language, "repeated")
    n = len(once.labels) + 1
    assert rounds.bits[n + 1 :].max() < 2 < rounds.bits[:n].mean()

    small, capitals = both(mini, language, "capitals")
    assert len(capitals.labels) > 3 * len(small.labels) and 1 < capitals.bits.mean() / small.bits.mean() < 1.4
    assert 3.5 < capitals.per_byte / small.per_byte < 4.5

    one, other = both(mini, language, "languages")
    assert abs(one.bits.sum() / other.bits.sum() - 1) < 0.1


def test_every_bundled_name_is_a_language_model_that_loads():
    """The page offers them as a second model; what else lies beside them (pictures and words) is none."""
    from core.checkpoints import load_model, model_cards

    bundled = [name for name, card in model_cards().items() if card["bundled"]]
    assert "mini" in bundled
    for name in bundled:
        lm = load_model(name)
        assert len(surprise(lm, lm.tokenizer.encode("Zwei Wörter")).bits) > 0
