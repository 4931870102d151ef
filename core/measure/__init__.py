"""Measures of what a model does: perplexity, drift, memory."""

from core.measure.drift import kl, top1_agreement, total_variation
from core.measure.perplexity import Perplexity, perplexity

__all__ = ["Perplexity", "kl", "perplexity", "top1_agreement", "total_variation"]
