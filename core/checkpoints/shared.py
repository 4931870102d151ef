"""One memory for all that can be loaded again: compared networks, second models, public encodings. The longest unused goes first."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any

from torch import nn

from core.checkpoints.memory import free_bytes, make_room
from core.kept import Kept
from core.quantization.kernels import PackedLinear
from core.tokenizers import Tokenizer

# Together; a quantized copy of `mini` takes 96 MB, a compared network 20, o200k 45. More where there is plenty when the server starts.
MOST_BYTES = (100 if (free_bytes() or 0) < 2 << 30 else 320) << 20
TOKEN = 220  # bytes that a token of an encoding takes, in both directions


def shared(load: Callable) -> Callable:
    """Decorates a loader: loaded once for all who ask, and let go when others need the room; whoever uses it then keeps it."""

    @wraps(load)
    def held(*args, **options):
        def compute():
            make_room()
            return load(*args, **options)

        return loaded.get((load, *args, *sorted(options.items())), compute)

    held.cache_clear = lambda: loaded.drop(lambda key: key[0] is load)
    return held


def weight(thing: Any) -> int:
    """Bytes of the networks in what a loader returned, or of an encoding; a network's tokenizer is counted by no one: it is shared."""
    if isinstance(thing, Tokenizer):
        return TOKEN * thing.n_vocab
    if isinstance(thing, nn.Module):
        held = {p.data_ptr(): p.nbytes for p in (*thing.parameters(), *thing.buffers())}
        return sum(held.values()) + sum(module.nbytes for module in thing.modules() if isinstance(module, PackedLinear))
    if isinstance(thing, dict):
        return sum(map(weight, thing.values()))
    if isinstance(thing, (tuple, list)):
        return sum(map(weight, thing))
    if is_dataclass(thing):
        parts = (getattr(thing, field.name) for field in fields(thing))
        return sum(weight(part) for part in parts if not isinstance(part, Tokenizer))
    return 0


loaded = Kept(MOST_BYTES, weigh=weight)
