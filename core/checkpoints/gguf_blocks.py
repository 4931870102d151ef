"""How GGUF stores weights: blocks of 32 or 256 numbers with common scales, unpacked here to float32.

The layouts are those of ggml (ggml-common.h): low nibbles hold the first half of a group, high nibbles the second.
"""

import numpy as np

Q8_0 = np.dtype([("scale", "<f2"), ("codes", "i1", 32)])  # 34 bytes for 32 weights
Q4_0 = np.dtype([("scale", "<f2"), ("codes", "u1", 16)])  # 18 for 32
Q4_1 = np.dtype([("scale", "<f2"), ("low", "<f2"), ("codes", "u1", 16)])  # 20 for 32
Q4_K = np.dtype([("scale", "<f2"), ("low", "<f2"), ("small", "u1", (3, 4)), ("codes", "u1", (4, 32))])  # 144 for 256
Q6_K = np.dtype([("low4", "u1", (2, 64)), ("high2", "u1", (2, 32)), ("scales", "i1", 16), ("scale", "<f2")])  # 210 for 256


def f32(blocks: np.ndarray) -> np.ndarray:
    return blocks.astype(np.float32)


def bf16(blocks: np.ndarray) -> np.ndarray:
    """The upper half of a float32: the lower half is zeros."""
    return (blocks.astype(np.uint32) << 16).view(np.float32)


def q8_0(blocks: np.ndarray) -> np.ndarray:
    """scale · code, code -128..127."""
    return _column(blocks["scale"]) * blocks["codes"]


def q4_0(blocks: np.ndarray) -> np.ndarray:
    """scale · (code - 8), code 0..15."""
    return _column(blocks["scale"]) * (_nibbles(blocks["codes"]).astype(np.float32) - 8)


def q4_1(blocks: np.ndarray) -> np.ndarray:
    """scale · code + low, code 0..15."""
    return _column(blocks["scale"]) * _nibbles(blocks["codes"]) + _column(blocks["low"])


def q4_k(blocks: np.ndarray) -> np.ndarray:
    """Eight groups of 32 with 6-bit scales and lows of their own: scale · s · code - low · m.

    Twelve bytes hold the sixteen 6-bit numbers: of the last four groups' the upper two bits stand on top of the
    first four groups' bytes.
    """
    scales, lows, rest = blocks["small"][:, 0], blocks["small"][:, 1], blocks["small"][:, 2]  # (n, 4) each
    s = np.concatenate([scales & 63, (rest & 15) | (scales >> 6 << 4)], axis=1)  # (n, 8)
    m = np.concatenate([lows & 63, (rest >> 4) | (lows >> 6 << 4)], axis=1)
    codes = _nibbles(blocks["codes"]).reshape(-1, 8, 32)
    scale, low = _column(blocks["scale"]) * s, _column(blocks["low"]) * m
    return (scale[..., None] * codes - low[..., None]).reshape(-1, 256)


def q6_k(blocks: np.ndarray) -> np.ndarray:
    """Sixteen groups of 16 with 8-bit scales: scale · s · (code - 32), code 0..63 from four low and two high bits."""
    low4 = _nibbles(blocks["low4"]).reshape(-1, 2, 4, 32)
    high2 = np.stack([blocks["high2"] >> shift & 3 for shift in (0, 2, 4, 6)], axis=2)  # (n, 2, 4, 32)
    codes = (low4 | high2 << 4).astype(np.float32) - 32
    scales = _column(blocks["scale"]) * blocks["scales"]  # (n, 16)
    return (scales[..., None] * codes.reshape(-1, 16, 16)).reshape(-1, 256)


# ggml's number of a format -> its name, how a block lies in the file, weights in it, how it is unpacked.
FORMATS = {
    0: ("F32", np.dtype("<f4"), 1, f32),
    1: ("F16", np.dtype("<f2"), 1, f32),
    30: ("BF16", np.dtype("<u2"), 1, bf16),
    8: ("Q8_0", Q8_0, 32, q8_0),
    2: ("Q4_0", Q4_0, 32, q4_0),
    3: ("Q4_1", Q4_1, 32, q4_1),
    12: ("Q4_K", Q4_K, 256, q4_k),
    14: ("Q6_K", Q6_K, 256, q6_k),
}  # fmt: skip
OTHER_FORMATS = {6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 13: "Q5_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
                 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0",
                 39: "MXFP4"}  # fmt: skip


def unpack(raw: np.ndarray, number: int) -> np.ndarray:
    """Bytes (uint8) of whole blocks -> their weights as float32 (n,)."""
    _, block, _, unpacked = FORMATS[number]
    return unpacked(raw.view(block)).reshape(-1)


def _column(scale: np.ndarray) -> np.ndarray:
    """One number a block (n,) -> (n, 1) float32, to multiply its block with."""
    return scale.astype(np.float32)[:, None]


def _nibbles(packed: np.ndarray) -> np.ndarray:
    """(..., k) bytes -> (..., 2 k): all low halves, then all high halves."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)
