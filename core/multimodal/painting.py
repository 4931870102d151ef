"""What a viewer paints over a picture: one sign a pixel, packed into a short text for a link."""

import re
from itertools import groupby

import numpy as np

from core.multimodal.scenes import COLOURS, SIDE, Scene, draw

PAPER = (248, 248, 248)
INKS = (PAPER, *COLOURS.values())  # sign 0 is paper, which rubs out; "." leaves the picture as it is
NOTHING = "." * SIDE**2


def overlay(picture: np.ndarray, painted: str) -> np.ndarray:
    """The picture (SIDE, SIDE, 3) with what was painted on it; raises ValueError for signs or lengths that cannot be."""
    if not re.fullmatch(rf"[.0-{len(INKS) - 1}]{{{SIDE**2}}}", painted):
        raise ValueError(f"a painting must have {SIDE**2} signs of . and 0 to {len(INKS) - 1}")
    signs = np.frombuffer(painted.encode("ascii"), np.uint8).reshape(SIDE, SIDE)
    result = picture.copy()
    for number, ink in enumerate(INKS):
        result[signs == ord(str(number))] = ink
    return result


def pack(painted: str) -> str:
    """Runs of one sign as the sign and how often it stands there: "....11" -> ".4-12"; empty where nothing is painted."""
    return "" if painted == NOTHING else "-".join(sign + str(len(list(run))) for sign, run in groupby(painted))


def unpack(packed: str) -> str:
    """What `pack` packed; raises ValueError for anything else."""
    runs = re.findall(r"(?:^|-)([.0-9])(\d{1,4})(?=-|$)", packed)
    painted = "".join(sign * int(count) for sign, count in runs) if packed else NOTHING
    if len(painted) != SIDE**2 or pack(painted) != packed:
        raise ValueError("not a packed painting")
    return painted


def painted_scene(scene: Scene) -> str:
    """A scene as something painted: its colour where the thing is, nothing elsewhere."""
    covered = np.abs(draw([scene])[0].astype(int) - COLOURS[scene.colour]).sum(-1) < 120
    sign = str(list(COLOURS).index(scene.colour) + 1)
    return "".join(np.where(covered, sign, ".").ravel().tolist())
