"""What people see of a mail's insides: documents by default without logos, and calendars summed up."""

from pathlib import Path

from tests.cli.conftest import Run
from tests.corpus.messages import FIXTURES, with_author
from tests.store.admin import ANNA


def logged(run: Run, fixture: str) -> str:
    """Log a fixture as Anna's on the campaign, and give the id of its activity."""
    address = run("address", "show", "campaign:4711").out.strip()
    mail = with_author((FIXTURES / f"{fixture}.eml").read_bytes(), ANNA)
    (said,) = run("ingest", "-", "--to", address, "--json", stdin=mail).facts
    return str(said["activity"])


def documents(out: str) -> list[str]:
    return [line.split("\t", 1)[1] for line in out.splitlines() if line.startswith("documents\t")]


def test_pictures_that_the_html_shows_are_left_out_of_the_documents_unless_asked_for(world: Run) -> None:
    activity = logged(world, "03-alternative-related-logo")
    (shown,) = world("activity", "show", activity, "--json").facts
    assert [one["inline"] for one in shown["documents"]] == [True, False]
    assert shown["documents"][0]["content_id"] == "logo@haus.example"
    assert 'src="cid:logo@haus.example"' in shown["html"]
    (offer,) = documents(world("activity", "show", activity).out)
    assert shown["documents"][1]["name"] in offer
    assert len(documents(world("activity", "show", activity, "--inline").out)) == 2


def test_a_calendar_is_summed_up_and_stays_a_document(world: Run, tmp_path: Path) -> None:
    activity = logged(world, "70-invitation")
    (shown,) = world("activity", "show", activity, "--json").facts
    assert [one["appointment"]["title"][:8] for one in shown["documents"]] == ["Kick-off", "Ferien"]
    assert shown["documents"][1]["appointment"]["place"] is None
    first, second = documents(world("activity", "show", activity).out)
    for said in ("Kick-off: Übergabe", "2026-11-25T10:00:00", "W. Europe Standard Time", "Muster, Anna"):
        assert said in first
    assert "2026-12-26" in second
    world("activity", "attachment", activity, "2", "--output", "ferien.ics")
    assert (tmp_path / "ferien.ics").read_bytes().startswith(b"BEGIN:VCALENDAR")


def test_what_was_said_of_its_sending_stands_beside_when_it_counts(world: Run) -> None:
    address = world("address", "show", "campaign:4711").out.strip()
    mail = with_author(b"Date: Mon, 1 Jan 1601 00:00:00 +0000\r\nSubject: Offer\r\n\r\nHere it is\r\n", ANNA)
    (said,) = world("ingest", "-", "--to", address, "--json", stdin=mail).facts
    (shown,) = world("activity", "show", said["activity"], "--json").facts
    assert shown["sent_at"] == "1601-01-01T00:00:00Z"
    assert shown["occurred_at"] == shown["recorded_at"]
    assert "date_absurd" in [note["code"] for note in shown["notes"]]
