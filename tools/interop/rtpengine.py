"""rtpengine in userspace: a media relay that Kamailio steers."""

from __future__ import annotations

from pathlib import Path

from tools.interop.processes import Program, free_port

_RTP_PORTS = 400


class Rtpengine(Program):
    """A running rtpengine; ``control`` is where it takes orders."""

    def __init__(self, directory: Path, host: str) -> None:
        port = free_port(host)
        first = free_port(host, _RTP_PORTS, but=[port])
        self.control = f"udp:{host}:{port}"
        # Debian's own configuration names fixed ports, which only one rtpengine can have
        arguments = [
            "--config-file=none",
            "--foreground",
            "--log-stderr",
            "--log-level=6",
            "--table=-1",
            f"--interface={host}",
        ]
        arguments += [
            f"--listen-ng={host}:{port}",
            f"--port-min={first}",
            f"--port-max={first + _RTP_PORTS - 1}",
            "--num-threads=1",
        ]
        super().__init__("rtpengine", arguments, directory)
        with self.starting():
            self.said("Startup complete")
