"""From the network's scores to text."""

from core.decoding.beam import BeamTree, Hypothesis, beam_search, beam_steps, search_steps
from core.decoding.distribution import distribution, entropy_bits
from core.decoding.generate import Step, generate, next_logits
from core.decoding.speculative import Round, first_layers, speculate, verify

__all__ = [
    "BeamTree", "Hypothesis", "Round", "Step", "beam_search", "beam_steps", "distribution", "entropy_bits", "first_layers", "generate",
    "next_logits", "search_steps", "speculate", "verify",
]  # fmt: skip
