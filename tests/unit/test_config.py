"""The files under config/ say what the model says: no key too many, none missing, every default as it is."""

import re
import tomllib
from pathlib import Path

import pytest

import mailgate.settings
from mailgate.settings import load, printable
from mailgate.settings.model import KeyPath, Relay, keys

CONFIG = Path(__file__).resolve().parents[2] / "config"
SYSTEMD = {"STATE_DIRECTORY": "/var/lib/mailgate"}  # the file shows the default of the recommended set-up
A_SETTING = re.compile(r"#(?=\[\[|[a-z_]+ = )")


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mailgate.settings, "DEFAULT_FILE", tmp_path / "no-such.toml")
    monkeypatch.setattr(mailgate.settings, "DEFAULT_DATA_DIR", tmp_path / "no-such-directory")


def shown_in_the_file() -> str:
    return "\n".join(A_SETTING.sub("", line, count=1) for line in lines())


def lines() -> list[str]:
    return (CONFIG / "mailgate.toml").read_text("utf-8").splitlines()


def paths(table: dict[str, object], above: KeyPath = ()) -> set[KeyPath]:
    found: set[KeyPath] = set()
    for key, value in table.items():
        found |= paths(value, (*above, key)) if isinstance(value, dict) else {(*above, key)}
    return found


def test_as_it_is_the_file_changes_nothing() -> None:
    assert load(CONFIG / "mailgate.toml", SYSTEMD) == load(None, SYSTEMD)


def test_uncommented_the_file_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(shown_in_the_file(), "utf-8")
    assert printable(load(file, SYSTEMD)) == printable(load(None, SYSTEMD))


def test_the_file_has_every_key_and_no_other() -> None:
    table = tomllib.loads(shown_in_the_file())
    assert paths(table) == set(keys())
    assert set(table["relays"][0]) | {"received"} == set(Relay.model_fields)  # received has no default


def test_every_key_is_explained_above_it() -> None:
    previous = ""
    explained = set()
    for line in lines():
        if A_SETTING.match(line) and (previous.startswith("# ") or A_SETTING.match(previous)):
            explained.add(line)
        previous = line
    assert explained == {line for line in lines() if A_SETTING.match(line)}


def test_the_demo_is_on_this_machine_only_in_the_edition_with_all_kinds() -> None:
    settings = load(CONFIG / "demo.toml", {})
    assert str(settings.data_dir) == "data"
    assert settings.store.url == "sqlite:///./data/mailgate.db"
    assert settings.instance.edition == "marketer"
    assert (settings.smtp.listen, settings.metrics.listen) == ("127.0.0.1:8025", "127.0.0.1:9925")
    assert settings.addresses.domain == "log.localhost"
