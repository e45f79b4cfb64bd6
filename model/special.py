"""What a code can stand for that is no number."""

from enum import Enum

__all__ = ["Special"]


class Special(Enum):
    """A value that is no number."""

    NAN = "nan"
    POSITIVE_INFINITY = "inf"
    NEGATIVE_INFINITY = "-inf"
