"""``vouched``, with the logins and sender-login maps of a real Postfix: each user writes as themselves alone."""

import json
import smtplib
from collections.abc import Iterator

import pytest

from tests.acceptance.company import settled_by
from tests.acceptance.office import ANNA, BEAT, SUPPORT, Office, office

pytestmark = [pytest.mark.acceptance("sasl"), pytest.mark.xdist_group("vouched")]


@pytest.fixture(scope="module")
def muster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    pairs = json.dumps([{"envelope": BEAT, "author": SUPPORT}])
    with office(tmp_path_factory.mktemp("vouched"), MAILGATE_SENDERS__PAIRS=pairs) as running:
        yield running


def test_a_user_writes_as_themselves(muster: Office) -> None:
    record, address = muster.company.record()
    muster.send(ANNA, ANNA, ANNA, address)

    assert settled_by(muster.postfix, address) == ["sent"]
    assert muster.company.kept(record) == [(ANNA, "vouched")]


def test_a_user_writes_as_the_shared_mailbox_that_they_may_send_as(muster: Office) -> None:
    record, address = muster.company.record()
    muster.send(BEAT, BEAT, SUPPORT, address)

    assert settled_by(muster.postfix, address) == ["sent"]
    assert muster.company.kept(record) == [(SUPPORT, "vouched")]


@pytest.mark.parametrize(
    ("login", "sender", "author"),
    [
        (BEAT, BEAT, ANNA),  # his login and envelope sender, her From: Postfix looks at the envelope only
        (BEAT, SUPPORT, ANNA),
        (ANNA, SUPPORT, SUPPORT),  # may send from it, but is not allowed to write as it
    ],
)
def test_another_users_from_is_refused(muster: Office, login: str, sender: str, author: str) -> None:
    record, address = muster.company.record()
    muster.send(login, sender, author, address)

    assert settled_by(muster.postfix, address) == ["bounced"]
    assert "550 5.7.26 [MG-TRUST]" in muster.company.notice(sender, address)
    assert muster.company.kept(record) == []


@pytest.mark.parametrize(
    ("login", "sender"),
    [
        (BEAT, ANNA),  # another user's envelope sender
        ("", ANNA),  # no login, from a machine that may relay
    ],
)
def test_postfix_itself_refuses_who_did_not_say_who_they_are(muster: Office, login: str, sender: str) -> None:
    record, address = muster.company.record()

    with pytest.raises(smtplib.SMTPRecipientsRefused):
        muster.send(login, sender, ANNA, address)
    assert muster.company.kept(record) == []
