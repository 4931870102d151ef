"""What is measured on two networks side by side, on small ones: against plain loops and sums by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.charts import rivals as charts
from core.checkpoints.errors import DamagedCheckpoint
from core.checkpoints.rivals import load_rival
from core.measure import rivals
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.models.recurrent import RecurrentConfig, RecurrentLM, initialise

IDS = [3, 9, 1, 9, 4, 3, 20]


@pytest.fixture(scope="module")
def networks():
    gru = RecurrentLM(RecurrentConfig(n_layers=2, d_model=6, d_state=10, vocab_size=40)).eval()
    initialise(gru, 3, std=0.5)
    torch.manual_seed(0)
    shape = {"n_layers": 3, "d_model": 16, "n_heads": 2, "n_kv_heads": 2, "d_ff": 24, "head_dim": 8, "vocab_size": 40}
    return {"gru": gru, "transformer": Decoder(DecoderConfig(**shape)).eval()}


@pytest.mark.parametrize("n", [2, 32, 33, 64, 65, 100])
def test_a_heard_text_is_that_of_one_prediction_after_another(networks, n):
    ids = [(7 * i * i + i) % 40 for i in range(n)]
    heard = rivals.hear(networks["gru"], ids)
    for i in range(1, n):
        logits = networks["gru"](torch.tensor([ids[:i]]))[0, -1].detach()
        assert float(heard.losses[i - 1]) == pytest.approx(float(F.cross_entropy(logits, torch.tensor(ids[i]))), abs=1e-5)


@pytest.mark.parametrize("changed", [0, 1, 31, 32, 33, 64, 65, 96, 99])
@pytest.mark.parametrize("n", [70, 97, 100, 140])
def test_reading_on_is_reading_anew(networks, changed, n):
    ids = [(7 * i * i + i) % 40 for i in range(140)]
    other = [*ids[:changed], *((i + 1) % 40 for i in ids[changed:])][:n]
    known = rivals.hear(networks["gru"], ids[:100])
    again = rivals.hear(networks["gru"], other, known, min(changed, n))
    anew = rivals.hear(networks["gru"], other)
    torch.testing.assert_close(again.losses, anew.losses, atol=1e-5, rtol=1e-4)
    assert again.ids == tuple(other) and len(again.losses) == n - 1
    assert len(again.states) == len(anew.states)


def test_distances_by_hand():
    assert rivals.distances(IDS) == [0, 0, 0, 2, 0, 5, 0] and rivals.distances([]) == []


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_looking_back_is_the_share_of_the_gradient(networks, kind):
    network, place = networks[kind], 5
    shares = rivals.looks_back(network, IDS, place)
    embedded = []
    logits = network(torch.tensor([IDS[:place]]), tap=lambda name, x: embedded.append(x.retain_grad() or x) or x if name == "hook_embed" else x)
    F.cross_entropy(logits[:, -1], torch.tensor([IDS[place]])).backward()
    expected = embedded[0].grad[0].norm(dim=-1)
    torch.testing.assert_close(shares, expected / expected.sum(), atol=1e-5, rtol=1e-4)


def test_who_waits_for_whom_and_what_is_kept(networks):
    """The longest path through the table of what must be there before a layer at a token can be worked out, by counting."""
    ready = np.zeros((2, 9), int)
    for t in range(9):
        for layer in range(2):
            ready[layer, t] = 1 + max(ready[layer, t - 1] if t else 0, ready[layer - 1, t] if layer else 0)
    assert rivals.longest_chain(networks["gru"], 9) == ready.max() == 10
    assert rivals.longest_chain(networks["transformer"], 9) == rivals.longest_chain(networks["transformer"], 900) == 3
    assert [rivals.numbers_kept(networks["gru"], n) for n in (1, 900)] == [20, 20]
    assert rivals.numbers_kept(networks["transformer"], 9) == 9 * 3 * 2 * 16


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_one_by_one_and_at_once_predict_the_same(networks, kind):
    ids = torch.tensor([IDS])
    with torch.inference_mode():
        whole = networks[kind](ids)[:, -1:]
        for one_by_one in (False, True):
            torch.testing.assert_close(rivals._read(networks[kind], ids, one_by_one), whole, atol=1e-5, rtol=1e-4)
    assert rivals.reading_seconds(networks[kind], 4, True, repeats=1) > 0


def test_what_the_charts_get():
    losses = {"transformer": np.array([1.0, 2.0]), "gru": np.array([3.0, 1.0])}
    data = charts.losses_data(["a", "b", "a"], losses, [0, 0, 2], chosen=2)
    assert data["token"].tolist() == ["b", "a"] and data["chosen"].tolist() == [False, True] and data["back"].tolist() == [0, 2]
    data = charts.time_data({(16, "gru write"): 0.5, (16, "transformer read"): 0.25})
    assert data.to_numpy().tolist() == [[16, 500.0, "reused", "write"], [16, 250.0, "computed", "read"]]


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DamagedCheckpoint, match="gru.safetensors"):
        load_rival("gru", tmp_path)
