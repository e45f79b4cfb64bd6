"""Steps and conversions of posits, powers of four and signed digits against the model."""

import gc
import random

import macsmith.hw.decode_ordered
import macsmith.hw.digits
import numpy as np
import pytest
from amaranth.hdl import Const
from logic import Logic, block_verilog
from macsmith.hw.convert import Convert
from macsmith.hw.decode import Decode
from macsmith.hw.ordered_round import RoundOrdered
from macsmith.hw.terms import operand_shape
from macsmith.model import fast
from macsmith.model.design import parse_design
from macsmith.model.formats import DigitFormat, Special, parse_format
from macsmith.model.widths import mac_widths
from steps import _to_words, wrong_steps

STEPS = """
posit8es1:exact  posit8es0:exact:lanes3  posit8es2:exact:lanes2  posit4es3xposit5es0:exact:lanes2
posit8es1:e6m9  posit8es1:fp32:lanes2  posit8es1xe4m3:exact:lanes2  posit8xint8:exact
posit8es1:exact/8/e6m9  posit8es1:exact:mule4m3:lanes2  posit8es1:int60:wrap  posit6es1:e5m2:sr8
posit8es1:exact:fpga=ice40:lanes2  posit8es1xint4:exact:fpga=xilinx7:dsp=on:lanes3
posit8es2:exact:signs=block:lanes3  posit8es1:exact:goal=speed:lanes4  posit8es1:e6m9:goal=speed
r4e3:exact:lanes4  r4e3:e6m9  r4e3xr4e3odd:int27:lanes2  r4e3xe2m1:fp16:lanes2  r4e3:e6m9:goal=speed
r4e2xposit6es1:exact:lanes3  r4e3:exact:fpga=ecp5:lanes2  r4e3odd:e5m10/64  int4xr4e3odd:e6m9
r4e3xposit8es1:exact:signs=block:align=shift  r4e3xe4m3:exact:fpga=xilinx7:lanes2
bin1:int12:lanes8  bin1xint8:int16:wrap:lanes3  uint4xbin2:int20:lanes3  ternary:int9:clip:lanes6
ternaryxint8:int24:lanes4  bin3xbin2:int20:lanes3  bin1xternary:int10:lanes5  bin2xe2m1:exact:lanes2
ternaryxe4m3:e6m9  bin1xint8:int20:fpga=ice40:lanes2  ternaryxuint8:int24  bin1:e6m9:lanes4
posit8es1:posit8es1  posit8es1:posit16es1  posit8es2:posit8es2:lanes3  posit6es0xposit4es0:posit5es3
e4m3:posit16es1:lanes2  int8xposit8es1:posit8es1  e5m2:posit8es2  bin1xint4:posit8es0:lanes3
bin1xint4:fp16  ternary:e5m2:lanes3  int8xbin4:int30:lanes2  ternaryxposit8es1:exact
"""


def check_steps(texts: list[str], count: int) -> None:
    for text in texts:
        wrong = wrong_steps(text, count)
        assert wrong == [], wrong[:2]


def test_steps() -> None:
    texts = STEPS.split()[::3]
    assert len(texts) >= 13
    check_steps(texts, 600)


def test_zeros_below_all_numbers() -> None:
    """A zero's exponent lies in none of the places that numbers are put to: subtracted with a
    negative partial sum it must stay a zero."""
    check_steps(
        ["posit4es0:fp16:lanes2", "r4e2xposit4es0:e5m4:lanes2", "posit7es0:e6m9:lanes2"], 400
    )


def test_infinities_times_posits_keep_their_sign() -> None:
    check_steps(
        ["e2m1ieeexposit4es0:exact:fpga=ecp5", "r4e1xe2m1ieee:exact:fpga=ice40:lanes2"], 400
    )


@pytest.mark.slow
def test_steps_of_all_kinds() -> None:
    check_steps(STEPS.split(), 4000)


DECODED = """
posit4es3 posit5es0 posit8es0 posit8es1 posit8es2 posit8es3 posit11es1 r4e1 r4e3 r4e3odd r4e2b5
bin1 bin4 ternary
"""


@pytest.mark.parametrize("name", DECODED.split())
def test_decode_of_every_code(name: str) -> None:
    fmt = parse_format(name)
    shape = operand_shape(fmt)
    out = Logic(block_verilog(Decode(fmt)))(code=list(range(1 << fmt.bits)))
    for code in range(1 << fmt.bits):
        value = fmt.decode(code)
        sign, significand = out["term_sign"][code], out["term_significand"][code]
        if shape.has_nan:
            assert out["term_is_nan"][code] == (value is Special.NAN)
        if isinstance(value, Special):
            assert (sign, significand) == (0, 0)
            continue
        exponent = out["term_exponent"][code]
        got = (-1) ** sign * significand * 2.0 ** (shape.lsb_exponent + exponent)
        assert got == value, (name, code)
        if value:
            assert shape.min_exponent <= exponent <= shape.max_exponent
        else:
            assert sign == 0


RESULTS = """
posit8es1:exact  posit8es0:exact:lanes2  posit8es2:exact  posit8es3:exact  posit16es1:exact
posit4es3:exact  posit5es0xposit8es1:exact  e4m3:e6m9:outposit8es1  e4m3:fp32:outposit16es2
posit8es1:posit16es1:outposit8es1  posit8es1:posit8es1:outfp16  posit8:posit8:outint8
e5m2:exact:outposit8  posit8es1:int60:wrap  e5m2:e4m3:outposit4es0
r4e3:exact:outr4e3  r4e3xr4e3odd:exact:outr4e3odd  e4m3:e6m9:outr4e3  r4e2b9:e4m3:outr4e4
e5m2:exact:outr4e3bm3  e5m2:exact:outr4e4b20  posit8es1:exact:outr4e4
int8:int20:outbin1  e5m2:exact:outternary  e5m2:e4m3:outbin1  int8q6:int20:outternary
int8q4:int20:wrap:outint8wrapq4  int8q4:int20:wrap:outuint8wrapq4:rtz  e5m2:int60:wrap:outint8wrapq3
int8xint8q2:int30:wrap:outint5wrap:rup  e4m3:int12:wrap:outint9wrapq20:rna
"""


def partial_sums(bits: int, flag_bits: int, count: int, rng: random.Random) -> list[int]:
    """Numbers of all lengths, many with few bits set, which lie at boundaries; some with flags."""
    sums = []
    for _ in range(count):
        length = rng.randint(0, bits - 1)
        number = rng.getrandbits(length) if length else 0
        if rng.random() < 0.6 and length > 12:
            number = number >> (length - rng.randint(1, 10)) << rng.randint(0, length)
            number = (number & ((1 << length) - 1)) + rng.choice([-1, 0, 0, 0, 1])
        number = rng.choice([number, -number]) & ((1 << bits) - 1)
        if flag_bits and rng.random() < 0.03:
            number |= rng.randint(1, (1 << flag_bits) - 1) << bits
        sums.append(number)
    return sums


def check_results(texts: list[str]) -> None:
    for text in texts:
        config = parse_design(text).mac
        widths = mac_widths(config).last
        rng = random.Random(text)
        if widths.code_format is None:
            sums = partial_sums(widths.integer_bits, widths.flag_bits, 3000, rng)
        else:
            sums = [rng.getrandbits(widths.bits) for _ in range(3000)]
        got = Logic(block_verilog(Convert(config, widths, config.output_format)))(partial_sum=sums)
        want = fast.result(config, _to_words(sums, widths.bits))
        wrong = np.flatnonzero(np.array(got["code"], dtype=np.uint64) != want)
        assert len(wrong) == 0, f"{text}: {sums[wrong[0]]:#x}: must be {want[wrong[0]]:#x}"
        assert len(np.unique(want)) > 1


def test_results() -> None:
    texts = RESULTS.split()[::3]
    assert len(texts) >= 9
    check_results(texts)


@pytest.mark.slow
def test_results_of_all_kinds() -> None:
    check_results(RESULTS.split())


@pytest.mark.filterwarnings(
    "ignore::amaranth.UnusedElaboratable", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_results_of_many_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="results in bin3 are not built: must be bin1, ternary"):
        RoundOrdered(operand_shape(parse_format("int8")), DigitFormat(3))
    gc.collect()  # the refused component is dropped here, where that is no matter


def test_planted_bugs_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regime counted one too short, and a digit's sign that is forgotten."""
    original = macsmith.hw.decode_ordered.shift_out_leading_zeros
    monkeypatch.setattr(
        macsmith.hw.decode_ordered,
        "shift_out_leading_zeros",
        lambda m, name, value, most, fill: original(m, name, value, most - 4, fill=fill),
    )
    assert wrong_steps("posit8es1:exact", 300) != []
    monkeypatch.undo()
    digits = macsmith.hw.digits._digits
    monkeypatch.setattr(
        macsmith.hw.digits,
        "_digits",
        lambda fmt, code: [(Const(0), present) for _, present in digits(fmt, code)],
    )
    assert wrong_steps("ternaryxint4:int12:lanes2", 300) != []
