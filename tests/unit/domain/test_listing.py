"""What may be asked of a listing, and what is refused with its name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mailgate.domain.activity import ActivityType
from mailgate.domain.listing import EVERYTHING, Wish
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.errors import BadInput

FIRST, SECOND = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
CAMPAIGN, CUSTOMER = RecordRef.parse("campaign:1"), RecordRef.parse("customer:1")


def test_what_was_typed_is_read() -> None:
    wish = Wish.read(
        affiliation=["Customer", "contact", "customer"],
        without_own=True,
        type="TASK",
        topic="Other",
        external="Nora@Optik.example",
        internal="ANNA@muster.example",
        since=FIRST,
        until=SECOND,
        open=True,
    )
    assert wish == Wish(
        affiliations=(RecordKind.CUSTOMER, RecordKind.CONTACT),
        own=False,
        type=ActivityType.TASK,
        topic="other",
        external="nora@optik.example",
        internal="anna@muster.example",
        since=FIRST,
        until=SECOND,
        done=False,
    )
    assert Wish.read() == EVERYTHING
    assert Wish.read(external="contact:12").external == RecordRef(RecordKind.CONTACT, "12")
    assert Wish.read(external="lead:a@b").external == RecordRef(RecordKind.LEAD, "a@b")
    assert Wish.read(done=True).done is True


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"affiliation": ["campaign", "deal"]}, "--affiliation 'deal' is unknown: choose one of customer, lead"),
        ({"type": "letter"}, "--type 'letter' is unknown: choose one of task, email"),
        ({"external": "nora"}, "--external 'nora' is no e-mail address"),
        ({"external": "contact:"}, "--external 'contact:' is no record: REF is 1 to"),
        ({"external": "person:1"}, "--external 'person:1' is no e-mail address"),
        ({"external": "customer:7"}, "--external customer:7: .* name a contact, a lead or an e-mail address"),
        ({"external": "a:b@optik.example"}, "--external 'a:b@optik.example' is no e-mail address"),
        ({"external": ""}, "--external '' is no e-mail address"),
        ({"internal": "anna@"}, "--internal 'anna@' is no e-mail address"),
        ({"without_own": True}, "--without-own lists nothing without --affiliation"),
        ({"done": True, "open": True}, "--done and --open contradict each other"),
        ({"done": True, "type": "email"}, "--done lists tasks: --type email contradicts it"),
        ({"open": True, "type": "note"}, "--open lists tasks: --type note contradicts it"),
        ({"since": SECOND, "until": FIRST}, "--since 2026-11-02T00:00:00.00:00 is after --until 2026-11-01"),
    ],
)
def test_what_is_refused_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Wish.read(**given)


@pytest.mark.parametrize(
    ("record", "given", "says"),
    [
        (CAMPAIGN, {"topic": "payout"}, "--topic 'payout' is none of campaign: choose one of billing"),
        (CAMPAIGN, {"topic": "no such"}, "--topic 'no such' is none of campaign"),
        (CUSTOMER, {"topic": "billing"}, "--topic 'billing' is none of customer"),
        (CUSTOMER, {"topic": "billing", "affiliation": ["contact"]}, "--topic 'billing' is none of customer, contact"),
        (
            CUSTOMER,
            {"topic": "customer_care", "affiliation": ["campaign"], "without_own": True},
            "--topic 'customer_care' is none of campaign",
        ),
        (CUSTOMER, {"topic": "billing", "affiliation": ["campaign"]}, None),
        (CUSTOMER, {"topic": "customer_care", "affiliation": ["campaign"]}, None),
        (CAMPAIGN, {"topic": "other"}, None),
    ],
)
def test_a_topic_must_be_one_of_what_is_listed(record: RecordRef, given: dict[str, Any], says: str | None) -> None:
    wish = Wish.read(**given)
    if says is None:
        wish.check(record, Edition.PUBLISHER)
    else:
        with pytest.raises(BadInput, match=says):
            wish.check(record, Edition.PUBLISHER)


@pytest.mark.parametrize(
    ("edition", "refused"), [(Edition.PUBLISHER, True), (Edition.MARKETER, False), (Edition.MARKETER_LIGHT, False)]
)
def test_an_edition_may_lack_an_affiliation(edition: Edition, refused: bool) -> None:
    wish = Wish.read(affiliation=["publisher_contract"])
    if refused:
        with pytest.raises(BadInput, match=r"--affiliation publisher_contract: .* in the edition publisher"):
            wish.check(CUSTOMER, edition)
    else:
        wish.check(CUSTOMER, edition)
