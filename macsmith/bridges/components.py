"""Priced designs as components: what a tool for whole accelerators asks of a multiply-accumulator,
its two halves, and a quantiser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from macsmith.model.design import Design, parse_design
from macsmith.model.widths import mac_widths
from macsmith.synth.parts import PARTS, part_of_path

__all__ = [
    "Component",
    "Kind",
    "components_of_estimate",
    "components_of_price",
    "components_of_rows",
    "feature_nm",
    "number_text",
]

Kind = Literal["mac", "multiplier", "accumulator", "quantiser"]

#: Parts of a MAC that come before its sum.
_MULTIPLIER_PARTS = ("decode", "multiply", "ports")
_BEFORE_SUM = {"decode", "multiply"}
_ALL_PARTS = (*PARTS, "ports", "register", "clock")


@dataclass(frozen=True)
class Component:
    """What one instance costs.

    Attributes
    ----------
    kind
        ``mac``: one multiply-accumulate, with what the design has around it, divided by the MACs
        that it does at once. ``multiplier`` and ``accumulator``: its two halves, whose areas and
        energies add up to it. ``quantiser``: one binary32 number becoming a code of a format (with
        its share of the scale, of a block format).
    design
        Design text; of a quantiser the format.
    technology
        Name of a technology of macsmith.
    area_um2
        Cell area, without wires.
    energy_pj
        Of one action.
    leakage_nw
        Static power; None where it is not known: then tools are told 0.
    delay_ps
        Shortest time between two actions: the critical path. Of a half, that of the whole.
    latency_cycles
        From operands to the sum.
    input_bits
        Width of each operand.
    output_bits
        Width of what comes out; of a MAC or an accumulator, of the partial sum.
    feature_nm
        Feature size by which tools know the technology.
    source
        Where the figures come from, for people.
    """

    kind: Kind
    design: str
    technology: str
    area_um2: float
    energy_pj: float
    leakage_nw: float | None
    delay_ps: float
    latency_cycles: int
    input_bits: tuple[int, ...]
    output_bits: int
    feature_nm: float
    source: str

    @property
    def name(self) -> str:
        """As an identifier, such as ``e4m3_e6m9_64_mac_asap7``."""
        text = f"{self.design}_{self.kind}_{self.technology}"
        return "".join(c if c.isalnum() else "_" for c in text)

    def to_dict(self) -> dict[str, Any]:
        """All fields and the name, as JSON can hold them."""
        return {"name": self.name, **asdict(self), "input_bits": list(self.input_bits)}


def number_text(value: float) -> str:
    """A number with 6 digits that YAML 1.1 takes for one: with a point before an exponent."""
    text = f"{value:.6g}"
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def feature_nm(technology: str) -> float:
    """Feature size of a kept standard-cell technology in nm.

    Raises
    ------
    ValueError
        The technology has none: an FPGA family, or Liberty files of the user's.
    """
    sizes = {"asap7": 7.0, "sky130": 130.0, "ihp-sg13g2": 130.0}
    if technology not in sizes:
        raise ValueError(
            f"technology {technology}: components must be of {', '.join(sizes)}: tools ask for the "
            "feature size"
        )
    return sizes[technology]


def _energy(record: Mapping[str, Any], what: str) -> tuple[float, str]:
    """Energy of a MAC, and with which operands."""
    for column, operands in (
        ("energy_pj_per_mac", str(record.get("energy_operands", "operands of the sweep"))),
        ("vectorless_energy_pj_per_mac", "no operands: every net toggles in half of the cycles"),
    ):
        value = record.get(column)
        if isinstance(value, int | float) and value == value:
            return float(value), operands
    raise ValueError(f"{what}: must have an energy: price it with operands, such as gaussian")


def _mac(record: Mapping[str, Any], design: Design) -> Component:
    what = f"{design.text}, {record.get('technology')}"
    missing = [name for name in ("area_um2_per_mac", "delay_ps") if not record.get(name, 0) > 0]
    if missing:
        raise ValueError(f"{what}: must have {' and '.join(missing)}")
    mac, implementation = design.mac, design.implementation
    macs = mac.lanes * implementation.rows * implementation.columns
    energy_pj, operands = _energy(record, what)
    recipe = record.get("recipe", "unknown")
    checked = record.get("checked", "unchecked")
    return Component(
        kind="mac",
        design=design.text,
        technology=str(record["technology"]),
        area_um2=float(record["area_um2_per_mac"]),
        energy_pj=energy_pj,
        leakage_nw=float(record["leakage_nw"]) / macs if "leakage_nw" in record else None,
        delay_ps=float(record["delay_ps"]),
        latency_cycles=implementation.stages + 1,
        input_bits=(mac.a.bits, mac.b.bits),
        output_bits=mac_widths(mac).partial_sum_bits,
        feature_nm=feature_nm(str(record["technology"])),
        source=f"synthesised, recipe {recipe}; energy: {operands}; check: {checked}",
    )


def _halves(mac: Component, record: Mapping[str, Any], design: Design) -> list[Component]:
    """Multiplier and accumulator of a MAC; none where they were not told apart.

    The area of the whole is split as that of the modules, each mapped for itself; the energy as
    the parts of the mapped netlist.
    """
    modules: Mapping[str, Mapping[str, float]] = record.get("module_area_um2", {})
    areas = {True: 0.0, False: 0.0}
    for name, module in modules.items():
        if "own_area_um2" in module:
            part = part_of_path([name.removeprefix(f"{design.id}_")])
            areas[part in _BEFORE_SUM] += module["instances"] * module["own_area_um2"]
    energies = {part: record.get(f"{part}_energy_pj_per_mac") for part in _ALL_PARTS}
    known = {part: float(value) for part, value in energies.items() if value is not None}
    before = sum(known.get(part, 0.0) for part in _MULTIPLIER_PARTS)
    if not areas[True] or not areas[False] or not before or "energy_pj_per_mac" not in record:
        return []
    area_share = areas[True] / (areas[True] + areas[False])
    energy_share = before / mac.energy_pj
    product_bits = 1 + mac_widths(design.mac).product.max_integer.bit_length()
    common = asdict(mac)
    source = f"its share of {design.text}; {mac.source}"

    def half(kind: Kind, area: float, energy: float, **more: Any) -> Component:
        shares = {
            "kind": kind,
            "area_um2": area * mac.area_um2,
            "leakage_nw": None if mac.leakage_nw is None else area * mac.leakage_nw,
            "energy_pj": energy * mac.energy_pj,
            "source": source,
        }
        return Component(**(common | shares | more))

    return [
        half("multiplier", area_share, energy_share, output_bits=product_bits),
        half(
            "accumulator",
            1 - area_share,
            1 - energy_share,
            input_bits=(product_bits, mac.output_bits),
        ),
    ]


def components_of_price(record: Mapping[str, Any], design: Design) -> list[Component]:
    """A design's components, from the record that `macsmith.synthesize` gives.

    Returns
    -------
    list of Component
        The MAC first; then multiplier and accumulator, if area and energy were split.

    Raises
    ------
    ValueError
        The record misses area, delay or energy, or is of no standard-cell technology; or the
        design is switchable and so has no one width.
    """
    if design.is_switchable:
        raise ValueError(f"{design.text}: a component must have one mode, not {len(design.modes)}")
    mac = _mac(record, design)
    return [mac, *_halves(mac, record, design)]


def components_of_estimate(designs: Sequence[Design], technology: str) -> list[Component]:
    """MACs by the cost model (`macsmith.model.cost.estimate`), built for area; leakage unknown.

    The energy is that of normally distributed operands.

    Raises
    ------
    ValueError
        A switchable design, or one of whose family no energy was sampled.
    """
    from macsmith.model.cost.estimate import estimate_table

    table = estimate_table(designs, technology)
    found = []
    for place, design in enumerate(designs):
        record = table.record(place)
        if "energy_fj_per_mac" not in record:
            raise ValueError(
                f"{design.text}, {technology}: has no estimate of energy, for no design of its "
                "family was sampled: leave --estimate out"
            )
        price = {
            "technology": technology,
            "area_um2_per_mac": record["area_um2"] / record["macs"],
            "delay_ps": record["delay_ps"],
            "energy_pj_per_mac": record["energy_fj_per_mac"] / 1000,
        }
        (mac,) = components_of_price(price, design)
        spans = ", ".join(
            f"{name} {record[f'{name}_low']:g} to {record[f'{name}_high']:g}"
            for name in ("area_um2", "delay_ps", "energy_fj_per_mac")
        )
        outside = f"; outside of the samples: {record['outside']}" if "outside" in record else ""
        source = f"estimated, 9 of 10 within {spans} of the design; leakage unknown{outside}"
        found.append(replace(mac, source=source))
    return found


def components_of_rows(
    path: Path, designs: Sequence[str] = (), technologies: Sequence[str] = ()
) -> list[Component]:
    """MACs from the table of a report, ``results.csv`` or ``results.parquet``.

    Parameters
    ----------
    designs, technologies
        Only these; all by default. Rows without area, delay or energy are left out, unless their
        design was asked for.

    Raises
    ------
    ValueError
        A design is not in the table, or misses a figure.
    OSError
        The file cannot be read.
    """
    import pandas as pd

    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except ValueError as error:  # what pandas and Arrow say of a file that is none
        raise ValueError(f"{path}: must be a report's results.csv or .parquet: {error}") from None
    for name in ("design", "technology"):
        if name not in frame.columns:
            raise ValueError(f"{path}: must have a column {name}, as a report's results have")
    asked = [parse_design(text).text for text in designs]
    found: list[Component] = []
    for row in json.loads(frame.to_json(orient="records")):
        given = {name: value for name, value in row.items() if value is not None}
        if (asked and given["design"] not in asked) or (
            technologies and given["technology"] not in technologies
        ):
            continue
        has_figures = {"area_um2_per_mac", "delay_ps", "energy_pj_per_mac"} <= given.keys()
        design = parse_design(given["design"])
        if asked or (has_figures and not design.is_switchable):
            found += components_of_price(given, design)
    absent = sorted(set(asked) - {component.design for component in found})
    if absent or not found:
        raise ValueError(
            f"{path}: must have rows of {', '.join(absent) or 'priced designs'}; price the design "
            "by leaving --table out"
        )
    return found
