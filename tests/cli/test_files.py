import pytest

from tests.cli.conftest import Run

UNREADABLE = "/proc/self/mem"  # can be opened; reading its first byte fails
BY = ("--record", "campaign:1", "--as", "anna@muster.example")
COMMANDS = [
    ("outbound", "log"),
    ("outbound", "log", *BY, "--kind", "mail", "--language", "de", "--eml"),
    ("ingest", "--to", "a@log.muster.example"),
    ("explain",),
    ("activity", "add", *BY[1:], "--type", "note", "--topic", "other", "--subject", "s", "--document"),
]


@pytest.mark.parametrize("command", [*COMMANDS, ("user", "import"), ("record", "import")])
def test_a_file_is_opened_before_the_store(bare: Run, command: tuple[str, ...]) -> None:
    ran = bare(*command, "missing")
    assert (ran.code, ran.out) == (66, "")
    assert "missing can't be read" in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_cannot_be_read_is_named(world: Run, command: tuple[str, ...]) -> None:
    ran = world(*command, UNREADABLE)
    assert (ran.code, ran.out) == (66, "")
    assert f"{UNREADABLE} can't be read" in ran.err
