"""The one core behind every page: tokenizers → models → decoding → charts.

Importing this package loads nothing heavy; each part is imported where it is used.
"""

import os

# oneDNN writes machine code for every number of rows that it meets, half a MB a text length, and keeps 1,024 of each:
# 450 MB after a few hundred texts. Writing one anew takes less than a thousandth of a second. Read at its first product.
for _capacity in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_capacity, "64")


def load_model(name: str = "mini", mode: str = "fp32"):
    """Return the `LanguageModel` called `name`: a name, a path or a Hugging Face id; loaded once per process.

    `mode` is one of `core.quantization.MODES`.
    Raises `UnknownModel` (the message lists the names), `UnsupportedCheckpoint` (it names what is unsupported),
    `DamagedCheckpoint` (it says how to get the file again), `DownloadFailed` and `NotEnoughMemory`.
    """
    from core.checkpoints import load_model as load

    return load(name, mode)


__all__ = ["load_model"]
