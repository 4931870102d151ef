"""Charts of the attention lab: what they show is what was given, and bounded in size."""

import io
import json

import numpy as np
import pytest
import torch

from core.charts.attention import (
    big_map,
    map_chart,
    map_data,
    montage_png,
    profile_chart,
    profile_data,
    steps_chart,
    steps_data,
    steps_table,
    vectors_chart,
    vectors_data,
)
from core.charts.theme import INK, inked
from core.measure.head_steps import HeadSteps
from core.measure.heads import keys_to_show, small_maps


def causal(n, heads=1):
    scores = torch.randn(heads, n, n, generator=torch.Generator().manual_seed(0))
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf).softmax(-1)


def steps(n=6, query=3, d=4):
    g = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(d, generator=g), torch.randn(n, d, generator=g), torch.randn(n, d, generator=g)
    products = k @ q
    masked = (products / d**0.5).masked_fill(torch.arange(n) > query, -torch.inf)
    weights = masked.softmax(-1)
    return HeadSteps(q, k, products, products / d**0.5, masked, weights, v, weights @ v)


def test_map_has_the_lower_triangle_and_frames_row_and_column():
    pattern = causal(5)[0].numpy()
    data = map_data(pattern, ["a", "b", "a", "c", "d"], query=2)
    assert len(data) == 15 and (data["k"] <= data["q"]).all()
    assert data.set_index(["q", "k"])["weight"][3, 1] == pytest.approx(pattern[3, 1])
    framed = data[data["framed"] > 0]
    assert set(zip(framed["q"], framed["k"])) == {(2, 0), (2, 1), (2, 2), (3, 2), (4, 2)}
    assert data["key"].nunique() == 5  # the same token twice is two columns


def test_map_spec_holds_no_text_of_the_viewer_and_selects_q_and_k():
    spec = map_chart(5, "looks", "seen", "weight")
    assert spec["params"][0]["select"]["fields"] == ["q", "k"]
    assert "data" not in spec or not spec["data"]
    assert map_chart(5, "looks", "seen", "weight", "de") != spec  # German number signs


def test_big_map_sends_float32_and_nothing_above_the_diagonal():
    pattern = causal(300)[0].numpy()
    figure = big_map(pattern, [f"w{i}" for i in range(300)], 10, {"query": "q", "key": "k", "weight": "w"}, "dark", "de")
    z = figure.data[0].z
    assert z.dtype == np.float32 and np.isnan(z[5, 6]) and z[6, 5] == pytest.approx(pattern[6, 5])
    assert len(figure.to_json()) < 800_000
    assert [shape.y0 for shape in figure.layout.shapes] == [9.5, 9.5]


def test_steps_show_the_division_the_mask_and_the_weights():
    done, keys, labels = steps(), [0, 2, 3, 4], list("abcdef")
    products, scaled, masked, weights = (steps_data(done, keys, labels, stage, 2) for stage in ("products", "scaled", "masked", "weights"))
    np.testing.assert_allclose(scaled["length"], products["length"] / 2, rtol=1e-5)  # √4, against the same largest product
    assert masked["written"].tolist()[-1] == "−∞" and masked["role"].tolist() == ["computed"] * 3 + ["dropped"]
    np.testing.assert_allclose(weights["length"], done.weights[keys], rtol=1e-5)
    assert products["strong"].tolist() == [0, 1, 0, 0]
    assert "," in steps_data(done, keys, labels, "weights", 2, "de")["written"][0]
    assert steps_chart(4, True) != steps_chart(4, False)


def test_table_of_the_steps_sums_to_the_result():
    table = steps_table(steps(), list("abcdef"))
    assert table["weights"].sum() == pytest.approx(1) and np.isneginf(table["masked"][5])
    np.testing.assert_allclose(table["contribution_length"], table["value_length"] * table["weights"], rtol=1e-6)


def test_vectors_keep_their_numbers_and_share_a_scale_by_kind():
    data = vectors_data([("query", "a", np.array([1.0, -4.0])), ("key", "b", np.array([0.5, 0.0])), ("key", "b", np.array([0.0, -1.0]))])
    assert data["number"].tolist() == [1, -4, 0.5, 0, 0, -1] and data["shade"].tolist() == [0.25, -1, 0.5, 0, 0, -1]
    assert data["label"].nunique() == 3 and vectors_chart(3, "number", "value")["height"] == 72


def test_profile_marks_the_name_given():
    scores, thresholds = {"previous": 0.5, "first": 0.2}, {"previous": 0.35, "first": 0.4}
    data = profile_data(scores, thresholds, {"previous": "p", "first": "f"}, "previous", "de")
    assert data["strong"].tolist() == [1, 0] and data["written"].tolist() == ["50\u202f%", "20\u202f%"]
    json.dumps(profile_chart(2, "from"))


def test_montage_puts_every_head_in_its_place():
    Image = pytest.importorskip("PIL.Image")
    pictures = np.zeros((2, 3, 4, 4), np.uint8)
    pictures[1, 2, 0, 3] = 255  # layer 2, head 3: top right corner
    png = montage_png(pictures)
    alpha = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3]
    assert alpha.shape == (8, 12) and alpha[4, 11] == 255 and alpha.sum() == 255


@pytest.mark.parametrize("n", [1, 2, 39, 40, 41, 300])
def test_small_maps_lose_no_strong_weight(n):
    maps = causal(n, heads=2)
    small = small_maps(maps)
    assert small.shape[1] <= 40 and small.dtype == np.uint8
    assert small[0].max() == round(float(maps[0].max()) ** 0.5 * 255)
    if n <= 40:
        np.testing.assert_array_equal(small, (maps.sqrt() * 255).round().numpy().astype(np.uint8))


def test_sixty_small_pictures_of_300_tokens_stay_small():
    maps = np.stack([small_maps(causal(300, heads=6)) for _ in range(10)])
    assert len(montage_png(maps)) < 60_000


def test_keys_to_show_hold_the_largest_the_first_itself_and_one_later():
    weights = torch.tensor([0.0, 0.5, 0.1, 0.3, 0.06, 0.04, 0.0])
    assert keys_to_show(weights, query=5, most=4) == [0, 1, 3, 5, 6]
    assert keys_to_show(weights, query=6, most=3) == [0, 1, 6]
    assert keys_to_show(torch.ones(1), query=0) == [0]


@pytest.mark.parametrize("theme", INK)
def test_what_is_painted_on_a_canvas_has_the_ink_of_its_theme(theme):
    chart = map_chart(5, query="query", key="key", weight="weight")
    assert json.dumps(chart).count("currentColor") == 1
    assert json.dumps(inked(chart, theme)) == json.dumps(chart).replace("currentColor", INK[theme])


def test_other_charts_keep_the_ink_of_the_page():
    chart = profile_chart(3, "threshold")
    assert "currentColor" in json.dumps(chart) and inked(chart, "dark") == chart
