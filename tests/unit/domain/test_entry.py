from collections.abc import Callable

import pytest

from mailgate.domain.entry import MAX_VALUES, RecordEntry, UserEntry, may_become, read_name
from mailgate.domain.listing import Wish
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.domain.topic import check_topic
from mailgate.domain.user import Language, Role, UserKind
from mailgate.errors import BadInput

ANNA = "anna@a.example"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Anna", "Anna"),
        ("  Anna  Muster ", "Anna  Muster"),
        ("Mu\u0308ller", "Müller"),
        ("Ärzte & Söhne «Süd»", "Ärzte & Söhne «Süd»"),
        ("N" * 200, "N" * 200),
    ],
)
def test_names_that_are_taken(typed: str, name: str) -> None:
    assert read_name(typed) == name


@pytest.mark.parametrize("typed", ["", " ", "N" * 201, "a\nb", "a\x00b", "\x1b[31m", "a\u2028b", "\udcff", "a\x85b"])
def test_names_that_are_refused(typed: str) -> None:
    with pytest.raises(BadInput, match="name "):
        read_name(typed)


def test_a_name_is_measured_before_it_is_normalised() -> None:
    far_too_long = "a" + "\u0301\u0323" * 200_000  # normalising takes minutes
    with pytest.raises(BadInput, match="has 400001 characters"):
        read_name(far_too_long)


ENDLESS = "x" * 100_000


@pytest.mark.parametrize(
    "read",
    [
        lambda: RecordRef.parse(ENDLESS),
        lambda: RecordRef.parse(f"lead:{ENDLESS}"),
        lambda: RecordEntry.read("lead:1", relate=[ENDLESS]),
        lambda: RecordEntry.read("lead:1", state=ENDLESS),
        lambda: UserEntry.read(ENDLESS),
        lambda: UserEntry.read(ANNA, roles=[ENDLESS]),
        lambda: read_name(ENDLESS),
        lambda: Wish.read(type=ENDLESS),
        lambda: Wish.read(topic=ENDLESS).check(RecordRef.parse("lead:1"), Edition.MARKETER),
        lambda: check_topic(RecordKind.LEAD, ENDLESS, Edition.MARKETER),
    ],
)
def test_a_refusal_shows_only_the_beginning(read: Callable[[], object]) -> None:
    with pytest.raises(BadInput) as refused:
        read()
    assert len(str(refused.value)) < 500


def test_a_new_user_gets_what_was_typed_and_the_roles_of_its_kind() -> None:
    user = UserEntry.read("Anna@A.example", name="Anna", kind="Person", language="DE", give=["administer"]).apply(None)
    assert (user.email, user.kind, user.language) == (ANNA, UserKind.PERSON, Language.DE)
    assert user.roles == {Role.RECORD_ACTIVITIES, Role.ADMINISTER}


def test_a_system_whose_automatic_mail_is_taken_gets_the_role_for_it() -> None:
    system = UserEntry.read(ANNA, name="Scanner", kind="system", accept_automatic=True).apply(None)
    assert (system.accept_automatic, system.roles) == (True, frozenset({Role.RECORD_ACTIVITIES}))
    plain = UserEntry.read(ANNA, name="Job", kind="system").apply(None)
    assert (plain.accept_automatic, plain.roles) == (False, frozenset())
    later = UserEntry.read(ANNA, accept_automatic=True).apply(plain)
    assert (later.accept_automatic, later.roles) == (True, frozenset({Role.RECORD_ACTIVITIES}))
    without = UserEntry.read(ANNA, accept_automatic=True, take=["record_activities"]).apply(plain)
    assert (without.accept_automatic, without.roles) == (True, frozenset())
    assert UserEntry.read(ANNA, name="S").apply(system) == UserEntry.read(ANNA, name="S").apply(later)
    assert UserEntry.read(ANNA, accept_automatic=False).apply(system).accept_automatic is False


@pytest.mark.parametrize("kind", [None, "person", "shared"])
def test_automatic_mail_is_taken_from_systems_only(kind: str | None) -> None:
    with pytest.raises(BadInput, match=f"{ANNA} is of kind {kind or 'person'}: automatic mail is taken from users of"):
        UserEntry.read(ANNA, name="Anna", kind=kind, accept_automatic=True).apply(None)
    system = UserEntry.read(ANNA, name="Scanner", kind="system", accept_automatic=True).apply(None)
    if kind:
        with pytest.raises(BadInput, match="or --no-accept-automatic"):
            UserEntry.read(ANNA, kind=kind).apply(system)
        changed = UserEntry.read(ANNA, kind=kind, accept_automatic=False).apply(system)
        assert (changed.kind.value, changed.accept_automatic) == (kind, False)


def test_roles_are_replaced_given_and_taken() -> None:
    user = UserEntry.read(ANNA, name="Anna").apply(None)
    assert UserEntry.read(ANNA, roles=["administer"]).apply(user).roles == {Role.ADMINISTER}
    assert UserEntry.read(ANNA, roles=[]).apply(user).roles == set()
    assert UserEntry.read(ANNA, take=["record_activities"]).apply(user).roles == set()
    assert UserEntry.read(ANNA, kind="system").apply(user).roles == {Role.RECORD_ACTIVITIES}


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda: UserEntry.read(ANNA, name="A", aliases=[ANNA]).apply(None), "needs no alias"),
        (lambda: UserEntry.read(ANNA).apply(None), "anna@a.example is new and needs a name"),
        (lambda: RecordEntry.read("lead:1", relate=["=customer:1"]), "has no role"),
        (lambda: RecordEntry.read("lead:1", relate=[f"{'r' * 41}=customer:1"]), "has no role"),
        (lambda: RecordEntry.read("lead:1", user=["sales=nobody"]), "no e-mail address"),
        (lambda: RecordEntry.read("lead:1", email=[f"{n}@a.example" for n in range(MAX_VALUES + 1)]), "1001 values"),
        (lambda: RecordEntry.read("publisher_contract:1", name="V").apply(None), "needs a language"),
    ],
)
def test_what_is_refused(what: Callable[[], object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        what()


def test_a_publisher_contract_never_loses_its_language() -> None:
    contract = RecordEntry.read("publisher_contract:1", name="V", language="fr").apply(None)
    with pytest.raises(BadInput, match="needs a language"):
        RecordEntry.read("publisher_contract:1", language="").apply(contract)


def test_roles_on_a_record_are_lower_case_and_may_hold_an_equals_sign_in_the_reference() -> None:
    entry = RecordEntry.read("campaign:1", relate=[" Customer =customer:a=b", "customer=customer:a=b"])
    assert entry.relations is not None
    assert [(roled.role, str(roled.record)) for roled in entry.relations] == [("customer", "customer:a=b")]


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("campaign:1", "campaign:2", True),
        ("lead:1", "contact:1", True),
        ("lead:1", "customer:1", True),
        ("contact:1", "lead:1", False),
        ("contact:1", "customer:1", False),
        ("lead:1", "campaign:1", False),
        ("lead:1", "lead:1", False),
    ],
)
def test_what_a_record_may_become(old: str, new: str, may: bool) -> None:
    if may:
        may_become(RecordRef.parse(old), RecordRef.parse(new))
        return
    with pytest.raises(BadInput):
        may_become(RecordRef.parse(old), RecordRef.parse(new))
