"""Pages: memory handed out in blocks of 16 tokens (PagedAttention, https://arxiv.org/abs/2309.06180)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.kv_cache.base import Cache


@dataclass(frozen=True)
class Block:
    """One page: its place in the pool and the original positions in its slots (None: empty or dropped)."""

    physical: int
    slots: tuple[int | None, ...]


class PagedCache(Cache):
    """The text's next block may lie anywhere in the pool; a table remembers where. All layers share the table.

    Nothing is lost: what is read back equals the full cache. `drop` shows why evicting single tokens
    frees little: a block goes back to the pool only when its last token is gone.
    """

    kind = "paged"

    def __init__(self, config, block_size: int = 16, pool_blocks: int | None = None, seed: int = 0):
        if block_size < 1:
            raise ValueError(f"block_size must be >= 1, got {block_size}")
        super().__init__(config)
        self.block_size = block_size
        self.pool_blocks = pool_blocks or -(-2 * config.context_length // block_size)
        # Other requests come and go in a real pool, so free blocks are scattered; the seed scatters them here.
        self.free = torch.randperm(self.pool_blocks, generator=torch.Generator().manual_seed(seed)).tolist()
        self.table: list[int] = []  # physical block of every logical block still held
        self.slots: list[list[int | None]] = []  # original position in every slot, same order

    def append(self, k: Tensor, v: Tensor, layer: int) -> None:
        start, n_new = self.seen[layer], k.shape[2]
        if layer == 0:
            self._take_slots(start, n_new)
        if self.keys[layer] is None:
            B, H, _, D = k.shape
            self.keys[layer] = k.new_empty(B, H, self.pool_blocks * self.block_size, D)
            self.values[layer] = v.new_empty(B, H, self.pool_blocks * self.block_size, D)
        index = self._pool_index()[-n_new:]
        self.keys[layer][:, :, index] = k
        self.values[layer][:, :, index] = v
        self.seen[layer] += n_new

    def _take_slots(self, start: int, n_new: int) -> None:
        for position in range(start, start + n_new):
            if not self.slots or len(self.slots[-1]) == self.block_size:
                if not self.free:
                    raise MemoryError(f"all {self.pool_blocks} blocks are in use")
                self.table.append(self.free.pop())
                self.slots.append([])
            self.slots[-1].append(position)

    def _pool_index(self) -> Tensor:
        """Places in the pool of all live tokens, in the order of the text: (n,)."""
        return torch.tensor(
            [
                physical * self.block_size + slot
                for physical, slots in zip(self.table, self.slots)
                for slot, position in enumerate(slots)
                if position is not None
            ],
            dtype=torch.long,
        )

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        index = self._pool_index()
        return self.keys[layer][:, :, index], self.values[layer][:, :, index]

    def drop(self, positions) -> int:
        """Forget the tokens at these original positions in every layer; return how many blocks that freed."""
        gone = {int(p) for p in positions}
        self.slots = [[None if p in gone else p for p in slots] for slots in self.slots]
        alive = [any(p is not None for p in slots) for slots in self.slots]
        freed = [physical for physical, live in zip(self.table, alive) if not live]
        self.free.extend(freed)
        self.table = [physical for physical, live in zip(self.table, alive) if live]
        self.slots = [slots for slots, live in zip(self.slots, alive) if live]
        return len(freed)

    @property
    def blocks(self) -> list[Block]:
        """The blocks in the order of the text, for drawing."""
        empty = self.block_size
        return [Block(physical, tuple(slots + [None] * (empty - len(slots)))) for physical, slots in zip(self.table, self.slots)]

    def positions(self, layer: int) -> Tensor:
        return torch.tensor([p for slots in self.slots for p in slots if p is not None and p < self.seen[layer]], dtype=torch.long)

    @property
    def bytes_held(self) -> int:
        return len(self._pool_index()) * self._bytes_per_token()

    @property
    def bytes_reserved(self) -> int:
        return len(self.table) * self.block_size * self._bytes_per_token()

    def _bytes_per_token(self) -> int:
        return sum(k[:, :, :1].nbytes + v[:, :, :1].nbytes for k, v, _ in self._strips())
