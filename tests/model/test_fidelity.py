"""The gate for fast modes, and what passed it."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from core.measure import fidelity as module
from core.measure.fidelity import RECORD, Fidelity, exact_scores, fidelity, offered_modes
from core.quantization import MODES, prepare
from tests.model.reference import as_transformers, random_ids


def test_the_gate_has_both_conditions():
    assert Fidelity(nll=2.01, exact_nll=2.0, top1=0.95, n_tokens=1).true
    assert not Fidelity(nll=2.0101, exact_nll=2.0, top1=1.0, n_tokens=1).true
    assert not Fidelity(nll=1.9, exact_nll=2.0, top1=0.9499, n_tokens=1).true


@torch.inference_mode()
def test_losses_and_agreement_are_those_of_transformers(tiny):
    """Exact: transformers on the same weights. Fast: transformers on the weights the fast model holds."""
    texts = [random_ids(tiny, n, seed=n)[0] for n in (20, 33)]
    fast = prepare(tiny, "int8")
    found = fidelity(exact_scores(tiny, texts), fast, texts)
    logits = [[as_transformers(lm)(ids[None]).logits[0] for ids in texts] for lm in (tiny, fast)]
    nll = [torch.cat([cross_entropy(a[:-1], ids[1:], reduction="none") for a, ids in zip(one, texts)]) for one in logits]
    assert found.exact_nll == pytest.approx(float(nll[0].mean()), abs=1e-4)
    assert found.nll == pytest.approx(float(nll[1].mean()), abs=0.05)  # in bf16
    same = torch.cat([a.argmax(-1) == b.argmax(-1) for a, b in zip(*logits)]).float().mean()
    assert found.top1 == pytest.approx(float(same), abs=3 / 53) and found.n_tokens == 53


def test_exactly_the_modes_that_passed_are_offered():
    models = json.loads(RECORD.read_text("utf-8"))["models"]
    assert {"mini", "smollm2-135m"} <= set(models)
    for name, modes in models.items():
        passed = {mode for mode, found in modes.items() if found["nll"] - found["exact_nll"] <= 0.01 and found["top1"] >= 0.95}
        assert set(modes) == set(MODES) - {"fp32"}
        assert offered_modes(name) == ("fp32", *(mode for mode in MODES if mode in passed))
        assert all(found["true"] == (mode in passed) for mode, found in modes.items())


def test_a_model_nobody_measured_is_offered_exact_only(monkeypatch, tmp_path):
    assert offered_modes("a model nobody measured") == ("fp32",)
    monkeypatch.setattr(module, "RECORD", tmp_path / "none.json")
    assert module.recorded.__wrapped__() == {}


def test_the_record_is_that_of_the_bundled_model(mini):
    """A hundred tokens of our own words: the losses of the recorded modes lie as near to fp32 as the record says."""
    texts = [mini.tokenizer.encode("Die Stadt liegt an einem Fluss. Im Sommer kommen viele Menschen, um dort zu baden. " * 2)]
    texts.append(mini.tokenizer.encode("The city lies on a river. In summer many people come to swim there and to rest. " * 2))
    exact = exact_scores(mini, texts)
    for mode in offered_modes("mini")[1:]:
        assert abs(fidelity(exact, prepare(mini, mode), texts).lost) < 0.05
