"""Names that others have given to formats: pure text, so that every kind of format can ask it.

Sources stand beside each name.
"""

from dataclasses import dataclass

__all__ = ["ALIASES", "NAMED_FORMATS", "NamedFormat"]


@dataclass(frozen=True)
class NamedFormat:
    """A format with a common name: its canonical text, what else people call it, its source."""

    canonical: str
    title: str
    aliases: tuple[str, ...]
    source: str


_OFP8 = "OCP 8-bit Floating Point Specification (OFP8) v1.0"
_MX = "OCP Microscaling Formats (MX) v1.0"
_NVFP4 = "NVIDIA NVFP4; numbers and NaN are those of OCP E4M3 without their sign"
_UE5M3 = "arXiv 2509.17791; bias 15 and one NaN, the code of all ones, are our reading"
_IEEE = "IEEE 754-2019"
_ML_DTYPES = "LLVM APFloat and ml_dtypes"
_POSITS = "Gustafson and Yonemoto, Beating Floating Point at its Own Game, 2017"
_RADIX4 = (
    "Sun et al., Ultra-Low Precision 4-bit Training of Deep Neural Networks, NeurIPS 2020 (that it "
    "is radix 4 and 1-3-0 is in the paper's public review; values and phases are not verified)"
)

NAMED_FORMATS: tuple[NamedFormat, ...] = (
    NamedFormat(
        "e4m3", "OCP E4M3", ("e4m3fn", "float8_e4m3fn", "f8e4m3fn", "ocp_e4m3", "fp8_e4m3"), _OFP8
    ),
    NamedFormat(
        "e5m2", "OCP E5M2", ("float8_e5m2", "f8e5m2", "ocp_e5m2", "fp8_e5m2", "1-5-2"), _OFP8
    ),
    NamedFormat(
        "e2m1",
        "MX FP4 element E2M1",
        ("e2m1fn", "float4_e2m1fn", "float4_e2m1fn_x2", "f4e2m1fn", "ocp_e2m1", "fp4_e2m1", "fp4"),
        _MX,
    ),
    NamedFormat(
        "e2m3",
        "MX FP6 element E2M3",
        ("e2m3fn", "float6_e2m3fn", "f6e2m3fn", "ocp_e2m3", "fp6_e2m3"),
        _MX,
    ),
    NamedFormat(
        "e3m2",
        "MX FP6 element E3M2",
        ("e3m2fn", "float6_e3m2fn", "f6e3m2fn", "ocp_e3m2", "fp6_e3m2"),
        _MX,
    ),
    NamedFormat("ue4m3", "unsigned E4M3, the block scale of NVFP4", ("float8_ue4m3",), _NVFP4),
    NamedFormat("ue5m3", "unsigned E5M3, a block scale of more range", (), _UE5M3),
    NamedFormat(
        "ue8m0fnnz",
        "E8M0, the block scale of MX: powers of two, one NaN, no zero",
        ("e8m0", "ue8m0", "e8m0fnu", "float8_e8m0fnu", "f8e8m0fnu"),
        _MX,
    ),
    NamedFormat("int8q6", "MX INT8 element", ("mxint8_element", "ocp_int8"), _MX),
    NamedFormat("e3m4", "E3M4", ("float8_e3m4", "f8e3m4", "fp8_e3m4", "1-3-4"), _ML_DTYPES),
    NamedFormat("e4m3ieee", "IEEE-like E4M3", ("float8_e4m3", "f8e4m3"), _ML_DTYPES),
    NamedFormat("e4m3fnuz", "E4M3 FNUZ", ("float8_e4m3fnuz", "f8e4m3fnuz"), _ML_DTYPES),
    NamedFormat("e5m2fnuz", "E5M2 FNUZ", ("float8_e5m2fnuz", "f8e5m2fnuz"), _ML_DTYPES),
    NamedFormat(
        "e4m3b11fnuz", "E4M3 B11 FNUZ", ("float8_e4m3b11fnuz", "f8e4m3b11fnuz"), _ML_DTYPES
    ),
    NamedFormat(
        "e4m3b4",
        "IBM 1-4-3, bias 4 (HFP8)",
        ("1-4-3", "ibm_143", "hfp8_143"),
        "Sun et al., Hybrid 8-bit Floating Point, NeurIPS 2019 (bias as quoted in QPyTorch issue "
        "65; the encoding of NaN is that of OCP E4M3 here)",
    ),
    NamedFormat(
        "e6m9",
        "IBM 1-6-9 with subnormals",
        ("1-6-9", "ibm_169"),
        "Wang et al., Training DNNs with 8-bit Floating Point Numbers, NeurIPS 2018",
    ),
    NamedFormat(
        "e6m9fnns",
        "DLFloat16: 1-6-9 without subnormals, NaN and infinity merged",
        ("dlfloat16", "dlfloat"),
        "Agrawal et al., DLFloat, ARITH 2019; IBM fms-model-optimizer (Apache-2.0)",
    ),
    NamedFormat("e5m10", "IEEE binary16", ("fp16", "float16", "half", "binary16", "f16"), _IEEE),
    NamedFormat("e8m7", "bfloat16", ("bf16", "bfloat16"), "Google bfloat16"),
    NamedFormat("e8m10", "TensorFloat-32", ("tf32",), "NVIDIA A100 white paper, 2020"),
    NamedFormat(
        "posit8es2",
        "standard posit8",
        ("posit8", "posit<8,2>"),
        "Standard for Posit Arithmetic (2022)",
    ),
    NamedFormat(
        "posit16es2",
        "standard posit16",
        ("posit16", "posit<16,2>"),
        "Standard for Posit Arithmetic (2022)",
    ),
    NamedFormat("posit8es0", "posit8 of 2017", ("posit<8,0>",), _POSITS),
    NamedFormat("posit16es1", "posit16 of 2017", ("posit<16,1>",), _POSITS),
    NamedFormat("r4e3", "radix-4 FP4, even phase", ("fp4_r4", "radix4_fp4"), _RADIX4),
    NamedFormat("r4e3odd", "radix-4 FP4, odd phase", ("fp4_r4odd", "radix4_fp4odd"), _RADIX4),
    NamedFormat(
        "bin1",
        "binary: -1 and +1",
        ("binary",),
        "Courbariaux et al., Binarized Neural Networks, 2016",
    ),
    NamedFormat(
        "bin2",
        "two digits of -1 and +1",
        ("binary2",),
        "Sun et al., Multi-Precision Quantized Neural Networks via Encoding Decomposition of "
        "{-1,+1}, AAAI 2019",
    ),
    NamedFormat(
        "ternary", "ternary: -1, 0 and +1", ("trit",), "Li et al., Ternary Weight Networks, 2016"
    ),
    NamedFormat("e8m23", "IEEE binary32", ("fp32", "float32", "single", "binary32", "f32"), _IEEE),
)

ALIASES = {
    alias: named.canonical for named in NAMED_FORMATS for alias in (named.canonical, *named.aliases)
}
"""Canonical name by alias; canonical names stand for themselves."""
