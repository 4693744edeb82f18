"""``stamped`` above, seen from the internet: what the gateway's OpenDKIM wrote is believed, and nothing else.

Debian's OpenDKIM writes above the gateway's own Received field (others, built from its own source, below it).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway import Gateway, clean_gateway, gateway, in_one_line
from tests.acceptance.opendkim import opendkim
from tests.acceptance.outside import FORGED, GATEWAY, HONEST, HONEST_BY_SPF, Said
from tests.acceptance.signing import Signer

pytestmark = [pytest.mark.acceptance("opendkim"), pytest.mark.xdist_group("opendkim")]
UNSIGNED = FORGED | HONEST_BY_SPF


@pytest.fixture(scope="module")
def mx(keys: dict[str, Signer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("above")
    with opendkim(GATEWAY, list(keys.values())) as milter, gateway(folder, keys, milter, "above") as running:
        yield running


@pytest.mark.parametrize("said", HONEST.values(), ids=HONEST)
def test_what_the_authors_domain_signed_is_kept(mx: Gateway, said: Said) -> None:
    mx.keeps(said)


@pytest.mark.parametrize("said", UNSIGNED.values(), ids=UNSIGNED)
def test_what_it_did_not_sign_is_refused(mx: Gateway, said: Said) -> None:
    notice = mx.refuses(said)
    assert in_one_line(said.on_top.decode()) in in_one_line(notice)  # what was forged did come to us


def test_doctor_measures_what_the_relay_is_registered_with(mx: Gateway) -> None:
    advised = mx.measured(HONEST["signed, below forged results"])

    assert {f'authserv_id = "{GATEWAY}"', "received = 1", 'stamp = "above"'} <= set(advised)


def test_behind_a_second_postfix_the_place_is_counted_on(keys: dict[str, Signer], tmp_path: Path) -> None:
    with opendkim(GATEWAY, list(keys.values())) as milter, clean_gateway(tmp_path, keys, milter, "above") as two:
        two.keeps(HONEST["signed, below forged results"])
        notice = two.refuses(FORGED["forged results among forged Received"])
    assert "Authentication-Results:" not in notice  # header_checks took them, and left the milter's own above
