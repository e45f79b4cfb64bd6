"""Whether a float accumulator adds on one path or on two."""

from macsmith.hw.loose_term import TermRange, loose_obstacle, loose_term
from macsmith.model.config import MacConfig
from macsmith.model.formats import IntFormat
from macsmith.model.implementation import Implementation
from macsmith.model.rounding import Rounding
from macsmith.model.widths import mac_widths

__all__ = ["resolve_path"]


def resolve_path(config: MacConfig, implementation: Implementation) -> str:
    """How a float accumulator adds its one product: in which architecture.

    Measured on the bare step in ASAP7, um2 by `smallest-fa`, um2 @ ps by `fastest`, and LUT4 of
    ECP5 and iCE40 (carry apart):

    ============== ======= ===== ============= === ===
    step           path    area  fast          ECP iCE
    ============== ======= ===== ============= === ===
    `e4m3:e6m9`    single  37.9  65.4 @ 1405   269 326
    .              compact 34.7  58.7 @ 1360   230 284
    .              dual    49.8  71.8 @ 985    429 449
    `e3m2:e6m5`    single  24.8  40.0 @ 1140   175 210
    .              compact 23.4  36.2 @ 1057   147 189
    .              dual    34.9  46.3 @ 777
    `e4m3:e8m7`    single  35.3  61.7 @ 1403   254 303
    .              compact 33.7  58.5 @ 1341   209 274
    .              dual    50.0  72.2 @ 975
    `e5m2:e6m9`    single  34.8  65.2 @ 1383   254 322
    .              dual    50.3  71.0 @ 948    462 462
    `e4m3xe5m2`    single  36.2  62.7 @ 1514   276 342
    `:e6m9`        dual    51.5  76.6 @ 1001
    `e4m3:e5m10`   single  40.1  71.7 @ 1575   307 365
    .              dual    54.9  80.3 @ 1069
    ============== ======= ===== ============= === ===

    The compact path is the smallest and the dual path has the least area x delay where
    they can be built.

    Raises
    ------
    ValueError
        What was asked for cannot be built.
    """
    obstacle = _obstacle(config)
    compact_obstacle = obstacle or _compact_obstacle(config)
    asked = implementation.path
    for path, reason in (("dual", obstacle), ("compact", compact_obstacle)):
        if asked == path and reason:
            raise ValueError(
                f"path={path}: must be a float accumulator whose terms cancel exactly"
                f"{', far above its smallest binade' if path == 'compact' else ''}, but {reason}; "
                "leave path out or say path=single"
            )
    if asked != "auto":
        return asked
    if implementation.goal == "speed" and not obstacle:
        return "dual"
    return "single" if compact_obstacle else "compact"


def _obstacle(config: MacConfig) -> str:
    fmt = mac_widths(config).inner.format
    if fmt is None:
        return "the accumulator is fixed point"
    if config.lanes != 1:
        return f"{config.lanes} lanes are summed in fixed point first"
    if config.stochastic is not None:
        return "random bits are added on a single path only"
    if isinstance(config.a, IntFormat) and isinstance(config.b, IntFormat) and not config.product:
        return "integer products are added in fixed point"
    return loose_obstacle(loose_term(config, fmt), fmt)


def _compact_obstacle(config: MacConfig) -> str:
    fmt = mac_widths(config).inner.format
    assert fmt is not None
    if config.rounding not in (Rounding.NEAREST_EVEN, Rounding.NEAREST_AWAY):
        return "a partial sum far below a term decides how it is rounded"
    if TermRange.of(loose_term(config, fmt), fmt, config.rounding).is_limited:
        return f"terms reach the subnormal numbers of {fmt.name}"
    return ""
