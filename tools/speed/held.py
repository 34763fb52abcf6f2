"""How many verified calls this machine holds at once, and what a leg of SIPp costs, which verifies
nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from harness.audio.g711 import encode_ulaw
from tools import HARNESS
from tools.speed.bars import BARS
from tools.speed.processes import cpu_s

_WORLD = Path("scenarios/deployments/simulated-talkdesk.toml")
#: What is asked for: as many calls, for as long, as the bars want.
CALLS, HOLD_S = round(BARS["calls_held"].value), BARS["calls_held_for_s"].value
_CPS = 10.0
_SIPP_CALLS, _STEADY_S = 20, 10.0

_UAC = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a leg that sends and hears, and judges nothing">
<send retrans="500"><![CDATA[

INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000

]]></send>
<recv response="100" optional="true"></recv>
<recv response="180" optional="true"></recv>
<recv response="200"></recv>
<send><![CDATA[

ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<nop><action><exec rtp_stream="voice.ulaw,-1,0,PCMU/8000"/></action></nop>
<pause milliseconds="600000"/>
</scenario>
"""


def measure_held(calls: int = CALLS, seconds: float = HOLD_S) -> dict[str, Any]:
    """``calls_held``: those of the highest step without a wrong verdict; packets lost over all of
    them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "held.toml"
        file.write_text(tomli_w.dumps(wide(calls)))
        command = [
            str(HARNESS),
            "load",
            str(file),
            "--json",
        ]
        command += [f"--calls={calls}", f"--cps={_CPS}", f"--for={seconds}"]
        command += [f"--step={max(1, calls // 5)}"]
        done = subprocess.run(
            [*command, "--reports", scratch],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    last = found["steps"][-1]
    return {
        "calls_asked": calls,
        "calls_held_for_s": seconds if found["first_failing_step"] is None else 0.0,
        "calls_held": found["calls_held"],
        "calls_held_packets": sum(call["rx_packets"] for call in found["calls"]),
        "calls_held_packets_lost": sum(call["rx_lost"] for call in found["calls"]),
        "calls_held_wrong_verdicts": sum(call["verdict"] != "passed" for call in found["calls"]),
        "calls_held_setup_ms_p95": last["setup_ms"]["p95"],
    }


def wide(calls: int) -> dict[str, Any]:
    """A customer whose trunk carries them all."""
    plain = tomllib.loads(_WORLD.read_text(encoding="utf-8"))
    plain |= {
        "name": "simulated-wide",
        "trunks": [{**plain["trunks"][0], "max_concurrent_calls": calls}],
    }
    name = plain["trunks"][0]["name"]
    plain["lines"] = {
        "inbound": {
            "did": "+13125550100",
            "trunk": name,
            "assistant": "main",
            "fallback": "reception",
        }
    }
    plain.pop("numbers_csv", None)
    plain.pop("campaign", None)
    plain["limits"] |= {
        "seconds_per_call": 300.0,
        "concurrent_calls": calls,
        "calls_per_second": 1000.0,
    }
    plain["limits"]["seconds_per_run"] = 600.0 * calls  # each is entered at its longest time
    return plain


def measure_sipp() -> dict[str, Any]:
    """CPU of SIPp's own leg that sends a tone, receives one and judges nothing; nothing where SIPp
    is missing.
    """
    sipp = shutil.which("sipp")
    if sipp is None:
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "uac.xml").write_text(_UAC)
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.int16)
        (directory / "voice.ulaw").write_bytes(bytes(encode_ulaw(tone)))
        host = "127.0.72.1"
        ports = [_free(host) for _ in range(2)]
        server = _start(
            [sipp, "-sn", "uas", "-i", host, "-mi", host, "-p", str(ports[0]), "-rtp_echo"],
            directory,
        )
        calls = str(_SIPP_CALLS)
        media = ["-i", host, "-mi", host]
        caller = [
            sipp,
            f"{host}:{ports[0]}",
            "-sf",
            "uac.xml",
            *media,
            "-p",
            str(ports[1]),
            "-l",
            calls,
            "-m",
            calls,
        ]
        client = _start([*caller, "-r", calls], directory)
        try:
            time.sleep(3.0)  # until all are up
            before = cpu_s(client.pid)
            time.sleep(_STEADY_S)
            used = cpu_s(client.pid) - before
            if client.poll() is not None:
                return {}
        finally:
            for process in (client, server):
                process.kill()
                process.wait()
    return {"sipp_leg_cpu_percent": used * 100 / _STEADY_S / _SIPP_CALLS}


def _start(command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TERM": "dumb"}
    return subprocess.Popen(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _free(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.bind((host, 0))
        return int(trial.getsockname()[1])
