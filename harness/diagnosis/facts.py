"""The facts rules may ask for: their names, what they mean, and how they would be observed where they are not known.

A fact that nobody could see is absent. That is not the same as false: a rule that needs it stays possible, and the way to
observe the fact is what would settle the matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a case. ``evidence`` names what shows it: messages (``m12``), findings, records, statistics."""

    name: str
    value: object
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{KNOWN[self.name].label}: {worded(self.value)}"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fact is about. ``observe`` is how one would get to know it, as the end of a sentence."""

    label: str
    observe: str


_AI_LOG = "look at the AI's own record of the call, or put a stand-in in its place"
_AI_SIP = "look at the SIP messages the AI got: by its support, or with a stand-in in its place"
_PLATFORM_LOG = "look at the platform's call log for this call"
_AGENTS = "watch every agent's phone during the call"

#: Every fact there is. A rule that asks for another is a mistake, and so is a fact no rule asks for.
KNOWN: Mapping[str, Kind] = {
    "integration": Kind("the platform", "read the deployment file"),
    "transport": Kind("the trunk's transport", "read the deployment file"),
    "authentication": Kind("the trunk's authentication", "read the deployment file"),
    "destination.clear": Kind("the number's destination lacks transport=tls, as declared", "read the deployment file"),
    # registration
    "registration.answer": Kind("the final answer to REGISTER", "capture the REGISTER and its answers"),
    "registration.challenged": Kind("REGISTER was challenged first", "capture the REGISTER and its answers"),
    "registration.stale": Kind("the last challenge calls the nonce alone too old", "capture the REGISTER's answers"),
    "registration.refusal": Kind(
        "what the refusal says it is about", "ask the registrar's log why it refused the REGISTER"
    ),
    "registration.retry": Kind("the refusal says when to try again (Retry-After)", "capture the REGISTER's answers"),
    "registration.user": Kind("the user name in the REGISTER's credentials", "capture the REGISTER's Authorization"),
    "registration.target": Kind(
        "where the REGISTER was sent",
        "compare the number's Termination URI at Synthflow with the platform's SBC address",
    ),
    "registration.outside": Kind("the REGISTER came from an address that is not allowed", "read the deployment file"),
    "registration.lapsed": Kind(
        "the registration ran out before it was refreshed", "watch for longer than one interval"
    ),
    "registration.granted": Kind(
        "the interval granted, against the one asked for", "read Expires in the 200 to REGISTER"
    ),
    "registration.taken": Kind("a registration that had to be refused was taken", _AI_SIP),
    "access.taken": Kind("how a call was taken that had to be refused", _AI_SIP),
    # does the call reach the AI
    "ai.handshake": Kind(
        "the platform began TLS with the AI", "capture TCP at the AI's port, and look whether an INVITE follows"
    ),
    "certificate.taken": Kind("the AI was called though it showed a bad certificate", _AI_SIP),
    "ai.saw": Kind("what the AI's side saw of the call", _AI_LOG),
    "ai.code": Kind("the AI's final response", _AI_LOG),
    "ai.refusal": Kind("what the AI's refusal says it is about", _AI_LOG),
    "ai.lost": Kind("why the AI could not be had", _AI_LOG),
    "ai.given_up": Kind("when the platform gave up an AI that only rang (CANCEL)", _AI_SIP),
    "ai.unheard": Kind("the AI's answers do not get back to the platform", _AI_SIP),
    "ai.offer": Kind("the media offered to the AI", _AI_SIP),
    "ai.challenge": Kind("what became of the AI's challenge", _AI_SIP),
    "ai.did": Kind("the number the AI was asked for", _AI_SIP),
    "ai.trunk": Kind("the trunk the call came over", _AI_SIP),
    "ai.transport": Kind("the transport the call came over", _AI_SIP),
    "ai.tls_asked": Kind("transport=tls in the Request-URI at the AI", _AI_SIP),
    "name.caller": Kind(
        "what became of the name that the caller's phone looked up", "look it up on this machine: getent ahosts HOST"
    ),
    "name.dialog": Kind(
        "what became of the host that the platform's Contact or Record-Route names to the caller",
        "read Contact and Record-Route of the 200 that the caller got, and look their hosts up here: getent ahosts HOST",
    ),
    "name.media": Kind(
        "what became of the host that the SDP to the caller names for audio", "look it up here: getent ahosts HOST"
    ),
    "trunk.asked": Kind(
        "OPTIONS of the platform's to the stand-in ahead of the call",
        "look for OPTIONS at the stand-in before the call",
    ),
    "trunk.asks": Kind(
        "the platform asks by OPTIONS whether the trunk's far end is there",
        "read at the platform's trunk whether it asks by OPTIONS (keep-alive, ping, qualify), and how often",
    ),
    "connection.caller": Kind("what became of the caller's connection", "capture TCP at the caller's phone"),
    "password.withheld": Kind(
        "why the caller's phone sent no password", "compare the challenge's realm and algorithm with the account's"
    ),
    "caller.withheld": Kind("the caller withheld the number", "read From and Privacy of the caller's INVITE"),
    "caller.end": Kind("how the caller's call was set up", "look at the caller's final response"),
    "answered.first": Kind("who answered the caller first", _PLATFORM_LOG),
    "instead": Kind("who rang in the AI's place", _AGENTS),
    "instead.when": Kind("when that was", _AGENTS),
    "instead.early": Kind("that was before the ring timeout was over", _AGENTS),
    "platform.did": Kind("what the platform itself did with the call", _PLATFORM_LOG),
    "fallback.configured": Kind("a fallback is configured for the line", "read the line's routing at the platform"),
    "fallback.unseen": Kind(
        "none of those who are to take over for the AI has a phone of ours", "read the deployment file"
    ),
    # the trunk's own address, asked directly
    "probe.ai": Kind(
        "the AI's port, asked directly", "connect to the AI's address and port from the platform's network"
    ),
    "probe.certificate": Kind("the AI's certificate", "openssl s_client -connect HOST:32682 -servername HOST"),
    "icmp": Kind("an ICMP answer to the datagrams", "capture ICMP where the datagrams are sent"),
    "probe.termination": Kind("the platform's port, asked directly", "send OPTIONS to the Termination URI"),
    # the harness's own firewall and NAT
    **{
        f"rtp.{role}": Kind(
            f"RTP to {whose}",
            "look whether another call brings the same phone any RTP, or capture RTP outside of the harness's own firewall",
        )
        for role, whose in (
            ("caller", "the caller's phone"),
            ("ai", "the phone in the AI's place"),
            ("agent", "the agent's phone"),
        )
    },
    "sent.caller": Kind("what RTCP says of the RTP from the caller's phone", "read the RTCP reports that it got"),
    "sent.ai": Kind("what RTCP says of the RTP from the AI", "read the RTCP reports that it got"),
    # audio with the AI
    "audio.to_ai": Kind("what the AI hears of the caller", _AI_LOG),
    "audio.to_caller": Kind("what the caller hears of the AI", "listen at the caller's phone"),
    "words.to_ai": Kind("what the transcript has of the caller, who spoke", "read the transcript of the call"),
    "audio.stopped": Kind("audio that was there stopped later", "listen again later in the call"),
    "audio.stopped_at": Kind(
        "what happened when the audio stopped", "look when the last RTP packet came, in a capture"
    ),
    "agent.stopped": Kind(
        "audio between caller and agent that was there stopped later", "listen again later in the call"
    ),
    "agent.stopped_at": Kind(
        "what happened when the audio between caller and agent stopped",
        "look when the last RTP packet came, in a capture",
    ),
    "agent.rtp": Kind(
        "RTP between caller and agent, before it was missed", "read the RTP counters of the agent's leg, or a capture"
    ),
    "audio.phase": Kind("when audio failed", "listen before and after the transfer"),
    "sdp.to_ai": Kind("the address in the SDP the AI got", _AI_SIP),
    "sdp.to_caller": Kind(
        "the address in the SDP the caller got",
        "read c= in the newest SDP that the caller got: 200 or 18x, re-INVITE, UPDATE",
    ),
    "sdp.beside": Kind(
        "an SDP of the platform's names another address than its signalling's",
        "compare c= with where the SDP came from",
    ),
    "rtp.from.ai": Kind(
        "where the RTP to the AI comes from", "capture RTP at the AI, and compare its source with c= of the SDP"
    ),
    "rtp.from.caller": Kind(
        "where the RTP to the caller comes from", "capture RTP at the caller, and compare its source with c= of the SDP"
    ),
    "sdp.caller": Kind(
        "the address in the caller's own SDP", "read c= in the SDP that the caller sent, and to what address it went"
    ),
    "sdp.listener": Kind(
        "the address in the SDP of the phone that hears nothing, of caller's and agent's",
        "read c= in the SDP that it sent, and to what address it went",
    ),
    "sdp.hold": Kind("who put the media on hold when the call was set up", _AI_SIP),
    "ai.spoke": Kind("the AI said something", _AI_LOG),
    "call.cut": Kind("the call was ended by the other side before it was over", "look at the caller's phone"),
    "agent.cut": Kind(
        "the call with the agent was ended before it was over", "look at the caller's and the agent's phone"
    ),
    "agent.cut_by": Kind("who ended the call with an agent whom the AI had called itself", _AI_LOG),
    "agent.reason": Kind(
        "what the BYE says that the call with the agent was ended for",
        "capture the BYE, and read its Reason (RFC 3326)",
    ),
    "call.reason": Kind("what its BYE says that it was ended for", "capture the BYE, and read its Reason (RFC 3326)"),
    "call.cut_by": Kind("who ended it", _AI_LOG),
    "codec.sides": Kind("the codecs of both sides", "read the SDP answers on both sides of the platform"),
    "loss": Kind("RTP lost", "read the RTCP reports of both legs"),
    "order": Kind("the order of the RTP packets", "read the RTP counters of both legs, or look at a capture"),
    "level": Kind("the level of a voice", "measure the level of a known sound at the other end"),
    "delay": Kind("delay of the audio", "measure the round trip by RTCP, or mark to answer"),
    "loss.agent": Kind("RTP lost between caller and agent", "read the RTCP reports of the agent's leg"),
    "order.agent": Kind(
        "the order of the RTP packets between caller and agent", "look at a capture of the agent's leg"
    ),
    "delay.agent": Kind(
        "delay of the audio between caller and agent", "measure the round trip of the agent's leg by RTCP"
    ),
    "echo": Kind("a leg hears its own mark", "listen at that leg"),
    # who calls
    "caller_id.ai": Kind("the caller's number in From at the AI", _AI_SIP),
    "caller_id.own": Kind(
        "what arrives is what the caller's own INVITE has in From", "read From of the caller's INVITE"
    ),
    "caller_id.agent": Kind("the caller's number at the agent", "look at the agent's display"),
    "caller_id.agreed": Kind(
        "whose number the agent's telephone shows, as agreed", "read `shows` of that phone in the deployment file"
    ),
    "caller_id.form": Kind("the form that numbers are to have", "read `expect.number_format` in the deployment file"),
    "caller_id.asserted": Kind("P-Asserted-Identity at the AI", _AI_SIP),
    "header.caller": Kind("X-Gladly-Caller-Id at the AI", _AI_SIP),
    "header.selector": Kind("X-Gladly-Routing-Selector at the AI", _AI_SIP),
    # what the caller's own messages show
    "caller.answer": Kind(
        "what the 200 to the caller made of its offer", "read the SDP of the 200 that the caller got"
    ),
    "caller.held": Kind("the 200 to the caller puts it on hold", "read the SDP of the 200 that the caller got"),
    "change.answer": Kind("what became of the change of the call (re-INVITE)", "look at the answer to the re-INVITE"),
    "change.at_ai": Kind(
        "what the AI's side made of a change of the call (re-INVITE, UPDATE) that came to it", _AI_SIP
    ),
    "ai.refresh": Kind("what became of the AI's session refresh", _AI_SIP),
    "ai.ack": Kind("the platform's ACK at the AI", _AI_SIP),
    "prack.lost": Kind("the caller's PRACK does not arrive", "look whether the 18x to the caller is repeated"),
    "ack.arrived": Kind("the caller's ACK arrived", "look whether the 200 to the caller is repeated"),
    "hangup.answer": Kind("what became of the caller's BYE", "look at the answer to the BYE"),
    "hangup.at_ai": Kind("what the AI's side made of a BYE that came to it", _AI_SIP),
    "cancel.answer": Kind("what became of the caller's CANCEL", "look at the answer to the CANCEL"),
    # transfer
    "transfer.asked": Kind("the AI tried to transfer", _AI_LOG),
    "transfer.way": Kind("how the AI transferred", _AI_SIP),
    "transfer.passed_on": Kind("the platform handed the REFER on to the caller's side", "look at the caller's phone"),
    "refer.passed_on": Kind(
        "the platform hands REFERs on to the caller's side, as declared", "read the deployment file"
    ),
    "transfer.mode": Kind(
        "what the platform does with the AI's REFER, against what is declared", "look at the caller's phone"
    ),
    "transfer.host": Kind("the host the AI's own call went to", _AI_SIP),
    "transfer.target": Kind("the number that was to lead to the group", _AI_SIP),
    "transfer.caller_id": Kind("the number that the AI's own call shows", _AI_SIP),
    "transfer.handover": Kind("which of its handovers the AI made", _AI_SIP),
    "transfer.topic": Kind("the topic that the AI's transfer names", _AI_SIP),
    "transfer.rang": Kind("people rang to whom another handover of the assistant leads", _AGENTS),
    "transfer.answer": Kind("the platform's answer to the transfer", _AI_SIP),
    "transfer.refusal": Kind("what the refusal of the transfer says it is about", _AI_SIP),
    "transfer.failed": Kind("the platform told the AI that the transfer failed", _AI_SIP),
    "transfer.outcome": Kind("what the platform's NOTIFY said of the transfer", _AI_SIP),
    "transfer.recorded": Kind("the status that the AI's record gives for its REFER", _AI_LOG),
    "transfer.record": Kind("what the AI's record tells of its REFER's end", _AI_LOG),
    "transfer.landed": Kind("where the transfer landed", _AGENTS),
    "transfer.unasked": Kind("people rang before the caller asked for one", _AGENTS),
    "transfer.others": Kind("people rang who are not of the group", _AGENTS),
    "audio.agent": Kind("audio between caller and agent", "listen at the caller and at the agent"),
    "release.ai": Kind("the AI's leg when it had to end", _AI_LOG),
    # fallback
    "fallback.landed": Kind("where the fallback landed", _AGENTS),
    "fallback.time": Kind("the ring timeout seen, against the one configured", _AGENTS),
    # every leg
    "caller_id.customer": Kind("the number the campaign's customer is shown", "look at the customer's display"),
    "customer.rang": Kind("the campaign called its customer", "watch the customer's phone"),
    "customer.room": Kind("whether the customer's phone had room for the call", "look at the customer's phone"),
    "refusal.caller": Kind("what the caller's phone refused a call for", "look at the phone that the campaign calls"),
    "refusal.ai": Kind("what the phone in the AI's place refused a call for", "look at the stand-in's phone"),
    "refusal.agent": Kind("what the agent's phone refused the call for", "look at the agent's phone"),
    "dialog.unknown": Kind(
        "a phone of ours knew no call that a request to it belongs to",
        "look at Call-ID and tags of the requests that our phones answered with 481",
    ),
    "offer.agent": Kind("the media offered to the agent", "look at the INVITE that the agent's phone got"),
    "offer.customer": Kind("the media offered to the customer", "look at the INVITE that the customer's phone got"),
    "caller.offer": Kind("the media that the caller offered", "look at the caller's INVITE"),
    "answered.elsewhere": Kind("a device that is not ours answered", _PLATFORM_LOG),
    "group.waits": Kind("the group has a queue or a machine, which answers by itself", "read the group's settings"),
    "header.ai": Kind("the agreed headers at the AI", _AI_SIP),
    "header.sent": Kind("the AI's transfer asks for the header as agreed", _AI_SIP),
    "header.agent": Kind("the agreed headers at the agent", "look at the INVITE that the agent's phone got"),
    "digits.negotiated": Kind("telephone-event in offer and answer", "read the SDP on both sides of the platform"),
    "lost.reliability": Kind("100rel was taken out of the INVITE, or RSeq out of its responses", _AI_SIP),
    "lost.encryption": Kind("the keys were taken out of the offer", _AI_SIP),
    "lost.early": Kind("the SDP of the AI's 18x was not passed on", "look at the caller's provisional responses"),
    "hangup.ai": Kind("what became of the AI's BYE", _AI_SIP),
    "hangup.agent": Kind("what became of the agent's BYE", "look at the agent's phone"),
    "release.caller": Kind("the caller's leg when it had to end", "look at the caller's phone"),
    "limit.tried": Kind(
        "several calls were made at once, as many as the trunk is agreed to carry or more", "make so many calls at once"
    ),
    "limit": Kind("how many calls at once reached the AI", _AI_LOG),
    "dialled.form": Kind("how the number was written that was dialled", "dial it in E.164, and in national form"),
    "final.refusal": Kind("what the caller's refusal says it is about", _PLATFORM_LOG),
    "transfer.credentials": Kind("the AI showed credentials for its transfer", _AI_SIP),
    # the second call, placed when the cause was unsure
    "again.form": Kind("the same number dialled in E.164", "dial it in E.164"),
    "again.codec": Kind("the same number called with the other codec", "call it with the other G.711 law alone"),
    "again.group": Kind("who rang when the group's own number was dialled", "dial the group's number"),
    # how the voice agent behaves, where the deployment sets a limit to it
    "manners.dead_air": Kind("the AI's first word", "listen to the recording from the answer on"),
    "manners.answer": Kind("the AI's answer to the caller", "listen to the recording from the caller's last word on"),
    "manners.transfer": Kind("the silence while the AI hands over", "listen to the recording of the transfer"),
    "caller.told": Kind(
        "what a caller hears whose transfer finds nobody", "listen to the end of the caller's recording"
    ),
    "manners.interruption": Kind("the AI when the caller speaks over it", "listen to both recordings of the call"),
    # what has no fault of the guides behind it
    "options.answer": Kind("what became of OPTIONS outside of any call", "capture the OPTIONS and its answers"),
    "final.code": Kind("the final response the caller got", _PLATFORM_LOG),
    "final.passed_on": Kind("the AI's own refusal is what the caller got", _PLATFORM_LOG),
    "digits": Kind("digits that arrived", "compare the digits sent with those that arrived"),
}


def worded(value: object) -> str:
    """A fact's value as a reader wants it."""
    if value is True:
        return "yes"
    if value is False:
        return "no"
    return str(value)


class Facts(Mapping[str, Fact]):
    """All that is known of one case, by name."""

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}

    def record(self, name: str, value: object, *evidence: str) -> None:
        """Make a fact known; None says that nobody knows, and the first value told stands."""
        if name not in KNOWN:
            raise KeyError(f"{name} is no known fact")
        if value is not None and name not in self._facts:
            self._facts[name] = Fact(name, value, tuple(dict.fromkeys(e for e in evidence if e)))

    def value(self, name: str) -> object:
        """The fact's value; None when it is not known."""
        fact = self._facts.get(name)
        return fact.value if fact else None

    def __getitem__(self, name: str) -> Fact:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)
