"""Percentiles, ratios and what is said of a figure."""

from typing import Any

import pytest

from tests.benchmarks.figures import Row, Verdict, percentile, ratios, shown


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(100, 0, -1)], 0.99, 99.0),
        ([1.0, 2.0], 0.99, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([3.0, 1.0], 0.0, 1.0),
    ],
)
def test_percentile_is_a_measured_value(values: list[float], part: float, expected: float) -> None:
    assert percentile(values, part) == expected


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_ratios_are_of_pairs_measured_together() -> None:
    assert ratios([10.0, 30.0], [20.0, 10.0]) == [0.5, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("value", "wanted", "verdict"),
    [
        (0.99, {"least": 1.0, "aim": 1.5}, Verdict.MISSED),
        (1.0, {"least": 1.0, "aim": 1.5}, Verdict.KEPT),
        (1.5, {"least": 1.0, "aim": 1.5}, Verdict.AIM),
        (2.1, {"most": 2.0, "aim": 1.0}, Verdict.MISSED),
        (2.0, {"most": 2.0, "aim": 1.0}, Verdict.KEPT),
        (1.0, {"most": 2.0, "aim": 1.0}, Verdict.AIM),
        (1.0, {"most": 1.0}, Verdict.KEPT),
        (3.0, {"aim": 3.0}, Verdict.AIM),
        (3.1, {"aim": 3.0}, Verdict.FREE),
        (3.0, {}, Verdict.FREE),
        (None, {"least": 1.0}, Verdict.ABSENT),
        (float("nan"), {"least": 1.0}, Verdict.MISSED),
    ],
)
def test_verdict(value: float | None, wanted: dict[str, Any], verdict: Verdict) -> None:
    assert Row(part="p", work="w", on="o", unit="x", value=value, **wanted).verdict is verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (99.94, "99.9"), (1.234, "1.23"), (0.0123, "0.012"), (0.0, "0.00"), (None, "")],
)
def test_shown(value: float | None, text: str) -> None:
    assert shown(value) == text
