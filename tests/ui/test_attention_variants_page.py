"""The page on shared keys and values inside its frame, driven by the shipped networks."""

import pytest

from core.checkpoints import DamagedCheckpoint
from core.checkpoints.variants import KINDS, load_variant
from core.ui import variants
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, charts, check_whole, said, text

PAGE = "attention_variants"


def ids_of(language: str, key: str = "prompt.default") -> tuple[int, ...]:
    return tuple(variants.bundled().tokenizer.encode(Texts(PAGE, language).plain(key)))


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(open_page, language):
    check_whole(open_page(PAGE, lang=language), 7)


@pytest.mark.parametrize("kind, n_kv", [("mha", 6), ("gqa", 2), ("mqa", 1), ("mla", 1)])
def test_the_picture_shows_what_the_cache_of_the_kind_holds(open_page, kind, n_kv):
    at, found = open_page(PAGE, kind=kind), variants.read(ids_of("en"), kind)
    data = chart_data(at)
    cells = data[data["kind"] == "cell"]
    assert len(cells) == n_kv * 2 * len(ids_of("en")) and (data["kind"] == "head").sum() == 6
    assert f"{found.numbers:,} numbers" in text(at) and f"holds {found.bytes_held:,} bytes" in text(at)
    points = chart_data(at, 1).set_index("name")
    assert points.loc[kind.upper(), "role"] == "computed" and points["loss"].tolist() == pytest.approx([variants.read(ids_of("en"), k).loss for k in KINDS])
    assert points["bytes"].tolist() == [3072, 1024, 512, 1152]


def test_recorded_losses_of_both_seeds_are_drawn(open_page):
    at = open_page(PAGE, source="en-novels")
    data, rows = chart_data(at, 2), variants.seeds("en-novels")
    assert sorted(data["loss"]) == sorted(loss for _, _, by in rows for loss in by.values()) and len(data) == 8
    spread = variants.spread(rows)
    assert f"between {spread['low']:.2f} and {spread['high']:.2f} nats" in text(at)
    means = {kind: by for kind, _, by in variants.seeds("mean")}
    assert all(max(means, key=lambda kind: means[kind][seed]) == "mqa" for seed in "01")  # as the page says
    assert all(means["mqa"][seed] / means["mha"][seed] < 1.05 for seed in "01")


def test_the_presets_show_what_they_say():
    label = variants.bundled().tokenizer.label
    for language in ("en", "de"):
        name = ids_of(language, "presets.name.prompt")
        assert sum(row.max() > 0.9 and label(name[row.argmax()]) == "␣Bell" for row in variants.read(name, "mha").weights) == 2
        assert all(label(variants.read(name, kind).probs.argmax()) == "␣Bell" for kind in KINDS)
        mixed = ids_of(language, "presets.mixed.prompt")
        cat, horse = {"en": ("␣Mist", "␣Th"), "de": ("␣M", "␣Donner")}[language]
        assert label(variants.read(mixed, "mha").probs.argmax()) == cat and label(variants.read(mixed, "gqa").probs.argmax()) == horse
        one = variants.read(ids_of(language, "presets.one.prompt"), "mqa")
        assert one.weights.max() < 0.2 and label(one.probs.argmax()) == {"en": "␣tower", "de": "␣Turm"}[language] and one.probs.max() > 0.7
        pooled = ids_of(language, "presets.pooled.prompt")
        assert variants.read_pooled(pooled, 6).loss < 0.3 and variants.read_pooled(pooled, 2).loss > 3


def test_pooling_moves_the_picture_the_loss_and_the_answer(open_page):
    at = open_page(PAGE, kv_heads=1)
    numbers, data = variants.pooled_numbers(ids_of("en"), 1), chart_data(at, 3)
    assert (data["kind"] == "cell").sum() == 2 * len(ids_of("en")) and f"**{numbers['loss']:.2f}** nats" in text(at)
    losses = chart_data(at, 4)
    assert losses["heads"].tolist() == [6, 3, 2, 1] and losses["loss"].is_monotonic_increasing
    assert "All six kept" in text(open_page(PAGE, kv_heads=6))


def test_speed_is_measured_on_demand_and_can_be_stopped(open_page, monkeypatch):
    monkeypatch.setattr("core.ui.variants.ROUNDS", 1)
    monkeypatch.setattr("core.ui.variants.seconds_per_token", lambda network, tokens: 0.001 * network.config.d_ff)
    at = open_page(PAGE, filled=128)
    before = len(charts(at))
    at.button(key="attention_variants_measure").click().run()
    assert len(charts(at)) == before + 1 and not at.exception
    assert "480.00 ms" in text(at)
    measured: dict = {}
    assert [variants.measure_next(measured, 128) for _ in KINDS] == [True, True, True, False] and list(measured) == list(KINDS)


def test_presets_predictions_and_impossible_settings(open_page):
    at = open_page(PAGE)
    at.pills(key="attention_variants_preset").set_value("one").run()
    assert at.segmented_control(key="attention_variants_kind").value == "mqa" and "**MQA**, multi-query" in text(at)
    at.pills(key="attention_variants_predict").set_value("skip").run()
    assert "depending on the seed: hardly" in text(at)
    for setting, value in {"kind": "mta", "kv_heads": "4", "source": "none", "filled": "3", "context_power": "99", "batch_power": "x"}.items():
        assert f"attention_variants_{setting}" in said(open_page(PAGE, **{setting: value}))


def test_another_model_has_its_text_read_in_the_tokens_of_the_bundled_one(tiny):
    text_ids = tiny.tokenizer.encode("The sun is warm.")
    assert variants.own_tokens(tiny, text_ids) == tuple(variants.bundled().tokenizer.encode(tiny.tokenizer.decode(text_ids)))


def test_a_damaged_file_is_one_sentence(open_page, monkeypatch):
    def broken(kind):
        raise DamagedCheckpoint(f"assets/models/attention_variants/{kind}.safetensors", "is missing")

    load_variant.cache_clear()
    monkeypatch.setattr("core.ui.variants._readings", variants.Kept(8))
    monkeypatch.setattr("core.ui.variants.load_variant", broken)
    at = open_page(PAGE)
    assert not at.exception and "safetensors" in said(at)
