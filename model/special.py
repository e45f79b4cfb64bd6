"""What a code can stand for that is no number, and formats without any of it."""

from enum import Enum

__all__ = ["NumbersOnly", "Special"]


class Special(Enum):
    """A value that is no number."""

    NAN = "nan"
    POSITIVE_INFINITY = "inf"
    NEGATIVE_INFINITY = "-inf"


class NumbersOnly:
    """A format in which every code is a number, and no code a negative zero."""

    @property
    def has_nan(self) -> bool:
        """False: every code is a number."""
        return False

    @property
    def has_infinity(self) -> bool:
        """False: every code is a number."""
        return False

    @property
    def has_specials(self) -> bool:
        """False: every code is a number."""
        return False

    @property
    def has_negative_zero(self) -> bool:
        """False: what would be one is a zero like the other, and never written."""
        return False
