"""Pages: memory handed out in blocks of 16 tokens (PagedAttention, https://arxiv.org/abs/2309.06180)."""

import torch
from torch import Tensor

from core.kv_cache.base import Cache
from core.kv_cache.blocks import Block, BlockPool, BlockTable


class PoolMemory:
    """Keys and values of all requests of a pool: (B, H, blocks · slots, D) a layer, made when the first are written."""

    def __init__(self, config, pool: BlockPool):
        self.pool = pool
        self.keys: list[Tensor | None] = [None] * config.n_layers
        self.values: list[Tensor | None] = [None] * config.n_layers

    def strips(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's memory, for keys such as `k` and values such as `v`, (B, H, T, D) each."""
        if self.keys[layer] is None:
            slots = self.pool.n_blocks * self.pool.block_size
            self.keys[layer], self.values[layer] = (x.new_empty(*x.shape[:2], slots, x.shape[3]) for x in (k, v))
        return self.keys[layer], self.values[layer]

    @torch.inference_mode()
    def move(self, moves: list[tuple[int, int]]) -> None:
        """Copy slots (from, to) in every layer; all are read before any is written."""
        source, target = (torch.tensor([move[i] for move in moves], dtype=torch.long) for i in (0, 1))
        for strip in (*self.keys, *self.values):
            if strip is not None and moves:
                strip[:, :, target] = strip[:, :, source]


class PagedCache(Cache):
    """The text's next block may lie anywhere in the pool; a table remembers where. All layers share the table.

    Nothing is lost: what is read back equals the full cache. `drop` shows why evicting single tokens
    frees little: a block goes back to the pool only when its last token is gone. `compact` slides the survivors together.
    `memory` is that of other requests with which this one shares a pool.
    """

    kind = "paged"

    def __init__(self, config, block_size: int = 16, pool_blocks: int | None = None, seed: int = 0, memory: PoolMemory | None = None):
        super().__init__(config)
        if block_size < 1:
            raise ValueError(f"block_size must be >= 1, got {block_size}")
        self.memory = memory or PoolMemory(config, BlockPool(pool_blocks or -(-2 * config.context_length // block_size), block_size, seed))
        self.blocks_held = BlockTable(self.memory.pool)
        self.copied = 0  # blocks copied because others held them, too

    def append(self, k: Tensor, v: Tensor, layer: int) -> None:
        start, n_new = self.seen[layer], k.shape[2]
        if layer == 0:
            size = self.memory.pool.block_size
            for source, target, n in self.blocks_held.extend(start, n_new):
                self.memory.move([(source * size + i, target * size + i) for i in range(n)])
                self.copied += 1
        keys, values = self.memory.strips(layer, k, v)
        index = self._pool_index()[-n_new:]
        keys[:, :, index], values[:, :, index] = k, v
        self.seen[layer] += n_new

    def _pool_index(self) -> Tensor:
        """Places in the pool of all live tokens, in the order of the text: (n,)."""
        return torch.tensor(self.blocks_held.places(), dtype=torch.long)

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        index = self._pool_index()
        return self.memory.keys[layer][:, :, index], self.memory.values[layer][:, :, index]

    def drop(self, positions) -> int:
        """Forget the tokens at these original positions in every layer; return how many blocks that freed."""
        return self.blocks_held.drop(positions)

    def compact(self) -> int:
        """Slide the survivors together and give back the blocks left over; return how many tokens moved."""
        moves = self.blocks_held.compact()
        self.memory.move(moves)
        return len(moves)

    def fork(self) -> "PagedCache":
        """Another request that begins with the same text: it holds the same blocks and copies what it changes."""
        twin = PagedCache(self.config, memory=self.memory)
        twin.blocks_held, twin.seen = self.blocks_held.fork(), list(self.seen)
        return twin

    @property
    def blocks(self) -> list[Block]:
        """The blocks in the order of the text, for drawing."""
        return self.blocks_held.blocks

    def positions(self, layer: int) -> Tensor:
        return torch.tensor([p for p in self.blocks_held.positions() if p < self.seen[layer]], dtype=torch.long)

    @property
    def bytes_held(self) -> int:
        return len(self.blocks_held.places()) * self._bytes_per_token()

    @property
    def bytes_reserved(self) -> int:
        return len(self.blocks_held.table) * self.memory.pool.block_size * self._bytes_per_token()

    def _bytes_per_token(self) -> int:
        strips = zip(self.memory.keys, self.memory.values)
        return sum(k[:, :, :1].nbytes + v[:, :, :1].nbytes for k, v in strips if k is not None)
