"""What speculative decoding gains, from its acceptance rate and its costs (arXiv 2211.17192)."""


def tokens_per_round(acceptance: float, draft: int) -> float:
    """Tokens that a round yields: (1 - a^(draft + 1)) / (1 - a), the corrected or bonus token included (equation 1).

    `acceptance` is the chance a that a drafted token passes, taken to be the same and independent at every place.
    """
    return draft + 1.0 if acceptance == 1 else (1 - acceptance ** (draft + 1)) / (1 - acceptance)


def speedup(acceptance: float, draft: int, draft_cost: float, check_cost: float = 1.0) -> float:
    """Tokens a second compared with writing one by one: tokens a round / (draft · draft_cost + check_cost), theorem 3.8.

    Costs are in passes of the large model over one token. The theorem takes the pass that checks draft + 1 tokens
    to cost no more than that, check_cost = 1; where computing is the limit and not reading the weights, it costs more.
    """
    return tokens_per_round(acceptance, draft) / (draft * draft_cost + check_cost)


def block_speedup(acceptance: float, draft: int, block_cost: float, check_cost: float = 1.0) -> float:
    """The same where all drafted tokens come out of one pass of cost `block_cost`, however many they are."""
    return tokens_per_round(acceptance, draft) / (block_cost + check_cost)


def best_length(acceptance: float, draft_cost: float, most: int = 16, check_cost: float = 1.0) -> int:
    """The draft length, up to `most`, with the largest speed-up; 0 where drafting never pays."""
    return max(range(most + 1), key=lambda n: 1.0 if n == 0 else speedup(acceptance, n, draft_cost, check_cost))
