"""Rules for scales by name, for designs of all kinds at once."""

from collections.abc import Sequence

from macsmith.model.accuracy.block_arithmetic import parse_block_scaling
from macsmith.model.accuracy.quantise import SCALINGS, Scaling
from macsmith.model.blocks import ScaleRule
from macsmith.model.config import MacConfig

__all__ = ["check_scalings", "scaling_for"]

#: Rules for the scales of blocks.
BLOCK_SCALINGS = tuple(rule.value for rule in ScaleRule)


def check_scalings(names: Sequence[str]) -> None:
    """Find out whether names can be rules of one sweep.

    Raises
    ------
    ValueError
        There is no such rule, or there are two of one kind.
    """
    for name in names:
        if name not in (*SCALINGS, *BLOCK_SCALINGS):
            raise ValueError(
                f"must be one of {', '.join(SCALINGS)}, or for blocks one of "
                f"{', '.join(BLOCK_SCALINGS)}, not {name!r}"
            )
    for kind, what in ((SCALINGS, "rows and tensors"), (BLOCK_SCALINGS, "blocks")):
        chosen = [name for name in names if name in kind]
        if len(chosen) > 1:
            raise ValueError(f"must have one rule for {what}, not {' and '.join(chosen)}")


def scaling_for(config: MacConfig, names: Sequence[str]) -> str:
    """The one of some rules that a design's operands are scaled by.

    Rules for rows and tensors (`macsmith.model.accuracy.quantise.SCALINGS`) are for designs
    without blocks, those of `macsmith.model.blocks.ScaleRule` for blocks.

    Returns
    -------
    str
        ``row``, the default of both, if there is no rule for this kind of design, or if it is the
        block format's own.

    Raises
    ------
    ValueError
        See `check_scalings`.
    """
    check_scalings(names)
    default = Scaling.ROW.value
    kind = SCALINGS if config.block is None else BLOCK_SCALINGS
    chosen = next((name for name in names if name in kind), default)
    if config.block is None:
        return chosen
    own = parse_block_scaling(config, default)
    return default if parse_block_scaling(config, chosen) is own else chosen
