"""Textbook units in a few lines of behavioural Verilog: the yardstick of `benchmarks/qor.py`.

They compute what ``DESIGN:unit`` computes, port for port and bit for bit, written as one would
write them first: decode, `*`, shift to a fixed place or align to the larger exponent, `+`,
normalise, round. Nothing in them comes from the generator but widths and codes of the formats.
"""

from __future__ import annotations

from macsmith.model.config import MacConfig
from macsmith.model.design import Design
from macsmith.model.formats import FloatFormat, FloatSpecials, Format, IntFormat
from macsmith.model.rounding import Overflow, Rounding
from macsmith.model.widths import mac_widths

__all__ = ["textbook_verilog"]


def textbook_verilog(design: Design, module: str) -> str:
    """Verilog of the textbook unit of a design.

    Exact and integer accumulators with any lanes over formats of one kind, and float accumulators
    with one lane that round to nearest even; formats with subnormals that are no FNUZ.

    Raises
    ------
    ValueError
        The design is none of these.
    """
    config = design.mac
    for fmt in (config.a, config.b):
        if isinstance(fmt, FloatFormat) and (
            not fmt.has_subnormals or fmt.specials is FloatSpecials.FNUZ
        ):
            raise ValueError(f"{design}: no textbook unit for {fmt.name}")
    widths = mac_widths(config)
    if widths.outer is not None or config.product is not None:
        raise ValueError(f"{design}: no textbook unit for chunks or rounded products")
    if widths.inner.format is None:
        body = _fixed_body(config)
    elif config.lanes == 1 and config.rounding is Rounding.NEAREST_EVEN:
        body = _float_body(config, widths.inner.format)
    else:
        raise ValueError(f"{design}: a textbook unit has 1 lane and rounds to nearest even")
    bits = widths.partial_sum_bits
    return (
        f"module {module}(\n"
        f"  input [{config.lanes * config.a.bits - 1}:0] a,\n"
        f"  input [{config.lanes * config.b.bits - 1}:0] b,\n"
        f"  input [{bits - 1}:0] partial_sum_i,\n"
        f"  output [{bits - 1}:0] partial_sum_o);\n{body}endmodule\n"
    )


def _decode(name: str, fmt: Format, code: str) -> str:
    """Wires ``<name>_sign, _field, _significand, _nan, _infinity`` of a code."""
    if isinstance(fmt, IntFormat):
        raise TypeError("integers are multiplied as they are")
    e, m, top = fmt.exponent_bits, fmt.fraction_bits, fmt.bits - 1
    fraction = f"{name}_code[{m - 1}:0]" if m else ""
    magnitude = f"{name}_code[{top - 1}:0]"
    nan, infinity = "1'b0", "1'b0"
    if fmt.has_infinity:
        infinity = f"{magnitude} == {top}'d{fmt.infinity_code}"
        nan = f"{magnitude} > {top}'d{fmt.infinity_code}"
    elif fmt.has_nan:
        nan = f"{magnitude} > {top}'d{fmt.max_magnitude_code}"
    significand = f"{{|{name}_code[{top - 1}:{m}]{', ' + fraction if m else ''}}}"
    return (
        f"  wire [{top}:0] {name}_code = {code};\n"
        f"  wire {name}_sign = {name}_code[{top}];\n"
        f"  wire [{e - 1}:0] {name}_field = |{name}_code[{top - 1}:{m}] ? "
        f"{name}_code[{top - 1}:{m}] - 1 : 0;\n"
        f"  wire [{m}:0] {name}_significand = {significand};\n"
        f"  wire {name}_nan = {nan};\n"
        f"  wire {name}_infinity = {infinity};\n"
    )


def _fixed_body(config: MacConfig) -> str:
    widths = mac_widths(config).inner
    if widths.clips:
        raise ValueError("no textbook unit for an accumulator that clips")
    width = widths.integer_bits
    a, b = config.a, config.b
    lines: list[str] = []
    sums: list[str] = []
    for lane in range(config.lanes):
        codes = [f"{x}[{lane * f.bits} +: {f.bits}]" for x, f in (("a", a), ("b", b))]
        if isinstance(a, IntFormat) and isinstance(b, IntFormat):
            signed = [
                f"$signed({code})" if fmt.is_signed else f"$signed({{1'b0, {code}}})"
                for code, fmt in zip(codes, (a, b), strict=True)
            ]
            lines.append(f"  wire signed [{width - 1}:0] t{lane} = {signed[0]} * {signed[1]};\n")
        elif isinstance(a, FloatFormat) and isinstance(b, FloatFormat):
            lines.append(_decode(f"a{lane}", a, codes[0]) + _decode(f"b{lane}", b, codes[1]))
            lines.append(_fixed_product(lane, a, b, width))
        else:
            raise ValueError("no textbook unit for an integer times a float")
        sums.append(f"t{lane}")
    total = " + ".join([f"$signed(partial_sum_i[{width - 1}:0])", *sums])
    lines.append(f"  wire signed [{width - 1}:0] total = {total};\n")
    flags = [f"partial_sum_i[{width + flag}]" for flag in range(widths.flag_bits)]
    nans = [f"nan{lane}" for lane in range(config.lanes)]
    if widths.flag_bits == 1:
        flags = [" | ".join([*flags, *nans])]
    elif widths.flag_bits == 2:
        flags = [
            " | ".join([flag, *nans, *(f"{way}{lane}" for lane in range(config.lanes))])
            for flag, way in zip(flags, ("positive", "negative"), strict=True)
        ]
    out = "{" + ", ".join([*reversed(flags), "total"]) + "}"
    return "".join(lines) + f"  assign partial_sum_o = {out};\n"


def _fixed_product(lane: int, a: FloatFormat, b: FloatFormat, width: int) -> str:
    x, y = f"a{lane}", f"b{lane}"
    bits = a.precision + b.precision
    field = max(a.exponent_bits, b.exponent_bits) + 1
    return (
        f"  wire [{bits - 1}:0] p{lane} = {x}_significand * {y}_significand;\n"
        f"  wire [{field - 1}:0] e{lane} = {x}_field + {y}_field;\n"
        f"  wire special{lane} = {x}_nan | {y}_nan | {x}_infinity | {y}_infinity;\n"
        f"  wire nan{lane} = {x}_nan | {y}_nan | ({x}_infinity & ~|{y}_significand)"
        f" | ({y}_infinity & ~|{x}_significand);\n"
        f"  wire infinite{lane} = ({x}_infinity | {y}_infinity) & ~nan{lane};\n"
        f"  wire positive{lane} = infinite{lane} & ~({x}_sign ^ {y}_sign);\n"
        f"  wire negative{lane} = infinite{lane} & ({x}_sign ^ {y}_sign);\n"
        f"  wire [{width - 1}:0] m{lane} = special{lane} ? 0 : p{lane} << e{lane};\n"
        f"  wire signed [{width - 1}:0] t{lane} = {x}_sign ^ {y}_sign ? -m{lane} : m{lane};\n"
    )


def _float_body(config: MacConfig, fmt: FloatFormat) -> str:
    """Normalise the product, align to the larger exponent, add, normalise, round, pack."""
    a, b = config.a, config.b
    if not isinstance(a, FloatFormat) or not isinstance(b, FloatFormat):
        raise ValueError("no textbook unit for integers into a float accumulator")
    if not fmt.has_subnormals or fmt.specials is FloatSpecials.FNUZ:
        raise ValueError(f"no textbook unit for an accumulator in {fmt.name}")
    product_bits = a.precision + b.precision
    precision, m = fmt.precision, fmt.fraction_bits
    # exponents count from the accumulator's smallest binade, of the top bit of a significand
    offset = a.least_exponent + b.least_exponent + product_bits - 1 - fmt.min_normal_exponent
    spread = max(abs(offset) + product_bits + 2 ** (max(a.exponent_bits, b.exponent_bits) + 1),
                 2 ** (fmt.exponent_bits + 1))  # fmt: skip
    ebits = spread.bit_length() + 2
    # a significand, two places so that one bit of cancellation keeps a round bit, and the sticky
    window = max(product_bits, precision) + 3
    largest = fmt.max_magnitude_code
    overflow = config.overflow_of(fmt)
    nan = fmt.nan_code if fmt.has_nan else 0
    infinity = {
        Overflow.INFINITY: fmt.infinity_code if fmt.has_infinity else 0,
        Overflow.NAN: nan,
        Overflow.SATURATE: largest,
    }[overflow]
    top = fmt.bits - 1
    exponent_codes = fmt.exponent_bits + 1
    return (
        _decode("x", a, "a")
        + _decode("y", b, "b")
        + _decode("z", fmt, "partial_sum_i")
        + f"""  wire p_sign = x_sign ^ y_sign;
  wire p_nan = x_nan | y_nan | (x_infinity & ~|y_significand) | (y_infinity & ~|x_significand);
  wire p_infinity = (x_infinity | y_infinity) & ~p_nan;
  reg [{product_bits - 1}:0] p;
  reg signed [{ebits - 1}:0] pe, ze, e;
  reg [{window - 1}:0] ps, zs, big, small_;
  reg [{window}:0] sum;
  reg big_sign, small_sign, sticky, sum_sign;
  reg [{exponent_codes + m}:0] code;
  integer k;
  always @* begin
    p = x_significand * y_significand;
    pe = $signed({{1'b0, x_field}}) + $signed({{1'b0, y_field}}) + ({offset});
    for (k = 0; k < {product_bits - 1}; k = k + 1)
      if (!p[{product_bits - 1}]) begin p = p << 1; pe = pe - 1; end
    if (p == 0) pe = {-(2 ** (ebits - 1))} + 1;
    ps = {{p, {window - product_bits}'b0}};
    zs = {{z_significand, {window - precision}'b0}};
    ze = $signed({{1'b0, z_field}});
    if (pe > ze || (pe == ze && ps >= zs)) begin
      e = pe; big = ps; small_ = zs; big_sign = p_sign; small_sign = z_sign;
    end else begin
      e = ze; big = zs; small_ = ps; big_sign = z_sign; small_sign = p_sign; ze = pe;
    end
    sticky = 0;
    for (k = {ebits - 2}; k >= 0; k = k - 1)
      if (((e - ze) >> k) & 1) begin
        sticky = sticky | |(small_ & ~({{{window}{{1'b1}}}} << (1 << k)));
        small_ = small_ >> (1 << k);
      end
    small_[0] = small_[0] | sticky;
    sum = big_sign == small_sign ? big + small_ : big - small_;
    sum_sign = big_sign;
    if (sum[{window}] && big_sign != small_sign) begin sum = -sum; sum_sign = small_sign; end
    if (sum == 0 && big_sign != small_sign) sum_sign = 0;
    e = sum == 0 ? 0 : e + 1;
    for (k = 0; k < {window}; k = k + 1)
      if (!sum[{window}] && e > 0) begin sum = sum << 1; e = e - 1; end
    sticky = 0;
    for (k = 0; k < {window}; k = k + 1)
      if (e < 0) begin sticky = sticky | sum[0]; sum = sum >> 1; e = e + 1; end
    sum[0] = sum[0] | sticky;
    if (e > {2**exponent_codes - 3}) e = {2**exponent_codes - 3};
    code = {{e[{exponent_codes - 1}:0], {m}'b0}} + sum[{window}:{window - m}];
    if (sum[{window - m - 1}] && (|sum[{window - m - 2}:0] || code[0])) code = code + 1;
    if (code > {largest}) code = {infinity};
    if (p_infinity | z_infinity) begin
      sum_sign = p_infinity ? p_sign : z_sign;
      code = {infinity};
    end
    if (p_nan | z_nan | (p_infinity & z_infinity & (p_sign ^ z_sign))) begin
      sum_sign = 0;
      code = {nan};
    end
    if (code == {nan} && {int(fmt.has_nan)}) sum_sign = 0;
  end
  assign partial_sum_o = {{sum_sign, code[{top - 1}:0]}};
"""
    )
