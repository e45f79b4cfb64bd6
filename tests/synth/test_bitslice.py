"""Bit-sliced C of operators: compiled, and run against the golden model."""

import ctypes
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from macsmith.model import golden
from macsmith.model.design import parse_design
from macsmith.model.formats import parse_format
from macsmith.synth.bitslice import (
    BitslicedOperator,
    OperatorKind,
    bitslice,
    operator_kind,
    operator_vectors,
)
from numpy.typing import NDArray

WORDS = {
    "uint64": ("", []),
    "avx2": ("__AVX2__", ["-mavx2", "-DMACSMITH_AVX2"]),
    "avx512": ("__AVX512F__", ["-mavx512f", "-DMACSMITH_AVX512"]),
}


@pytest.fixture(scope="module")
def processor() -> str:
    """What the C compiler knows of this machine."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler `cc` on PATH")
    command = ["cc", "-march=native", "-dM", "-E", "-x", "c", "/dev/null"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def compute(
    made: BitslicedOperator, inputs: dict[str, NDArray[np.uint64]], options: list[str]
) -> NDArray[np.uint64]:
    """The operator's array function over all vectors."""
    source = made.header.with_name("run.c")
    sizes = [(name, max(8, -(-bits // 8))) for name, bits in (made.inputs | made.output).items()]
    names = [name for name, _ in sizes]
    source.write_text(
        f'#include "{made.header.name}"\n'
        f"void run(size_t count, {', '.join(f'void *{name}' for name in names)}) "
        f"{{ {made.name}_array(count, {', '.join(names)}); }}\n"
    )
    target = made.header.with_name("run.so")
    target.unlink(missing_ok=True)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    subprocess.run(["cc", *flags, *options, "-o", target, source], check=True)
    size = {name: next((s for s in (1, 2, 4) if 8 * s >= bits), 8) for name, bits in
            (made.inputs | made.output).items()}  # fmt: skip
    arrays = {name: np.ascontiguousarray(v.astype(f"u{size[name]}")) for name, v in inputs.items()}
    ((output, bits),) = made.output.items()
    count = len(next(iter(inputs.values())))
    shape = (count,) if bits <= 64 else (count, -(-bits // 64))
    result = np.zeros(shape, dtype=f"u{size[output]}")
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*arrays.values(), result)]
    ctypes.CDLL(str(target)).run(ctypes.c_size_t(count), *pointers)
    return result.astype(np.uint64)


@pytest.mark.parametrize(
    ("text", "operator", "words"),
    [
        ("e4m3:e6m9", "fma", "uint64"),
        ("e4m3:e6m9", "fma", "avx2"),
        ("e4m3:e6m9", "fma", "avx512"),
        ("e5m2:e4m3", "multiply", "uint64"),
        ("e4m3:e4m3:rdn", "add", "avx512"),
        ("e5m2:e3m2", "convert", "uint64"),
        ("e5m2:exact:lanes2", "fma", "uint64"),  # more than 64 bits
        ("int8:int32:lanes4", "fma", "avx2"),
        ("e2m1:e4m3/8/e5m2", "fma", "uint64"),
        ("e4m3:e4m3:sr4:lfsr=port", "fma", "uint64"),
        ("posit8es1:fp16", "add", "uint64"),
    ],
)
def test_equals_the_golden_model(
    tmp_path: Path, processor: str, text: str, operator: OperatorKind, words: str
) -> None:
    macro, options = WORDS[words]
    if macro not in processor:
        pytest.skip(f"this processor has no {words}")
    design = parse_design(text)
    made = bitslice(design, tmp_path, operator=operator)
    inputs, expected = operator_vectors(design, operator, quick=True)
    assert list(inputs) == list(made.inputs)
    got = compute(made, inputs, options)
    wrong = np.argwhere(got != expected)
    assert not wrong.size, f"{len(wrong)} of {len(expected)} differ, first {wrong[0]}"
    assert len(expected) > 1000
    assert 0 < made.table_operations < made.gate_operations


def test_add_and_convert_keep_values_and_zeros() -> None:
    design = parse_design("e4m3:e6m9")
    config = design.mac
    fmt = parse_format("e6m9")
    assert config.b.decode(0x38) == 1
    inputs, expected = operator_vectors(design, "convert", quick=True)
    for a, y in zip(inputs["a"][:300].tolist(), expected[:300].tolist(), strict=True):
        assert y == golden.step(config, 0x8000, [a], [0x38])
        value = config.a.decode(a)
        if isinstance(value, Fraction) and value:
            assert fmt.decode(y) == value
        if value == 0:
            assert y == (a & 0x80) << 8


def test_the_example_checks_itself(tmp_path: Path, processor: str) -> None:
    made = bitslice(parse_design("e4m3:e5m2"), tmp_path, operator="multiply")
    program = tmp_path / "example"
    command = ["cc", "-std=c99", "-pedantic", "-Wall", "-Werror", made.example, "-o", program]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0 of 32 values differ\n")
    # one gate replaced in the header
    text = made.header.read_text()
    start = text.index("#else")
    planted = text[:start] + text[start:].replace("MS_AND(", "MS_OR(", 1)
    assert planted != text
    made.header.write_text(planted)
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "must be 0x" in done.stdout


def test_operators_that_a_design_has_not(tmp_path: Path) -> None:
    cases: list[tuple[str, OperatorKind, str]] = [
        ("e4m3:e6m9/8/e6m9", "multiply", "the accumulator is chunked; must be fma"),
        ("e4m3:e6m9:lanes2", "add", "must be one lane, not e4m3 and 2 lanes"),
        ("nvfp4:fp32:lanes16", "fma", "operators of block formats are not written as C"),
        ("e4m3+e5m2:exact", "fma", "bit-sliced C is that of one mode"),
    ]
    for text, operator, message in cases:
        with pytest.raises(ValueError, match=message):
            bitslice(parse_design(text), tmp_path, operator=operator)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="operator 'divide' is unknown; must be one of fma, mul"):
        operator_kind("divide")
