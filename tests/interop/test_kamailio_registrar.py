"""A registrar that holds one binding of a phone refuses the next until the first has expired."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.errors import PhoneLostError
from harness.phone.config import TlsConfig
from harness.phone.pool import PhonePool
from tests.interop.platform import PASSWORD, PHONES, Platform
from tests.process.phone.conftest import Desk
from tools.interop.processes import PATIENCE


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_binding_of_a_killed_softphone_is_left_to_expire(
    platform: Platform, tmp_path: Path, transport: str
) -> None:
    """Kamailio's max_contacts is 1: 503 for a second one, for the time of the first (seen, for five
    minutes). A case whose phone cannot register is broken, and blames nobody.
    """
    deployment, kamailio = platform.deployments["stand-in"], platform.kamailio
    port = kamailio.tls_port if transport == "tls" else kamailio.port
    user = deployment.phones["caller"].aor_user
    with PhonePool(tmp_path / "phones") as pool:
        desk = Desk(pool, tmp_path)
        place = f"{kamailio.host}:{port}"
        ca_file = deployment.ca_file
        settings = {
            "domain": deployment.platform.domain,
            "registrar": place,
            "proxy": place,
            "username": user,
        }
        settings |= {
            "password": PASSWORD,
            "transport": transport,
            "bind_address": platform.block[PHONES + 39],
        }
        phone = desk("caller", user=user, tls=TlsConfig(ca_file=str(ca_file)), **settings)
        assert phone.register(PATIENCE).active
        os.kill(phone.process.pid, signal.SIGKILL)
        with pytest.raises(PhoneLostError):
            phone.wait("its end", lambda event: False, PATIENCE)
        phone.release()
        again = desk.of(phone.config).register(PATIENCE)
        assert (again.code, again.active) == (503, False)
        desk.close()
