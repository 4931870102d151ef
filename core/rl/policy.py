"""The tiny model: writing many answers at once, and the probabilities it gave to each token."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.kv_cache import Cache
from core.models.config import DecoderConfig
from core.models.decoder import Decoder
from core.pauses import pause
from core.rl.vocabulary import END, ID, MOST_ANSWER, PROMPT, TOKENS

CONFIG = DecoderConfig(
    n_layers=2,
    d_model=64,
    n_heads=4,
    n_kv_heads=4,
    head_dim=16,
    d_ff=256,
    vocab_size=len(TOKENS),
    context_length=PROMPT + MOST_ANSWER,
    tied_embeddings=False,
    learned_positions=True,  # questions end and answers begin at a fixed place, so places are easily learned
)


@dataclass(frozen=True)
class Answers:
    """n answers: ids (n, T), the natural log of each token's probability when it was drawn (n, T), and which count (n, T)."""

    ids: Tensor
    logprobs: Tensor
    mask: Tensor  # True up to the end, the end included


def sample(
    network: Decoder, prompts: Tensor, generator: torch.Generator, temperature: float = 1.0, start: Tensor | None = None,
    most: int = MOST_ANSWER,
) -> Answers:  # fmt: skip
    """Write an answer to each of the prompts (n, PROMPT), all at once with one cache.

    `start` (n, s) stands at the beginning of every answer as if it had been written (with probability 1). Temperature 0 takes the
    likeliest token; the log probabilities are those of temperature 1.
    """
    cache = Cache(network.config, capacity=prompts.shape[1] + most)
    ids = torch.full((len(prompts), most), ID[END])
    logprobs = torch.zeros(len(prompts), most)
    mask = torch.zeros(len(prompts), most, dtype=torch.bool)
    going = torch.ones(len(prompts), dtype=torch.bool)
    new, first = prompts, 0
    if start is not None:
        first = start.shape[1]
        ids[:, :first], mask[:, :first], going = start, counted(start), (start != ID[END]).all(1)
        new = torch.cat((prompts, start), 1)
    with torch.no_grad():
        for t in range(first, most):
            pause()
            scores = network(new, cache, last_only=True)[:, -1].log_softmax(-1)  # (n, V)
            if temperature > 0:
                token = torch.multinomial((scores / temperature).softmax(-1), 1, generator=generator)[:, 0]
            else:
                token = scores.argmax(-1)
            token = torch.where(going, token, ID[END])
            ids[:, t], mask[:, t] = token, going
            logprobs[:, t] = torch.where(going, scores.gather(1, token[:, None])[:, 0], 0.0)
            going = going & (token != ID[END])
            if not going.any():
                break
            new = token[:, None]
    return Answers(ids, logprobs, mask)


def counted(ids: Tensor) -> Tensor:
    """Which tokens belong to an answer: those up to the first end, the end included, (n, T) -> (n, T)."""
    end = ids == ID[END]
    return end.cumsum(1) - end.int() == 0


def token_logprobs(network: Decoder, prompts: Tensor, ids: Tensor) -> Tensor:
    """Natural log of the probability of every answer token: (n, PROMPT), (n, T) -> (n, T); gradients flow."""
    read = torch.cat((prompts, ids), 1)
    logits = network(read[:, :-1])[:, prompts.shape[1] - 1 :]  # (n, T, V)
    return logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
