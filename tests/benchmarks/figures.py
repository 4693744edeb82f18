"""What is measured, beside what is wanted of it: plain values, and the few sums that are made of them."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

TIMES = "x Postfix"  # the unit of ratios to Postfix's figure


class Verdict(StrEnum):
    """How a figure stands to what is wanted."""

    AIM = "aim reached"
    KEPT = "kept"
    MISSED = "MISSED"
    ABSENT = "not measured"
    FREE = "-"  # nothing is wanted of it


class Unmeasurable(Exception):
    """This machine lacks something; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. ``least`` and ``most`` must hold, ``aim`` is hoped for; ``value`` is absent where ``why`` says so."""

    part: str
    work: str
    on: str
    unit: str
    value: float | None
    least: float | None = None
    most: float | None = None
    aim: float | None = None
    beside: Mapping[str, float | str] = field(default_factory=dict)
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Say how the figure stands."""
        if self.value is None:
            return Verdict.ABSENT
        if self.least is None and self.most is None and self.aim is None:
            return Verdict.FREE
        if not self._reaches(self.least, self.most):
            return Verdict.MISSED
        if self.aim is None:
            return Verdict.KEPT
        up = self.least is not None
        if self._reaches(self.aim if up else None, None if up else self.aim):
            return Verdict.AIM
        return Verdict.FREE if self.least is None and self.most is None else Verdict.KEPT

    def _reaches(self, least: float | None, most: float | None) -> bool:
        value = math.nan if self.value is None else self.value
        return (least is None or value >= least) and (most is None or value <= most)

    @property
    def wanted(self) -> str:
        """Say what must hold."""
        if self.least is not None:
            return f"≥ {shown(self.least)}"
        return f"≤ {shown(self.most)}" if self.most is not None else ""

    @property
    def hoped(self) -> str:
        """Say what is hoped for."""
        return "" if self.aim is None else f"{'≥' if self.least is not None else '≤'} {shown(self.aim)}"

    @property
    def said(self) -> str:
        """Say what stands beside the figure, or why there is none."""
        return self.why or ", ".join(
            f"{name} {figure if isinstance(figure, str) else shown(figure)}" for name, figure in self.beside.items()
        )

    def line(self) -> str:
        """Write the row for a terminal."""
        value = "-" if self.value is None else f"{shown(self.value)} {self.unit}"
        return f"  {self.work:32} {self.on:34} {value:>18} {self.wanted:>9} {self.verdict:12} {self.said}"

    def facts(self) -> dict[str, object]:
        """Write the row for machines."""
        return asdict(self) | {"verdict": self.verdict.value}


def shown(value: float | None) -> str:
    """Write a figure with three digits or so."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 or value == 0 else 3
    return f"{value:,.{digits}f}"


def percentile(values: Sequence[float], part: float) -> float:
    """Give the least of the values that so many of them don't exceed (0.99: of a hundred, the second largest)."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(len(values) * part) - 1)]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide what was measured in pairs."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


median = statistics.median
