"""Our BPE trainer against the tokenizers library and against a naive loop."""

import json
import random
from collections import Counter

import pytest

from core.tokenizers import PATTERN, Tokenizer, load_ranks
from core.training.bpe import count_words, merge, ranks, save_ranks, train

TEXT = """Der Fuchs läuft durch den Wald. Die Füchsin läuft voraus. The fox runs through the forest, and the
other foxes run after it; 1234 of them. Der Wald ist groß. Größer ist nur der Himmel über dem Walde. \n\n  Naïve café 😀 😀!"""


def naive(words, n):
    """Count everything anew for every merge."""
    texts = {word: list(word) for word in words}
    tokens = [bytes([b]) for b in range(256)]
    found = []
    for _ in range(n):
        counts = Counter()
        for word, text in texts.items():
            for pair in zip(text, text[1:]):
                counts[pair] += words[word]
        if not counts:
            break
        pair = min(counts, key=lambda p: (-counts[p], p))
        found.append((pair, counts[pair]))
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        texts = {word: merge(text, pair, len(tokens) - 1) for word, text in texts.items()}
    return found


def test_equals_counting_everything_anew():
    words = count_words([TEXT * 3, "aaaa aaaaaaa aaa"])
    ours = [((m.left, m.right), m.count) for m in train(words, 400)]
    assert ours == naive(words, 400)


def test_equals_the_tokenizers_library():
    """The same merges in the same order, ties included.

    Both break ties by the smaller ids. Theirs number the bytes in GPT-2's order, which is ours for ASCII letters
    and the two bytes of ä, ö, ü; so the text is made of those, one word a line. No letter stands beside itself:
    in runs like "aaaa" their counts of overlapping pairs drift from the true ones.
    """
    tokenizers = pytest.importorskip("tokenizers")
    from tokenizers import decoders, models, pre_tokenizers, trainers

    rng = random.Random(4)
    words = ["".join(_no_doubles(rng, "abcdefgäöü", rng.randint(2, 9))) for _ in range(400)]
    text = "\n".join(rng.choices(words, weights=[1 / (i + 1) for i in range(400)], k=3_000))

    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])  # fmt: skip
    trainer = trainers.BpeTrainer(vocab_size=256 + 300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    library.train_from_iterator([text], trainer)
    theirs = json.loads(library.to_str())["model"]["merges"]
    ours = list(train(count_words([text]), 300))
    spelled = {bytes([b]): sign for b, sign in _gpt2_signs().items()}
    tokens = {i: bytes([i]) for i in range(256)} | {m.new: m.token for m in ours}
    assert theirs == [["".join(spelled[bytes([b])] for b in tokens[side]) for side in (m.left, m.right)] for m in ours]
    assert len({m.count for m in ours}) < len(ours) - 100  # there are many ties
    assert decoders.ByteLevel().decode(theirs[0]) == ours[0].token.decode()


def _no_doubles(rng, alphabet, n):
    sign = ""
    for _ in range(n):
        sign = rng.choice([s for s in alphabet if s != sign])
        yield sign


def _gpt2_signs():
    """Byte -> the sign GPT-2 writes for it: itself where it is printable, else one from U+0100 on."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    return {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}


def test_rank_file_round_trip_and_tiktoken_merges_in_our_order(tmp_path):
    words = count_words([TEXT * 3])
    merges = list(train(words, 200))
    file = tmp_path / "tokenizer.tiktoken"
    save_ranks(ranks(merges), file)
    tokenizer = Tokenizer.from_ranks("test", load_ranks(file))
    assert tokenizer.n_vocab == 256 + len(merges) + 1 and tokenizer.eot == 256 + len(merges)
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
    for word in list(words)[:40]:
        ids = list(word)
        for m in merges:
            ids = merge(ids, (m.left, m.right), m.new)
        assert tokenizer.encode(word.decode("utf-8")) == ids


def test_no_pairs_left_ends_the_training():
    assert [m.token for m in train(Counter({b"ab": 3}), 10)] == [b"ab"]
