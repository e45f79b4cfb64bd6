"""Energy of an access to a static memory, from published figures."""

from dataclasses import dataclass

__all__ = ["BUFFERS", "BufferTechnology", "Memory", "buffer_technology"]


@dataclass(frozen=True)
class Memory:
    """A memory of `bytes` with words of 64 bits, and what reading and writing one bit costs."""

    bytes: int
    read_pj_per_bit: float
    write_pj_per_bit: float


@dataclass(frozen=True)
class BufferTechnology:
    """Memories of a technology, smallest first, and where the figures are from."""

    name: str
    memories: tuple[Memory, ...]
    source: str

    def memory_for(self, size_bytes: float) -> Memory:
        """The smallest memory that holds so many bytes; the largest where none does.

        Larger banks than the largest are then counted too low, smaller ones than the smallest too
        high.
        """
        return next((m for m in self.memories if m.bytes >= size_bytes), self.memories[-1])


def _of_accesses(*rows: tuple[int, float, float], scale: float = 1.0) -> tuple[Memory, ...]:
    """Memories from (bytes, pJ of a read, pJ of a write) of a word of 64 bits."""
    return tuple(Memory(size, scale * read / 64, scale * write / 64) for size, read, write in rows)


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
            "table of energies per operation at 7 nm (64-bit access: 8 KiB 7.5 pJ, 32 KiB 8.5 pJ, "
            "1 MiB 14 pJ); not of ASAP7 itself, which has no memories",
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
