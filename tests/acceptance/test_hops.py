"""The same mail over one and over two Postfix hops is the same mail, whatever the hops wrote into it."""

import smtplib
from pathlib import Path
from typing import Any

import pytest

from mailgate.domain import header
from tests.acceptance.postfix import Postfix, postfix, wait_for
from tests.acceptance.program import DOMAIN, Program, daemon
from tests.acceptance.test_main_job import ANNA
from tests.corpus import messages

pytestmark = pytest.mark.acceptance

# Postfix would add what is missing to mail from its own machine; mail from elsewhere it leaves as it is
AS_FROM_ELSEWHERE = "local_header_rewrite_clients =\n"


def with_a_name(path: Path) -> bool:
    """Say whether the mail has a Message-ID or a Date: without both, the relay's queue id tells mails apart."""
    fields = header.split(path.read_bytes())
    return bool(fields.values(b"message-id") or fields.values(b"date"))


def is_a_report(path: Path) -> bool:
    """Say whether it is one of those that nobody may send."""
    return any(b"multipart/report" in value for value in header.split(path.read_bytes()).values(b"content-type"))


NAMED = [path for path in messages.fixtures() if with_a_name(path) and not is_a_report(path)]


def hand_over(relay: Postfix, recipient: str, mails: list[bytes]) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port) as client:
        for mail in mails:
            client.sendmail(ANNA, [recipient], mail, mail_options=["BODY=8BITMIME"])
    wait_for(relay.queue_is_empty)


def test_one_hop_and_two_hops_give_one_activity(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:4711")
    mails = [messages.with_author(path.read_bytes(), ANNA) for path in NAMED]
    assert len(mails) > 10
    near: dict[str, Any] = {"record_domain": DOMAIN, "elsewhere": "discard:", "extra": AS_FROM_ELSEWHERE}
    with (
        daemon(served, tmp_path / "log"),
        postfix(name="near", transport=f"smtp:[127.0.0.1]:{served.smtp_port}", **near) as one_hop,
        postfix(name="far", transport=f"smtp:[127.0.0.1]:{one_hop.port}", **near) as two_hops,
    ):
        hand_over(one_hop, address, mails)
        hand_over(two_hops, address, mails)
        wait_for(lambda: len(one_hop.statuses(address)) == 2 * len(mails))
        assert set(one_hop.statuses(address)) == {"sent"}

    told = [entry["verdict"] for entry in served.facts("ledger")]
    assert told.count("kept") == told.count("duplicate") == len(mails)
    assert len(served.facts("activity", "list", "campaign:4711", "--limit", "1000")) == len(mails)
