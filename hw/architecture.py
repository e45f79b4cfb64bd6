"""Which of several architectures of one function a design is built in."""

from dataclasses import dataclass

from macsmith.model.config import Implementation, MacConfig

__all__ = ["DEFAULT_ARCHITECTURE", "Architecture", "resolve_architecture"]


@dataclass(frozen=True)
class Architecture:
    """The choices of `macsmith.model.config.ARCHITECTURE_CHOICES`, none of them ``auto``."""

    goal: str = "area"
    fpga: str = "none"
    dsp: str = "off"


DEFAULT_ARCHITECTURE = Architecture()


def resolve_architecture(config: MacConfig, implementation: Implementation) -> Architecture:
    """The architecture a design is built in: what was asked for, else what was measured best."""
    return Architecture(goal=implementation.goal, fpga=implementation.fpga, dsp=implementation.dsp)
