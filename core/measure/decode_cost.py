"""What writing one more token costs a network: bytes that its cache keeps for a token, and time."""

import time

import torch

from core.kv_cache import Cache
from core.models.decoder import Decoder


@torch.inference_mode()
def cache_bytes_per_token(network: Decoder) -> int:
    """Bytes in 16-bit numbers that the cache holds for one token, read off a filled cache."""
    cache = Cache(network.config, capacity=8)
    network(torch.zeros(1, 8, dtype=torch.long), cache=cache)
    return cache.bytes_held // 8 // network.dtype.itemsize * 2


@torch.inference_mode()
def seconds_per_token(network: Decoder, tokens: int, steps: int = 20) -> float:
    """Median time of a step that writes one more token after `tokens` of them, on the processor."""
    cache, times = Cache(network.config, capacity=tokens + steps), []
    network(torch.zeros(1, tokens, dtype=torch.long), cache=cache, last_only=True)
    token = torch.zeros(1, 1, dtype=torch.long)
    for _ in range(steps):
        start = time.perf_counter()
        network(token, cache=cache, last_only=True)
        times.append(time.perf_counter() - start)
    return sorted(times)[steps // 2]
