"""Charts with tokens on an axis."""

from collections.abc import Sequence


def axis_labels(labels: Sequence[str], longest: int = 18) -> list[str]:
    """Labels for an axis: shortened, and made different where a token returns (by invisible signs)."""
    seen: dict[str, int] = {}
    unique = []
    for label in labels:
        label = label if len(label) <= longest else label[: longest - 1] + "…"
        seen[label] = seen.get(label, -1) + 1
        unique.append(label + "\u200b" * seen[label])
    return unique
