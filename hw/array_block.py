"""The array of a design, in the form that it asks for."""

from macsmith.hw.array import SystolicArray
from macsmith.hw.broadcast_array import BroadcastArray
from macsmith.model.design import Design

__all__ = ["array_block"]


def array_block(design: Design) -> SystolicArray | BroadcastArray:
    """Array whose elements hand operands on, or get them all at once (``feed=``)."""
    if design.implementation.feed == "broadcast":
        return BroadcastArray(design)
    return SystolicArray(design)
