"""Pictures and words: two encoders that put a picture and its caption at the same place."""

import streamlit as st

from core.charts import multimodal as charts
from core.charts.distribution import distribution_chart, distribution_data
from core.multimodal.captions import LANGUAGES, caption
from core.multimodal.contrastive import blind_loss, contrastive_loss, similarity
from core.multimodal.painting import INKS, NOTHING, overlay, pack, painted_scene, unpack
from core.multimodal.scenes import Scene, draw, held_out, neighbours
from core.multimodal.space import PARTS, asked
from core.ui import charts as ui_charts
from core.ui import controls, panels, url
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider, selector
from core.ui.paint import paint
from core.ui.pair import pair_and_space

MAP_EVERY = 13  # every which scene stands on the map
SECOND = painted_scene(Scene("square", "blue", "small", "bottom_right"))
START = {"shape": "circle", "colour": "red", "size": "small", "place": "top_left"}
PRESETS = {
    "default": START | {"painted": NOTHING, "tongue": "page"},
    "unseen": {"shape": "star", "colour": "green", "size": "large", "place": "middle_right"},
    "tongues": {"tongue": "both"},
    "order": {"size": "large"},
    "two": {"painted": SECOND},
}

page = require("multimodal")
t, state = page.t, st.session_state
pair, space = pair_and_space(page.language)
names = {part: {value: t.plain(f"{part}.options.{value}") for value in values} for part, values in PARTS.items()}


@fragment
def guess():
    def answer():
        scene, *wrong = neighbours(Scene(**START))[:-1]
        captions = pair.embed_captions([caption(other, page.language) for other in wrong])
        closeness = similarity(pair.embed_pictures(draw([scene])), captions)[0]
        cosines = dict(zip(PARTS, closeness.tolist()))
        best = max(cosines, key=cosines.get)
        return best, {"best": t.plain(f"predict.choices.{best}"), **cosines}

    panels.predict(page, tuple(PARTS), answer)


@fragment
def experiment():
    left, right = st.columns(2, gap="medium")
    with left, panels.panel(page, "picture", "live", stretch=True):
        scene, picture = shown()
    with right, panels.panel(page, "caption", "live", stretch=True):
        text = controls.text(page, "prompt", most_signs=300, live=True)
        unknown = pair.read(text)[1]
        with controls.place():
            if unknown:
                st.caption(t("caption.unknown", n=len(pair.words), words=", ".join(unknown[:6])))
        below = st.container()  # the matrix is drawn first
    others = neighbours(scene)
    tongues = LANGUAGES if state.get(page.key("tongue")) == "both" else (page.language,) * 2
    captions = [text, *(caption(other, tongues[i % 2]) for i, other in enumerate(others[1:], 1))]
    pictures = [picture, *draw(others[1:])]
    mixed = " ".join(reversed(text.split()))
    seen, read = pair.embed_pictures(pictures), pair.embed_captions([*captions, mixed])
    matrix(pictures, captions, seen, read[:-1])
    with below:
        answers(seen[0])
    the_map(picture, text, seen[0], read[0])
    cosine, scrambled = (float(similarity(seen[:1], one[None])) for one in (read[0], read[-1]))
    panels.takeaway(page, cosine=cosine, temperature=pair.network.temperature)
    panels.myth_fact(page, text=text, mixed=mixed, cosine=cosine, scrambled=scrambled)


def shown():
    """The picture: a drawn scene, and what was painted on it."""
    def painted(signs):
        state[page.key("painted")] = signs

    url.seed(page, "painted", NOTHING, unpack)
    place = st.container()
    columns = st.columns(2)
    chosen = []
    for i, (part, values) in enumerate(PARTS.items()):
        with columns[i % 2]:
            chosen.append(controls.select(page, part, list(values), START[part]))
    scene = Scene(*chosen)
    signs = state[page.key("painted")]
    url.share(page, "painted", pack(signs) or None)
    drawn = draw([scene])[0]
    with place:
        paint(page, "canvas", drawn, signs, INKS, painted)
        empty = signs == NOTHING
        clear = {"key": page.key("clear"), "icon": ":material/ink_eraser:", "on_click": painted, "args": (NOTHING,)}
        st.button(t("canvas.clear"), disabled=empty, **clear)
    st.caption(t("picture.painted" if not empty else "picture.unseen" if held_out(scene) else "picture.seen"))
    return scene, overlay(drawn, signs)


def answers(own):
    """What is it? Asked of captions, without a classifier."""
    part = controls.segmented(page, "part", list(PARTS), "colour")
    shares = asked(space, own, part, pair.network.temperature)
    order = shares.argsort(descending=True)
    data = distribution_data(order, [names[part][PARTS[part][i]] for i in order], shares[order], shares[order])
    spec = distribution_chart(len(order), "", t.plain("caption.share"), t.plain("caption.answer"), page.language)
    ui_charts.draw(page, f"answers_{part}", spec, data, t.plain("caption.alt", answer=data["token"][0], share=float(shares.max())))
    panels.download(page, "answers", lambda: data)


def matrix(pictures, captions, seen, read):
    with panels.panel(page, "matrix", "live"):
        with st.container(horizontal=True, gap="medium"):
            temperature = live_slider(page, "temperature", 0.01, 0.5, 0.05, 0.01)
            controls.segmented(page, "tongue", ["page", "both"], "page")
        cosines = similarity(seen, read)
        data = charts.matrix_data(pictures, captions, cosines.numpy(), temperature)
        words = {name: t.plain(f"matrix.{name}") for name in ("cosine", "share")}
        follow = selector(page, "temperature")
        spec = charts.matrix_chart(len(captions), **words, follow=follow, language=page.language)
        own = float((cosines[0] / temperature).softmax(0)[0])
        ui_charts.draw(page, "matrix", spec, data, t.plain("matrix.alt", share=own, caption=captions[0]))
        ui_charts.seen_first()
        losses = {"loss": float(contrastive_loss(seen, read, 1 / temperature)), "blind": blind_loss(len(captions))}
        panels.metrics(page, losses, {"loss": ".2f", "blind": ".2f"})
        panels.download(page, "matrix", lambda: data.drop(columns=["image", "now"]))


def the_map(picture, text, own, told):
    with panels.panel(page, "map", "live"):
        seen = [*space.drawn[::MAP_EVERY], picture]
        words = [*(caption(scene, page.language) for scene in space.shown[::MAP_EVERY]), text]
        data = charts.space_data(*space.beside(MAP_EVERY, own, told), seen, words)
        spec = charts.space_chart(t.plain("map.picture"), t.plain("map.words"), page.language)
        ui_charts.draw(page, "map", spec, data, t.plain("map.alt", n=len(words)))
        panels.download(page, "map", lambda: data.drop(columns="image"))


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
panels.source(page, contrastive_loss, asked, type(pair.network).embed_pictures)
panels.sources(page)
