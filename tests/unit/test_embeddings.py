"""Words as points: PCA and neighbours against scikit-learn, cosines and analogies by hand."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from core.charts import embeddings as charts
from core.measure.contextual import cosine_by_chance, cosine_by_layer, find_word, residual_stream, sentence_vectors, shared_words
from core.measure.embeddings import (
    Space,
    analogy,
    cosines,
    embedding_space,
    nearest,
    read_formula,
    similarity_to_all,
    word_tokens,
    word_vectors,
    words_of,
)
from core.measure.projection import pca, tsne


@pytest.fixture(scope="module")
def points():
    """60 points whose directions differ in importance."""
    return torch.randn(60, 20, generator=torch.Generator().manual_seed(0)) * torch.linspace(3, 0.5, 20)


@pytest.mark.parametrize("k", [2, 3])
def test_pca_is_that_of_scikit_learn_up_to_sign(points, k):
    reference = PCA(k, svd_solver="full").fit(points.numpy())
    ours = pca(points, k)
    others = torch.randn(5, 20, generator=torch.Generator().manual_seed(1))  # points it was not made from
    np.testing.assert_allclose(ours.shares.numpy(), reference.explained_variance_ratio_, rtol=1e-4)
    np.testing.assert_allclose(ours.axes.numpy().__abs__(), np.abs(reference.components_), atol=1e-4)
    np.testing.assert_allclose(np.abs(ours(others).numpy()), np.abs(reference.transform(others.numpy())), atol=1e-3)


def test_pca_of_few_points_fills_up_with_zeros():
    one = pca(torch.tensor([[1.0, 2.0, 3.0]]), 3)
    assert one.axes.abs().sum() == 0 and one.shares.sum() == 0
    two = pca(torch.tensor([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]), 2)
    torch.testing.assert_close(two.axes[0], torch.tensor([0.6, 0.8, 0.0]))
    assert two.shares.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="at least one point"):
        pca(torch.zeros(0, 3))


def test_tsne_keeps_neighbours_and_repeats():
    """Three tight bundles of directions: every point's nearest neighbour is of its own bundle."""
    noise = torch.randn(30, 10, generator=torch.Generator().manual_seed(0))
    bundle = torch.arange(30) // 10
    points = 10 * torch.eye(10)[bundle] + noise
    flat = tsne(points)
    apart = torch.cdist(flat, flat) + 1e9 * torch.eye(30)
    assert (bundle[apart.argmin(1)] == bundle).all()
    assert torch.equal(flat, tsne(points)) and tsne(points[:3]).shape == (3, 2)


def test_neighbours_are_those_of_scikit_learn(tiny):
    space = embedding_space(tiny)
    centred = (tiny.network.embed.weight - tiny.network.embed.weight.mean(0)).numpy()
    reference = NearestNeighbors(n_neighbors=6, metric="cosine").fit(centred)
    for token in (0, 65, 200):
        distances, ids = reference.kneighbors(centred[token : token + 1])
        found = nearest(space, word_vectors(space, [[token]])[0], 5, leave_out=[token])
        assert [n.id for n in found] == ids[0, 1:].tolist()
        np.testing.assert_allclose([n.cosine for n in found], 1 - distances[0, 1:], atol=1e-5)
        raw = cosine_similarity(tiny.network.embed.weight[token][None].numpy(), tiny.network.embed.weight[ids[0, 1:]].numpy())[0]
        np.testing.assert_allclose([n.raw for n in found], raw, atol=1e-5)


def test_chance_is_the_mean_over_all_pairs(tiny):
    space = embedding_space(tiny)
    weight = tiny.network.embed.weight.numpy()
    for vectors, ours in ((weight - weight.mean(0), space.chance), (weight, space.chance_raw)):
        table = cosine_similarity(vectors)
        n = len(table)
        assert ours == pytest.approx((table.sum() - n) / (n * (n - 1)), abs=1e-5)


def test_cosines_by_hand():
    a, b = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, -2.0], [0.0, 0.0]])
    torch.testing.assert_close(cosines(a, b), torch.tensor([[0.96, -0.8, 0.0], [0.8, 0.0, 0.0]]))


def plane(tokenizer, vectors: dict[str, tuple[float, float]]) -> Space:
    """A space of two dimensions around zero: some tokens as given, all others far away from them."""
    weight = torch.zeros(tokenizer.n_vocab, 2)
    weight[:, 0] = -1.0
    for word, vector in vectors.items():
        weight[word_tokens(tokenizer, word)[-1]] = torch.tensor(vector)
    return Space(weight, torch.zeros(2), weight.norm(dim=1).clamp_min(1e-12), 0.0, 0.0)


def test_an_analogy_by_hand(tiny):
    """k = (1, 0), m = (0.6, 0.8), w = (0, 1): k - m + w = (0.4, 0.2), which is (2, 1) / sqrt(5) at length 1.

    Cosine with k: 2 / sqrt(5) = 0.894; with q = (3, 2): 8 / sqrt(65) = 0.992; with w: 0.447; with m: 2 / sqrt(5) = 0.894.
    """
    vectors = {"k": (2.0, 0.0), "m": (0.6, 0.8), "w": (0.0, 3.0), "q": (3.0, 2.0), "x": (5.0, 0.5)}
    space = plane(tiny.tokenizer, vectors)
    found = analogy(space, tiny.tokenizer, *read_formula("k - m + w = x"))
    letters = [tiny.tokenizer.label(n.id) for n in found.nearest]
    assert letters[:2] == ["q", "x"] and set(letters[2:4]) == {"k", "m"} and letters[4] == "w"
    expected = [8 / math.sqrt(65), 10.5 / math.sqrt(5 * 25.25), 2 / math.sqrt(5), 2 / math.sqrt(5), 1 / math.sqrt(5)]
    np.testing.assert_allclose([n.cosine for n in found.nearest[:5]], expected, atol=1e-5)
    assert (found.rank, found.rank_without) == (2, 2) and found.best.id == ord("q")
    assert {chr(i) for i in found.inputs} == set("kmw")
    again = analogy(space, tiny.tokenizer, *read_formula("k + q = x"))  # q, x and k are close: the inputs come first
    assert again.rank - again.rank_without == sum(n.id in again.inputs for n in again.nearest[: again.rank - 1])
    assert analogy(space, tiny.tokenizer, [(1, "k"), (1, "w")]).rank is None


@pytest.mark.parametrize("text, terms, answer", [
    ("king - man + woman = queen", [(1, "king"), (-1, "man"), (1, "woman")], "queen"),
    ("König − Mann+Frau", [(1, "König"), (-1, "Mann"), (1, "Frau")], None),
    ("king-man+woman", [(1, "king"), (-1, "man"), (1, "woman")], None),
    ("- man + „King“, = ", [(-1, "man"), (1, "King")], None),
    ("E-Mail − Post + Fax", [(1, "E-Mail"), (-1, "Post"), (1, "Fax")], None),
])  # fmt: skip
def test_formulas(text, terms, answer):
    assert read_formula(text) == (terms, answer)


@pytest.mark.parametrize("text", ["", "king", "+ - +", "= queen", "king = queen", "😀"])
def test_no_formula(text):
    with pytest.raises(ValueError, match="two words"):
        read_formula(text)


def test_words_of_a_text():
    assert words_of("Hund, Katze;  „Maus“\nHund a-b", 10) == (["Hund", "Katze", "Maus", "a-b"], 4)
    assert words_of("a b c", 2) == (["a", "b"], 3)
    assert words_of(" ,;\n", 5) == ([], 0) and words_of("...", 5) == (["..."], 1)


def test_a_word_of_several_tokens_is_their_mean(tiny):
    space = embedding_space(tiny)
    ids = word_tokens(tiny.tokenizer, "ab")
    assert ids == [97, 98]  # the space is a token of its own here, so it is left out
    mean = (tiny.network.embed.weight[97] + tiny.network.embed.weight[98]) / 2 - tiny.network.embed.weight.mean(0)
    torch.testing.assert_close(word_vectors(space, [ids])[0], mean)
    assert word_vectors(space, []).shape == (0, 32)
    torch.testing.assert_close(similarity_to_all(space, mean), cosines(space.weight - space.centre, mean[None])[:, 0], atol=1e-5, rtol=1e-4)


def test_a_word_is_found_and_starts_equal(tiny):
    texts = [list(b"go to the bank"), list(b"the bank of a river")]
    assert find_word(tiny.tokenizer, texts[0], "bank") == range(10, 14) and find_word(tiny.tokenizer, texts[0], "boat") is None
    assert shared_words(tiny.tokenizer, texts, ["go", "the", "bank"]) == ["the", "bank"]
    streams = [residual_stream(tiny, ids) for ids in texts]
    similar = cosine_by_layer(streams, [find_word(tiny.tokenizer, ids, "bank") for ids in texts])
    assert similar.shape == (3, 2, 2) and similar[0].min() == pytest.approx(1, abs=1e-5) and similar[2, 0, 1] < 0.999
    every = torch.cat(streams, 1)
    for layer, chance in enumerate(cosine_by_chance(streams).tolist()):
        table = cosine_similarity(every[layer].numpy())
        n = len(table)
        assert chance == pytest.approx((table.sum() - n) / (n * (n - 1)), abs=1e-4)


def test_sentence_vectors(tiny):
    streams = [residual_stream(tiny, list(b"abc")), residual_stream(tiny, list(b"de"))]
    torch.testing.assert_close(sentence_vectors(streams, 1, "last")[1], streams[1][1, 1])
    torch.testing.assert_close(sentence_vectors(streams, 2, "mean")[0], streams[0][2].mean(0))
    with pytest.raises(ValueError, match="mean or last"):
        sentence_vectors(streams, 0, "middle")


def test_the_map_stays_while_words_are_typed():
    points = np.array([[0, 0], [4, 2], [1, 2]], np.float32)
    before = charts.map_data(["a", "b", "c"], ["animals"] * 3, [""] * 3, points)
    after = charts.map_data(["a", "b", "c", "mine"], ["animals"] * 3 + [charts.OWN], [""] * 4, np.vstack([points, [[100, 1]]]))
    assert before[["x", "y"]].equals(after[["x", "y"]].iloc[:3])
    assert before["x"].tolist() == [-1, 1, -0.5] and after["x"][3] == pytest.approx(charts.REACH) and after["room"][3] == 0


def test_labels_do_not_lie_on_one_another():
    data = charts.map_data(["one", "two", "far"], ["numbers"] * 3, [""] * 3, np.array([[0, 0], [0.001, 0.001], [1, 1]], np.float32))
    assert data["room"].tolist() == [270, charts.NEVER, 270]


def test_a_phone_shows_fewer_labels():
    data = charts.map_data(["elephant", "crocodile", "cat"], ["animals"] * 3, [""] * 3, np.array([[0, 0], [0.2, 0], [1, 1]], np.float32))
    assert data["room"].tolist() == [270, 640, 270]
