from collections.abc import Callable, Collection, Iterator

import pytest
from sqlalchemy import Connection, select

from mailgate.domain.entry import UserEntry
from mailgate.domain.record import RecordRef
from mailgate.domain.user import Role, User, UserKind
from mailgate.errors import BadInput, NotFound
from mailgate.store import users
from mailgate.store.database import Database
from mailgate.store.directory import Directory
from mailgate.store.tables import audit
from tests.store.admin import ACTOR, ANNA, DOMAIN, LUCA, Admin, a_mail, administering


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA, name="Anna Muster", aliases=["a.muster@muster.example"])
        yield one


def test_a_user_is_shown_under_any_of_its_addresses(admin: Admin) -> None:
    for email in (ANNA, "a.muster@muster.example", "ANNA@Muster.Example"):
        assert admin.users.show(email) == User(
            email=ANNA,
            name="Anna Muster",
            aliases=("a.muster@muster.example",),
            roles=frozenset({Role.RECORD_ACTIVITIES}),
        )


@pytest.mark.parametrize(
    ("kind", "roles"),
    [("person", {Role.RECORD_ACTIVITIES}), ("shared", {Role.RECORD_ACTIVITIES}), ("system", set())],
)
def test_roles_given_by_default(admin: Admin, kind: str, roles: set[Role]) -> None:
    admin.user("new@muster.example", kind=kind)
    assert admin.users.show("new@muster.example").roles == roles


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda admin: admin.user(ANNA), "anna@muster.example is a user already"),
        (lambda admin: admin.user("A.Muster@muster.example"), "is an alias of anna@muster.example"),
        (lambda admin: admin.user("b@muster.example", aliases=[ANNA]), "an address belongs to one user"),
        (lambda admin: admin.user(f"b@{DOMAIN}"), "it can't be a user's"),
        (lambda admin: admin.users.alias(ANNA, f"x@{DOMAIN}", remove=False, actor=ACTOR), "it can't be a user's"),
        (lambda admin: admin.users.alias(ANNA, ANNA, remove=False, actor=ACTOR), "is an address of anna@"),
        (lambda admin: admin.users.alias(ANNA, ANNA, remove=True, actor=ACTOR), "is the main address"),
        (lambda admin: admin.user("b@muster.example", name="B\x1b[31m"), "control character"),
        (lambda admin: admin.user("b@muster.example", name=" "), "1 to 200"),
        (lambda admin: admin.user("b@muster.example", kind="robot"), "'robot' is no kind of user"),
        (lambda admin: admin.user("b@muster.example", language="es"), "'es' is no language"),
        (lambda admin: admin.user("b@muster.example", give=["boss"]), "'boss' is no role"),
        (lambda admin: admin.user("b@muster.example", give=["administer"], take=["administer"]), "both given"),
    ],
)
def test_what_is_refused(admin: Admin, what: Callable[[Admin], object], says: str) -> None:
    before = list(admin.users.list())
    with pytest.raises(BadInput, match=says.replace("'", ".")):
        what(admin)
    assert list(admin.users.list()) == before


@pytest.mark.parametrize(
    "what",
    [
        lambda admin: admin.users.show("nobody@muster.example"),
        lambda admin: admin.users.set(UserEntry.read("nobody@muster.example", name="N"), actor=ACTOR),
        lambda admin: admin.users.disable("nobody@muster.example", actor=ACTOR),
        lambda admin: admin.users.remove("nobody@muster.example", actor=ACTOR),
        lambda admin: admin.users.alias("nobody@muster.example", "x@muster.example", remove=False, actor=ACTOR),
        lambda admin: admin.users.alias(ANNA, "nobody@muster.example", remove=True, actor=ACTOR),
    ],
)
def test_whoever_is_not_there_is_named(admin: Admin, what: Callable[[Admin], object]) -> None:
    with pytest.raises(NotFound, match=r"nobody@muster\.example"):
        what(admin)


def test_set_changes_what_is_given_and_nothing_else(admin: Admin) -> None:
    admin.users.set(UserEntry.read("a.muster@muster.example", language="fr", give=["administer"]), actor=ACTOR)
    changed = admin.users.set(UserEntry.read(ANNA, kind="shared", take=["record_activities"]), actor=ACTOR)
    assert changed == admin.users.show(ANNA)
    assert (changed.name, changed.kind, changed.language) == ("Anna Muster", UserKind.SHARED, "fr")
    assert changed.roles == {Role.ADMINISTER}
    assert changed.aliases == ("a.muster@muster.example",)
    assert admin.users.set(UserEntry.read(ANNA, language=""), actor=ACTOR).language is None


def test_an_alias_comes_goes_and_may_then_be_another_users(admin: Admin) -> None:
    admin.user(LUCA)
    assert admin.users.alias(ANNA, "Team@muster.example", remove=False, actor=ACTOR).aliases == (
        "a.muster@muster.example",
        "team@muster.example",
    )
    with pytest.raises(BadInput, match=r"team@muster\.example is an alias of anna@muster\.example"):
        admin.users.alias(LUCA, "team@muster.example", remove=False, actor=ACTOR)
    admin.users.alias(ANNA, "team@muster.example", remove=True, actor=ACTOR)
    assert admin.users.alias(LUCA, "team@muster.example", remove=False, actor=ACTOR).aliases == ("team@muster.example",)


def test_a_contact_may_have_the_address_of_a_user(admin: Admin) -> None:
    admin.record("contact:1", email=[ANNA])
    assert admin.records.show(RecordRef.parse("contact:1")).email == (ANNA,)


def test_disable_and_enable(admin: Admin) -> None:
    assert admin.users.disable("a.muster@muster.example", actor=ACTOR).enabled is False
    assert admin.users.show(ANNA).enabled is False
    assert admin.users.enable(ANNA, actor=ACTOR).enabled is True


def test_a_user_with_activities_or_in_the_audit_is_not_removed(admin: Admin) -> None:
    admin.user(LUCA, give=["administer"])
    campaign = admin.record("campaign:1", user=[f"sales={ANNA}"])
    (activity,) = admin.log(a_mail(), campaign)
    with pytest.raises(BadInput, match="has activities and can't be removed: use mailgate user disable"):
        admin.users.remove(ANNA, actor=ACTOR)
    admin.activities.erase(activity, reason="court", actor=ACTOR, as_email=LUCA)
    with pytest.raises(BadInput, match="stands in the audit"):
        admin.users.remove(LUCA, actor=ACTOR)
    admin.users.remove(ANNA, actor=ACTOR)
    assert [user.email for user in admin.users.list()] == [LUCA]
    assert admin.records.show(campaign).users == ()


def test_a_user_who_is_removed_while_being_looked_up_is_not_there(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = users._users

    def removed_before(connection: Connection, ids: Collection[int]) -> dict[int, users.StoredUser]:
        return {key: user for key, user in read(connection, ids).items() if user.user.email != ANNA}

    monkeypatch.setattr(users, "_users", removed_before)
    with pytest.raises(NotFound):
        admin.users.show(ANNA)


def test_all_are_listed_by_address_however_many(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailgate.store.users.PAGE", 2)
    for name in "dbce":
        admin.user(f"{name}@muster.example")
    assert [user.email[0] for user in admin.users.list()] == ["a", "b", "c", "d", "e"]


def test_every_change_is_audited_under_the_login(admin: Admin) -> None:
    admin.users.set(UserEntry.read(ANNA, name="Anna Neu", language="it"), actor="operator")
    admin.users.set(UserEntry.read(ANNA, name="Anna Neu"), actor="operator")  # changes nothing
    admin.users.disable(ANNA, actor="operator")
    with admin.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.actor == "operator").order_by(audit.c.id)).all()
    assert [(row.action, row.subject, row.detail) for row in rows] == [
        ("user changed", ANNA, "name, language"),
        ("user changed", ANNA, "enabled"),
    ]


def test_a_system_that_may_send_automatic_mail_is_known_as_one_everywhere(admin: Admin) -> None:
    scanner = "scanner@muster.example"
    admin.user(scanner, kind="system", accept_automatic=True)
    directory = Directory(admin.database, DOMAIN)
    found = directory.find_user(scanner)
    assert found == admin.users.show(scanner)
    assert found is not None
    assert found.accept_automatic
    admin.users.set(UserEntry.read(scanner, accept_automatic=False), actor=ACTOR)
    after = directory.find_user(scanner)
    assert after is not None
    assert not after.accept_automatic
    assert [user.accept_automatic for user in admin.users.list()] == [False, False]
