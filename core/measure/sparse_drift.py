"""What a model loses when its layers look at fewer tokens."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.measure.drift import kl
from core.models.indexer import find_directions
from core.models.language_model import LanguageModel, as_batch
from core.models.sparse_attention import Rule, sparse_logits
from core.models.trace import trace
from core.tokenization.languages import SENTENCES

CALIBRATED_ON = 512  # tokens


@dataclass(frozen=True)
class SparseDrift:
    """A text read with a mask in every layer, beside the same text read in full."""

    nll: Tensor  # (T - 1,) loss of each token but the first, nats
    full_nll: Tensor  # (T - 1,)
    kl: Tensor  # (T,) nats, from the full prediction to the sparse one
    same: Tensor  # (T,) bool: both have the same token in front
    probs: Tensor  # (V,) of the token after the text
    full_probs: Tensor  # (V,)

    @property
    def answer(self) -> int:
        """The token that leads after the text when everything is seen."""
        return int(self.full_probs.argmax())

    @property
    def numbers(self) -> dict[str, float]:
        """Means in nats: loss, full_loss (nan for a single token), kl; shares: agreement, and of the answer share and full_share."""
        shares = {"share": float(self.probs[self.answer]), "full_share": float(self.full_probs[self.answer])}
        losses = {"loss": float(self.nll.mean()), "full_loss": float(self.full_nll.mean())}
        return losses | {"kl": float(self.kl.mean()), "agreement": float(self.same.float().mean())} | shares


def usual_directions(lm: LanguageModel) -> list[Tensor]:
    """`find_directions` on a text that is the same for every viewer, and none of theirs."""
    return find_directions(lm, lm.tokenizer.encode(" ".join(SENTENCES.values()))[:CALIBRATED_ON])


def read_full(lm: LanguageModel, ids) -> Tensor:
    """What the unembedding gets from the ordinary model: (T, C), far smaller than the logits that follow from it."""
    name = "ln_final.hook_normalized"
    return trace(lm, ids, keep=lambda hook: hook == name)[name]


@torch.inference_mode()
def sparse_drift(lm: LanguageModel, ids, rule: Rule, full: Tensor, masks: list[Tensor] | None = None) -> SparseDrift:
    """Read `ids` (T,) with `rule` in every layer and compare with `full`, the logits (T, V) of the ordinary model.

    The masks are added to `masks`.
    """
    ids = as_batch(ids, lm.config.vocab_size)[0]
    sparse, following = sparse_logits(lm, ids, rule, masks), ids[1:, None]
    nll, full_nll = ((logits[:-1].logsumexp(-1) - logits[:-1].gather(-1, following)[:, 0]) for logits in (sparse, full))
    same = full.argmax(-1) == sparse.argmax(-1)
    return SparseDrift(nll, full_nll, kl(full, sparse), same, sparse[-1].softmax(-1), full[-1].softmax(-1))
