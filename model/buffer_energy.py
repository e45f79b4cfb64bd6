"""Energy of an access to a static memory, from published figures."""

import math
from dataclasses import dataclass

__all__ = ["BUFFERS", "WORD_BITS", "BufferTechnology", "Memory", "buffer_technology"]


#: Width of the memories that the figures are of; a wider one is several side by side.
WORD_BITS = 64


@dataclass(frozen=True)
class Memory:
    """A memory of `bytes` with words of `WORD_BITS`, and what reading and writing one bit costs."""

    bytes: int
    read_pj_per_bit: float
    write_pj_per_bit: float


@dataclass(frozen=True)
class BufferTechnology:
    """Memories of a technology, smallest first, and where the figures are from."""

    name: str
    memories: tuple[Memory, ...]
    source: str

    def memory_of(self, size_bytes: float) -> Memory:
        """A memory of so many bytes: between two published ones on a line over the logarithm of
        the size; the smallest one for less, the largest for more, of which several are needed.
        """
        smaller = [memory for memory in self.memories if memory.bytes <= size_bytes]
        larger = [memory for memory in self.memories if memory.bytes > size_bytes]
        if not smaller or not larger:
            return smaller[-1] if smaller else larger[0]
        low, high = smaller[-1], larger[0]
        share = math.log(size_bytes / low.bytes) / math.log(high.bytes / low.bytes)
        return Memory(
            int(size_bytes),
            low.read_pj_per_bit + share * (high.read_pj_per_bit - low.read_pj_per_bit),
            low.write_pj_per_bit + share * (high.write_pj_per_bit - low.write_pj_per_bit),
        )


def _of_accesses(*rows: tuple[int, float, float], scale: float = 1.0) -> tuple[Memory, ...]:
    """Memories from (bytes, pJ of a read, pJ of a write) of a word of 64 bits."""
    return tuple(
        Memory(size, scale * read / WORD_BITS, scale * write / WORD_BITS)
        for size, read, write in rows
    )


#: RM_IHPSG13_1P_{64,256,512,1024,2048}x64_c2_bm_bist, typ_1p20V_25C: internal power of a rising
#: A_CLK with A_MEN & A_REN and with A_MEN & A_WEN. A toggling data pin adds less than 0.2 pJ.
_IHP = (
    (64 * 8, 39.0507, 50.4983),
    (256 * 8, 49.6340, 63.4365),
    (512 * 8, 68.8967, 80.0160),
    (1024 * 8, 91.8272, 110.9189),
    (2048 * 8, 122.3940, 155.3678),
)
_IHP_SOURCE = (
    "Liberty files of the SRAM macros RM_IHPSG13_1P_*x64_c2_bm_bist (512 bytes to 16 KiB), "
    "typ_1p20V_25C, of the IHP-Open-PDK"
)

BUFFERS = {
    each.name: each
    for each in (
        BufferTechnology(
            "asap7",
            # 7 nm; 64 bits, reads and writes alike
            _of_accesses((8 << 10, 7.5, 7.5), (32 << 10, 8.5, 8.5), (1 << 20, 14.0, 14.0)),
            "Jouppi et al., Ten Lessons From Three Generations Shaped Google's TPUv4i, ISCA 2021, "
            "table 2, energies per operation at 7 nm (64-bit access: 8 KiB 7.5 pJ, 32 KiB 8.5 pJ, "
            "1 MiB 14 pJ; only the first confirmed elsewhere, the others not checked against the "
            "paper); not of ASAP7 itself, which has no memories",
        ),
        BufferTechnology("ihp-sg13g2", _of_accesses(*_IHP), _IHP_SOURCE),
        BufferTechnology(
            "sky130",
            # charge times voltage: both processes have 130 nm, at 1.8 V and at 1.2 V
            _of_accesses(*_IHP, scale=(1.8 / 1.2) ** 2),
            f"{_IHP_SOURCE}, times (1.8 V / 1.2 V)^2: scaled, not measured in this technology",
        ),
    )
}


def buffer_technology(name: str) -> BufferTechnology:
    """The memories of a technology.

    Raises
    ------
    ValueError
        None are known for it; the message lists those that are.
    """
    if name not in BUFFERS:
        raise ValueError(
            f"no memory energies are known for {name!r}, only for {', '.join(BUFFERS)}: state "
            "picojoules per bit"
        )
    return BUFFERS[name]
