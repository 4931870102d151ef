"""Pictures and captions against each other, and side by side in one plane."""

import base64
import io
from collections.abc import Sequence
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from core.charts.theme import finish, in_role, role_color, spec

ROW, PICTURE = 62, 50  # pixels of a caption with its cells, and of a picture above them


def as_url(picture: np.ndarray, paper: bool = True) -> str:
    """A picture (S, S, 3), uint8, as an address that holds it; without its paper only what is drawn is seen."""
    return _as_url(picture.tobytes(), picture.shape, paper)


@lru_cache(maxsize=1024)
def _as_url(content: bytes, shape: tuple[int, ...], paper: bool) -> str:
    file = io.BytesIO()
    pixels = np.frombuffer(content, np.uint8).reshape(shape)
    if not paper:
        opaque = np.where(pixels.min(-1, keepdims=True) < 235, 255, 0).astype(np.uint8)
        pixels = np.concatenate((pixels, opaque), -1)
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def matrix_data(pictures: Sequence[np.ndarray], captions: Sequence[str], cosines: np.ndarray, temperature: float) -> pd.DataFrame:
    """One row a pair of a caption and a picture; cosines (pictures, captions). The first of each is the viewer's.

    `temperature` is what the shares are worked out with until the slider moves.
    """
    n, m = len(pictures), len(captions)
    i, j = np.indices((n, m)).reshape(2, -1)
    images, words = [""] * (n * m), [*captions, *[""] * (n * m - m)]  # what is shown once stands in one row
    images[::m] = [as_url(picture) for picture in pictures]
    cosine = np.asarray(cosines, np.float32).reshape(-1)
    return pd.DataFrame({"picture": i, "caption": j, "image": images, "words": words, "cosine": cosine, "now": np.float32(temperature)})


@spec
def matrix_chart(n: int, cosine: str, share: str, follow: str, language: str = "en"):
    """Each picture (column) shares 100 % among the captions (rows): softmax of cosine / temperature, down the column.

    The temperature follows the slider `follow` (a CSS selector) in the browser; until it is there, it is that of the data.
    Captions stand above their cells, so that the chart is as readable on a phone.
    """
    slider = alt.param(name="slider", value=None, bind={"element": follow, "event": "input"})
    now = "(isValid(toNumber(slider)) ? toNumber(slider) : datum.now)"
    base = alt.Chart()
    across, down = alt.Scale(domain=[0, n], nice=False), alt.Scale(domain=[-PICTURE / ROW, n], reverse=True, nice=False)

    def x(field):
        return alt.X(f"{field}:Q", scale=across, axis=None)

    def y(field):
        return alt.Y(f"{field}:Q", scale=down, axis=None)

    tooltip = [alt.Tooltip("cosine:Q", title=cosine, format=".2f"), alt.Tooltip("share:Q", title=share, format=".1%")]
    cell = {"x": x("left"), "x2": "right", "y": y("top"), "y2": "bottom"}
    shades = alt.Color("share:Q", scale=alt.Scale(domain=[0, 2]), legend=None)  # half of the shades: numbers stay readable on them
    cells = base.mark_rect(cornerRadius=6).encode(**cell, color=shades, tooltip=tooltip)
    own = base.transform_filter("datum.picture == datum.caption")
    own = own.mark_rect(filled=False, stroke="currentColor", strokeWidth=2, cornerRadius=6)
    numbers = base.mark_text(fontSize=13, fill="currentColor").encode(x=x("middle"), y=y("centre"), text=alt.Text("share:Q", format=".0%"))
    words = base.transform_filter("datum.picture == 0").mark_text(align="left", fontSize=14, fill="currentColor")
    words = words.encode(x=x("left"), y=y("line"), text="words:N")
    pictures = base.transform_filter("datum.caption == 0")
    pictures = pictures.mark_image(width=PICTURE - 4, height=PICTURE - 4, smooth=False).encode(x=x("middle"), y=y("above"), url="image:N")
    chart = (  # the layers share what is worked out here
        alt.layer(cells, own.encode(**cell), numbers, words, pictures)
        .transform_calculate(power=f"exp((datum.cosine - 1) / {now})")
        .transform_joinaggregate(whole="sum(power)", groupby=["picture"])
        .transform_calculate(
            share="datum.power / datum.whole", left="datum.picture + 0.02", right="datum.picture + 0.98",
            middle="datum.picture + 0.5", top="datum.caption + 0.36", bottom="datum.caption + 0.96", centre="datum.caption + 0.66",
            line="datum.caption + 0.19", above=f"{-PICTURE / ROW / 2}",
        )
        .add_params(slider)
    )  # fmt: skip
    return finish(chart, language, height=ROW * n + PICTURE)


def space_data(places: np.ndarray, captions: np.ndarray, pictures: Sequence[np.ndarray], words: Sequence[str]) -> pd.DataFrame:
    """One row a scene: where its picture (n, 2) and its caption (n, 2) stand. The last row is the viewer's."""
    places, captions = np.asarray(places, np.float32), np.asarray(captions, np.float32)
    last = len(words) - 1
    return pd.DataFrame(
        {
            "x": places[:, 0], "y": places[:, 1], "caption_x": captions[:, 0], "caption_y": captions[:, 1],
            "image": [as_url(picture, paper=i == last) for i, picture in enumerate(pictures)],
            "words": list(words), "own": [i == last for i in range(len(words))],
        }
    )  # fmt: skip


@spec
def space_chart(picture: str, caption: str, language: str = "en"):
    """Pictures as pictures, captions as dots, a line between what belongs together; the viewer's are marked.

    The axes are the same for all, so that the viewer's pair is seen to move.
    """
    scale = alt.Scale(domain=[-0.72, 0.72], nice=False)
    axis = alt.Axis(labels=False, grid=True, title=None, tickCount=5)
    x, y = alt.X("x:Q", scale=scale, axis=axis), alt.Y("y:Q", scale=scale, axis=axis)
    at_caption = {"x": alt.X("caption_x:Q", scale=scale, axis=axis), "y": alt.Y("caption_y:Q", scale=scale, axis=axis)}
    base = alt.Chart().encode(tooltip=[alt.Tooltip("words:N", title=caption)])
    lines = base.mark_rule(opacity=0.5, stroke="currentColor").encode(x=x, y=y, x2="caption_x", y2="caption_y")
    pictures = base.transform_filter("!datum.own").mark_image(width=44, height=44, smooth=False).encode(x=x, y=y, url="image:N")
    labels = {"reused": caption, "computed": picture}
    dots = base.transform_calculate(role="'reused'").mark_circle(size=50, opacity=1).encode(**at_caption, color=role_color(labels=labels))
    own = base.transform_filter("datum.own")
    ring = in_role(own, "computed").mark_square(size=3600, opacity=1, cornerRadius=4).encode(x=x, y=y)
    mine = own.mark_image(width=52, height=52, smooth=False).encode(x=x, y=y, url="image:N")
    told = in_role(own, "reused").mark_circle(size=260, opacity=1).encode(**at_caption)
    return finish(alt.layer(lines, pictures, dots, ring, mine, told), language, height=480)
