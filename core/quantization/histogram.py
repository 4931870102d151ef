"""Where a matrix's weights lie, and on which of the format's levels they end."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.quantization.formats import FORMATS
from core.quantization.quantizers import Quantized, _spread, unpack_nibbles


@dataclass(frozen=True)
class LevelHistogram:
    """Weights divided by the largest in their block (tensor, row or group), so that all run from -1 to 1."""

    centers: np.ndarray  # (bins,) middle of each bin
    density: np.ndarray  # (bins,) share of weights per unit of width: the area is 1
    levels: np.ndarray  # (n,) the format's levels on the same axis; empty above 8 bits
    share: np.ndarray  # (n,) share of weights that were rounded to each level
    level_density: np.ndarray  # (n,) share per unit of width of what rounds to the level: as high as the histogram

    @property
    def used(self) -> int:
        """Levels that hold at least one weight."""
        return int((self.share > 0).sum())

    @property
    def zeros(self) -> float:
        """Share of weights that became exactly 0."""
        return float(self.share[self.levels == 0].sum())


def level_histogram(weight: Tensor, quantized: Quantized, bins: int = 101) -> LevelHistogram:
    """Histogram of `weight` (rows, columns) on the axis of the levels it was rounded to (symmetric formats).

    The finer the granularity, the better each block's weights fill the axis: fewer levels are left unused.
    """
    fmt = FORMATS[quantized.format]
    x = weight.detach().float().reshape(-1, quantized.shape[-1])
    if fmt.scaled:
        largest = quantized.scale.float() * fmt.max
        x = _spread(x, largest.masked_fill(largest == 0, 1.0), quantized.group_size, torch.div)
    else:
        x = x / x.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    half_bin = 1.0 / (bins - 1)  # the outer bins are centred on -1 and 1, where every block has its largest
    counts = torch.histc(x, bins, -1 - half_bin, 1 + half_bin)
    density = counts / x.numel() / (2 * half_bin)
    centers = np.linspace(-1, 1, bins, dtype=np.float32)
    if not fmt.scaled:
        none = np.zeros(0, np.float32)
        return LevelHistogram(centers, density.numpy(), none, none, none)
    levels, share = _level_shares(quantized)
    midpoints = (levels[1:] + levels[:-1]) / 2
    edges = torch.cat((levels[:1] * 2 - midpoints[:1], midpoints, levels[-1:] * 2 - midpoints[-1:]))
    width = edges.diff()
    # Levels closer together than the bins hold too few weights each for a smooth picture: they take the bins' height.
    smooth = torch.from_numpy(np.interp(levels.numpy(), centers, density.numpy()).astype(np.float32))
    level_density = torch.where(width < 2 * half_bin, smooth, share / width)
    return LevelHistogram(centers, density.numpy(), levels.numpy(), share.numpy(), level_density.numpy())


def _level_shares(quantized: Quantized) -> tuple[Tensor, Tensor]:
    """The usable levels, ascending and scaled to 1, and the share of weights on each: two of (n,)."""
    fmt = FORMATS[quantized.format]
    codes = quantized.codes
    if fmt.bits == 4:
        codes = unpack_nibbles(codes, quantized.shape[-1])
    elif fmt.kind == "integer":
        codes = codes.int() + 128
    counts = torch.bincount(codes.flatten().int(), minlength=2**fmt.bits)
    values = fmt.decoded
    usable = values.abs() <= fmt.max  # leaves out NaN and the idle code of the integers
    levels, index = values[usable].unique(return_inverse=True)  # sorted; -0 and 0 are one
    counted = torch.zeros(len(levels)).index_add_(0, index, counts[usable].float())
    return levels / fmt.max, counted / counted.sum()
