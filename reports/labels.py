"""Labels of a chart: each where it covers least of the marks and of other labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

__all__ = ["place_labels"]

# Where a label may stand, in points from its mark: right, left, above, below, then further away.
_OFFSETS: tuple[tuple[float, float, str], ...] = (
    (8, 0, "left"),
    (-8, 0, "right"),
    (6, 8, "left"),
    (6, -8, "left"),
    (-6, 8, "right"),
    (-6, -8, "right"),
    (0, 13, "center"),
    (0, -13, "center"),
    (12, 22, "left"),
    (12, -22, "left"),
    (-12, 22, "right"),
    (-12, -22, "right"),
    (16, 36, "left"),
    (16, -36, "left"),
    (-16, 36, "right"),
    (-16, -36, "right"),
)

# A label further from its mark than this is tied to it by a line.
_NEAR_POINTS = 15.0


def place_labels(axis: Axes, canvas: Any) -> None:
    """Move each annotation with the id ``label`` to the first place where it covers least of the
    lines with the id ``point`` and of other labels; one far from its mark gets a line to it."""
    from matplotlib.text import Text

    renderer = canvas.get_renderer()
    taken = [
        artist.get_window_extent(renderer) for artist in axis.lines if artist.get_gid() == "point"
    ]
    frame = axis.get_window_extent(renderer)
    labels: list[Annotation] = [text for text in axis.texts if text.get_gid() == "label"]  # type: ignore[misc]
    for text in labels:
        best: tuple[float, Any, tuple[float, float, str]] | None = None
        for offset in _OFFSETS:
            text.set_position(offset[:2])
            text.set_horizontalalignment(offset[2])  # type: ignore[arg-type]
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer)  # the text alone, without its line
            covered = sum(_overlap(box, other) for other in taken)
            outside = box.width * box.height - _overlap(box, frame)
            price = covered + 5 * outside + 0.5 * math.hypot(*offset[:2])
            if best is None or price < best[0]:
                best = (price, box, offset)
        assert best is not None
        text.set_position(best[2][:2])
        text.set_horizontalalignment(best[2][2])  # type: ignore[arg-type]
        assert text.arrow_patch is not None
        text.arrow_patch.set_visible(math.hypot(*best[2][:2]) > _NEAR_POINTS)
        taken.append(best[1])


def _overlap(first: Any, second: Any) -> float:
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return float(max(width, 0.0) * max(height, 0.0))
