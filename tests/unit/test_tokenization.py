"""Merges step by step against tiktoken, lanes against counting by hand, and what languages cost."""

import tomllib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoints.encodings import PUBLIC, MissingEncoding, load_encoding
from core.checkpoints.folder import load_tokenizer
from core.checkpoints.registry import MODELS
from core.tokenization import align, bpe, lane, merge_tree, part_to_show
from core.tokenization.languages import COMPOUNDS, SENTENCES, count, count_compounds, count_languages
from core.training.bpe import count_words, train

WORDS = ["Geschwindigkeitsbegrenzung", "überrascht", " the", "   ", "1234567", "👩‍🚀", "if(x):", "日本語", "ß", "\n\n", "don't"]
texts = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=12)), max_size=8).map("".join)


@cache
def here():
    """The bundled encoding and every public one that is on this machine."""
    found = {"mini": load_tokenizer(MODELS / "mini")}
    for name in PUBLIC:
        try:
            found[name] = load_encoding(name)
        except MissingEncoding:
            pass  # tests/unit/test_encodings.py says so
    return found


def last_parts(piece, rank):
    return [[bytes([b]) for b in piece], *(parts for _, parts in bpe(piece, rank))][-1]


@settings(max_examples=150, deadline=None)
@given(texts)
def test_our_merges_end_in_exactly_tiktokens_tokens(text):
    for tokenizer in here().values():
        ids = [tokenizer.rank(part) for piece in tokenizer.pieces(text) for part in last_parts(piece, tokenizer.rank)]
        assert ids == tokenizer.encode(text)


def test_every_step_joins_the_lowest_rank_and_the_tree_holds_all_of_them():
    for tokenizer in here().values():
        piece = b" Geschwindigkeitsbegrenzung"
        before = [bytes([b]) for b in piece]
        for i, parts in bpe(piece, tokenizer.rank):
            ranks = {tokenizer.rank(a + b) for a, b in zip(before, before[1:])} - {None}
            assert tokenizer.rank(parts[i]) == min(ranks)
            assert before[i] + before[i + 1] == parts[i] and b"".join(parts) == piece
            before = parts
        nodes = merge_tree(piece, tokenizer.rank)
        assert [node.step for node in nodes] == [0] * len(piece) + list(range(1, len(nodes) - len(piece) + 1))
        assert all(node.token == piece[node.start : node.end] for node in nodes)
        roots = [n for n in nodes if not any(o.step > n.step and o.start <= n.start and n.end <= o.end for o in nodes)]
        assert [n.token for n in sorted(roots, key=lambda n: n.start)] == before


def test_the_merges_of_a_token_are_the_same_alone():
    """So a long piece may be shown by one of its tokens."""
    tokenizer = here()["mini"]
    one = lane("mini", tokenizer, "Die Donaudampfschifffahrtsgesellschaft fährt")
    pieces = tokenizer.pieces("Die Donaudampfschifffahrtsgesellschaft fährt")
    for start, end, token in zip(one.edges, one.edges[1:], one.tokens):
        piece, own = part_to_show(pieces, start, end, most=100)
        assert piece[own.start : own.stop] == token and piece in pieces
        inside = [n for n in merge_tree(piece, tokenizer.rank) if own.start <= n.start and n.end <= own.stop]
        alone, all_of_it = part_to_show(pieces, start, end, most=1)
        assert alone == token and all_of_it == range(len(token))
        assert [n.token for n in inside] == [n.token for n in merge_tree(alone, tokenizer.rank)]


def test_no_token_beyond_the_text():
    with pytest.raises(ValueError, match="byte 9 of 2"):
        part_to_show([b"ab"], 9, 10, 5)


def test_two_made_up_encodings_by_hand():
    """ab|c against a|bc, then d in both: the first chunk differs, the second does not."""
    from core.tokenizers import Tokenizer

    letters = {bytes([b]): b for b in range(256)}
    left = Tokenizer.from_ranks("left", letters | {b"ab": 256}, pattern="abc|d")
    right = Tokenizer.from_ranks("right", letters | {b"bc": 256}, pattern="abc|d")
    chunks = align("abcd", [lane("left", left, "abcd"), lane("right", right, "abcd")])
    assert [(c.start, c.end, c.differs) for c in chunks] == [(0, 3, True), (3, 4, False)]
    assert chunks[0].spans == ((range(0, 2), range(2, 3)), (range(0, 1), range(1, 3)))
    assert [c.first for c in chunks] == [(0, 0), (2, 2)]


def test_columns_are_characters_unless_a_token_cuts_through_one():
    from core.tokenizers import Tokenizer

    letters = {bytes([b]): b for b in range(256)}
    whole = Tokenizer.from_ranks("whole", letters | {"ü".encode(): 256}, pattern=".")
    broken = Tokenizer.from_ranks("broken", letters, pattern=".")
    assert align("aü", [lane("whole", whole, "aü")])[1].columns == (1,)
    assert align("aü", [lane("whole", whole, "aü"), lane("broken", broken, "aü")])[1].columns == (1, 2)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_chunks_hold_every_token_of_every_lane_once(text):
    lanes = [lane(name, tokenizer, text) for name, tokenizer in here().items()]
    chunks = align(text, lanes)
    assert [c.start for c in chunks[1:]] == [c.end for c in chunks[:-1]]
    for i, one in enumerate(lanes):
        edges = [0]
        for chunk in chunks:
            columns = [*chunk.columns, chunk.end]
            assert chunk.first[i] == len(edges) - 1
            edges += [columns[span.stop] for span in chunk.spans[i]]
        assert tuple(edges) == one.edges
    shared = set.intersection(*(set(one.edges) for one in lanes))
    assert {c.start for c in chunks} | {c.end for c in chunks} == (shared if chunks else set())
    assert all(c.differs == any(len(spans) > 1 for spans in c.spans) for c in chunks)


def test_which_token_holds_a_byte():
    one = lane("mini", here()["mini"], "Die Geschwindigkeit")
    assert [one.at(start) for start in one.edges[:-1]] == list(range(len(one.ids)))
    assert one.at(one.edges[-1] - 1) == len(one.ids) - 1


def test_counts_and_costs_by_hand():
    one = count(here()["mini"], "Grüße")
    assert (one.characters, one.bytes) == (5, 7)
    assert one.tokens_per_character == one.tokens / 5 and one.bytes_per_token == 7 / one.tokens
    assert one.cost(price=2.5, times=1_000_000) == one.tokens * 2.5
    counts = count_languages(here())
    assert set(counts) == {(language, name) for language in SENTENCES for name in here()}
    assert all(c.tokens == len(here()[name].encode(SENTENCES[language])) for (language, name), c in counts.items())
    assert counts["hi", "mini"].tokens > 5 * counts["en", "mini"].tokens  # made from German and English alone


def test_compounds_are_cut_as_inside_a_text():
    for words, tokens in count_compounds(here()["mini"]):
        assert words in COMPOUNDS
        assert {language: b"".join(parts).decode() for language, parts in tokens.items()} == {k: " " + v for k, v in words.items()}


def test_a_training_says_how_long_the_text_is_after_each_merge():
    """Also where a pair overlaps with itself, as in aaa."""
    text = "aaaa aaa aaaaa ababab banana " * 3
    words = count_words([text])
    ids = {word: list(word) for word in words}
    from core.training.bpe import merge

    for step in train(words, 30):
        ids = {word: merge(one, (step.left, step.right), step.new) for word, one in ids.items()}
        assert step.n_tokens == sum(len(ids[word]) * n for word, n in words.items())


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_preset_says_about_compounds_holds_in_every_encoding(language):
    file = MODELS.parent / "texts" / language / "tokens.toml"
    compound, english = "Donaudampfschifffahrtsgesellschaft", ("the", "Danube", "steam", "shipping", "company", "looks", "captain")
    assert compound in tomllib.loads(file.read_text("utf-8"))["presets"]["compound"]["prompt"]
    for tokenizer in here().values():
        assert len(tokenizer.encode(" " + compound)) >= 8
        assert all(len(tokenizer.encode(" " + word)) <= 2 for word in english)
