"""Words of designs drawn field by field: their widths are those of the configuration."""

from __future__ import annotations

import pytest
from macsmith.model.design import parse_design
from macsmith.model.widths import mac_widths
from macsmith.reports.layout import FAMILIES, design_words, format_family

DESIGNS = {
    "e4m3:exact": "float",
    "e4m3xe5m2:exact/64/e6m9:lanes4": "float",
    "e4m3:e6m9/64": "float",
    "int8:int32": "integer",
    "int4xe4m3:exact": "mixed",
    "nvfp4:fp32:lanes16": "block",
    "mxfp8_e4m3:exact/32/exact:lanes32": "block",
    "posit8es1:exact": "posit",
    "posit8es2:posit16": "posit",
    "ternary:int8": "digits",
    "r4e3:exact": "digits",
    "e4m3:ada": "float",
    "e4m3+e5m2:exact": "float",
}


@pytest.mark.parametrize(("text", "family"), DESIGNS.items())
def test_words_have_the_widths_of_the_configuration(text: str, family: str) -> None:
    design = parse_design(text)
    assert format_family(design) == family
    assert family in FAMILIES
    words = design_words(design)
    for index, mac in enumerate(design.modes):
        prefix = f"mode {index}: " if design.is_switchable else ""
        own = {word.role: word for word in words if word.role.startswith(prefix)}
        widths = mac_widths(mac)
        assert own[f"{prefix}A"].bits == mac.a.bits
        assert own[f"{prefix}B"].bits == mac.b.bits
        assert own[f"{prefix}sum"].bits == widths.last.bits
        if widths.outer is not None:
            assert own[f"{prefix}chunk sum"].bits == widths.inner.bits
        if mac.a_scale is not None:
            assert own[f"{prefix}scale of A"].bits == mac.a_scale.bits
        if mac.output_format is not None:
            assert own[f"{prefix}result"].bits == mac.output_format.bits


def test_a_fixed_point_sum_is_drawn_from_flags_to_fraction() -> None:
    # | NaN | sign | 2048 products | 2 * 8 + 2 bits of 448 ** 2 | 2 ** -18 |
    total = next(word for word in design_words(parse_design("e4m3:exact")) if word.role == "sum")
    assert [(field.kind, field.bits) for field in total.fields] == [
        ("flags", 1),
        ("sign", 1),
        ("headroom", 11),
        ("integer", 18),
        ("fraction", 18),
    ]
