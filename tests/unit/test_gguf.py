"""GGUF: blocks against the gguf package's own unpacking, files it wrote, and files that lie."""

import struct
import tracemalloc

import gguf
import numpy as np
import pytest
import torch

from core.checkpoints import DamagedCheckpoint, UnsupportedCheckpoint
from core.checkpoints.gguf import halves_together, open_gguf
from core.checkpoints.gguf_blocks import FORMATS, unpack
from core.checkpoints.gguf_file import read_gguf
from core.checkpoints.stored import as_language_model
from core.checkpoints.vocabulary import byte_alphabet

BLOCK_TYPES = [number for number, (_, _, per_block, _) in FORMATS.items() if per_block > 1]


@pytest.mark.parametrize("number", BLOCK_TYPES, ids=lambda n: FORMATS[n][0])
def test_blocks_unpack_as_in_the_gguf_package(number):
    """Any bytes, except that scales are ordinary numbers."""
    label, block, per_block, _ = FORMATS[number]
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (50, block.itemsize), dtype=np.uint8).view(block)[:, 0]
    for field in {"scale", "low"} & set(block.names):
        blocks[field] = rng.normal(size=50).astype(np.float16)
    raw = blocks.view(np.uint8).reshape(-1)
    expected = gguf.quants.dequantize(raw.reshape(50, -1), gguf.GGMLQuantizationType[label])
    np.testing.assert_array_equal(unpack(raw, number).reshape(50, per_block), expected)


@pytest.mark.parametrize("label", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_packed_by_the_gguf_package_unpacked_here(label):
    numbers = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)
    kind = gguf.GGMLQuantizationType[label]
    packed = gguf.quants.quantize(numbers, kind)
    raw = np.frombuffer(packed.tobytes(), np.uint8)
    np.testing.assert_array_equal(unpack(raw, kind.value).reshape(4, 64), gguf.quants.dequantize(packed, kind))


def test_rows_of_q_and_k_come_back_in_order():
    """llama.cpp's converter: reshape (heads, 2, half, …), swap, flatten. Here it is undone."""
    rows = torch.arange(4 * 8 * 3).view(32, 3)
    theirs = rows.view(4, 2, 4, 3).transpose(1, 2).reshape(32, 3)
    assert not torch.equal(theirs, rows)
    assert torch.equal(halves_together(theirs, 4), rows)


SHAPE = {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "hidden": 64, "vocab": 259}


def write(path, shape=SHAPE, architecture="llama", model="gpt2", pre="smollm", kind="F32", leave_out="", extra=None):
    """A tiny Llama written by the gguf package."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(shape["layers"])
    writer.add_context_length(128)
    writer.add_embedding_length(shape["width"])
    writer.add_feed_forward_length(shape["hidden"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv_heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    for key, value in (extra or {}).items():
        writer.add_uint32(key, value)
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["<|endoftext|>", *byte_alphabet(), "th", "the"])
    writer.add_token_types([3] + [1] * 258)
    writer.add_token_merges(["t h", "th e"])
    writer.add_eos_token_id(0)
    rng = np.random.default_rng(0)
    width, kv = shape["width"], shape["width"] // shape["heads"] * shape["kv_heads"]
    tensors = {"token_embd": (shape["vocab"], width), "output_norm": (width,)}
    for i in range(shape["layers"]):
        tensors |= {f"blk.{i}.attn_norm": (width,), f"blk.{i}.ffn_norm": (width,), f"blk.{i}.attn_q": (width, width)}
        tensors |= {f"blk.{i}.attn_k": (kv, width), f"blk.{i}.attn_v": (kv, width), f"blk.{i}.attn_output": (width, width)}
        tensors |= {f"blk.{i}.ffn_gate": (shape["hidden"], width), f"blk.{i}.ffn_up": (shape["hidden"], width)}
        tensors |= {f"blk.{i}.ffn_down": (width, shape["hidden"])}
    for name, size in tensors.items():
        if name != leave_out:
            values = rng.normal(size=size).astype(np.float32)
            number = gguf.GGMLQuantizationType[kind if len(size) == 2 else "F32"]
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_1"])
def test_a_written_file_loads_with_the_same_numbers(tmp_path, kind):
    path = write(tmp_path / "tiny.gguf", kind=kind)
    lm = as_language_model(open_gguf(path))
    theirs = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors}
    np.testing.assert_array_equal(lm.network.embed.weight, theirs["token_embd.weight"])
    np.testing.assert_array_equal(lm.network.blocks[1].mlp.down.weight, theirs["blk.1.ffn_down.weight"])
    np.testing.assert_array_equal(lm.network.blocks[1].ln2.weight, theirs["blk.1.ffn_norm.weight"])
    assert lm.network.unembed.weight is lm.network.embed.weight
    assert lm.tokenizer.encode("the th") == [258, 1 + list(byte_alphabet()).index("Ġ"), 257]
    assert lm.logits(lm.tokenizer.encode("the end")).shape[1] == 259


@pytest.mark.parametrize("change, what", [
    ({"architecture": "mamba"}, "architecture 'mamba'"),
    ({"model": "llama"}, "SentencePiece"),
    ({"pre": "deepseek-llm"}, "pre-tokenizer 'deepseek-llm'"),
    ({"kind": "Q5_0"}, "weight format Q5_0"),
    ({"extra": {"llama.expert_count": 8}}, "mixture of 8 experts"),
    ({"extra": {"llama.attention.sliding_window": 64}}, "sliding window"),
    ({"extra": {"llama.rope.dimension_count": 4}}, "rope.dimension_count 4"),
])  # fmt: skip
def test_what_is_unsupported_is_named(tmp_path, change, what):
    with pytest.raises(UnsupportedCheckpoint, match=what):
        open_gguf(write(tmp_path / "x.gguf", **change))


def test_a_missing_weight_is_named(tmp_path):
    with pytest.raises(DamagedCheckpoint, match="blocks.1.mlp.up.weight"):
        as_language_model(open_gguf(write(tmp_path / "x.gguf", leave_out="blk.1.ffn_up")))


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(n_tensors=0, n_values=0, rest=b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_values) + rest


HUGE = 2**62
LIES = {
    "empty": b"",
    "something else": b"PK\x03\x04" + bytes(100),
    "cut off in the header": header(1, 1)[:20],
    "endless text": header(0, 1, struct.pack("<Q", HUGE)),
    "endless list": header(0, 1, text(b"a") + struct.pack("<IIQ", 9, 8, HUGE)),
    "long list of numbers": header(0, 1, text(b"a") + struct.pack("<IIQ", 9, 4, 1_900_000)),
    "list of lists": header(0, 1, text(b"a") + struct.pack("<IIQ", 9, 9, 1)),
    "unknown kind": header(0, 1, text(b"a") + struct.pack("<I", 99)),
    "many values": header(0, HUGE),
    "many tensors": header(HUGE, 0),
    "broken text": header(0, 1, text(b"\xff\xfe")),
    "huge shape": header(1, 0, text(b"t") + struct.pack("<IQQIQ", 2, HUGE, HUGE, 0, 0)),
    "shape of nothing": header(1, 0, text(b"t") + struct.pack("<IQIQ", 1, 0, 0, 0)),
    "many axes": header(1, 0, text(b"t") + struct.pack("<I", 2**31)),
    "offset beyond the end": header(1, 0, text(b"t") + struct.pack("<IQIQ", 1, 4, 0, HUGE)),
    "part of a block": header(1, 0, text(b"t") + struct.pack("<IQIQ", 1, 33, 8, 0)),
    "alignment zero": header(0, 1, text(b"general.alignment") + struct.pack("<II", 4, 0)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_header_is_one_sentence_and_little_memory(tmp_path, lie):
    path = tmp_path / "x.gguf"
    path.write_bytes(LIES[lie])
    tracemalloc.start()
    try:
        with pytest.raises(DamagedCheckpoint) as caught:
            read_gguf(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert "x.gguf" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_cut_off_anywhere_is_noticed(tmp_path):
    whole = write(tmp_path / "x.gguf").read_bytes()
    for size in [*range(0, 3_000, 97), len(whole) // 2, len(whole) - 4_200]:
        (tmp_path / "cut.gguf").write_bytes(whole[:size])
        with pytest.raises(DamagedCheckpoint):
            read_gguf(tmp_path / "cut.gguf")
