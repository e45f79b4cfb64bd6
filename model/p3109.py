"""How IEEE P3109 names roundings and saturations, as the roundings and policies they are here.

Source: IEEE P3109 interim report, version 4.0. A projection is a rounding and a saturation; the
format decides what SatNone means: infinity in an extended format, the largest number in a finite
one.
"""

from macsmith.model.formats import FloatFormat
from macsmith.model.rounding import Overflow, Rounding, RoundingMode, StochasticRounding

__all__ = ["ROUNDINGS", "SATURATIONS", "projection"]

ROUNDINGS: dict[str, Rounding] = {
    "NearestTiesToEven": Rounding.NEAREST_EVEN,
    "NearestTiesToAway": Rounding.NEAREST_AWAY,
    "TowardZero": Rounding.TOWARD_ZERO,
    "TowardPositive": Rounding.UP,
    "TowardNegative": Rounding.DOWN,
    "ToOdd": Rounding.TO_ODD,
}
SATURATIONS = ("SatFinite", "SatPropagate", "SatNone")
_STOCHASTIC = {"StochasticA": "a", "StochasticB": "b", "StochasticC": "c"}


def projection(
    fmt: FloatFormat, rounding: str, saturation: str = "SatNone", random_bits: int | None = None
) -> tuple[RoundingMode, Overflow]:
    """Rounding and overflow policy of a projection onto `fmt`.

    Parameters
    ----------
    rounding
        A name of `ROUNDINGS`, or StochasticA, B or C.
    saturation
        One of `SATURATIONS`. In a format without infinity all three give the largest number.
    random_bits
        Only with the stochastic roundings, which need it: how many.

    Raises
    ------
    ValueError
        An unknown name; random bits are missing, or given where nothing is random.
    """
    if saturation not in SATURATIONS:
        raise ValueError(f"saturation must be one of {', '.join(SATURATIONS)}, not {saturation!r}")
    if rounding not in ROUNDINGS and rounding not in _STOCHASTIC:
        names = ", ".join((*ROUNDINGS, *_STOCHASTIC))
        raise ValueError(f"rounding must be one of {names}, not {rounding!r}")
    mode: RoundingMode
    if (random_bits is not None) != (rounding in _STOCHASTIC):
        raise ValueError(
            f"{rounding}: random bits must be {'stated' if rounding in _STOCHASTIC else 'left out'}"
        )
    if random_bits is not None:
        mode = StochasticRounding(random_bits, _STOCHASTIC[rounding])
    else:
        mode = ROUNDINGS[rounding]
    if saturation == "SatFinite" or not fmt.has_infinity:
        return mode, Overflow.SATURATE
    return mode, Overflow.PROPAGATE if saturation == "SatPropagate" else Overflow.INFINITY
