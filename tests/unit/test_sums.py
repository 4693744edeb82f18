"""Numbers of several processes as those of one."""

from typing import Any

from mailgate import events
from mailgate.sums import Family, added, counted


def family(name: str, kind: str, *samples: tuple[str, dict[str, str], float]) -> Family:
    return {
        "name": name,
        "type": kind,
        "help": "what it is",
        "samples": [{"name": name + more, "labels": labels, "value": value} for more, labels, value in samples],
    }


def values(families: list[Family]) -> dict[tuple[Any, ...], float]:
    return {
        (sample["name"], *sample["labels"].values()): sample["value"] for each in families for sample in each["samples"]
    }


FIRST = [
    family("mailgate_mails", "counter", ("_total", {"verdict": "kept"}, 3), ("_created", {"verdict": "kept"}, 100)),
    family("mailgate_reply_seconds", "histogram", ("_bucket", {"le": "1"}, 2), ("_count", {}, 3), ("_sum", {}, 4.5)),
    family("mailgate_connections", "gauge", ("", {}, 5)),
    family("mailgate_store_up", "gauge", ("", {"store": "postgresql"}, 1)),
    family("mailgate_last_kept_timestamp_seconds", "gauge", ("", {}, 50)),
    family("mailgate_build_info", "gauge", ("", {"version": "1"}, 1)),
]
SECOND = [
    family(
        "mailgate_mails",
        "counter",
        ("_total", {"verdict": "kept"}, 4),
        ("_total", {"verdict": "refused"}, 1),
        ("_created", {"verdict": "kept"}, 90),
    ),
    family("mailgate_reply_seconds", "histogram", ("_bucket", {"le": "1"}, 1), ("_count", {}, 1), ("_sum", {}, 0.5)),
    family("mailgate_connections", "gauge", ("", {}, 2)),
    family("mailgate_store_up", "gauge", ("", {"store": "postgresql"}, 0)),
    family("mailgate_last_kept_timestamp_seconds", "gauge", ("", {}, 60)),
    family("mailgate_build_info", "gauge", ("", {"version": "1"}, 1)),
]


def test_each_kind_of_number_is_added_in_its_way() -> None:
    assert values(added([FIRST, SECOND])) == {
        ("mailgate_mails_total", "kept"): 7,
        ("mailgate_mails_total", "refused"): 1,
        ("mailgate_mails_created", "kept"): 90,
        ("mailgate_reply_seconds_bucket", "1"): 3,
        ("mailgate_reply_seconds_count",): 4,
        ("mailgate_reply_seconds_sum",): 5.0,
        ("mailgate_connections",): 7,
        ("mailgate_store_up", "postgresql"): 0,
        ("mailgate_last_kept_timestamp_seconds",): 60,
        ("mailgate_build_info", "1"): 1,
    }


def test_adding_changes_nothing_that_was_added() -> None:
    before = values(FIRST)
    added([FIRST, SECOND])
    assert values(FIRST) == before


def test_of_one_that_ended_only_what_grows_is_kept() -> None:
    assert values(added([counted(FIRST), SECOND]))[("mailgate_connections",)] == 2
    assert values(added([counted(FIRST), SECOND]))[("mailgate_mails_total", "kept")] == 7
    assert values(added([counted(SECOND), FIRST]))[("mailgate_last_kept_timestamp_seconds",)] == 60


def test_of_none_and_of_one_the_sum_is_itself() -> None:
    assert added([]) == []
    assert values(added([[], FIRST])) == values(FIRST)


def test_our_own_metrics_are_told_and_written_as_prometheus_has_them() -> None:
    told = [line for line in events.render_families(events.families()).decode().splitlines() if "_created" not in line]
    wanted = [line for line in events.render_metrics().decode().splitlines() if "_created" not in line]
    assert told == wanted
