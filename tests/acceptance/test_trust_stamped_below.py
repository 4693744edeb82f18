"""``stamped`` below, seen from the internet: what the gateway's rspamd wrote is believed, and nothing else.

rspamd writes below the gateway's own Received field, above what others wrote.
"""

import smtplib
from collections.abc import Iterator

import pytest

from tests.acceptance.gateway import Gateway, facing_the_internet, gateway, in_one_line
from tests.acceptance.outside import EVE, EVILS, FORGED, GATEWAY, HONEST, HONEST_BY_SPF, Said, claims, hand_over, zones
from tests.acceptance.postfix import free_port
from tests.acceptance.rspamd import rspamd
from tests.acceptance.signing import Signer
from tests.dns_server import dns_server

pytestmark = [pytest.mark.acceptance("rspamd"), pytest.mark.xdist_group("rspamd")]
ALIGNED = HONEST | HONEST_BY_SPF


@pytest.fixture(scope="module")
def mx(keys: dict[str, Signer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("below")
    with (
        dns_server(zones(keys)) as server,
        rspamd(server.address) as milter,
        gateway(folder, keys, milter, "below") as running,
    ):
        yield running


@pytest.mark.parametrize("said", ALIGNED.values(), ids=ALIGNED)
def test_what_came_from_the_authors_domain_is_kept(mx: Gateway, said: Said) -> None:
    mx.keeps(said)


@pytest.mark.parametrize("said", FORGED.values(), ids=FORGED)
def test_what_did_not_is_refused(mx: Gateway, said: Said) -> None:
    notice = mx.refuses(said)
    assert in_one_line(said.on_top.decode()) in in_one_line(notice)  # what was forged did come to us


def test_doctor_measures_what_the_relay_is_registered_with(mx: Gateway) -> None:
    advised = mx.measured(HONEST["signed, below forged results"])

    assert {f'authserv_id = "{GATEWAY}"', "received = 1", 'stamp = "below"'} <= set(advised)


def test_a_mail_that_the_milter_could_not_look_at_never_gets_to_us(mx: Gateway) -> None:
    # nothing answers there; with milter_default_action = accept a forged stamp would stand where the milter's does
    dead = f"inet:127.0.0.1:{free_port()}"
    _, address = mx.company.record()
    forged = Said(on_top=claims()).mail({}, "<dead@evil.example>")
    with (
        facing_the_internet(mx.company, dead, mx.company.program.smtp_port) as alone,
        pytest.raises(smtplib.SMTPException, match=r"4[.]7[.]1"),
    ):
        hand_over(alone.port, EVILS, EVE, address, forged)
