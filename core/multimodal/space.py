"""Where all scenes stand in the shared space, and what can be read off it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.multimodal.captions import caption
from core.multimodal.contrastive import similarity
from core.multimodal.pair import ShapesPair
from core.multimodal.scenes import COLOURS, PLACES, SHAPES, SIZES, Scene, draw, scenes

PARTS = {"shape": SHAPES, "colour": tuple(COLOURS), "size": tuple(SIZES), "place": PLACES}


@dataclass(frozen=True)
class Space:
    """Every scene's picture and caption as unit vectors (648, E), and the plane in which they differ most."""

    shown: tuple[Scene, ...]
    drawn: np.ndarray  # (648, S, S, 3)
    pictures: Tensor
    captions: Tensor
    middle: Tensor  # (E,)
    directions: Tensor  # (E, 2), the first two principal components

    def plane(self, vectors: Tensor) -> Tensor:
        """Vectors (n, E) seen from above that plane: (n, 2)."""
        return (vectors - self.middle) @ self.directions

    def beside(self, every: int, picture: Tensor, caption: Tensor) -> tuple[Tensor, Tensor]:
        """Where the picture and the caption of one scene in `every` stand, and last those given (E,): (m, 2) twice."""
        both = ((self.pictures[::every], picture), (self.captions[::every], caption))
        places, captions = (self.plane(torch.cat((known, own[None]))) for known, own in both)
        return places, captions


def space_of(pair: ShapesPair, language: str) -> Space:
    """All scenes, their captions in `language`, and the principal components of both together."""
    shown = tuple(scenes())
    drawn = draw(shown)
    pictures, captions = pair.embed_pictures(drawn), pair.embed_captions([caption(scene, language) for scene in shown])
    both = torch.cat((pictures, captions))
    middle = both.mean(0)
    directions = torch.linalg.svd(both - middle, full_matrices=False).Vh[:2].T
    return Space(shown, drawn, pictures, captions, middle, directions)


def asked(space: Space, picture: Tensor, part: str, temperature: float) -> Tensor:
    """Probability of every value of `part` ("shape", "colour", ...) for a picture (E,): (n,).

    A classifier that nobody trained: each value is the mean of all captions that mention it (prompt
    ensembling, https://arxiv.org/abs/2103.00020, section 3.1.4), compared with the picture.
    """
    values = [[i for i, scene in enumerate(space.shown) if getattr(scene, part) == value] for value in PARTS[part]]
    means = torch.stack([space.captions[rows].mean(0) for rows in values])
    directions = torch.nn.functional.normalize(means - space.captions.mean(0), dim=-1)
    return torch.softmax(similarity(picture[None], directions)[0] / temperature, dim=0)
