"""A whole model in few bits, and what that cost."""

import copy
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from torch import Tensor, nn

from core.models.language_model import LanguageModel
from core.quantization.formats import get_format
from core.quantization.kernels import HalfLinear, PackedLinear, fits_half, supported
from core.quantization.linear import QuantizedEmbedding, QuantizedLinear
from core.quantization.quantizers import Quantized, quantize, relative_error


@dataclass(frozen=True)
class MatrixReport:
    """What quantizing did to one weight matrix."""

    name: str  # "blocks.3.mlp.down", "embed"
    layer: int | None  # None outside the blocks
    part: str  # "q", "k", "v", "o", "gate", "up", "down", "embed", "unembed"
    shape: tuple[int, int]
    bytes_before: int
    bytes_after: int  # codes and scales
    relative_error: float  # ‖W − Ŵ‖ / ‖W‖


def quantize_model(
    lm: LanguageModel, format: str, granularity: str = "channel", group_size: int = 64, skip: tuple[str, ...] = ()
) -> LanguageModel:
    """A new model whose matrices are stored in `format`; `lm` stays as it is.

    All weight matrices are quantized, the embedding too (in a small model it is a quarter of all weights);
    tied embeddings are stored once and serve both ends. Gains, biases and learned positions stay as they
    are and are shared with `lm`: 0.03 % of `mini`'s weights. `skip` names what else to leave alone, with wildcards:
    ("embed",), ("blocks.0.*", "*.down"). Raises ValueError for a pattern that matches no matrix, for a model
    that is quantized already, and whatever `quantize` raises.
    """
    _check_original(lm)
    names = list(matrices(lm))
    for pattern in skip:
        if not any(fnmatch(name, pattern) for name in names):
            raise ValueError(f"skip: no matrix is called {pattern!r}; there are {names[0]}, {names[1]}, …")
    network = share_parameters(lm.network)
    split_fused(network)
    done: dict[int, Quantized] = {}  # a tied matrix is met twice
    for name, module in matrices(lm, with_tied=True).items():
        if any(fnmatch("embed" if _identity(module) == _identity(lm.network.embed) else name, p) for p in skip):
            continue
        key = _identity(module)
        if key not in done:
            done[key] = quantize(module.weight.float(), format, granularity, group_size)
        packed = QuantizedEmbedding(done[key]) if isinstance(module, nn.Embedding) else QuantizedLinear(done[key], module.bias)
        replace_module(network, name, packed)
    return replace(lm, name=_name(lm, format, granularity, group_size), network=network)


def _check_original(lm: LanguageModel) -> None:
    if any(hasattr(module, "quantized") for module in lm.network.modules()):
        raise ValueError(f"{lm.name} is quantized already; start from the original model")


def _name(lm: LanguageModel, format: str, granularity: str, group_size: int) -> str:
    scales = "" if not get_format(format).scaled else f"-{granularity}{group_size if granularity == 'group' else ''}"
    return f"{lm.name}-{format}{scales}"


def unpacked_model(lm: LanguageModel) -> LanguageModel:
    """The same numbers as a quantized `lm`, unpacked once into ordinary layers.

    It computes exactly what `lm` computes and takes the memory of the original; unpacking at every step
    is what a short generation would otherwise spend its time on.
    """
    network = share_parameters(lm.network)
    done: dict[int, nn.Parameter] = {}
    for name, module in lm.network.named_modules():
        if isinstance(module, (QuantizedLinear, QuantizedEmbedding)):
            key = id(module.quantized)
            if key not in done:
                done[key] = nn.Parameter(module.weight, requires_grad=False)
            replace_module(network, name, _plain(done[key], module))
    return replace(lm, network=network)


def rounded_model(
    lm: LanguageModel, format: str, granularity: str = "channel", group_size: int = 64
) -> tuple[LanguageModel, list[MatrixReport]]:
    """What computes as `quantize_model`'s does, faster, and its `report`: every matrix is packed and unpacked once, for both.

    Matrices with one scale a row are multiplied as levels in 16 bits and their outputs scaled; the others are unpacked, as in
    `unpacked_model`.
    """
    _check_original(lm)
    network = share_parameters(lm.network)
    split_fused(network)
    done: dict[int, Quantized] = {}  # a tied matrix is met twice
    rows, fused, wide = [], None, None
    for name, module in matrices(lm, with_tied=True).items():
        key, parts, values = _identity(module), None, None
        if key not in done:
            if getattr(module, "fused", None) not in (None, fused):  # unpacked once for all of its parts
                fused, wide = module.fused, module.fused.linear.weight
            before = wide[module.rows] if hasattr(module, "fused") else module.weight.float()
            done[key] = held = quantize(before, format, granularity, group_size)
            parts = held.levels_and_scale()
            values = held.dequantize() if parts is None else parts[0] if parts[1] is None else parts[0] * parts[1][:, None]
            rows.append(_row(name, before, held.bytes, relative_error(before, values)))
        replace_module(network, name, _rounded(done[key], module, parts, values))
    return replace(lm, name=_name(lm, format, granularity, group_size), network=network), rows


def _rounded(held: Quantized, like: nn.Module, parts: tuple[Tensor, Tensor | None] | None, values: Tensor | None) -> nn.Module:
    """A layer that computes with these numbers, `parts` and `values` where they are unpacked already; a table where `like` is one."""
    if isinstance(like, nn.Embedding):
        return QuantizedEmbedding(held)
    parts = held.levels_and_scale() if values is None else parts
    if parts is not None and supported("fp16") and fits_half(parts[0]):
        return HalfLinear(parts[0], like.bias, scale=parts[1])
    return _plain(nn.Parameter(held.dequantize() if values is None else values, requires_grad=False), like)


def _plain(weight: nn.Parameter, like: nn.Module) -> nn.Module:
    """An ordinary layer with this matrix: a look-up table where `like` is one, else a product with the bias of `like`."""
    rows, columns = weight.shape
    if isinstance(like, (nn.Embedding, QuantizedEmbedding)):
        plain = nn.Embedding(rows, columns, _weight=weight)
    else:
        plain = nn.Linear(1, 1, bias=False)
        plain.in_features, plain.out_features, plain.bias = columns, rows, like.bias
    plain.weight = weight
    return plain


def report(original: LanguageModel, quantized: LanguageModel) -> list[MatrixReport]:
    """Bytes before and after and relative error of every matrix, in the order of the network."""
    modules = dict(quantized.network.named_modules())
    rows = []
    for name, module in matrices(original).items():
        held = getattr(modules[name], "quantized", None)
        before = module.weight.float()
        after, error = (before.nbytes, 0.0) if held is None else (held.bytes, relative_error(before, held.dequantize()))
        rows.append(_row(name, before, after, error))
    return rows


def _row(name: str, before: Tensor, bytes_after: int, error: float) -> MatrixReport:
    words = name.split(".")
    layer = int(words[1]) if words[0] == "blocks" else None
    return MatrixReport(name, layer, words[-1], tuple(before.shape), before.nbytes, bytes_after, error)


def model_bytes(lm: LanguageModel) -> int:
    """Bytes of all weights really held: packed codes, scales, and what was not quantized.

    A second layout of a tied embedding, kept for speed, is not counted.
    """
    held: dict[int, int] = {id(p): p.nbytes for p in lm.network.parameters()}
    for module in lm.network.modules():
        if hasattr(module, "quantized"):
            held[id(module.quantized)] = module.quantized.bytes
        elif isinstance(module, PackedLinear) and _identity(module) not in held:
            held[id(module)] = module.nbytes
    return sum(held.values())


def matrices(lm: LanguageModel, with_tied: bool = False) -> dict[str, nn.Module]:
    """The modules that hold a weight matrix, by name; a tied unembedding only if asked for."""
    found, seen = {}, set()
    for name, module in lm.network.named_modules():
        if not isinstance(module, (nn.Linear, nn.Embedding, PackedLinear)) or (_identity(module) in seen and not with_tied):
            continue
        seen.add(_identity(module))
        found[name] = module
    return found


def matrix(lm: LanguageModel, layer: int, part: str) -> nn.Module:
    """One block's linear layer by its short name: q, k, v, o, gate, up or down."""
    block = lm.network.blocks[layer]
    return getattr(block.mlp if part in ("gate", "up", "down") else block.attn, part)


def split_fused(network: nn.Module) -> None:
    """Let q, k, v and gate, up be multiplied one by one again, so that each can be replaced."""
    network.mode = None
    for module in network.modules():
        for fused in ("qkv", "gate_up"):
            if getattr(module, fused, None) is not None:
                setattr(module, fused, None)


def _identity(module: nn.Module) -> int:
    """The same for two layers that hold one matrix together."""
    # `module.weight` is not asked for: a packed layer unpacks it anew at every access.
    held = module._parameters.get("weight", getattr(module, "original", None))
    return id(module) if held is None else id(held)


def share_parameters(network: nn.Module) -> nn.Module:
    """A copy of the modules that holds the very same parameters and codes: no weight is copied."""
    codes = (module.quantized for module in network.modules() if hasattr(module, "quantized"))
    return copy.deepcopy(network, memo={id(held): held for held in (*network.parameters(), *codes)})


def replace_module(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` where `name` ("blocks.0.attn.q") is."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
