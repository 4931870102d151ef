"""From the network's scores to text."""

from core.decoding.beam import BeamTree, Hypothesis, beam_search, beam_steps
from core.decoding.distribution import distribution, entropy_bits
from core.decoding.generate import Step, generate, next_logits

__all__ = ["BeamTree", "Hypothesis", "Step", "beam_search", "beam_steps", "distribution", "entropy_bits", "generate", "next_logits"]
