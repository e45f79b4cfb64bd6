"""How Yosys maps an accelerator to a board's FPGA: the options of its flow, and a count by it."""

from dataclasses import dataclass, field

from macsmith.hw.dsp_multiply import PAIR_SUFFIXES, pair_box, pair_verilog
from macsmith.model.design import Design

__all__ = ["FlowOptions", "family_of_platform", "flow_options"]

_PAIRS, _BOXES = "macsmith_pairs.map", "macsmith_pair_boxes.inc"


@dataclass(frozen=True)
class FlowOptions:
    """What is added to a family's flow.

    Attributes
    ----------
    options
        Of the command ``synth_<family>``.
    after_read, after_synthesis
        Yosys commands before and behind it; one line, or empty.
    files
        Texts that these read, by file name.
    """

    options: str = ""
    after_read: str = ""
    after_synthesis: str = ""
    files: dict[str, str] = field(default_factory=dict)


def family_of_platform(platform: object) -> str | None:
    """``ice40`` or ``ecp5``, the families that are placed and routed by wheels; else None."""
    bases = {each.__name__ for each in type(platform).__mro__}
    if "SiliconBluePlatform" in bases:
        return "ice40"
    is_lattice = "LatticePlatform" in bases
    return "ecp5" if is_lattice and getattr(platform, "family", None) == "ecp5" else None


def flow_options(design: Design, family: str) -> FlowOptions:
    """Options for an accelerator of this design.

    No memory of an accelerator is read where it is written in the same cycle, so none needs the
    gates that decide what comes then.
    """
    options = "-no-rw-check"
    if family == "ecp5" and design.implementation.dsp == "off":
        return FlowOptions(options + " -nodsp")
    if family != "ice40" or design.implementation.dsp == "off":
        return FlowOptions(options)
    # Yosys' pass for such blocks would take a pair of products for one 16 x 16 multiplier
    return FlowOptions(
        f"{options} -dsp",
        f"read_verilog -overwrite {_BOXES}",
        f"techmap -D MACSMITH_SB_MAC16 -map {_PAIRS}",
        {
            _PAIRS: "\n".join(map(pair_verilog, PAIR_SUFFIXES)),
            _BOXES: "\n".join(map(pair_box, PAIR_SUFFIXES)),
        },
    )
