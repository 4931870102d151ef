"""A whole model made fast: `prepare(lm, mode)`."""

import ctypes
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from core.models.language_model import LanguageModel
from core.models.norms import LayerNorm, RMSNorm
from core.quantization.kernels import (
    GROUP,
    Codes,
    HalfEmbedding,
    HalfLinear,
    Int4Linear,
    Int8Linear,
    MixedLinear,
    OneDNNLinear,
    PackedLinear,
    fits_half,
    int4_codes,
    int8_codes,
    supported,
)
from core.quantization.model import replace_module, share_parameters

# What computes how: fp32 is exact, and reads weights from 16 bits where these hold them; bf16 halves the bytes;
# int8 quarters them and computes in bf16; mixed reads 4 bits for a few rows and bf16 for many.
MODES = ("fp32", "bf16", "int8", "mixed")
FUSED = {"attn": ("qkv", ("q", "k", "v")), "mlp": ("gate_up", ("gate", "up"))}
# The name of a parameter of `core.models.Decoder` -> its numbers, float32, or of a matrix its int8 codes where those are stored.
Read = Callable[[str], Tensor | Codes]


class FusedLinear(nn.Module):
    """Matrices with the same input, multiplied as one: x (..., in) -> a tuple of (..., out_i)."""

    def __init__(self, linear: nn.Module, widths: list[int]):
        super().__init__()
        object.__setattr__(self, "linear", linear)  # its weights have names already: those of the parts
        self.widths = widths

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.linear(x).split(self.widths, dim=-1)


class PartLinear(PackedLinear):
    """One of the fused matrices under its own name, for whoever looks at it or wants it alone."""

    def __init__(self, fused: FusedLinear, index: int):
        super().__init__()
        object.__setattr__(self, "fused", fused)
        self.index, start = index, sum(fused.widths[:index])
        self.rows = slice(start, start + fused.widths[index])
        self.bias = None if fused.linear.bias is None else fused.linear.bias[self.rows]

    def forward(self, x: Tensor) -> Tensor:
        return self.fused(x)[self.index]

    @property
    def weight(self) -> Tensor:
        return self.fused.linear.weight[self.rows]

    @property
    def nbytes(self) -> int:
        linear, widths = self.fused.linear, self.fused.widths
        held = linear.nbytes if isinstance(linear, PackedLinear) else linear.weight.nbytes
        return held * widths[self.index] // sum(widths)


class Int8Embedding(nn.Module):
    """Looks rows up in the codes that the tied output layer multiplies with: they stand in memory once."""

    def __init__(self, head: Int8Linear):
        super().__init__()
        object.__setattr__(self, "head", head)

    def forward(self, ids: Tensor) -> Tensor:  # (B, T) -> (B, T, C)
        return self.head.codes[ids].to(self.head.scale.dtype) * self.head.scale[ids][..., None]

    @property
    def weight(self) -> Tensor:
        return self.head.weight

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:
        destination[prefix + "weight"] = self.weight


class LeanRMSNorm(nn.Module):
    """x / rms(x) · weight in four operations: rms(x) = hypot(‖x‖, sqrt(eps · C)) / sqrt(C)."""

    def __init__(self, norm: nn.Module, dtype: torch.dtype):
        super().__init__()
        C = len(norm.weight)
        self.weight, self.eps = norm.weight, norm.eps
        self.gain = (norm.weight.detach() * math.sqrt(C)).to(dtype)
        self.floor = torch.tensor(math.sqrt(norm.eps * C), dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x / torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self.floor) * self.gain


def prepare(lm: LanguageModel, mode: str = "fp32") -> LanguageModel:
    """The same model, its weights laid out for speed in `mode`; `lm` stays as it is.

    "fp32" computes the same numbers up to the order of additions, "bf16", "int8" and "mixed" nearly the same
    (`core.measure.fidelity` says how nearly). Raises ValueError for an unknown mode and for a model that is in
    another precision already.
    """
    network = pack(share_parameters(lm.network), mode)
    return replace(lm, name=lm.name if mode == "fp32" else f"{lm.name}-{mode}", network=network)


def mode_of(lm: LanguageModel) -> str | None:
    """The mode a model was prepared in; None for plain layers."""
    return getattr(lm.network, "mode", None)


@torch.no_grad()
def pack(network: nn.Module, mode: str, read: Read | None = None) -> nn.Module:
    """`prepare` in place, layer by layer, so that weights never stand in memory twice; returns the network.

    With `read` the network may be an empty one (on the meta device): each weight is asked for when its layer is
    packed and let go afterwards, so the peak is the packed model and one matrix.
    """
    if mode not in MODES:
        raise ValueError(f"no mode {mode!r}; there are: {', '.join(MODES)}")
    held = getattr(network, "mode", None)
    if held == mode:
        return network
    if held not in (None, "fp32") or any(hasattr(module, "quantized") for module in network.modules()):
        raise ValueError(f"the model is in {held or 'few bits'} already; start from the original")
    dtype = torch.float32 if mode == "fp32" else torch.bfloat16
    _pack_ends(network, mode, dtype, read)  # the largest matrix comes while the least is held
    _give_back()
    for layer, block in enumerate(network.blocks):
        for part, (fused, names) in FUSED.items():
            _fuse(getattr(block, part), f"blocks.{layer}.{part}", fused, names, mode, read)
        _pack_rest(block, f"blocks.{layer}.", mode, dtype, read)
        _give_back()
    network.ln_final = _norm(network.ln_final, "ln_final", dtype, read)
    network.dropout = nn.Identity()
    network.mode, network.dtype = mode, dtype
    _give_back()
    return network.eval()


def _give_back() -> None:
    """Hand freed memory back to the system: glibc would keep the pieces between what is still in use."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # not glibc
        pass


def _fuse(part: nn.Module, prefix: str, fused: str, names: tuple[str, ...], mode: str, read: Read | None) -> None:
    """Join the matrices `names` of an attention or feed-forward layer, if it has them."""
    if not all(hasattr(part, name) for name in names):
        return
    layers = [_filled(getattr(part, name), f"{prefix}.{name}", read) for name in names]
    widths = [len(layer.codes if isinstance(layer, Int8Linear) else layer.weight) for layer in layers]
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    joined = FusedLinear(_packed(layers, bias, mode), widths)
    setattr(part, fused, joined)
    for index, name in enumerate(names):
        setattr(part, name, PartLinear(joined, index))


def _pack_rest(block: nn.Module, prefix: str, mode: str, dtype: torch.dtype, read: Read | None) -> None:
    """A block's norms, and the linear layers that stand alone; dropout is for training only."""
    for inside, module in list(block.named_modules()):
        name = prefix + inside
        if isinstance(module, (RMSNorm, LeanRMSNorm, LayerNorm)):
            replace_module(block, inside, _norm(module, name, dtype, read))
        elif isinstance(module, nn.Dropout):
            replace_module(block, inside, nn.Identity())
        elif isinstance(module, (nn.Linear, OneDNNLinear, HalfLinear)):
            module = _filled(module, name, read)
            replace_module(block, inside, _packed([module], module.bias, mode))


def _pack_ends(network: nn.Module, mode: str, dtype: torch.dtype, read: Read | None) -> None:
    """What stands before and after the blocks; int8 holds a tied matrix once, the other modes need two layouts of it."""
    tied = network.config.tied_embeddings
    first = _filled(network.embed, "embed", read)
    last = first if tied else _filled(network.unembed, "unembed", read)
    if network.config.learned_positions:
        positions = network.pos_embed if read is None else read("pos_embed")
        network.pos_embed = nn.Parameter(positions.to(dtype), requires_grad=False)
    if mode == "int8":
        network.unembed = Int8Linear(*_codes([last]))
        network.embed = Int8Embedding(network.unembed if tied else Int8Linear(*_codes([first])))
        return
    embedding, weight = first.weight, last.weight
    if mode == "fp32" and supported("fp16") and fits_half(embedding):
        network.embed = HalfEmbedding(embedding)
    elif dtype != embedding.dtype:
        network.embed = nn.Embedding(*embedding.shape, _weight=embedding.detach().to(dtype))
    network.unembed = _dense(weight.to(dtype), None, network.embed.weight if tied else None)


def _filled(module: nn.Module, name: str, read: Read | None) -> nn.Module:
    """The layer with its numbers read, if they have to be; one of codes where they are stored so."""
    found = {key: read(f"{name}.{key}") for key, _ in module.named_parameters(recurse=False)} if read else {}
    if isinstance(found.get("weight"), Codes):
        return Int8Linear(*found["weight"], found.get("bias"))
    for key, value in found.items():
        setattr(module, key, nn.Parameter(value, requires_grad=False))
    return module


def _norm(norm: nn.Module, name: str, dtype: torch.dtype, read: Read | None) -> nn.Module:
    norm = _filled(norm, name, read)
    if not isinstance(norm, LayerNorm):
        return LeanRMSNorm(norm, dtype)
    cast = LayerNorm(len(norm.weight), norm.eps)
    cast.weight, cast.bias = (nn.Parameter(p.to(dtype), requires_grad=False) for p in (norm.weight, norm.bias))
    return cast


def _codes(layers: list[nn.Module]) -> Codes:
    """The int8 codes of matrices one above the other; every row has its own scale, so stored ones are joined as they are."""
    parts = [Codes(layer.codes, layer.scale) if isinstance(layer, Int8Linear) else int8_codes(layer.weight) for layer in layers]
    return Codes(*map(torch.cat, zip(*parts))) if len(parts) > 1 else parts[0]


def _packed(layers: list[nn.Module], bias: Tensor | None, mode: str) -> nn.Module:
    """One layer of the blocks in `mode`, out of those it joins; 4 bits only where the matrix has a shape the kernel takes."""
    bias = bias if bias is None or mode == "fp32" else bias.bfloat16()
    if mode == "int8":
        return Int8Linear(*_codes(layers), bias)
    weight = torch.cat([layer.weight for layer in layers]) if len(layers) > 1 else layers[0].weight
    if mode == "fp32":
        return _dense(weight, bias)
    wide = _dense(weight.bfloat16(), bias)
    if mode == "bf16" or not supported("int4") or weight.shape[1] % GROUP or weight.shape[0] % 32:
        return wide
    return MixedLinear(Int4Linear(*int4_codes(weight), bias), wide)


def _dense(weight: Tensor, bias: Tensor | None, original: Tensor | None = None) -> nn.Module:
    """The layer in 16 bits where fp32 loses nothing by it, else in oneDNN's layout, or a plain one where that is missing."""
    if weight.dtype == torch.float32 and supported("fp16") and fits_half(weight):
        return HalfLinear(weight, bias, original)
    if supported("fp32" if weight.dtype == torch.float32 else "bf16"):
        return OneDNNLinear(weight, bias, original)
    plain = nn.Linear(1, 1, bias=bias is not None)
    plain.out_features, plain.in_features = weight.shape
    plain.weight = nn.Parameter(weight if original is None else original, requires_grad=False)
    if bias is not None:
        plain.bias = nn.Parameter(bias, requires_grad=False)
    return plain
