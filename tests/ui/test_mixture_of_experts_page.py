"""The lab of the mixtures of experts: its picture is the routers' choice, its grid the losses, and controls, clicks and presets move them."""

import shutil

import numpy as np
import pytest

from core.checkpoints import experts as shipped
from core.checkpoints.experts import load_experts
from core.measure.experts import changed, loss, routes
from core.ui import experts
from tests.ui.conftest import chart_data, check_whole, component_data, said, text

PAGE = "mixture_of_experts"
PROMPT = "The fox ran to the river, and the dog ran to the forest."
LOAD, ROUTER, GRID, PUBLISHED = 0, 1, 2, 7  # places of the charts


def score(at) -> dict:
    return component_data(at, "glassbox_expert_score")


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_page_is_whole(open_page, lang):
    at = open_page(PAGE, lang=lang)
    check_whole(at, 8)


def test_the_picture_is_the_routers_choice(open_page):
    at = open_page(PAGE, prompt=PROMPT, balance="bias", layer=3, token=4)
    check_whole(at, 8)
    lm = load_experts("bias")
    ids, shown = lm.tokenizer.encode(PROMPT), score(at)
    found = routes(lm, ids)
    assert shown["tokens"] == lm.tokenizer.labels(ids) and shown["layer"] == 2 and shown["selected"] == 3
    assert np.array_equal(np.stack([shown["first"], shown["second"]], -1), found.experts.numpy())
    assert np.abs(np.array(shown["weight"]) - 100 * found.weights[..., 0].numpy()).max() <= 0.51
    assert [share for _, share in shown["experts"]] == [f"{100 * share:.0f}%" for share in found.loads[2].tolist()]
    assert chart_data(at, LOAD)["share"].to_numpy() == pytest.approx(found.loads.numpy().ravel())
    assert chart_data(at, ROUTER)["share"].to_numpy() == pytest.approx(found.probs[:, 3].numpy().ravel(), abs=1e-6)


def test_method_and_layer_move_the_picture(open_page):
    at = open_page(PAGE, prompt=PROMPT)
    before = score(at)
    at.segmented_control(key=f"{PAGE}_layer").set_value(4).run()
    assert score(at)["layer"] == 3 and score(at)["first"] == before["first"]
    at.segmented_control(key=f"{PAGE}_balance").set_value("none").run()
    assert score(at)["first"] != before["first"]
    check_whole(at, 8)


def test_the_grid_and_the_texts_are_those_of_the_changed_network(open_page):
    at = open_page(PAGE, prompt=PROMPT, balance="none", cell="2.6")
    lm = load_experts("none")
    ids, data = lm.tokenizer.encode(PROMPT), chart_data(at, GRID)
    whole = loss(lm, ids)
    for layer, expert in ((0, 3), (1, 5), (3, 7)):
        row = data[(data["layer"] == layer + 1) & (data["expert"] == expert + 1)].iloc[0]
        assert row["change"] == pytest.approx(loss(changed(lm, layer, expert, "forbid"), ids) - whole, abs=1e-5)
        assert row["framed"] == ((layer, expert) == (1, 5))
    assert f"from {whole:.2f} to" in text(at)
    at.segmented_control(key=f"{PAGE}_way").set_value("force").run()
    forced = chart_data(at, GRID)
    row = forced[(forced["layer"] == 2) & (forced["expert"] == 6)].iloc[0]
    assert row["change"] == pytest.approx(loss(changed(lm, 1, 5, "force"), ids) - whole, abs=1e-5)
    assert experts.written("none", ids, (1, 5, "force")) != [] and experts.written("none", ids) == experts.written("none", ids, None)


def test_written_text_is_marked_from_where_it_parts():
    same, new, other = [5, 6], [5, 6, 7, 8], [5, 6, 9]
    assert [t.state for t in experts.marked(new, other)] == ["", "", "marked", "marked"]
    assert [t.state for t in experts.marked(same, other)] == ["", ""] and experts.marked([], other) == []


def test_more_texts_at_once_read_more(open_page):
    at = open_page(PAGE, sequences=64, unit="bf16")
    data = chart_data(at, PUBLISHED).set_index("model")
    assert data.loc["DeepSeek-V3", "held"] == pytest.approx(1342, rel=0.01)
    assert data.loc["DeepSeek-V3", "read_share"] > 0.8 and "with 64 texts at once" in text(at)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_presets_and_the_prediction_answer(open_page, lang):
    at = open_page(PAGE, lang=lang)
    seen = set()
    for preset in ("words", "languages", "subjects", "collapse", "one_out"):
        next(p for p in at.get("button_group") if p.key == f"{PAGE}_preset").set_value(preset).run()
        check_whole(at, 8)
        shown = score(at)
        seen.add((shown["network"], shown["layer"], "".join(shown["tokens"])))
    assert len(seen) == 5
    next(p for p in at.get("button_group") if p.key == f"{PAGE}_predict").set_value("token").run()
    assert any("Right" in m.value or "Richtig" in m.value for m in at.markdown)


def test_what_the_presets_say_is_there():
    """The same token has the same expert in layer 1, one expert starves without balancing, and one of 32 matters most."""
    from core.ui.texts import Texts

    for lang in ("en", "de"):
        t = Texts(PAGE, lang)
        encode = load_experts("loss").tokenizer.encode
        same, chance, n = experts.pairs("loss", encode(t.plain("presets.words.prompt")), 0)
        assert n >= 5 and same > 0.9 > 0.5 > chance
        ids = encode(t.plain("presets.languages.prompt"))
        german = np.isin(np.arange(len(ids)), np.r_[13:25, 32:39])  # the second and the fourth sentence
        first = experts.where("loss", ids).experts[3, :, 0].numpy()
        assert sum(max((german & (first == e)).sum(), (~german & (first == e)).sum()) for e in range(8)) >= 0.9 * len(ids)
        loads = experts.where("none", encode(t.plain("presets.collapse.prompt"))).loads[3]
        assert loads.max() > 0.29 and (loads < 0.06).sum() >= 3
        ids = encode(t.plain("presets.one_out.prompt"))
        _, change = experts.matters("loss", ids, "forbid", lambda share: None)
        assert change.max() > 0.5 and np.median(np.abs(change)) < 0.02
        assert np.abs(experts.matters("loss", ids, "force", lambda share: None)[1]).max() < 0.12


def test_a_long_text_keeps_its_end(open_page):
    at = open_page(PAGE, prompt="word " * 700)
    assert "Only the last 400 of" in said(at) and len(score(at)["tokens"]) == 400 and not at.error


@pytest.mark.parametrize("lang", ["en", "de"])
def test_a_damaged_file_is_one_sentence(open_page, tmp_path, monkeypatch, lang):
    folder = tmp_path / "moe"
    shutil.copytree(shipped.FOLDER, folder, ignore=shutil.ignore_patterns("dense*", "none*", "bias*"))
    (folder / "loss.safetensors").chmod(0o644)
    (folder / "loss.safetensors").write_bytes((folder / "loss.safetensors").read_bytes()[:50_000])
    monkeypatch.setattr(experts, "load_experts", lambda kind: load_experts(kind, folder))
    at = open_page(PAGE, lang=lang, prompt="Nobody has asked for this text before.")
    assert not at.exception and "loss.safetensors" in said(at) and "Traceback" not in said(at)
