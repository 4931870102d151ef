"""Where memory is short, what can be had again is given up before anything is refused."""

from pathlib import Path

import pytest
import torch

from core.checkpoints import memory, stored
from core.checkpoints.errors import NotEnoughMemory
from core.checkpoints.shared import weight
from core.kept import Kept, let_go
from core.models import Decoder, DecoderConfig
from core.quantization.kernels import supported

MB = 1 << 20


def filled(most: int, n: int, weigh=lambda result: 1) -> Kept:
    kept = Kept(most, weigh=weigh)
    for key in range(n):
        kept.get(key, lambda key=key: "x" * (key + 1))
    return kept


def test_every_memory_gives_up_its_older_half():
    counted, weighed, single = filled(10, 8), filled(100, 4, weigh=len), filled(3, 1)
    let_go()
    assert [key for key, _ in counted.items()] == [4, 5, 6, 7]
    assert [key for key, _ in weighed.items()] == [3]  # 1 + 2 + 3 + 4 bytes: the newest alone weighs less than half
    assert not single.items()
    assert single.get(0, lambda: "again") == "again"


@pytest.mark.parametrize("free, needed, gives", [(memory.SHORT, 0, False), (memory.SHORT - 1, 0, True), (memory.SHORT, 1, True), (None, 1 << 40, False)])
def test_only_where_it_is_short(monkeypatch, free, needed, gives):
    kept = filled(10, 4)
    monkeypatch.setattr(memory, "free_bytes", lambda: free)
    assert memory.make_room(needed) is gives
    assert len(kept.items()) == (2 if gives else 4)


def test_a_model_fits_once_the_rest_is_given_up(monkeypatch):
    kept = filled(8, 8)
    monkeypatch.setattr(memory, "free_bytes", lambda: (900 - 100 * len(kept.items())) * MB)
    memory.require_memory("mini", 300 * MB)  # 100 MB are free at first
    assert len(kept.items()) == 4
    with pytest.raises(NotEnoughMemory):
        memory.require_memory("large", 5000 * MB)


@pytest.mark.parametrize("dtype, share", [(torch.float16, 0.65), (torch.bfloat16, 0.65), (torch.float32, 1.25)])
def test_weights_that_come_in_16_bits_need_half_the_room(monkeypatch, dtype, share):
    asked = []
    monkeypatch.setattr(stored, "require_memory", lambda name, needed: asked.append(needed))
    network = Decoder(DecoderConfig(n_layers=2, d_model=64, n_heads=4, n_kv_heads=4, d_ff=96, vocab_size=257, context_length=128, head_dim=16))
    parts = {name: stored.Stored(tuple(p.shape), lambda start, stop, p=p: p.detach()[start:stop].to(dtype)) for name, p in network.named_parameters()}
    checkpoint = stored.Checkpoint("small", Path("small"), network.config, None, parts)
    lm = stored.as_language_model(checkpoint, "fp32")
    assert asked == [int(checkpoint.bytes_in_memory * (share if supported("fp16") else 1.25))]
    assert weight(lm) <= asked[0] and lm.logits([1, 2, 3]).dtype == torch.float32
