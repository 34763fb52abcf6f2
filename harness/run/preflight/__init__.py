"""What is looked at before a call is paid for: names, ports, certificates, answers, accounts, clocks, secrets.

Plain sockets and :mod:`harness.sip`, no softphone: it stands apart from what it prepares. No probe places a call, and none
changes anything (a REGISTER without Contact only asks for the bindings, RFC 3261 section 10.2.3).

===============  ========================================================================
``lines``        results: :class:`ProbeResult`, :class:`Status`, :class:`Report`
``probes``       shared by all probes: the deployment, the clock, names and their addresses
``wire``         requests over UDP, TCP and TLS, and their responses
``names``        DNS, by ``dns_questions``
``reach``        ports and certificates
``certificates`` names in a certificate; ``own_certificate``: the certificate that harness phones show
``answers``      OPTIONS: the answer, its time, its clock, its codecs, the address it came back to
``accounts``     registration of each phone, digest realm
``machine``      local ports, secrets, numbers
``nat``          the router in between, by STUN
``api``          Synthflow's API and its token; ``campaign``: where a campaign's request goes
``run``          all of them at once; ``table`` shows what they found
``rows``         what each row will need of what was found
``port``         one port alone, asked when calls over it have failed
===============  ========================================================================
"""

from harness.run.preflight.lines import ProbeKind, ProbeResult, Report, Status
from harness.run.preflight.run import of_file, run, variables
from harness.run.preflight.table import show

__all__ = ["ProbeKind", "ProbeResult", "Report", "Status", "of_file", "run", "show", "variables"]
