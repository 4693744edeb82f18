"""What the composition root decides by itself: whether a mail would be taken now."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from mailgate import app, events
from mailgate.domain.trust import Relay, Trust
from mailgate.errors import Deferred, Reason
from mailgate.intake import Policy
from mailgate.settings import load
from mailgate.smtp.server import Server
from mailgate.store.database import Database
from mailgate.store.directory import Directory

MIB = 1024 * 1024


class Asked:
    """Stands for server, database and directory at once: each question has its answer."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {"draining": False, "has_users": True, "has_addresses": True} | answers

    kind = "sqlite"

    @property
    def draining(self) -> bool:
        return bool(self._answers["draining"])

    def has_users(self) -> bool:
        return self._answer("has_users")

    def has_addresses(self) -> bool:
        return self._answer("has_addresses")

    def ping(self) -> None:
        self._answer("ping")

    def write(self) -> "Asked":
        self._answer("write")
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def _answer(self, question: str) -> bool:
        answer = self._answers.get(question, True)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)


def why_not(asked: Asked) -> str | None:
    return app._unready(cast("Server", asked), cast("Database", asked), cast("Directory", asked))


def test_it_is_ready_where_nothing_is_in_the_way() -> None:
    assert why_not(Asked()) is None


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"draining": True}, "shutting down"),
        ({"has_users": False}, "no user is registered"),
        ({"has_addresses": False}, "no record address was made"),
        ({"has_users": Deferred(Reason.STORE_DOWN)}, "the store does not answer (store_down)"),
        ({"ping": Deferred(Reason.STORE_DOWN)}, "the store does not answer (store_down)"),
        ({"write": Deferred(Reason.DISK_FULL)}, "the store does not answer (disk_full)"),
    ],
)
def test_what_is_in_the_way_is_told(answers: dict[str, Any], says: str) -> None:
    assert says in str(why_not(Asked(**answers)))


def test_a_store_that_hangs_makes_it_unready_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PROBE_SECONDS", 0.1)
    answered = threading.Event()
    with ThreadPoolExecutor(1) as probe:
        for _ in range(2):  # the second one finds the first still waiting
            assert (
                app._unready_in_time(probe, lambda: str(answered.wait(30))) == "the store does not answer within 0.1 s"
            )
        answered.set()
    with ThreadPoolExecutor(1) as probe:
        assert app._unready_in_time(probe, lambda: None) is None


def test_what_is_asked_for_readiness_is_seen_in_the_metric() -> None:
    for answer, up in ((Deferred(Reason.STORE_DOWN), 0.0), (True, 1.0)):
        why_not(Asked(write=answer))
        assert events.registry.get_sample_value("mailgate_store_up", {"store": "sqlite"}) == up


@pytest.mark.parametrize(
    ("relay", "told"),
    [
        (Relay(name="office"), False),
        (Relay(name="office", envelope_must_match=False), True),
        (Relay(name="office", envelope_must_match=False, login=True), False),
        (Relay(name="office", trust=Trust.STAMPED, envelope_must_match=False), False),
    ],
)
def test_a_relay_whose_bare_from_is_believed_is_told_at_start(
    relay: Relay, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(events, "advised", said.append)
    app._advise(Policy(domain="log.test", relays=(relay,)))
    assert [text.startswith("relays.office: a bare From is believed") for text in said] == [True] * told


@pytest.mark.parametrize(
    ("workers", "connections", "of_one_peer", "octets"),
    [
        (1, 500, 100, 1024 * MIB),
        (2, 250, 50, 512 * MIB),
        (3, 167, 40, -(-1024 * MIB // 3)),
        (8, 63, 40, 128 * MIB),
        (200, 3, 40, 50 * MIB),  # the largest mail finds room in each
    ],
)
def test_workers_share_what_is_limited(workers: int, connections: int, of_one_peer: int, octets: int) -> None:
    mine = app._share(load(None, {}), workers).smtp
    assert (mine.max_connections, mine.max_connections_per_peer, mine.bytes_in_flight) == (
        connections,
        of_one_peer,
        octets,
    )


def test_no_worker_takes_more_of_one_peer_than_all_may() -> None:
    few = load(None, {"MAILGATE_SMTP__MAX_CONNECTIONS_PER_PEER": "5"})
    assert app._share(few, 4).smtp.max_connections_per_peer == 5


@pytest.mark.parametrize(
    ("group", "limit", "processors"),
    [
        ("0::/\n", "200000 100000\n", 2),
        ("0::/\n", "150000 100000\n", 2),
        ("0::/\n", "10000 100000\n", 1),
        ("0::/\n", "max 100000\n", None),
        ("12:cpu:/old\n0::/system.slice/mailgate.service\n", "300000 100000\n", 3),
        ("0::/\n", "nonsense\n", None),
        ("0::/\n", None, None),
        ("", "max 100000\n", None),
    ],
)
def test_the_processors_that_a_container_may_use_are_known(
    tmp_path: Path, group: str, limit: str | None, processors: int | None
) -> None:
    (tmp_path / "cgroup").write_text(group)
    folder = tmp_path / "fs" / group.rpartition("0::/")[2].strip()
    folder.mkdir(parents=True)
    if limit is not None:
        (folder / "cpu.max").write_text(limit)
    assert app._quota(tmp_path / "cgroup", tmp_path / "fs") == processors
