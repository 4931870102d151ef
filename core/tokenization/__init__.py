"""How text becomes tokens: merge by merge, encoding beside encoding, language beside language."""

from core.tokenization.cuts import Chunk, Lane, align, lane
from core.tokenization.merges import Node, bpe, merge_tree, part_to_show

__all__ = ["Chunk", "Lane", "Node", "align", "bpe", "lane", "merge_tree", "part_to_show"]
