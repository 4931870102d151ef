"""Our BPE trainer against the tokenizers library and against a naive loop."""

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
    tokenizers = pytest.importorskip("tokenizers")
    from tokenizers import models, pre_tokenizers, trainers

    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])  # fmt: skip
    trainer = trainers.BpeTrainer(vocab_size=256 + 60, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    library.train_from_iterator([TEXT] * 5, trainer)
    theirs = sorted(library.get_vocab().items(), key=lambda x: x[1])[256:]
    # Their alphabet writes byte 0x20 as Ġ and so on; ties are broken differently, so counts are compared.
    words = count_words([TEXT] * 5)
    ours = list(train(words, 60))
    assert len(theirs) == len(ours)
    frequent = [m for m in ours if m.count > min(m.count for m in ours)]
    spelled = {_bytes_of(token, pre_tokenizers) for token, _ in theirs}
    assert {m.token for m in frequent if sum(o.count == m.count for o in ours) == 1} <= spelled


def _bytes_of(token, pre_tokenizers):
    from tokenizers.decoders import ByteLevel

    return ByteLevel().decode([token]).encode("utf-8")


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
