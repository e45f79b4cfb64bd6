"""Components priced by macsmith for hwcomponents: MAC units, their halves, and quantisers."""

from hwcomponents_macsmith.models import (
    MacsmithAccumulator,
    MacsmithMac,
    MacsmithMultiplier,
    MacsmithQuantiser,
)

__all__ = ["MacsmithAccumulator", "MacsmithMac", "MacsmithMultiplier", "MacsmithQuantiser"]
