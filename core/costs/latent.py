"""Multiplications of latent attention (MLA) when one more token is written, in its two ways of computing."""


def expanded_products(n_heads: int, head_dim: int, latent: int, rope_dim: int, tokens: int) -> int:
    """Of one layer and one new token, `tokens` in the cache: keys and values of all heads are made of every latent vector.

    tokens · (2 · latent · n_heads · head_dim to make them + n_heads · (head_dim + rope_dim) for the scores
    + n_heads · head_dim for the sum of values).
    """
    return tokens * (2 * latent * n_heads * head_dim + n_heads * (head_dim + rope_dim) + n_heads * head_dim)


def absorbed_products(n_heads: int, head_dim: int, latent: int, rope_dim: int, tokens: int) -> int:
    """The same with both matrices moved to the new token's side: 2 · latent · n_heads · head_dim once,

    and for each token n_heads · (latent + rope_dim) for the scores and n_heads · latent for the sum.
    """
    return 2 * latent * n_heads * head_dim + tokens * (n_heads * (latent + rope_dim) + n_heads * latent)
