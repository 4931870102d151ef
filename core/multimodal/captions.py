"""What one says of a drawn thing, in German and English."""

import random
import re
from functools import cache

from core.multimodal.scenes import COLOURS, PLACES, SHAPES, SIZES, Scene

_ENGLISH_PLACES = {
    "top_left": "at the top left", "top_centre": "at the top", "top_right": "at the top right",
    "middle_left": "on the left", "middle_centre": "in the middle", "middle_right": "on the right",
    "bottom_left": "at the bottom left", "bottom_centre": "at the bottom", "bottom_right": "at the bottom right",
}  # fmt: skip
_GERMAN_PLACES = {
    "top_left": "oben links", "top_centre": "oben", "top_right": "oben rechts",
    "middle_left": "links", "middle_centre": "in der Mitte", "middle_right": "rechts",
    "bottom_left": "unten links", "bottom_centre": "unten", "bottom_right": "unten rechts",
}  # fmt: skip
_GERMAN_SHAPES = {
    "circle": ("Kreis", "m"), "square": ("Quadrat", "n"), "triangle": ("Dreieck", "n"),
    "star": ("Stern", "m"), "cross": ("Kreuz", "n"), "diamond": ("Raute", "f"),
}  # fmt: skip
_GERMAN = {
    "red": "rot", "yellow": "gelb", "green": "grün", "blue": "blau", "violet": "violett", "black": "schwarz",
    "small": "klein", "large": "groß",
}  # fmt: skip
_ENDINGS = {"m": "er", "n": "es", "f": "e"}  # of adjectives without an article or after "ein"
_ARTICLES = {"m": ("ein", "der"), "n": ("ein", "das"), "f": ("eine", "die")}
LANGUAGES = ("de", "en")
ARTICLES = ("a", "the", "", "list")


def caption(scene: Scene, language: str, article: str = "a", size: bool = True, colour: bool = True, place: bool = True) -> str:
    """One description; `article` is "a", "the", "" (none) or "list" (noun first), the rest says what is mentioned.

    caption(Scene("diamond", "red", "small", "top_left"), "de") -> "eine kleine rote Raute oben links".
    """
    adjectives = [name for name, said in ((scene.size, size), (scene.colour, colour)) if said]
    if article == "list":
        noun = scene.shape if language == "en" else _GERMAN_SHAPES[scene.shape][0]
        where = (_ENGLISH_PLACES if language == "en" else _GERMAN_PLACES)[scene.place].removeprefix("at the ")
        return ", ".join([noun, *(a if language == "en" else _GERMAN[a] for a in adjectives), *([where] if place else [])])
    if language == "en":
        words = [article, *adjectives, scene.shape, _ENGLISH_PLACES[scene.place] if place else ""]
    else:
        noun, gender = _GERMAN_SHAPES[scene.shape]
        ending = "e" if article == "the" else _ENDINGS[gender]
        words = [
            {"a": _ARTICLES[gender][0], "the": _ARTICLES[gender][1], "": ""}[article],
            *(_GERMAN[adjective] + ending for adjective in adjectives),
            noun,
            _GERMAN_PLACES[scene.place] if place else "",
        ]
    return " ".join(word for word in words if word)


def any_caption(scene: Scene, rng: random.Random) -> str:
    """A description as training draws it: either language, any of ARTICLES, two in ten leave something out."""
    left_out = rng.choice(("size", "colour", "place")) if rng.random() < 0.2 else ""
    said = {part: part != left_out for part in ("size", "colour", "place")}
    return caption(scene, rng.choice(LANGUAGES), rng.choice(ARTICLES), **said)


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return re.findall(r"\w+", text.lower())


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word that a description can hold, in alphabetical order."""
    found = set()
    for shape in SHAPES:
        for colour, size, place in zip(list(COLOURS) * 3, list(SIZES) * 9, PLACES * 2):
            for language in LANGUAGES:
                for article in ARTICLES:
                    found |= set(words_of(caption(Scene(shape, colour, size, place), language, article)))
    return tuple(sorted(found))
