"""Which block of memory holds which token: the bookkeeping of a paged cache, without keys and values.

PagedAttention (Kwon et al. 2023, https://arxiv.org/abs/2309.06180): memory is handed out in blocks of a few tokens, and
every request has a table of its blocks. Requests may share blocks; whoever writes into a shared one gets a copy first.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Block:
    """One page: its place in the pool and the original positions in its slots (None: empty or dropped)."""

    physical: int
    slots: tuple[int | None, ...]


class BlockPool:
    """The blocks that all requests share, and how many hold each."""

    def __init__(self, n_blocks: int, block_size: int = 16, seed: int = 0):
        if block_size < 1:
            raise ValueError(f"block_size must be >= 1, got {block_size}")
        self.n_blocks, self.block_size = n_blocks, block_size
        # Other requests come and go in a real pool, so free blocks are scattered; the seed scatters them here.
        self.free = torch.randperm(n_blocks, generator=torch.Generator().manual_seed(seed)).tolist()
        self.holders = [0] * n_blocks

    def take(self) -> int:
        """A free block. Raises MemoryError if there is none."""
        if not self.free:
            raise MemoryError(f"all {self.n_blocks} blocks are in use")
        block = self.free.pop()
        self.holders[block] = 1
        return block

    def share(self, block: int) -> None:
        """One more request holds the block."""
        self.holders[block] += 1

    def release(self, block: int) -> bool:
        """One request less; True if that was the last and the block is free."""
        self.holders[block] -= 1
        if self.holders[block]:
            return False
        self.free.append(block)
        return True

    @property
    def used(self) -> int:
        """Blocks that somebody holds."""
        return self.n_blocks - len(self.free)


class BlockTable:
    """The blocks of one request, in the order of its text, and the original position in every slot."""

    def __init__(self, pool: BlockPool):
        self.pool = pool
        self.table: list[int] = []  # physical block of every logical block still held
        self.slots: list[list[int | None]] = []  # original position in every slot; a block may be filled in part

    def extend(self, start: int, n_new: int) -> list[tuple[int, int, int]]:
        """Give slots to the positions start .. start + n_new - 1; returns copies to make first: (from, to, slots).

        A last block that others hold, too, is not written into: this request gets a copy of it (copy on write).
        """
        copies, size = [], self.pool.block_size
        if n_new and self.slots and len(self.slots[-1]) < size and self.pool.holders[self.table[-1]] > 1:
            shared, own = self.table[-1], self.pool.take()
            self.pool.release(shared)
            self.table[-1] = own
            copies.append((shared, own, len(self.slots[-1])))
        for position in range(start, start + n_new):
            if not self.slots or len(self.slots[-1]) == size:
                self.table.append(self.pool.take())
                self.slots.append([])
            self.slots[-1].append(position)
        return copies

    def drop(self, positions) -> int:
        """Forget these original positions; returns how many blocks came back to the pool.

        A block goes only when its last token is gone, and, if others hold it, too, only when they let it go.
        """
        gone = {int(p) for p in positions}
        self.slots = [[None if p in gone else p for p in slots] for slots in self.slots]
        alive = [any(p is not None for p in slots) for slots in self.slots]
        freed = sum(self.pool.release(block) for block, live in zip(self.table, alive) if not live)
        self.table = [block for block, live in zip(self.table, alive) if live]
        self.slots = [slots for slots, live in zip(self.slots, alive) if live]
        return freed

    def compact(self) -> list[tuple[int, int]]:
        """Slide the survivors together, in the order of the text; blocks left over come back to the pool.

        Returns the moves (from, to) as places in the pool; read all before any is written. Blocks that others hold, too,
        are left as they are, and their tokens move to a block of this request's own.
        """
        before, size, kept = self.places(), self.pool.block_size, self.positions()
        own = [block for block in self.table if self.pool.holders[block] == 1]
        needed = -(-len(kept) // size)
        table = own[:needed] + [self.pool.take() for _ in range(needed - len(own))]
        for block in set(self.table) - set(table):
            self.pool.release(block)
        self.table = table
        self.slots = [list(kept[i : i + size]) for i in range(0, len(kept), size)]
        return [(old, new) for old, new in zip(before, self.places()) if old != new]

    def fork(self, pool: BlockPool | None = None) -> "BlockTable":
        """A second request with the same text so far: it holds the same blocks. `pool`: where a copy of the pool is meant."""
        twin = BlockTable(pool or self.pool)
        twin.table, twin.slots = list(self.table), [list(slots) for slots in self.slots]
        if pool is None:
            for block in self.table:
                self.pool.share(block)
        return twin

    def places(self) -> list[int]:
        """Where each token held lies in the pool, counted in slots, in the order of the text."""
        size = self.pool.block_size
        return [b * size + i for b, slots in zip(self.table, self.slots) for i, p in enumerate(slots) if p is not None]

    def positions(self) -> list[int]:
        """Original positions of the tokens held, in the order of the text."""
        return [p for slots in self.slots for p in slots if p is not None]

    @property
    def blocks(self) -> list[Block]:
        """The blocks in the order of the text, for drawing."""
        size = self.pool.block_size
        return [Block(block, tuple(slots + [None] * (size - len(slots)))) for block, slots in zip(self.table, self.slots)]


def copied(pool: BlockPool, tables: list[BlockTable]) -> tuple[BlockPool, list[BlockTable]]:
    """The bookkeeping of all requests once more, to try something out: nothing done to it touches the first."""
    twin = BlockPool(pool.n_blocks, pool.block_size)
    twin.free, twin.holders = list(pool.free), list(pool.holders)
    return twin, [table.fork(twin) for table in tables]
