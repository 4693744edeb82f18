from collections.abc import Mapping
from dataclasses import replace

import pytest

from mailgate.domain.activity import Known, Side
from mailgate.domain.record import AddressState, RecordState, RoledRecord
from mailgate.domain.user import User
from tests.contract.conftest import Maker
from tests.worlds import ANNA, BEAT, CAMPAIGN, DEAL_GROUP, DOMAIN, EMPTY, JOB, NOW, SUPPORT, WORLD, ref


@pytest.mark.parametrize(
    ("address", "record", "state", "record_state"),
    [
        (f"aaaa@{DOMAIN}", "campaign:4711", AddressState.OPEN, RecordState.OPEN),
        (f"bbbb@{DOMAIN}", "campaign:4711", AddressState.GRACE, RecordState.OPEN),
        (f"cccc@{DOMAIN}", "campaign:4712", AddressState.CLOSED, RecordState.CLOSED),
        (f"dddd@{DOMAIN}", "customer:7", AddressState.REVOKED, RecordState.OPEN),
    ],
)
def test_an_address_is_found_in_every_state(
    make_backend: Maker, address: str, record: str, state: AddressState, record_state: RecordState
) -> None:
    found = make_backend(WORLD).directory.find_address(address)
    assert found is not None
    assert (found.address.address, found.address.record) == (address, ref(record))
    assert (found.address.state, found.record_state) == (state, record_state)


def test_an_address_tells_when_it_expires(make_backend: Maker) -> None:
    found = make_backend(WORLD).directory.find_address(f"bbbb@{DOMAIN}")
    assert found is not None
    assert found.address.expires_at == NOW
    assert found.address.last_used_at is None


@pytest.mark.parametrize(
    "address",
    [f"zzzz@{DOMAIN}", "aaaa@else.example", f"aaaa@sub.{DOMAIN}", "aaaa", "", "@", f"@{DOMAIN}", f"AAAA@{DOMAIN}"],
)
def test_no_other_address_is_found(make_backend: Maker, address: str) -> None:
    assert make_backend(WORLD).directory.find_address(address) is None


@pytest.mark.parametrize(
    ("email", "user"),
    [
        ("anna@firma.example", ANNA),
        ("anna@mobil.example", ANNA),
        ("beat@firma.example", BEAT),
        ("support@firma.example", SUPPORT),
        ("job@firma.example", JOB),
        ("one@kunde.example", None),
        ("Anna@firma.example", None),
        ("", None),
    ],
)
def test_a_user_is_found_by_each_of_its_addresses(make_backend: Maker, email: str, user: User | None) -> None:
    assert make_backend(WORLD).directory.find_user(email) == user


def _external(name: str) -> Known:
    return Known(Side.EXTERNAL, record=ref(name))


def _near(name: str) -> Known:
    return Known(Side.EXTERNAL, record=ref(name), near=True)


AMBIGUOUS = Known(Side.EXTERNAL, ambiguous=True)
AMBIGUOUS_NEAR = Known(Side.EXTERNAL, ambiguous=True, near=True)
INTERNAL = Known(Side.INTERNAL)


@pytest.mark.parametrize(
    ("seen_from", "expected"),
    [
        pytest.param(
            "campaign:4711",
            {
                "anna@firma.example": INTERNAL,
                "anna@mobil.example": INTERNAL,
                "one@kunde.example": _near("contact:1"),
                "two@kunde.example": _near("contact:2"),
                "lead@kunde.example": _external("lead:5"),
            },
            id="a user is internal though a contact has its address; who is the only one is found anywhere",
        ),
        pytest.param(
            "campaign:4711",
            {"shared@kunde.example": _near("contact:1")},
            id="on the record goes before on its customer and anywhere",
        ),
        pytest.param(
            "campaign:4711",
            {"agency@kunde.example": _near("contact:4")},
            id="on its agency goes before anywhere",
        ),
        pytest.param(
            "campaign:4711",
            {"far@kunde.example": _near("contact:3")},
            id="a contact that names the customer is on it",
        ),
        pytest.param("campaign:4711", {"pair@kunde.example": AMBIGUOUS_NEAR}, id="two on the customer are ambiguous"),
        pytest.param("campaign:4711", {"many@kunde.example": AMBIGUOUS}, id="two anywhere are ambiguous"),
        pytest.param("customer:7", {"shared@kunde.example": _near("contact:2")}, id="on a customer its own contacts"),
        pytest.param("deal_group:1", {"shared@kunde.example": AMBIGUOUS}, id="a record without clients sees all alike"),
        pytest.param(
            "contact:8", {"shared@kunde.example": _near("contact:8")}, id="a contact's record is the contact itself"
        ),
        pytest.param("contact:2", {"far@kunde.example": _near("contact:3")}, id="a contact belongs to who names it"),
        pytest.param(
            "contact:3", {"shared@kunde.example": _near("contact:2")}, id="a contact belongs to whom it names"
        ),
        pytest.param(
            "campaign:4712", {"far@kunde.example": AMBIGUOUS}, id="a relation in another role is no way to a contact"
        ),
        pytest.param("campaign:nil", {"one@kunde.example": _external("contact:1")}, id="a record that is not there"),
    ],
)
def test_participants_are_known_by_steps_from_the_record(
    make_backend: Maker, seen_from: str, expected: Mapping[str, Known]
) -> None:
    directory = make_backend(WORLD).directory
    asked = [*expected, "nobody@else.example"]
    assert dict(directory.known(ref(seen_from), asked)) == expected


@pytest.mark.parametrize(
    ("seen_from", "near"),
    [
        ("campaign:4711", {"one", "two", "three", "shared", "pair", "far", "agency", "four"}),
        ("campaign:4712", set()),
        ("customer:7", {"two", "three", "shared", "pair", "far"}),
        ("customer:70", {"four", "agency"}),
        ("deal_group:1", set()),
        ("contact:1", {"one", "shared"}),  # of no customer: only itself
        ("contact:2", {"two", "three", "shared", "pair", "far"}),
        ("contact:3", {"two", "three", "shared", "pair", "far"}),
        ("lead:5", {"lead"}),
        ("campaign:nil", set()),
    ],
)
def test_who_belongs_to_the_record_or_its_clients_is_near(make_backend: Maker, seen_from: str, near: set[str]) -> None:
    emails = {email for record in WORLD.records for email in record.email}
    known = make_backend(WORLD).directory.known(ref(seen_from), emails | {"nobody@else.example"})
    assert {email.partition("@")[0] for email, each in known.items() if each.near} == near


def test_contacts_of_a_record_in_another_role_are_not_on_it(make_backend: Maker) -> None:
    sister = next(record for record in WORLD.records if record.record == ref("campaign:4712"))
    with_contact = replace(sister, contacts=_named("contact:8"))
    records = tuple(with_contact if record is sister else record for record in WORLD.records)
    directory = make_backend(replace(WORLD, records=records)).directory
    assert dict(directory.known(CAMPAIGN, ["many@kunde.example"])) == {"many@kunde.example": AMBIGUOUS}


def _named(name: str) -> tuple[RoledRecord, ...]:
    return (RoledRecord("buyer", ref(name)),)


def test_thousands_of_addresses_are_answered_at_once(make_backend: Maker) -> None:
    directory = make_backend(WORLD).directory
    many = [f"nobody{number}@else.example" for number in range(5000)]
    assert list(directory.known(DEAL_GROUP, [*many, "one@kunde.example"])) == ["one@kunde.example"]
    assert dict(directory.known(DEAL_GROUP, [])) == {}


def test_an_empty_store_says_so(make_backend: Maker) -> None:
    backend = make_backend(EMPTY)
    assert (backend.directory.has_users(), backend.directory.has_addresses()) == (False, False)


def test_a_store_with_users_and_addresses_says_so(make_backend: Maker) -> None:
    backend = make_backend(WORLD)
    assert (backend.directory.has_users(), backend.directory.has_addresses()) == (True, True)


def test_users_alone_are_no_addresses(make_backend: Maker) -> None:
    backend = make_backend(replace(WORLD, addresses=()))
    assert (backend.directory.has_users(), backend.directory.has_addresses()) == (True, False)
