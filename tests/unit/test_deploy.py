"""What stands in deploy/ fits the program: names of sockets, commands, deadlines, settings."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

import mailgate.settings
from mailgate.cli import TRY_LATER
from mailgate.mailer import Patience
from mailgate.settings import Settings, load
from mailgate.settings.model import keys

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SYSTEMD = {"STATE_DIRECTORY": "/var/lib/mailgate"}

Unit = dict[str, list[str]]


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mailgate.settings, "DEFAULT_FILE", tmp_path / "no-such.toml")


def unit(name: str) -> Unit:
    """Read ``Section.Key`` -> values of a unit file, systemd.syntax(7) as far as we use it."""
    found: Unit = defaultdict(list)
    section = ""
    for line in (DEPLOY / name).read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            found[f"{section}.{key}"].append(value)
    return found


@pytest.mark.parametrize(("name", "handed_over_as"), [("mailgate.socket", "smtp"), ("mailgate-lmtp.socket", "lmtp")])
def test_a_socket_is_handed_over_under_the_name_that_its_listener_takes(name: str, handed_over_as: str) -> None:
    socket = unit(name)
    assert socket["Socket.FileDescriptorName"] == [handed_over_as]
    assert socket["Socket.Service"] == ["mailgate.service"]
    assert socket["Install.WantedBy"] == ["sockets.target"]
    assert f'"{handed_over_as}"' in (ROOT / "mailgate/smtp/listeners.py").read_text()


def test_the_socket_of_smtp_is_where_the_setting_says_without_systemd() -> None:
    assert unit("mailgate.socket")["Socket.ListenStream"] == [load(None, SYSTEMD).smtp.listen]


def test_the_socket_of_lmtp_is_open_to_postfix_only_and_lies_where_the_recipe_looks() -> None:
    socket = unit("mailgate-lmtp.socket")
    assert (socket["Socket.SocketMode"], socket["Socket.SocketGroup"]) == (["0660"], ["postfix"])
    queue_directory, relative = "/var/spool/postfix/", "private/mailgate-lmtp"
    assert socket["Socket.ListenStream"] == [queue_directory + relative]
    assert f"lmtp:unix:{relative}" in (DEPLOY / "postfix.md").read_text()


def test_the_service_starts_after_its_sockets_so_that_they_are_handed_over() -> None:
    after = unit("mailgate.service")["Unit.After"][0].split()
    assert {"mailgate.socket", "mailgate-lmtp.socket"} <= set(after)


def test_the_service_runs_the_program_tells_when_it_is_ready_and_is_watched() -> None:
    service = unit("mailgate.service")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    program, command = service["Service.ExecStart"][0].rsplit("/", 1)[1].split()
    assert program in scripts
    assert command == "serve"
    assert service["Service.Type"] == ["notify"]
    assert int(service["Service.WatchdogSec"][0]) > 0
    assert service["Service.ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_systemd_waits_longer_than_the_drain_takes() -> None:
    assert int(unit("mailgate.service")["Service.TimeoutStopSec"][0]) > load(None, SYSTEMD).smtp.drain_seconds
    stop = re.search(r"--stop-timeout (\d+)", (DEPLOY / "Containerfile").read_text())
    assert stop
    assert int(stop[1]) > load(None, SYSTEMD).smtp.drain_seconds


def test_the_state_directory_is_the_default_data_directory() -> None:
    name = unit("mailgate.service")["Service.StateDirectory"][0]
    assert Path("/var/lib") / name == mailgate.settings.DEFAULT_DATA_DIR


def test_a_service_that_fails_at_start_is_tried_for_ever_while_its_sockets_hold() -> None:
    service = unit("mailgate.service")
    assert service["Unit.StartLimitIntervalSec"] == ["0"]
    assert service["Service.Restart"] == ["on-failure"]
    for name in ("mailgate.socket", "mailgate-lmtp.socket"):
        assert unit(name)["Socket.TriggerLimitIntervalSec"] == ["0"], name


SANDBOX = {
    "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "ProtectSystem": "strict",
    "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "PrivateMounts": "yes", "PrivateUsers": "yes",
    "ProtectProc": "invisible", "ProcSubset": "pid", "ProtectClock": "yes", "ProtectHostname": "yes",
    "ProtectControlGroups": "yes", "ProtectKernelLogs": "yes", "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes", "LockPersonality": "yes", "MemoryDenyWriteExecute": "yes", "RemoveIPC": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6", "RestrictNamespaces": "yes", "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes", "SystemCallArchitectures": "native", "UMask": "0077", "StateDirectoryMode": "0700",
}  # fmt: skip


@pytest.mark.parametrize("name", ["mailgate.service", "mailgate-remind.service"])
def test_a_service_is_not_root_and_keeps_its_sandbox(name: str) -> None:
    service = unit(name)
    assert service["Service.User"] == ["mailgate"]
    assert re.search(r"(?m)^u mailgate ", (DEPLOY / "mailgate.sysusers").read_text())
    assert {key: service[f"Service.{key}"] for key in SANDBOX} == {key: [value] for key, value in SANDBOX.items()}
    assert service["Service.SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_reminders_are_looked_for_again_and_again_by_a_service_that_ends() -> None:
    timer, service = unit("mailgate-remind.timer"), unit("mailgate-remind.service")
    assert timer["Timer.OnCalendar"] == ["*:0/10"]
    assert timer["Install.WantedBy"] == ["timers.target"]
    assert service["Service.Type"] == ["oneshot"]
    assert service["Service.ExecStart"] == [unit("mailgate.service")["Service.ExecStart"][0].replace("serve", "remind")]
    assert service["Service.SuccessExitStatus"] == [str(TRY_LATER)]
    assert "Install.WantedBy" not in service  # the timer starts it


def test_a_run_of_reminders_ends_and_has_time_to_write_down_the_last() -> None:
    service = unit("mailgate-remind.service")
    assert service["Service.TimeoutStartSec"] == ["1h"]
    assert service["Service.MemoryMax"] == ["512M"]
    (minutes,) = service["Service.TimeoutStopSec"]
    assert int(minutes.removesuffix("min")) * 60 > Patience().longest


def test_the_reminders_find_the_same_database_as_the_service() -> None:
    for key in ("Service.StateDirectory", "Service.User", "Service.Group"):
        assert unit("mailgate-remind.service")[key] == unit("mailgate.service")[key]


# -- container --------------------------------------------------------------------------------------------------------


def instructions() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text())
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            found[word].append(rest.strip())
    return found


def test_the_container_is_not_root_by_number_and_serves() -> None:
    found = instructions()
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["USER"][-1])
    assert (found["ENTRYPOINT"], found["CMD"]) == (['["mailgate"]'], ['["serve"]'])
    assert found["STOPSIGNAL"] == ["SIGTERM"]


def test_the_container_holds_pinned_versions_and_what_the_build_needs_is_there() -> None:
    found = instructions()
    assert any("pip install" in run and "-c constraints.txt" in run for run in found["RUN"])
    sources = [word for copy in found["COPY"] if not copy.startswith("--from") for word in copy.split()[:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert build["project"]["readme"] in sources


def test_the_container_writes_and_listens_where_it_says() -> None:
    found = instructions()
    settings = load(DEPLOY / "container.toml", {})
    assert found["VOLUME"] == [str(settings.data_dir)]
    ports = {settings.smtp.listen.rpartition(":")[2], settings.metrics.listen.rpartition(":")[2]}
    assert set(found["EXPOSE"][0].split()) == ports
    assert f":{settings.metrics.listen.rpartition(':')[2]}/healthz" in found["HEALTHCHECK"][0]
    assert settings.relays == load(None, {}).relays  # strangers are let in by nobody but the admin


# -- recipes ----------------------------------------------------------------------------------------------------------


def settings_in_recipes() -> list[tuple[str, str]]:
    blocks = []
    for file in sorted(DEPLOY.glob("*.md")):
        for block in re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", file.read_text()):
            text = "\n".join(line[4:] for line in block.splitlines())
            found = re.search(r"(?ms)^\[\w+\]\n.*?^trust = .*?$", text)
            if found:
                blocks.append((file.name, found[0]))
    return blocks


def test_every_recipe_with_settings_was_found() -> None:
    assert [name for name, _ in settings_in_recipes()] == ["exchange.md", "google.md", "postfix.md", "postfix.md"]


@pytest.mark.parametrize(("name", "toml"), settings_in_recipes())
def test_the_settings_of_a_recipe_are_taken(name: str, toml: str, tmp_path: Path) -> None:
    file = tmp_path / "mailgate.toml"
    file.write_text(toml.replace("/etc/mailgate/chain.pem", str(file)).replace("/etc/mailgate/key.pem", str(file)))
    settings: Settings = load(file, {})
    assert len(settings.relays) == 1, name
    assert settings.relays[0].envelope_must_match


def test_every_setting_that_a_recipe_names_is_one() -> None:
    sections = {path[0] for path in keys() if len(path) > 1}
    known = {".".join(path) for path in keys()}
    named = {
        (file.name, key)
        for file in DEPLOY.glob("*.md")
        for key in re.findall(r"`([a-z]+(?:\.[a-z_]+)+)(?: =[^`]*)?`", file.read_text())
        if key.partition(".")[0] in sections
    }
    assert {key for _, key in named} >= {"smtp.max_size", "senders.pairs", "addresses.domain", "smtp.max_recipients"}
    assert {(name, key) for name, key in named if key not in known} == set()
