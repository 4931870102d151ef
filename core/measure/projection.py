"""Many dimensions on two or three axes: PCA in a few lines, t-SNE from scikit-learn."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor


@dataclass(frozen=True)
class Projection:
    """Directions to look along, found on some points and usable for others."""

    centre: Tensor  # (C,)
    axes: Tensor  # (k, C), length 1, at right angles; zero where the points have no further direction
    shares: Tensor  # (k,) of the points' variance, 0 to 1

    def __call__(self, points: Tensor) -> Tensor:  # (n, C) -> (n, k)
        return (points - self.centre) @ self.axes.T


@torch.inference_mode()
def pca(points: Tensor, k: int = 2) -> Projection:
    """The k directions along which `points` (n, C) differ most: right singular vectors of the centred points.

    The sign of an axis is free; the coordinate that is largest on it is made positive. Raises ValueError without points.
    """
    if len(points) == 0:
        raise ValueError("PCA needs at least one point")
    centre = points.mean(0)
    _, S, Vh = torch.linalg.svd(points - centre, full_matrices=False)  # S (r,), Vh (r, C)
    axes, shares = points.new_zeros(k, points.shape[1]), points.new_zeros(k)
    r = min(k, int((S > 1e-6 * S[0].clamp_min(1e-12)).sum()))
    largest = Vh[:r].gather(1, Vh[:r].abs().argmax(1, keepdim=True))
    axes[:r] = Vh[:r] * largest.sign()
    shares[:r] = S[:r].square() / S.square().sum().clamp_min(1e-12)
    return Projection(centre, axes, shares)


def has_tsne() -> bool:
    """Whether `tsne` can be called: scikit-learn is optional, since importing it takes 85 MB that a small host may not have."""
    return find_spec("sklearn") is not None


def tsne(points: Tensor, seed: int = 0) -> Tensor:
    """`points` (n, C) in the plane (n, 2) so that neighbours by cosine stay neighbours; distances between groups say little.

    Starts from PCA, so that the same points always give the same picture. https://www.jmlr.org/papers/v9/vandermaaten08a.html
    """
    from sklearn.manifold import TSNE  # only where somebody asks for it

    n = len(points)
    if n < 4:
        return pca(points)(points)
    method = TSNE(2, metric="cosine", init="pca", perplexity=min(10.0, (n - 1) / 3), random_state=seed)
    return torch.from_numpy(method.fit_transform(points.numpy()))
