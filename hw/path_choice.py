"""Whether a float accumulator adds on one path or on two."""

from macsmith.hw.loose_term import dual_path_obstacle, loose_term
from macsmith.model.config import Implementation, MacConfig
from macsmith.model.formats import IntFormat
from macsmith.model.widths import mac_widths

__all__ = ["resolve_path"]


def resolve_path(config: MacConfig, implementation: Implementation) -> str:
    """How a float accumulator adds its one product: on a single path or on two.

    Measured on the bare step in ASAP7, um2 by `smallest` and um2 @ ps by `fastest`:

    ================= ====== ============= ====== =============
    step              single               dual
    ================= ====== ============= ====== =============
    `e4m3:e6m9`       39.3   65.4 @ 1405   51.0   75.7 @ 995
    `e5m2:e6m9`       37.9   65.2 @ 1418   50.4   74.7 @ 1019
    `e3m2:e6m5`       25.5   40.2 @ 1091   33.3   49.6 @ 773
    `e4m3xe5m2:e6m9`  39.0   62.8 @ 1428   51.6   78.2 @ 1082
    `e4m3:fp16`       42.8   74.2 @ 1589   56.4   88.8 @ 1121
    `e4m3:bf16`       38.2   59.2 @ 1430   49.3   72.0 @ 996
    ================= ====== ============= ====== =============

    The single path is the smaller by a quarter, the dual path has the smaller area x delay.

    Raises
    ------
    ValueError
        ``path=dual`` was asked for where it cannot be built.
    """
    obstacle = _dual_path_obstacle(config)
    if implementation.path == "dual" and obstacle:
        raise ValueError(
            f"path=dual: must be a float accumulator whose terms cancel exactly, but {obstacle}; "
            "leave path out or say path=single"
        )
    if implementation.path != "auto":
        return implementation.path
    return "dual" if implementation.goal == "speed" and not obstacle else "single"


def _dual_path_obstacle(config: MacConfig) -> str:
    fmt = mac_widths(config).inner.format
    if fmt is None:
        return "the accumulator is fixed point"
    if config.lanes != 1:
        return f"{config.lanes} lanes are summed in fixed point first"
    if config.stochastic is not None:
        return "random bits are added on a single path only"
    if isinstance(config.a, IntFormat) and isinstance(config.b, IntFormat) and not config.product:
        return "integer products are added in fixed point"
    return dual_path_obstacle(loose_term(config, fmt), fmt)
