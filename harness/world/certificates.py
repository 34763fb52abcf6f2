"""What the servers of a tenant show over TLS."""

from __future__ import annotations

import functools
from ssl import Purpose, SSLContext, create_default_context
from typing import Any

from harness.deployment import Deployment
from harness.world.addresses import Block
from harness.world.hosts import Host
from harness.world.pki import Authority, Certificate
from harness.world.wire.transport import TlsIdentity


class SharedIdentity(TlsIdentity):
    """A certificate that several servers show, with one context, and that can be exchanged while they listen."""

    @functools.cached_property
    def _context(self) -> SSLContext:
        return super().server_context()

    def server_context(self) -> SSLContext:
        """See `TlsIdentity`."""
        return self._context

    def show(self, certificate: Certificate) -> None:
        """Connections made from now on get to see this one."""
        self._context.load_cert_chain(certificate.certificate, certificate.key)


class Certificates:
    """Those of the tenant called ``label``, good ones to begin with."""

    def __init__(self, label: str, deployment: Deployment, block: Block, authority: Authority) -> None:
        self._label, self._block, self._authority = label, block, authority
        self.ca_file = str(authority.ca_file)
        trunks = [block[Host.FIRST_TRUNK + i] for i in range(len(deployment.trunks))]
        carrier = deployment.accounts[next(iter(deployment.accounts))].domain
        self.platform = self._identity("platform", [deployment.platform.domain, block[Host.PLATFORM], *trunks])[0]
        self.carrier = self._identity("carrier", [carrier, block[Host.CARRIER]])[0]
        names = ["sip.synthflow.example", block[Host.SYNTHFLOW], block[Host.OTHER_REGION]]
        self.synthflow, self._good = self._identity("synthflow", names)
        self._make_bad = functools.cache(lambda: authority.bad_certificates(f"{label}-synthflow", names))

    def _identity(self, of: str, names: list[str]) -> tuple[SharedIdentity, Certificate]:
        made = self._authority.issue(f"{self._label}-{of}", names)
        return SharedIdentity(made.certificate, made.key, self._authority.ca_file), made

    def show_for_synthflow(self, wrong: str | None) -> None:
        """Have Synthflow's servers show a certificate that is wrong in that way; None: the good one again."""
        self.synthflow.show(self._make_bad()[wrong] if wrong else self._good)

    def of_synthflow_s_api(self) -> SSLContext:
        """What its HTTPS server shows: the good one, whatever the others do."""
        context = create_default_context(Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._good.certificate, self._good.key)
        return context

    def for_stand_in(self) -> dict[str, Any]:
        """A good one and bad ones for a stand-in, as a deployment has them."""
        names = ["stand-in.example", self._block[Host.STAND_IN], self._block[Host.STRANGER]]
        label = f"{self._label}-stand-in"
        good, bad = self._authority.issue(label, names), self._authority.bad_certificates(label, names)
        return {
            "stand_in__certificate": str(good.certificate),
            "stand_in__private_key": str(good.key),
            "stand_in__bad_certificates": {
                kind: {"certificate": str(c.certificate), "private_key": str(c.key)} for kind, c in bad.items()
            },
        }
