"""SIPp: one scenario, one call, on an address of its own. Scenarios are put together from the steps
below.

Written for SIPp 3.6.1 (Debian 12), which has RTP streams, and no TLS.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from harness.audio.g711 import encode_ulaw
from harness.audio.marks import SAMPLE_RATE, waveform
from harness.audio.wav import to_int16
from tools.interop.processes import PATIENCE, Program, free_port, until

_VOICE_SECONDS = 30
MOST_CALLS, WHOLE_RUN_S = 1000, 3600  #: of a SIPp that is there for all of a run's calls
_MEDIA_PORTS = 16  # one each to echo audio and video, and pairs to stream from
_KEPT = {"via": "Via", "remote": "From", "local": "To", "cseq": "CSeq"}
_TAG = "[pid]SIPpTag01[call_number]"

#: SDP of an offer or answer; ``{formats}`` and ``{port}`` are filled in.
_SDP = """
v=0
o=sipp 53655765 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP {formats}
"""


def sdp(
    formats: str = "0 101", *attributes: str, port: str = "[rtpstream_audio_port]", version: int = 1
) -> str:
    """A session description whose RTP is SIPp's own stream, unless another port is given."""
    lines = [_SDP.format(formats=formats, port=port, version=version).strip("\n")]
    if "101" in formats.split():
        lines.append("a=rtpmap:101 telephone-event/8000")
    return "\n".join([*lines, *(f"a={attribute}" for attribute in attributes)])


# -- a server's steps


def receive(method: str, *, optional: bool = False, timeout_ms: int = 0) -> str:
    """Wait for a request. Of an INVITE everything is kept that later responses to it, and SIPp's
    own requests, need.
    """
    more = ' optional="true"' if optional else ""
    more += f' timeout="{timeout_ms}"' if timeout_ms else ""
    if method == "INVITE":
        kept = "".join(
            f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}"/>'
            for name, header in _KEPT.items()
        )
        return f'<recv request="INVITE" crlf="true" rrs="true"><action>{kept}</action></recv>'
    return f'<recv request="{method}" crlf="true"{more}></recv>'


#: Wait for an INVITE whose responses are made of its own headers: :func:`respond_to_proxy`.
RECEIVE_INVITE = '<recv request="INVITE" crlf="true" rrs="true"></recv>'


def response(status: int, *, wait: bool = True) -> str:
    """Wait for a response to a request of SIPp's own; with ``wait`` false it may also not come."""
    return f'<recv response="{status}"' + ("" if wait else ' optional="true"') + "></recv>"


def respond(
    line: str,
    body: str = "",
    *headers: str,
    repeat: bool = False,
    content: str = "application/sdp",
    branch_of_fork: str = "",
) -> str:
    """Send a response to the INVITE; ``repeat`` retransmits it until the next message comes (RFC
    3261 13.3.1.4).

    A ``branch_of_fork`` is another phone that a proxy has forked the INVITE to: another tag (RFC
    3261 section 12.1).
    """
    head = [
        f"SIP/2.0 {line}",
        "Via:[$via]",
        "From:[$remote]",
        f"To:[$local];tag={_TAG}{branch_of_fork}",
        "Call-ID: [call_id]",
        "CSeq:[$cseq]",
        "Contact: <sip:ai@[local_ip]:[local_port];transport=[transport]>",
    ]
    return _send([*head, *headers], body, content, repeat)


def respond_within_dialog(line: str, *headers: str) -> str:
    """Send a response to the last request, whose To has a tag already."""
    head = [
        f"SIP/2.0 {line}",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
    ]
    return _send(
        [*head, "Contact: <sip:ai@[local_ip]:[local_port];transport=[transport]>", *headers]
    )


def respond_to_proxy(line: str, body: str = "") -> str:
    """Send a first response with all of the request's Via and Record-Route: a proxy has passed the
    request on.
    """
    head = [
        f"SIP/2.0 {line}",
        "[last_Via:]",
        "[last_Record-Route:]",
        "[last_From:]",
        f"[last_To:];tag={_TAG}",
    ]
    head += [
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:ai@[local_ip]:[local_port];transport=[transport]>",
    ]
    return _send(head, body)


def request(
    method: str, cseq: int, body: str = "", *headers: str, content: str = "application/sdp"
) -> str:
    """Send a request of SIPp's own within the dialog."""
    head = [
        f"{method} [next_url] SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-{method}-{cseq}-[call_number]-[pid]",
        "Max-Forwards: 70",
        f"From: <sip:ai@[local_ip]:[local_port]>;tag={_TAG}",
        "To:[$remote]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:ai@[local_ip]:[local_port];transport=[transport]>",
    ]
    return _send([*head, *headers], body, content, repeat=method != "ACK")


# -- a client's steps


def ask(
    method: str,
    number: int,
    user: str,
    domain: str,
    *headers: str,
    caller: str | None = None,
    uri: str | None = None,
    body: str = "",
    within: bool = False,
    branch: str = "",
) -> str:
    """Send a request from ``caller`` for ``user``, or one ``within`` the dialog that has come of
    it.

    ``number`` is its CSeq and names its branch too: the same for the CANCEL of an INVITE and the
    ACK of its refusal.
    """
    target = uri or (
        "[next_url]"
        if within
        else f"sip:{domain}"
        if method == "REGISTER"
        else f"sip:{user}@{domain}"
    )
    head = [
        f"{method} {target} SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=z9hG4bK-{branch}{number}-[call_number]-[pid]",
        *(
            []
            if any(header.startswith("Max-Forwards:") for header in headers)
            else ["Max-Forwards: 70"]
        ),
        *(["[routes]"] if within else []),
        f"From: <sip:{caller or user}@{domain}>;tag={_TAG}",
        f"To: <sip:{user}@{domain}>" + ("[peer_tag_param]" if within else ""),
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        f"Contact: <sip:{caller or user}@[local_ip]:[local_port];transport=[transport]>",
    ]
    return _send([*head, *headers], body, repeat=method != "ACK")


#: What may come before the final response to an INVITE.
PROVISIONAL = [response(status, wait=False) for status in (100, 180, 183)]


def asks(
    method: str,
    user: str,
    domain: str,
    *headers: str,
    caller: str | None = None,
    password: str | None = None,
    cseq: int = 1,
    body: str = "",
) -> list[str]:
    """A request outside a dialog; where there is a password, it is challenged, and sent once more
    with credentials.
    """
    steps = [ask(method, cseq, user, domain, *headers, caller=caller, body=body)]
    if password is None:
        return steps
    if method == "INVITE":
        steps += [PROVISIONAL[0], '<recv response="407" auth="true"></recv>']
        steps.append(
            ask("ACK", cseq, user, domain, caller=caller, uri=f"sip:{user}@{domain}", within=True)
        )
    else:
        steps.append('<recv response="401" auth="true"></recv>')
    # in hexadecimal, as which SIPp would take one that begins with "0x" in any case
    credentials = f"[authentication username={caller or user} password=0x{password.encode().hex()}]"
    return [
        *steps,
        ask(method, cseq + 1, user, domain, *headers, credentials, caller=caller, body=body),
    ]


def client(
    method: str,
    user: str,
    domain: str,
    *,
    caller: str | None = None,
    password: str | None = None,
    expires: int | None = None,
    cseq: int = 1,
    outcome: int = 200,
) -> list[str]:
    """A request from ``caller`` for ``user`` and its end: :func:`asks`, and a final response,
    acknowledged for an INVITE.
    """
    final = f'<recv response="{outcome}" rrs="true"></recv>'
    if method == "BYE":
        return [ask(method, cseq, user, domain, caller=caller, within=True), final]
    headers = () if expires is None else (f"Expires: {expires}",)
    steps = asks(method, user, domain, *headers, caller=caller, password=password, cseq=cseq)
    if method != "INVITE":
        return [*steps, final]
    last = cseq if password is None else cseq + 1
    return [*steps, *PROVISIONAL, final, acknowledge(last, user, domain, caller=caller)]


def acknowledge(
    number: int, user: str, domain: str, *, caller: str | None = None, body: str = ""
) -> str:
    """The ACK of a 2xx: a transaction of its own (RFC 3261 section 13.2.2.4)."""
    return ask("ACK", number, user, domain, caller=caller, within=True, branch="ACK-", body=body)


def speak(payload: str = "0,PCMU/8000") -> str:
    """Stream the mark from here on."""
    return f'<nop><action><exec rtp_stream="voice.ulaw,-1,{payload}"/></action></nop>'


def pause(milliseconds: int) -> str:
    """Let time pass."""
    return f'<pause milliseconds="{milliseconds}"/>'


def _send(
    head: Sequence[str], body: str = "", content: str = "application/sdp", repeat: bool = False
) -> str:
    lines = list(head)
    if body:
        lines += [f"Content-Type: {content}", "Content-Length: [len]", "", body]
    else:
        lines += ["Content-Length: 0", ""]
    text = "\n".join(lines)
    opening = '<send retrans="500">' if repeat else "<send>"
    return f"{opening}<![CDATA[\n\n{text}\n\n]]></send>"


def _written(scenario: Path, steps: Sequence[str]) -> Path:
    body = "\n".join(steps)
    if kept := dict.fromkeys(
        re.findall(r'assign_to="(\w+)"', body)
    ):  # a variable nobody reads is a mistake to SIPp
        body += f'\n<Reference variables="{",".join(kept)}"/>'
    scenario.write_text(
        f'<?xml version="1.0" encoding="us-ascii"?>\n<scenario name="interop">\n{body}\n</scenario>\n'
    )
    return scenario


class Sipp(Program):
    """SIPp playing ``steps``, once. As a server it listens when made; with a ``target`` it has
    begun to call.

    Where it streams RTP, that is ``mark`` in µ-law.
    """

    def __init__(
        self,
        directory: Path,
        host: str,
        steps: Sequence[str],
        *,
        target: str | None = None,
        transport: str = "udp",
        mark: int = 240,
        voice: bytes | None = None,
        port: int = 0,
        calls: int = 1,
        seconds: int = 60,
        arguments: Sequence[str] = (),
    ) -> None:
        """``voice`` is µ-law to stream instead of the mark; ``seconds`` is for all ``calls``."""
        self.host, self.mark = host, mark
        self.port = port or free_port(host)
        self.trace = directory / "messages.log"
        directory.mkdir(parents=True, exist_ok=True)
        scenario = _written(directory / "scenario.xml", steps)
        (directory / "voice.ulaw").write_bytes(
            mulaw(mark, _VOICE_SECONDS) if voice is None else voice
        )
        options = {
            **{"-sf": scenario, "-i": host, "-p": self.port, "-t": f"{transport[0]}1"},
            **{"-mi": host, "-mp": free_port(host, _MEDIA_PORTS, but=[self.port])},
            **{"-m": calls, "-timeout": seconds},
            **{"-message_file": self.trace, "-error_file": directory / "errors.log"},
        }
        command = [str(part) for option in options.items() for part in option]
        command += ["-nostdin", "-timeout_error", "-trace_msg", "-trace_err", *arguments]
        super().__init__("sipp", [*command, *([target] if target else [])], directory)
        if target is None:
            with self.starting():
                until(
                    "SIPp listens", lambda: self._listens(transport) or None, log=lambda: self.log
                )

    def _listens(self, transport: str) -> bool:
        # the kernel's own table: to try the port would take it away from SIPp for that moment
        assert self.process.poll() is None, f"SIPp ended\n{self.log}\n{self.errors}"
        packed = ip_address(self.host).packed
        words = "".join(packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4))
        table = Path(f"/proc/net/{transport}{'6' if ':' in self.host else ''}")
        return f" {words}:{self.port:04X} " in table.read_text()

    @property
    def errors(self) -> str:
        """What it complains of."""
        path = self.directory / "errors.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def messages(self) -> str:
        """Its trace of SIP messages."""
        return self.trace.read_text(errors="replace") if self.trace.exists() else ""

    def succeeds(self) -> None:
        """Wait until it has ended, with the call as the scenario has it."""
        code = self.wait(PATIENCE)
        assert code == 0, f"SIPp ended with {code}\n{self.errors}\n{self.messages}"

    def received(self, start: str) -> list[str]:
        """The messages it received whose start line begins so."""
        blocks = re.split(r"^-{20,}.*\n", self.messages.replace("\r\n", "\n"), flags=re.M)
        found = [block.partition("\n\n") for block in blocks]
        return [
            text.lstrip()
            for head, _, text in found
            if " received " in head and text.lstrip().startswith(start)
        ]


def repeated(frames: Sequence[bytes], seconds: int) -> bytes:
    """A sound again and again, for as long."""
    whole = b"".join(frames)
    return (whole * (seconds * SAMPLE_RATE // len(whole) + 1))[: seconds * SAMPLE_RATE]


def mulaw(mark: int, seconds: float) -> bytes:
    """A mark as µ-law octets."""
    return encode_ulaw(to_int16(np.tile(waveform(mark), int(seconds / 0.16))))
