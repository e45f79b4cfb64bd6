"""What an accuracy evaluation returns: figures, and everything needed to judge or repeat them."""

from collections.abc import Mapping
from dataclasses import dataclass

Field = str | int | float


@dataclass(frozen=True)
class AccuracyResult:
    """Accuracy of one task computed in one design's arithmetic.

    Attributes
    ----------
    task
        Name in `macsmith.model.accuracy.tasks.TASKS`.
    design
        Design text.
    metrics
        Figures by name, with their unit in the name. One that could not be had (a sum overflowed to
        NaN) is missing; ``non_finite_outputs`` then tells why.
    provenance
        Which text or words, how many, digest of the sample, which layers were quantised, scaling,
        accumulation, versions of packages.
    """

    task: str
    design: str
    metrics: Mapping[str, float]
    provenance: Mapping[str, str | int]

    def as_dict(self) -> dict[str, Field]:
        """Return one flat row: task, design, metrics, provenance."""
        return {"task": self.task, "design": self.design, **self.metrics, **self.provenance}
