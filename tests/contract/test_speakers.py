from dataclasses import replace

import pytest

from mailgate.domain.record import Record, RoledRecord
from mailgate.domain.user import Language
from mailgate.errors import NotFound
from tests.contract.conftest import Maker
from tests.worlds import ANNA, BEAT, CAMPAIGN, EMPTY, WORLD, World, person, ref

DE, EN, FR, IT = Language

MAIL = "x@kunde.example"


def _spoken(record: Record, language: str) -> Record:
    return replace(record, language=language)


def _customer(name: str, language: str | None = None, *contacts: str) -> Record:
    named = tuple(RoledRecord("main", ref(contact)) for contact in contacts)
    return Record(record=ref(name), name=name, language=language, contacts=named)


def _campaign(*clients: str, contacts: tuple[str, ...] = ()) -> Record:
    roles = ("customer", "agency", "intermediary")
    return Record(
        record=CAMPAIGN,
        name="Herbst",
        relations=tuple(RoledRecord(role, ref(client)) for role, client in zip(roles, clients, strict=False)),
        contacts=tuple(RoledRecord("buyer", ref(contact)) for contact in contacts),
    )


def test_users_are_named_with_their_language_by_each_of_their_addresses(make_backend: Maker) -> None:
    found = make_backend(WORLD).speakers.users(
        ["anna@firma.example", "anna@mobil.example", BEAT.email, "one@kunde.example", ""]
    )
    assert found == {"anna@firma.example": DE, "anna@mobil.example": DE, BEAT.email: None}


@pytest.mark.parametrize(
    ("records", "language"),
    [
        pytest.param([_spoken(person("contact:1", MAIL), "fr")], FR, id="it is set on the contact"),
        pytest.param([_spoken(person("lead:1", MAIL), "fr")], FR, id="or lead"),
        pytest.param([person("contact:1", MAIL)], None, id="it is set nowhere"),
        pytest.param([], None, id="the address is nobody's"),
        pytest.param(
            [_spoken(person("contact:1", MAIL, customer="customer:1"), "fr"), _customer("customer:1", "it")],
            FR,
            id="the contact's own counts more than its customer's",
        ),
        pytest.param(
            [person("contact:1", MAIL, customer="customer:1"), _customer("customer:1", "it")],
            IT,
            id="on the customer that the contact names",
        ),
        pytest.param(
            [person("contact:1", MAIL), _customer("customer:1", "it", "contact:1")],
            IT,
            id="on the customer that names the contact",
        ),
        pytest.param(
            [person("contact:1", MAIL, agency="customer:1"), _customer("customer:1", "it")],
            None,
            id="another role makes no customer",
        ),
        pytest.param(
            [
                person("contact:1", MAIL, customer="customer:1"),
                _customer("customer:1", "it"),
                _customer("customer:2", "de", "contact:1"),
            ],
            None,
            id="two customers disagree",
        ),
        pytest.param(
            [
                person("contact:1", MAIL, customer="customer:1"),
                _customer("customer:1", "it"),
                _customer("customer:2", "it", "contact:1"),
                _customer("customer:3", None, "contact:1"),
            ],
            IT,
            id="two customers agree and one says nothing",
        ),
        pytest.param(
            [
                person("contact:1", MAIL, customer="customer:1"),
                _customer("customer:1", "it"),
                _customer("customer:2", "de", "contact:1"),
                _campaign("customer:2"),
            ],
            DE,
            id="of two customers the record's own counts",
        ),
        pytest.param(
            [
                person("contact:1", MAIL, customer="customer:1"),
                _customer("customer:1", "it"),
                _customer("customer:2", "de", "contact:1"),
                _customer("customer:3", "fr"),
                _campaign("customer:3", "customer:2"),
            ],
            DE,
            id="or that of its agency",
        ),
        pytest.param(
            [_spoken(person("contact:1", MAIL), "fr"), _spoken(person("contact:2", MAIL), "it")],
            None,
            id="two contacts far away disagree",
        ),
        pytest.param(
            [
                _spoken(person("contact:1", MAIL), "fr"),
                _spoken(person("contact:2", MAIL), "it"),
                _campaign(contacts=("contact:2",)),
            ],
            IT,
            id="of two contacts the nearer one counts",
        ),
        pytest.param(
            [
                _spoken(person("contact:1", MAIL), "fr"),
                person("contact:2", MAIL),
                _campaign(contacts=("contact:2",)),
            ],
            None,
            id="also if nothing is set on it",
        ),
        pytest.param(
            [
                _spoken(person("contact:1", MAIL), "fr"),
                _spoken(person("contact:2", MAIL), "it"),
                _campaign(contacts=("contact:1", "contact:2")),
            ],
            None,
            id="two contacts at one step disagree",
        ),
        pytest.param(
            [
                _spoken(person("contact:1", MAIL), "fr"),
                _spoken(person("contact:2", MAIL), "fr"),
                person("contact:3", MAIL, customer="customer:1"),
                _customer("customer:1", "it"),
                _campaign(contacts=("contact:1", "contact:2", "contact:3")),
            ],
            FR,
            id="two agree and one says nothing",
        ),
        pytest.param([_spoken(_customer("customer:1"), "it")], None, id="a customer is no contact"),
    ],
)
def test_a_contact_is_written_to_in_the_language_set_nearest(
    make_backend: Maker, records: list[Record], language: Language | None
) -> None:
    on = [] if any(record.record == CAMPAIGN for record in records) else [_campaign()]
    found = make_backend(World(records=(*records, *on))).speakers.contacts(CAMPAIGN, [MAIL, "nobody@else.example"])
    assert found == ({} if language is None else {MAIL: language})


@pytest.mark.parametrize("email", [ANNA.email, ANNA.aliases[0]])
def test_a_contact_who_is_a_user_too_is_written_to_in_the_contacts_language(make_backend: Maker, email: str) -> None:
    world = World(users=(ANNA,), records=(_campaign(), _spoken(person("contact:1", email), "fr")))
    speakers = make_backend(world).speakers
    assert speakers.contacts(CAMPAIGN, [email]) == {email: FR}
    assert speakers.users([email]) == {email: DE}


def test_many_recipients_are_asked_about_at_once(make_backend: Maker) -> None:
    persons = [_spoken(person(f"contact:{n}", f"{n}@kunde.example"), "it") for n in range(1200)]
    speakers = make_backend(World(records=(_campaign(), *persons))).speakers
    emails = [f"{n}@kunde.example" for n in range(1200)]
    assert speakers.contacts(CAMPAIGN, emails) == dict.fromkeys(emails, IT)
    assert speakers.users(emails) == {}


@pytest.mark.parametrize("language", [None, *Language])
def test_a_record_says_its_language(make_backend: Maker, language: Language | None) -> None:
    contract = Record(record=ref("publisher_contract:1"), name="Verlag", language=language)
    assert make_backend(World(records=(contract,))).speakers.language(contract.record) == language


def test_a_record_that_is_not_there_is_named(make_backend: Maker) -> None:
    with pytest.raises(NotFound, match="campaign:4711"):
        make_backend(EMPTY).speakers.language(CAMPAIGN)
