"""The one core behind every page: tokenizers → models → decoding → charts.

Importing this package loads nothing heavy; each part is imported where it is used.
"""


def load_model(name: str = "mini", mode: str = "fp32"):
    """Return the `LanguageModel` called `name`: a name, a path or a Hugging Face id; loaded once per process.

    `mode` is one of `core.quantization.MODES`.
    Raises `UnknownModel` (the message lists the names), `UnsupportedCheckpoint` (it names what is unsupported),
    `DamagedCheckpoint` (it says how to get the file again), `DownloadFailed` and `NotEnoughMemory`.
    """
    from core.checkpoints import load_model as load

    return load(name, mode)


__all__ = ["load_model"]
