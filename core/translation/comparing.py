"""What the three networks make of one sentence: a word left out, seen from both sides or from the left, and a translation."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.seq2seq import Seq2Seq, translate
from core.translation.words import END, GAP, START, TO_DE, TO_EN


@dataclass(frozen=True)
class Translation:
    """A sentence as the encoder and decoder wrote it."""

    source: list[int]  # with the word in front that says into which language
    ids: list[int]  # words written, END among them where it was written
    looked: Tensor  # (words, S) the last block's cross-attention, mean over its heads, while each word was chosen
    probs: Tensor  # (words,) probability of each word

    @property
    def ended(self) -> bool:
        """Whether the network said by itself that the sentence is over."""
        return self.ids[-1] == END


@torch.inference_mode()
def gap_probs(encoder: Seq2Seq, decoder: Seq2Seq, ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Probabilities (n, V) of the word at every place of a sentence, were it missing: from both sides, and from the left alone.

    The encoder reads the sentence n times, each time with a gap at another place. The decoder reads it once: its mask sees to it
    that no word is known before its turn.
    """
    rows = torch.tensor([list(ids)] * len(ids))
    rows.fill_diagonal_(GAP)
    both = encoder.fill(rows, torch.ones_like(rows, dtype=torch.bool)).diagonal().T  # (n, V): row i at its gap i
    left = decoder.decode(torch.tensor([[START, *ids[:-1]]]))[0]
    return both.softmax(-1), left.softmax(-1)


@torch.inference_mode()
def translated(network: Seq2Seq, ids: Sequence[int], target: str) -> Translation:
    """A sentence in the other language (`target`, de or en), the likeliest word again and again, at most as many as it may."""
    source = [TO_EN if target == "en" else TO_DE, *ids]
    written, looked = translate(network, source, START, END)
    row = torch.tensor([source])
    logits = network(row, torch.ones_like(row, dtype=torch.bool), torch.tensor([[START, *written[:-1]]]))[0]
    return Translation(source, written, looked, logits.softmax(-1)[torch.arange(len(written)), torch.tensor(written)])


@torch.inference_mode()
def self_attention(network: Seq2Seq, ids: Sequence[int]) -> Tensor:
    """Who looks at whom in the last block of an encoder or a decoder alone: (n, n), mean over its heads."""
    row, found = torch.tensor([list(ids)]), {}

    def keep(name: str, value: Tensor) -> Tensor:
        found["last"] = value  # the last one stays
        return value

    if network.config.n_encoder_layers:
        network.encode(row, torch.ones_like(row, dtype=torch.bool), keep)
    else:
        network.decode(row, tap=keep)
    return found["last"][0].mean(0)


def clearest_and_oddest(translation: Translation, stop: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(word written, word of the source looked at most), as places: where attention is clearest, and where it looks at no word.

    The oddest is the word that gives most to the full stop or to the word in front; END and the full stop itself do not count.
    """
    words = [i for i, word in enumerate(translation.ids) if word not in (END, stop)] or [0]
    looked = translation.looked[words]
    beside = [0, len(translation.source) - 1]
    inner = looked.clone()
    inner[:, beside] = 0
    clear = int(inner.amax(1).argmax())
    odd = int(looked[:, beside].amax(1).argmax())
    return (words[clear], int(inner[clear].argmax())), (words[odd], beside[int(looked[odd, beside].argmax())])
