"""How fast this machine multiplies matrices, by size. As a program it prints one JSON line a size:

    python -m core.measure.matrix_products --threads 2

It is meant to run in a process of its own: the number of threads holds for a whole process.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

SIZES = (32, 64, 128, 256, 512, 1024)
SECONDS = 0.15  # spent on one size; the saturating run takes four times as long
REPEATS = 1000  # at most, for clocks that stand still


@dataclass(frozen=True)
class Rate:
    """The fastest of several products of two `size` × `size` matrices."""

    threads: int
    size: int
    gflops: float  # 1e9 FLOP/s; one multiply-add is two
    saturating: bool  # the long run over the largest size


def rates(
    threads: int, multiply: Callable[[int], Callable], sizes: Sequence[int] = SIZES, seconds: float = SECONDS, clock=time.perf_counter
) -> Iterator[Rate]:
    """One Rate a size, then one of a long run over the largest; `multiply(size)` returns what does one product.

    The best of all repetitions counts: others on the machine can only make a product slower, never faster.
    """
    for size in sizes:
        yield Rate(threads, size, _fastest(multiply(size), size, seconds, clock), False)
    yield Rate(threads, max(sizes), _fastest(multiply(max(sizes)), max(sizes), 4 * seconds, clock), True)


def limit(found: Sequence[Rate], threads: int) -> float:
    """What the machine was seen to reach with so many threads, GFLOP/s: the highest rate of the whole run.

    So no rate of the run lies above it. It bounds what was measured, not what the processor could do.
    """
    return max(rate.gflops for rate in found if rate.threads == threads)


def _fastest(product: Callable, size: int, seconds: float, clock) -> float:
    product()  # the first one also makes room for the result
    start, best = clock(), 0.0
    for _ in range(REPEATS):
        before = clock()
        product()
        after = clock()
        if after > before:
            best = max(best, 2 * size**3 / (after - before) / 1e9)
        if after - start >= seconds:
            break
    return best


def torch_product(size: int) -> Callable:
    """A product of two random 32-bit matrices, written into the same place each time."""
    import torch

    generator = torch.Generator().manual_seed(size)
    a, b = (torch.randn(size, size, generator=generator) for _ in range(2))
    out = torch.empty(size, size)
    return lambda: torch.mm(a, b, out=out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    import torch

    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for rate in rates(threads, torch_product):
            print(json.dumps(asdict(rate)), flush=True)


if __name__ == "__main__":
    main()
