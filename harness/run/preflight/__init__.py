"""Checks before a call is paid for: names, ports, certificates, answers, accounts, clocks, secrets.

Plain sockets and :mod:`harness.sip`, no softphone. No probe places a call, and none changes
anything (a REGISTER without Contact only asks for the bindings, RFC 3261 section 10.2.3). Requests
are those of :mod:`harness.witness.ports`.

===========  ================================================================================
``lines``    results: :class:`ProbeResult`, :class:`Status`, :class:`Report`, and their table
``network``  DNS, the platform's allowlist, the address that far ends see, STUN
``reach``    ports and certificates
``answers``  OPTIONS: the answer, its time, its clock, its codecs; registration of each phone
``machine``  local ports, secrets, numbers, the certificates that harness phones show
``api``      Synthflow's API, its token and model ids; where a campaign's request goes
``run``      all of them at once, and what each row will need of what was found
===========  ================================================================================
"""

from harness.run.preflight.lines import ProbeKind, ProbeResult, Report, Status, show
from harness.run.preflight.run import of_file, run, variables

__all__ = ["ProbeKind", "ProbeResult", "Report", "Status", "of_file", "run", "show", "variables"]
