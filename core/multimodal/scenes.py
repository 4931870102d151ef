"""Pictures of one drawn thing: its shape, colour, size and place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

SIDE = 32  # pixels
FINE = 2  # each pixel is the mean of FINE x FINE points, so that edges are smooth
SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")
COLOURS = {
    "red": (214, 40, 40), "yellow": (244, 196, 20), "green": (44, 150, 70),
    "blue": (40, 90, 200), "violet": (130, 60, 170), "black": (30, 30, 34),
}  # fmt: skip
SIZES = {"small": 0.12, "large": 0.23}  # half the width, as a share of the picture's side
PLACES = tuple(f"{y}_{x}" for y, x in product(("top", "middle", "bottom"), ("left", "centre", "right")))


@dataclass(frozen=True)
class Scene:
    """What a picture shows; every field is one of the names above."""

    shape: str
    colour: str
    size: str
    place: str


def scenes() -> Iterator[Scene]:
    """All combinations there are: 6 shapes, 6 colours, 2 sizes, 9 places."""
    return (Scene(*parts) for parts in product(SHAPES, COLOURS, SIZES, PLACES))


def held_out(scene: Scene) -> bool:
    """Whether training never sees this combination: one in nine, every shape, colour, size and place among them."""
    shape, colour = SHAPES.index(scene.shape), list(COLOURS).index(scene.colour)
    size, place = list(SIZES).index(scene.size), PLACES.index(scene.place)
    return (shape + 2 * colour + 4 * size + 5 * place) % 9 == 0


def neighbours(scene: Scene) -> list[Scene]:
    """The scene itself, four that differ in one thing each (shape, colour, size, place), and one that differs in all."""
    shape, colour, size = _other(SHAPES, scene.shape), _other(COLOURS, scene.colour, 3), _other(SIZES, scene.size)
    place = PLACES[0] if scene.place == "middle_centre" else PLACES[-1 - PLACES.index(scene.place)]  # the opposite one
    one_off = [replace(scene, shape=shape), replace(scene, colour=colour), replace(scene, size=size), replace(scene, place=place)]
    return [scene, *one_off, Scene(_other(SHAPES, shape), _other(COLOURS, colour, 2), size, place)]


def _other(names: Iterable[str], now: str, step: int = 1) -> str:
    names = list(names)
    return names[(names.index(now) + step) % len(names)]


def draw(shown: Sequence[Scene], rng: np.random.Generator | None = None) -> np.ndarray:
    """Pictures (n, SIDE, SIDE, 3), uint8. With `rng` each differs a little in place, size, turn, colour and ground."""
    n = len(shown)
    jitter = rng.uniform(-1, 1, (n, 8)) if rng else np.zeros((n, 8))
    y = np.array([PLACES.index(s.place) // 3 for s in shown]) / 4 + 0.25 + 0.035 * jitter[:, 0]
    x = np.array([PLACES.index(s.place) % 3 for s in shown]) / 4 + 0.25 + 0.035 * jitter[:, 1]
    half = np.array([SIZES[s.size] for s in shown]) * (1 + 0.12 * jitter[:, 2])
    turn = 0.12 * jitter[:, 3]
    colour = np.array([COLOURS[s.colour] for s in shown]) + 18 * jitter[:, 4:7]
    ground = 248 + 6 * jitter[:, 7]

    points = (np.arange(SIDE * FINE) + 0.5) / (SIDE * FINE)
    down, across = points[None, :, None] - y[:, None, None], points[None, None, :] - x[:, None, None]
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    u, v = (across * cos + down * sin) / half[:, None, None], (down * cos - across * sin) / half[:, None, None]
    inside = np.empty(u.shape, bool)
    for shape in SHAPES:
        of_shape = np.array([s.shape == shape for s in shown])
        inside[of_shape] = _INSIDE[shape](u[of_shape], v[of_shape])
    cover = inside.reshape(n, SIDE, FINE, SIDE, FINE).mean((2, 4))[..., None]  # (n, SIDE, SIDE, 1)
    pixels = cover * colour[:, None, None] + (1 - cover) * ground[:, None, None, None]
    return pixels.clip(0, 255).astype(np.uint8)


def _star(u, v):
    """A five-pointed star: the radius falls and rises five times a turn."""
    angle = (np.arctan2(u, -v) / (2 * np.pi) * 5) % 1  # 0 at a point, 0.5 in a notch
    return np.hypot(u, v) < 1.1 - 1.3 * np.minimum(angle, 1 - angle)


# Where a shape of half width 1 around (0, 0) has ink; v points down.
_INSIDE = {
    "circle": lambda u, v: u * u + v * v < 1,
    "square": lambda u, v: np.maximum(abs(u), abs(v)) < 0.88,
    "triangle": lambda u, v: (v < 0.8) & (abs(u) < (v + 1) * 0.58),
    "star": _star,
    "cross": lambda u, v: (np.minimum(abs(u), abs(v)) < 0.3) & (np.maximum(abs(u), abs(v)) < 1),
    "diamond": lambda u, v: abs(u) * 1.35 + abs(v) < 1.1,
}
