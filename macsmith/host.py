"""Matrix products on an accelerator behind a serial line, real or simulated.

>>> accelerator = Accelerator.connect("/dev/ttyUSB1", "e4m3:exact:4x4")  # doctest: +SKIP
>>> accelerator.matmul(a, b)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from macsmith.model import fast, fast_blocks
from macsmith.model.accelerator import MAGIC, REGISTERS, VERSION, AcceleratorConfig
from macsmith.model.bias import with_bias
from macsmith.model.design import Design, parse_design
from macsmith.model.link import MAX_PAYLOAD_WORDS, Operation
from macsmith.model.rounding import default_overflow
from macsmith.model.schedule import make_schedule, packet_words, results_of_words
from macsmith.model.widths import mac_widths
from macsmith.serial_link import (
    Link,
    LinkError,
    SessionLostError,
    Transport,
    WrongDesignError,
    open_port,
)

__all__ = ["Accelerator", "Link", "LinkError", "SessionLostError", "Transport", "WrongDesignError"]

_ADDRESSES = {register.name: register.address for register in REGISTERS}
_REGISTER_WORDS = 1 + max(_ADDRESSES.values()) // 4


class Accelerator:
    """An accelerator that computes matrix products when it is sent them.

    Made by `connect`.

    Attributes
    ----------
    config
        What the accelerator is.
    link
        The link to it.
    """

    def __init__(self, link: Link, config: AcceleratorConfig) -> None:
        self.link = link
        self.config = config

    @classmethod
    def connect(
        cls,
        port: str | Transport | Link,
        design: Design | str,
        *,
        baud: int = 1_000_000,
        timeout_seconds: float = 0.5,
        attempts: int = 20,
    ) -> Self:
        """Open a board and make sure that it has this design.

        Parameters
        ----------
        port
            Serial port (``/dev/ttyUSB1``, ``COM3``, a pseudo-terminal), an open byte link, or a
            link that carries requests in a way of its own.
        design
            What the board must compute.
        baud
            Bits per second of the line.
        timeout_seconds, attempts
            After which a request is sent again, and how often it is sent in all.

        Raises
        ------
        WrongDesignError
            The board has another design.
        LinkError
            The port does not open, or nobody answers there.
        """
        if isinstance(design, str):
            design = parse_design(design)
        if isinstance(port, Link):
            link = port
        else:
            transport = open_port(port, baud) if isinstance(port, str) else port
            link = Link(transport, timeout_seconds=timeout_seconds, attempts=attempts)
        try:
            return cls(link, _identify(link, design))
        except BaseException:
            link.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the link."""
        self.link.close()

    def counters(self) -> dict[str, int]:
        """What the accelerator counted since the last product began.

        ``cycles`` busy, ``stalls`` (busy cycles without a beat), ``macs`` (products added, those
        of padding too).

        Raises
        ------
        LinkError
            There is no answer.
        """
        words = self._read_registers()
        return {
            name.lower(): words[_ADDRESSES[name] // 4] | words[_ADDRESSES[name] // 4 + 1] << 32
            for name in ("CYCLES", "STALLS", "MACS")
        }

    def matmul_codes(
        self,
        a_codes: npt.ArrayLike,
        b_codes: npt.ArrayLike,
        *,
        a_scales: npt.ArrayLike | None = None,
        b_scales: npt.ArrayLike | None = None,
        bias: npt.ArrayLike | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.uint64]:
        """Result codes of a matrix product; the same bits as `macsmith.model.fast.matmul`.

        Lost and damaged frames are sent again; if the board is reset meanwhile, the product is
        computed anew.

        Parameters
        ----------
        a_codes, b_codes
            ``[M, K]`` and ``[K, N]`` unsigned codes, of any size.
        a_scales, b_scales
            Only of block formats, of those operands that have one: ``[M, blocks]`` and
            ``[blocks, N]`` codes of scales.
        bias
            ``[N]`` integers that are added to the sums of each column, in units of their last bit,
            before the output stage; as further products (`macsmith.model.bias`). Of designs that
            sum integers in fixed point.
        progress
            Called with the words sent and received so far, and how many there are in all.

        Returns
        -------
        uint64 array
            ``[M, N]``; ``[M, N, words]`` for results of more than 64 bits.

        Raises
        ------
        TypeError, ValueError
            Wrong dtype, shape or code.
        LinkError
            The board does not answer, or is reset again and again.
        """
        a, b = np.asarray(a_codes), np.asarray(b_codes)
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
            raise ValueError(f"a and b must be M x K and K x N, not {a.shape} and {b.shape}")
        if bias is not None:
            a, b = with_bias(self.config.design.mac, a, b, bias)
        schedule = make_schedule(self.config, a.shape[0], a.shape[1], b.shape[1])
        words = packet_words(schedule, a, b, a_scales, b_scales)
        for _ in range(10):
            try:
                self.link.begin()
                results = self._transfer(words, schedule.result_words, progress)
            except SessionLostError:
                continue
            return results_of_words(schedule, results)
        raise LinkError("the board was reset ten times during one product")

    def matmul(
        self, a: npt.ArrayLike, b: npt.ArrayLike, *, bias: npt.ArrayLike | None = None
    ) -> npt.NDArray[Any]:
        """Product of two matrices of numbers.

        Operands are rounded to the design's formats, to nearest even; numbers beyond the largest
        become what the format's default says (`macsmith formats NAME`). Those with block formats
        are quantised in blocks along K (`macsmith.model.fast_blocks.quantise`).

        Parameters
        ----------
        a, b
            ``[M, K]`` and ``[K, N]``: floats (those of ml_dtypes too) or integers.
        bias
            As of `matmul_codes`.

        Returns
        -------
        array
            ``[M, N]``: float64 values of the result's format; int64 for raw integer sums.

        Raises
        ------
        TypeError, ValueError
            A dtype that is not numbers; shapes that do not match.
        LinkError
            The board does not answer.
        """
        mac = self.config.design.mac
        codes: dict[str, npt.ArrayLike] = {}
        factor = 1.0  # of the scales of whole tensors
        formats = (mac.a, mac.b), (mac.a_scale, mac.b_scale), mac.operand_names
        for name, values, fmt, scale, operand in zip("ab", (a, b), *formats, strict=True):
            array = np.asarray(values)
            if array.dtype.kind not in "fiu" and "float" not in array.dtype.name:
                raise TypeError(f"{name} must be an array of real numbers, not {array.dtype}")
            rounded = array.astype(np.float64)
            if scale is None:
                codes[f"{name}_codes"] = fast.encode(fmt, rounded, overflow=default_overflow(fmt))
                continue
            if rounded.ndim != 2:
                raise ValueError(f"{name} must be a matrix, not of shape {rounded.shape}")
            blocks = fast_blocks.quantise(operand, rounded if name == "a" else rounded.T)
            factor *= float(blocks.tensor)
            codes[f"{name}_codes"] = blocks.codes if name == "a" else blocks.codes.T
            codes[f"{name}_scales"] = blocks.scales if name == "a" else blocks.scales.T
        results = self.matmul_codes(
            codes["a_codes"],
            codes["b_codes"],
            a_scales=codes.get("a_scales"),
            b_scales=codes.get("b_scales"),
            bias=bias,
        )
        output = mac.output_format
        if output is not None:
            return fast.decode(output, results) * factor
        last = mac_widths(mac).last
        bits = self.config.output_bits
        if bits > 63 or last.flag_bits:
            raise ValueError(
                f"{self.config.design.text}: raw results of {bits} bits are no NumPy integers: "
                "take matmul_codes, or a design with an output format (outfp32)"
            )
        signed = results.astype(np.int64)
        signed -= (signed >> (bits - 1)) << bits
        return signed * 2.0**last.lsb_exponent if last.lsb_exponent else signed

    def _read_registers(self) -> tuple[int, ...]:
        return self.link.request(Operation.READ, (_REGISTER_WORDS << 16,))

    def _transfer(
        self,
        words: npt.NDArray[np.uint32],
        result_words: int,
        progress: Callable[[int, int], None] | None,
    ) -> npt.NDArray[np.uint32]:
        """Send packets, take results as they come."""
        sent, idle = 0, 0
        results: list[int] = []
        while len(results) < result_words:
            before = sent + len(results)
            part = words[sent : sent + MAX_PAYLOAD_WORDS]
            taken = 0
            if len(part):
                taken = self.link.request(Operation.PUSH, [int(word) for word in part])[0]
                sent += taken
            if taken < len(part) or sent == len(words):
                wanted = min(MAX_PAYLOAD_WORDS, result_words - len(results))
                results += self.link.request(Operation.PULL, (wanted,))
            idle = idle + 1 if before == sent + len(results) else 0
            if idle > 1000:
                raise LinkError(
                    f"the board took {sent} of {len(words)} words and gave {len(results)} of "
                    f"{result_words}, and then no more"
                )
            if progress is not None:
                progress(sent + len(results), len(words) + result_words)
        return np.array(results, dtype=np.uint32)


def _identify(link: Link, design: Design) -> AcceleratorConfig:
    """The accelerator at the other end, if it is the one that is wanted."""
    for _ in range(10):
        try:
            link.begin()
            words = link.request(Operation.READ, (_REGISTER_WORDS << 16,))
            break
        except SessionLostError:
            continue
    else:
        raise LinkError("the board was reset ten times while it was asked what it is")
    value = {name: words[address // 4] for name, address in _ADDRESSES.items()}
    if value["MAGIC"] != MAGIC:
        raise WrongDesignError(
            f"what answers is no macsmith accelerator: register MAGIC must be {MAGIC:#x}, "
            f"not {value['MAGIC']:#x}"
        )
    if value["VERSION"] != VERSION:
        raise WrongDesignError(
            f"the board speaks version {value['VERSION']}, this host version {VERSION}: build the "
            "bitstream anew"
        )
    config = AcceleratorConfig(design, value["DEPTH"] & 0xFFFF, value["DEPTH"] >> 16)
    found = sum(value[f"DESIGN_{index}"] << 32 * index for index in range(4))
    if found != config.design_hash:
        shape = [(value["SHAPE"] >> at & 0xFF) + 1 for at in (0, 8, 16)]
        raise WrongDesignError(
            f"the board has another design than {design.text}: {shape[0]}x{shape[1]} of "
            f"{shape[2]} lanes with hash {found:032x}, where {config.design_hash:032x} must be"
        )
    return config
