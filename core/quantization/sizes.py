"""What a matrix takes in memory, by arithmetic alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.quantization.formats import get_format


@dataclass(frozen=True)
class Size:
    """Bytes of stored numbers and of what is needed to read them."""

    codes: int
    scales: int

    @property
    def total(self) -> int:
        return self.codes + self.scales


def stored_size(shapes: Iterable[tuple[int, int]], format: str, granularity: str = "channel", group_size: int = 64) -> Size:
    """Bytes of matrices (rows, columns) in `format`, exactly as `quantize` stores them.

    Codes: ceil(columns · bits / 8) a row. Scales, up to 8 bits only: 4 bytes a tensor or row, 2 bytes a group.
    """
    fmt = get_format(format)
    codes = scales = 0
    for rows, columns in shapes:
        codes += rows * -(-columns * fmt.bits // 8)
        if fmt.scaled:
            scales += {"tensor": 4, "channel": 4 * rows, "group": 2 * rows * -(-columns // group_size)}[granularity]
    return Size(codes, scales)


def matrix_shapes(config) -> list[tuple[int, int]]:
    """(rows, columns) of every weight matrix of a decoder, from a `DecoderConfig` or a `core.costs.ModelSpec`."""
    q, kv = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    attention = [(q, config.d_model), (kv, config.d_model), (kv, config.d_model), (config.d_model, q)]
    mlp = [(config.d_ff, config.d_model)] * (2 if config.gated else 1) + [(config.d_model, config.d_ff)]
    embedding = [(config.vocab_size, config.d_model)] * (1 if config.tied_embeddings else 2)
    return embedding + (attention + mlp) * config.n_layers


def count(shapes: Iterable[tuple[int, int]]) -> int:
    """Weights in matrices of these shapes."""
    return sum(rows * columns for rows, columns in shapes)
