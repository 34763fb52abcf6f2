"""rtpengine in userspace: a media relay that Kamailio steers."""

from __future__ import annotations

from pathlib import Path

from tools.interop.processes import Program, free_port

_RTP_PORTS = 400


class Rtpengine(Program):
    """A running rtpengine; ``control`` is where it takes orders. ``shown`` is the address that its
    interface ``shown`` names in SDP in place of its own.
    """

    def __init__(self, directory: Path, host: str, shown: str | None = None) -> None:
        port = free_port(host)
        first = free_port(host, _RTP_PORTS, but=[port])
        self.control = f"udp:{host}:{port}"
        self.ports = range(first, first + _RTP_PORTS)
        # Debian's own configuration names fixed ports, which only one rtpengine can have
        arguments = ["--config-file=none", "--foreground", "--log-stderr", "--log-level=6"]
        arguments += ["--table=-1", f"--interface=own/{host}", "--num-threads=1"]
        if shown:
            arguments.append(f"--interface=shown/{host}!{shown}")
        arguments += [f"--listen-ng={host}:{port}"]
        arguments += [f"--port-min={first}", f"--port-max={first + _RTP_PORTS - 1}"]
        super().__init__("rtpengine", arguments, directory)
        with self.starting():
            self.said("Startup complete")
