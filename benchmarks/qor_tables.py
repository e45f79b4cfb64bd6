"""The tables of `benchmarks/qor.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qor_jobs import TEXTBOOK, Job, Row, read_kept
from rich.table import Table


def _is_speed(row: Row) -> bool:
    return row.recipe.startswith("fastest")


def _least(rows: Iterable[Row], *, cells: bool, speed: bool) -> Row | None:
    """The best row: of least area, or of least area times delay by a recipe for speed."""
    # in a library without a full-adder cell the plain recipes are all there are
    fit = [row for row in rows if (("-fa" in row.recipe) <= cells) and _is_speed(row) == speed]
    if not speed:
        fit = [row for row in fit if row.recipe.startswith("smallest")]
    return min(fit, key=lambda row: row.area * row.delay_ps if speed else row.area, default=None)


def _change(row: Row, kept: dict[tuple[str, str, str, str], Row]) -> str:
    before = kept.get(row.key)
    if before is None or not before.area:
        return "new"
    return f"{100 * (row.area / before.area - 1):+.1f} %"


def _mark(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def area_table(tech: str, jobs: Sequence[Job], rows: Sequence[Row]) -> Table:
    kept = read_kept()
    table = Table(title=f"{tech}: um2 per product; area x delay in 1000 um2 ps per product")
    small_heads = ["smallest", "gates only", "change", "textbook", "ours / textbook"]
    fast_heads = ["fastest", "area x delay", "gates only"]
    if tech == "asap7":
        small_heads += ["peer", "aim", ""]
        fast_heads += ["peer", "aim", ""]
    table.add_column("job")
    for head in [*small_heads, *fast_heads]:
        table.add_column(head, justify="right")
    for job in jobs:
        ours = [row for row in rows if row.job == job.name and row.design != TEXTBOOK]
        book = [row for row in rows if row.job == job.name and row.design == TEXTBOOK]
        small = _small_cells(job, ours, book, kept) if ours else []
        fast = _fast_cells(job, ours) if ours else []
        cells = [
            *(small or [""] * len(small_heads))[: len(small_heads)],
            *(fast or [""] * len(fast_heads))[: len(fast_heads)],
        ]
        table.add_row(job.name, *cells)
    return table


def _small_cells(
    job: Job,
    ours: Sequence[Row],
    book: Sequence[Row],
    kept: dict[tuple[str, str, str, str], Row],
) -> list[str]:
    small = _least(ours, cells=True, speed=False)
    gates = _least(ours, cells=False, speed=False)
    yardstick = _least(book, cells=False, speed=False)
    if small is None or gates is None:
        return []
    return [
        f"{small.area:.2f}",
        f"{gates.area:.2f}",
        _change(small, kept),
        f"{yardstick.area:.1f}" if yardstick else "",
        f"{small.area / yardstick.area:.3f}" if yardstick else "",
        f"{job.peer.smallest_um2:g}",
        f"{job.max_area_um2:g}",
        _mark(small.area <= job.max_area_um2),
    ]


def _fast_cells(job: Job, ours: Sequence[Row]) -> list[str]:
    fast = _least(ours, cells=True, speed=True)
    gates = _least(ours, cells=False, speed=True)
    if fast is None or gates is None:
        return []
    product = fast.area * fast.delay_ps / 1000
    peers = job.peer.fastest_um2 * job.peer.fastest_ps / 1000
    aim = job.max_ratio * peers
    return [
        f"{fast.area:.1f} @ {fast.delay_ps:.0f}",
        f"{product:.1f}",
        f"{gates.area * gates.delay_ps / 1000:.1f}",
        f"{peers:.1f}",
        f"{aim:.1f}",
        _mark(product <= aim),
    ]


def lut_table(tech: str, jobs: Sequence[Job], rows: Sequence[Row]) -> Table:
    table = Table(title=f"{tech}: LUTs + carry bits per product, no DSP blocks")
    for head in ("job", "ours", "architecture", "change", "textbook", "aim", ""):
        table.add_column(head, justify="left" if head in ("job", "architecture") else "right")
    kept = read_kept()
    for job in jobs:
        ours = [row for row in rows if row.job == job.name and row.design != TEXTBOOK]
        book = [row for row in rows if row.job == job.name and row.design == TEXTBOOK]
        if not ours:
            continue
        best = min(ours, key=lambda row: row.area)
        aim = dict(job.max_lut4).get(tech)
        table.add_row(
            job.name,
            f"{best.area:.1f} + {best.carry:.1f}",
            best.design,
            _change(best, kept),
            f"{book[0].area:.1f} + {book[0].carry:.1f}" if book else "",
            str(aim or ""),
            _mark(best.area <= aim) if aim else "",
        )
    return table


def front_table(job: Job, rows: Sequence[Row]) -> Table:
    """Rows that no other beats in both area and delay."""
    table = Table(title=f"{job.name}: front of area and delay over recipes and architectures")
    for head in ("um2", "ps", "1000 um2 ps", "recipe", "design"):
        table.add_column(head, justify="left" if head in ("recipe", "design") else "right")
    best = float("inf")
    ours = [row for row in rows if row.job == job.name and row.design != TEXTBOOK]
    for row in sorted(ours, key=lambda row: (row.area, row.delay_ps)):
        if row.delay_ps < best:
            best = row.delay_ps
            table.add_row(
                f"{row.area:.2f}",
                f"{row.delay_ps:.0f}",
                f"{row.area * row.delay_ps / 1000:.1f}",
                row.recipe,
                row.design,
            )
    return table
