"""The metrics of several processes as those of one: counters and histograms are added, gauges each in its own way.

``Families`` are the plain form of ``events.families``: JSON can carry them from process to process. A process that has
ended still counts: ``counted`` keeps of it what can only grow, so that nothing ever goes back.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict


class Sample(TypedDict):
    """One number: its full name, its labels, its value."""

    name: str
    labels: dict[str, str]
    value: float


class Family(TypedDict):
    """One metric with all its samples; ``type`` is that of Prometheus."""

    name: str
    type: str
    help: str
    samples: list[Sample]


Families = Sequence[Family]

# of gauges; what isn't named here is added
_OF_GAUGES: dict[str, Callable[[Sequence[float]], float]] = {
    "mailgate_store_up": min,
    "mailgate_last_kept_timestamp_seconds": max,
    "mailgate_build_info": max,
}
_GROWING = frozenset({"counter", "histogram"})  # and gauges of which the highest counts
_CREATED = "_created"  # when a process began to count


def added(processes: Iterable[Families]) -> list[Family]:
    """Add up the metrics of processes, in the order in which they first name them."""
    found: dict[str, Family] = {}
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]] = {}
    for family in (family for families in processes for family in families):
        found.setdefault(family["name"], {**family, "samples": []})
        for sample in family["samples"]:
            key = (family["name"], sample["name"], tuple(sorted(sample["labels"].items())))
            if key not in values:
                found[family["name"]]["samples"].append({**sample})
            values.setdefault(key, []).append(sample["value"])
    for family in found.values():
        for sample in family["samples"]:
            key = (family["name"], sample["name"], tuple(sorted(sample["labels"].items())))
            sample["value"] = _way(family, sample)(values[key])
    return list(found.values())


def counted(families: Families) -> list[Family]:
    """Keep what can only grow."""
    return [family for family in families if family["type"] in _GROWING or _OF_GAUGES.get(family["name"]) is max]


def _way(family: Family, sample: Sample) -> Callable[[Sequence[float]], float]:
    if sample["name"].endswith(_CREATED):
        return min
    return _OF_GAUGES.get(family["name"], sum) if family["type"] == "gauge" else sum
