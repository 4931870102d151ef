"""The trained pair of encoders, ready to use."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.checkpoints.folder import opened
from core.checkpoints.shared import shared
from core.multimodal.captions import words_of
from core.multimodal.encoders import Pair, PairConfig

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "shapes"
AT_ONCE = 81  # pictures: what lies between the layers takes a quarter of a megabyte each


@dataclass(frozen=True)
class ShapesPair:
    """Encoders, the words they know, and the model card."""

    network: Pair
    words: tuple[str, ...]  # word i has id i + 1
    card: dict

    def read(self, text: str) -> tuple[list[int], list[str]]:
        """Word ids of a caption, and the words it does not know, which are left out."""
        known = {word: i + 1 for i, word in enumerate(self.words)}
        found = words_of(text)
        return [known[word] for word in found if word in known], [word for word in found if word not in known]

    @torch.inference_mode()
    def embed_captions(self, texts: list[str]) -> Tensor:
        """Captions -> unit vectors (n, E). Unknown words and all beyond the sixteenth are left out."""
        ids = torch.zeros(len(texts), self.network.config.most_words, dtype=torch.long)
        for row, text in enumerate(texts):
            found = self.read(text)[0][: ids.shape[1]]
            ids[row, : len(found)] = torch.tensor(found, dtype=torch.long)
        return self.network.embed_captions(ids)

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[np.ndarray] | np.ndarray) -> Tensor:
        """n pictures (32, 32, 3), uint8 -> unit vectors (n, E)."""
        parts = torch.from_numpy(np.stack(list(pictures))).split(AT_ONCE)
        return torch.cat([self.network.embed_pictures(part) for part in parts])


@shared
def load_pair(folder: Path = FOLDER) -> ShapesPair:
    """The pair in `folder`, loaded once per process. Raises DamagedCheckpoint."""
    with opened(folder) as (stored, weights):
        network = Pair(PairConfig(**stored["network"]))
        network.load_state_dict(weights)
        card = tomllib.loads((folder / "card.toml").read_text("utf-8"))
    return ShapesPair(network.eval().requires_grad_(False), tuple(stored["words"]), card)
