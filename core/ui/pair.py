"""What the page on pictures and words keeps: the trained pair, and the space of all scenes."""

from core.multimodal.pair import ShapesPair, load_pair
from core.multimodal.space import Space, space_of
from core.ui.kept import Kept

_spaces = Kept(most=2)  # one a language


def pair_and_space(language: str) -> tuple[ShapesPair, Space]:
    """The pair of encoders and where all scenes stand, captions in `language`."""
    pair = load_pair()
    return pair, _spaces.get(language, lambda: space_of(pair, language))
