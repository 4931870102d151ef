"""Floats that one attention head moves between slow and fast memory; closed forms of what core.models.tiled_attention counts."""


def standard_floats(n: int, head_dim: int) -> int:
    """Scores and weights (n × n) are each written and read again; queries, keys, values are read, outputs written.

    Dao et al. 2022 (arXiv 2205.14135), algorithm 0: Θ(n d + n²).
    """
    return 4 * n * n + 4 * n * head_dim


def tiled_floats(n: int, head_dim: int, rows: int, cols: int, causal: bool = True) -> int:
    """Queries are read once, keys and values once for each row of tiles; outputs and one number a row are written.

    With n / rows rows of tiles that is about 2 n² d / rows, or half of it with a causal mask; as `rows` can grow with
    the fast memory M divided by d, Θ(n² d² / M) (theorem 2).
    """
    keys = 0
    for start in range(0, n, rows):
        seen = min(start + rows, n) if causal else n
        keys += min(-(-seen // cols) * cols, n)  # whole tiles are read
    return 2 * n * head_dim + n + 2 * head_dim * keys


def fast_floats(head_dim: int, rows: int, cols: int) -> int:
    """Fast memory for one tile: queries and outputs, keys and values, the scores, two numbers a row."""
    return 2 * head_dim * (rows + cols) + rows * cols + 2 * rows


# GPT-2 medium, attention forward and backward on an A100: Dao et al. 2022, figure 2 (left), arXiv 2205.14135.
PUBLISHED = {
    "flops": {"standard": 66.6, "flash": 75.2},  # GFLOPs
    "traffic": {"standard": 40.3, "flash": 4.4},  # GB read from and written to HBM
    "time": {"standard": 41.7, "flash": 7.3},  # ms
}
A100_FAST_BYTES = 192 * 1024  # of each of its 108 multiprocessors, same paper, section 2.1
