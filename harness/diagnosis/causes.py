"""The causes a diagnosis may name: what each is, whose it is, and how it is mended.

Their ids are those of the faults in the verification matrix; further ones stand for what real systems show besides.
``{platform}`` and ``{domain}`` in the texts are the integration's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Owner = Literal[
    "platform routing",
    "trunk",
    "network",
    "AI side",
    "transfer target",
    "deployment file",
    "harness",
    "caller's network",
]

REGISTRATION = "Registration fails"
REACHING = "Calls not reaching Synthflow"
AUDIO = "One-way or no audio"
CALLER_ID = "Caller ID missing"
TRANSFER = "Transfer fails"
FALLBACK = "Fallback"
GLADLY = "Gladly"

_TROUBLE: Mapping[str, str] = {"talkdesk": "quick-troubleshooting", "gladly": "quick-troubleshooting"}
_INBOUND = {"talkdesk": "configure-inbound-call-routing", "gladly": "configure-inbound-routing"}
_TRUNK = {"talkdesk": "create-the-sip-trunk", "gladly": "configure-sip-forwarding"}
_NUMBER = {"talkdesk": "add-the-sip-number", "gladly": "add-the-sip-number"}
_ATTACH = {"talkdesk": "attach-to-the-assistant", "gladly": "attach-to-the-assistant"}
_BACK = {
    "talkdesk": "configure-transfer-back-to-talkdesk-ai--live-agent",
    "gladly": "configure-transfer-back-to-gladly-ai--live-agent",
}
_HEADER = {"talkdesk": "quick-troubleshooting", "gladly": "pass-caller-id-via-x-header"}


@dataclass(frozen=True, slots=True)
class Described:
    """A cause as the catalogue has it. ``section`` is the guide's, by integration."""

    title: str
    issue: str
    fix: str
    owner: Owner
    section: Mapping[str, str]


def _firewall(transport: str, port: int, rejects: bool) -> Described:
    how = "rejects" if rejects else "drops"
    return Described(
        f"a firewall {how} SIP over {transport.upper()} to port {port}",
        REGISTRATION,
        f"Open {transport.upper()} {port} in both directions between {{platform}} and every signalling address of Synthflow, and "
        f"have whoever runs the firewall confirm that nothing on the way {how} it.",
        "network",
        {"talkdesk": "prerequisites", "gladly": "configure-sip-forwarding"},
    )


CAUSES: Mapping[str, Described] = {
    # Registration fails
    "termination-uri-wrong": Described(
        "Synthflow's Termination URI is not the platform's SBC",
        REGISTRATION,
        "At Synthflow, open the SIP number and set its Termination URI to the {platform} SBC's host name or address, copied rather "
        "than typed; check that the name resolves.",
        "AI side",
        _NUMBER,
    ),
    "username-wrong": Described(
        "the SIP user name at Synthflow is not the trunk's",
        REGISTRATION,
        "Copy the SIP Username of the {platform} trunk into the SIP number at Synthflow again, letter by letter, and attach anew.",
        "AI side",
        _NUMBER,
    ),
    "password-wrong": Described(
        "the SIP password at Synthflow is not the trunk's",
        REGISTRATION,
        "Copy the SIP Password of the {platform} trunk into the SIP number at Synthflow again, without blanks, and attach anew.",
        "AI side",
        _NUMBER,
    ),
    "firewall-udp-32681": _firewall("udp", 32681, False),
    "firewall-udp-32681-rejected": _firewall("udp", 32681, True),
    "firewall-tcp-32681": _firewall("tcp", 32681, False),
    "firewall-tcp-32681-rejected": _firewall("tcp", 32681, True),
    "firewall-tls-32682": _firewall("tls", 32682, False),
    "firewall-tls-32682-rejected": _firewall("tls", 32682, True),
    "synthflow-ip-not-allowed": Described(
        "the platform does not allow Synthflow's address",
        REGISTRATION,
        "Add every signalling address of Synthflow's region to the trunk's allowed addresses at {platform}; ask Synthflow's support "
        "for the current list, as it changes.",
        "trunk",
        _TRUNK,
    ),
    "registration-expires-early": Described(
        "the registration runs out before it is refreshed: the platform grants less time than was asked for",
        REGISTRATION,
        "Let the platform's registrar grant the interval Synthflow asks for (60 to 3600 s, 300 by default), or lower the interval at "
        "Synthflow below what is granted.",
        "trunk",
        _ATTACH,
    ),
    # Calls not reaching Synthflow
    "route-wrong-did": Described(
        "the routing sends the call to another assistant's number",
        REACHING,
        "In the routing step of this number at {platform}, set the destination to the DID of the assistant that should answer.",
        "platform routing",
        _INBOUND,
    ),
    "route-wrong-trunk": Described(
        "the routing uses another trunk than the one for this number",
        REACHING,
        "In the routing step of this number at {platform}, select the Synthflow AI trunk it should leave by.",
        "platform routing",
        _INBOUND,
    ),
    "route-missing": Described(
        "the number has no SIP transfer: the platform's own agents ring at once",
        REACHING,
        "Give the number's IVR or ring group a step that transfers to the Synthflow DID over the SIP trunk, put it before the agents, "
        "and activate the routing.",
        "platform routing",
        _INBOUND,
    ),
    "trunk-transport-mismatch": Described(
        "the trunk's transport and port do not belong together (UDP and TCP go to 32681, TLS to 32682)",
        REACHING,
        "In the trunk's settings use port 32681 with UDP or TCP, and 32682 with TLS.",
        "trunk",
        _TRUNK,
    ),
    "assistant-not-attached": Described(
        "the number is attached to no assistant at Synthflow",
        REACHING,
        "At Synthflow, attach the SIP number to the assistant (v2.0 or later), and give it one or two minutes to become active.",
        "AI side",
        _ATTACH,
    ),
    "concurrency-exhausted": Described(
        "Synthflow takes no more calls at once: its concurrency limit is reached",
        REACHING,
        "Compare the trunk's Max Concurrent Calls with the Synthflow plan's limit, end calls that hang, or have the plan raised.",
        "AI side",
        _TRUNK,
    ),
    # One-way or no audio
    "rtp-blocked-to-ai": Described(
        "RTP does not get from the platform to the AI",
        AUDIO,
        "Open UDP 10000–60000 from the {platform} media addresses to Synthflow's media addresses; check NAT and the SBC's media route.",
        "network",
        _TROUBLE,
    ),
    "rtp-blocked-to-caller": Described(
        "RTP does not get from the AI to the caller",
        AUDIO,
        "Open UDP 10000–60000 from Synthflow's media addresses to the {platform} media addresses; check NAT and the SBC's media route.",
        "network",
        _TROUBLE,
    ),
    "rtp-blocked-both": Described(
        "no RTP gets through between platform and AI, either way",
        AUDIO,
        "Open UDP 10000–60000 in both directions between the media addresses of {platform} and of Synthflow.",
        "network",
        _TROUBLE,
    ),
    "rtp-blocked-after-10s": Described(
        "audio stops during the call: RTP is cut off after some seconds",
        AUDIO,
        "Look for a firewall or NAT whose UDP timeout or inspection closes the media path, and for an SBC's media timer; keep the "
        "binding open for as long as RTP flows.",
        "network",
        _TROUBLE,
    ),
    "sdp-private-address": Described(
        "the platform's SDP names a private address, so the AI's audio goes nowhere",
        AUDIO,
        "Have the {platform} SBC write its public media address into SDP (its NAT or advertised-address setting), and switch off SIP "
        "ALG on the way.",
        "trunk",
        _TROUBLE,
    ),
    "no-g711": Described(
        "the trunk offers no G.711, and the AI refuses with 488",
        AUDIO,
        "Enable PCMU and PCMA on the trunk, and put one of them first.",
        "trunk",
        _TROUBLE,
    ),
    "g711-one-side": Described(
        "the two sides use different codecs and nothing transcodes between them",
        AUDIO,
        "Make both legs agree on the same G.711 law (PCMU or PCMA), or let the SBC transcode.",
        "trunk",
        _TROUBLE,
    ),
    "payload-mismatch": Described(
        "both sides hear noise: the RTP payload is not what its type says",
        AUDIO,
        "Check the trunk's codec and payload-type mapping, and that no leg sends SRTP or another codec under a G.711 payload type.",
        "trunk",
        _TROUBLE,
    ),
    "srtp-mismatch": Described(
        "the trunk offers SRTP alone, and the AI refuses with 488",
        AUDIO,
        "Set media encryption on the trunk to off or optional, or have SRTP enabled at both ends.",
        "trunk",
        _TROUBLE,
    ),
    "audio-crossed": Described(
        "another call's audio is heard",
        AUDIO,
        "Report it to the platform at once with the times and Call-IDs: two calls share a media port or a mixer. Nobody should use "
        "the line until that is found.",
        "trunk",
        _TROUBLE,
    ),
    "heavy-loss": Described(
        "much RTP is lost on the way",
        AUDIO,
        "Have the path between {platform} and Synthflow measured for loss (RTCP on both legs says on which side), and voice put first "
        "on it.",
        "network",
        _TROUBLE,
    ),
    "high-delay": Described(
        "audio takes too long: above the 400 ms one way that ITU-T G.114 allows",
        AUDIO,
        "Use the Synthflow region nearest to the platform's media, and look for detours and deep buffers on the way.",
        "network",
        _TROUBLE,
    ),
    # Caller ID missing
    "from-anonymous": Described(
        "the platform sends the AI an anonymous From",
        CALLER_ID,
        "Let {platform} pass the caller's number (ANI) in the INVITE, with the E.164 number in From.",
        "platform routing",
        _TROUBLE,
    ),
    "from-trunk-did": Described(
        "the platform sends its own number in From, not the caller's",
        CALLER_ID,
        "Switch off the trunk's or routing's own outbound caller ID, so that From carries the caller's E.164 number.",
        "platform routing",
        _TROUBLE,
    ),
    "from-national": Described(
        "the caller's number is in From, but not in E.164",
        CALLER_ID,
        "Have the trunk's number format set to E.164: a plus and the country code before the national number.",
        "trunk",
        _TROUBLE,
    ),
    "from-other-number": Described(
        "From has a number that is neither the caller's nor the line's",
        CALLER_ID,
        "Look for a caller-ID override in the routing step or on the trunk, and remove it; From has to be the caller's E.164 number.",
        "platform routing",
        _TROUBLE,
    ),
    "pai-stripped": Described(
        "the platform removes P-Asserted-Identity, so a withheld number is lost",
        CALLER_ID,
        "Make Synthflow a trusted peer of the trunk, so that the SBC passes P-Asserted-Identity and Privacy (RFC 3325).",
        "trunk",
        _TROUBLE,
    ),
    "caller-id-lost-on-transfer": Described(
        "the agent is shown another number than the caller's after the transfer",
        CALLER_ID,
        "Have {platform} show agents the original caller on transfers; for warm transfers set the caller ID in Synthflow's transfer "
        "action.",
        "platform routing",
        _BACK,
    ),
    # Transfer fails
    "group-did-wrong": Described(
        "the transfer goes to a number that is no ring group's",
        TRANSFER,
        "In Synthflow's transfer action, enter the number of the ring group (or queue) as {platform} shows it.",
        "AI side",
        _BACK,
    ),
    "group-wrong": Described(
        "the transfer's number leads to another group",
        TRANSFER,
        "At {platform}, map the number used by the transfer to the ring group (or queue) that should get the call.",
        "transfer target",
        _BACK,
    ),
    "trunk-inactive": Described(
        "the trunk is inactive for calls from the AI: the platform answers 503",
        TRANSFER,
        "Activate the SIP trunk at {platform}, and look at its transfer log for the reason it gives.",
        "trunk",
        _TROUBLE,
    ),
    "refer-rejected": Described(
        "the platform rejects the transfer (REFER)",
        TRANSFER,
        "Allow transfers by REFER on the trunk at {platform}; where it does not do REFER at all, use a warm transfer at Synthflow.",
        "trunk",
        _BACK,
    ),
    "refer-accepted-then-failed": Described(
        "the platform accepts the transfer, then reports that it failed",
        TRANSFER,
        "Look in {platform}'s transfer log for this call: the group is busy or closed. Mend the group, or give it "
        "an overflow.",
        "transfer target",
        _BACK,
    ),
    "refer-never-notified": Described(
        "the platform accepts the transfer, and nothing follows in time",
        TRANSFER,
        "Report the Call-ID to {platform}: its SBC owes a NOTIFY with the outcome (RFC 3515), and placed no call, or too late.",
        "trunk",
        _BACK,
    ),
    "transfer-no-audio": Described(
        "caller and agent are connected, and one of them or both hear nothing",
        TRANSFER,
        "Have {platform} check the media path between the carrier's side and the agents' after a transfer; RTP ports towards the "
        "agents' network have to be open too.",
        "network",
        _BACK,
    ),
    "ai-leg-left-behind": Described(
        "the AI's leg stays up after the transfer",
        TRANSFER,
        "Let the platform end the referrer's leg once the transfer succeeded (BYE after NOTIFY 200), and Synthflow hang up by itself.",
        "AI side",
        _BACK,
    ),
    # fallback
    "fallback-missing": Described(
        "the number has no fallback: nobody rings when the AI cannot be had",
        FALLBACK,
        "Give the routing step at {platform} a fallback to a ring group (or queue) for when the AI is unavailable.",
        "platform routing",
        _INBOUND,
    ),
    "fallback-wrong-group": Described(
        "the fallback rings another group than the configured one",
        FALLBACK,
        "Set the fallback of the routing step at {platform} to the group that should take these calls.",
        "platform routing",
        _INBOUND,
    ),
    "ring-timeout-wrong": Described(
        "the fallback does not come when the ring timeout is over",
        FALLBACK,
        "Set the timeout of the routing step at {platform} to the agreed value (30 seconds is recommended), and the same in the "
        "deployment file.",
        "platform routing",
        _INBOUND,
    ),
    # TLS and Gladly's headers
    "tls-not-appended": Described(
        "the SIP address lacks transport=tls: the call goes out in the clear and is refused",
        GLADLY,
        "Append ;transport=tls to the SIP address of the destination at {platform}.",
        "platform routing",
        _TRUNK,
    ),
    "certificate-expired": Described(
        "the AI's TLS certificate has expired, so the platform does not talk to it",
        GLADLY,
        "Renew the certificate on Synthflow's TLS port, with its whole chain, and see to it that it renews by itself.",
        "AI side",
        _TRUNK,
    ),
    "certificate-wrong-name": Described(
        "the AI's TLS certificate is made out to another name",
        GLADLY,
        "Use the host name on the certificate as SIP server of the trunk (not an address), or have a certificate issued for the name "
        "in use.",
        "AI side",
        _TRUNK,
    ),
    "caller-header-missing": Described(
        "the INVITE has no X-Gladly-Caller-Id",
        GLADLY,
        "Add X-Gladly-Caller-Id: {{caller_e164}} to the X-headers of the SIP forwarding configuration.",
        "platform routing",
        _HEADER,
    ),
    "caller-header-without-plus": Described(
        "X-Gladly-Caller-Id lacks its plus",
        GLADLY,
        "Use the caller's E.164 variable, with its plus, in the X-Gladly-Caller-Id header.",
        "platform routing",
        _HEADER,
    ),
    "caller-header-wrong": Described(
        "X-Gladly-Caller-Id is not the caller's number",
        GLADLY,
        "Use the caller's E.164 variable in the X-Gladly-Caller-Id header, not a fixed number or the number that was called.",
        "platform routing",
        _HEADER,
    ),
    "selector-missing": Described(
        "the configured X-Gladly-Routing-Selector is not sent",
        GLADLY,
        "Add X-Gladly-Routing-Selector with the number's topic to the X-headers of the SIP forwarding configuration.",
        "platform routing",
        _HEADER,
    ),
    "selector-wrong": Described(
        "X-Gladly-Routing-Selector names another topic",
        GLADLY,
        "Set the X-Gladly-Routing-Selector of this number to the topic that was agreed, in exactly that spelling.",
        "platform routing",
        _HEADER,
    ),
    # what real systems show besides
    "ai-refuses": Described(
        "the AI's side refuses the call",
        REACHING,
        "Look up the call at Synthflow by time and number: its error message says why the call was not taken.",
        "AI side",
        _TROUBLE,
    ),
    "ai-never-answers": Described(
        "the call rings at the AI, and it does not answer before the platform gives up",
        REACHING,
        "Look at the assistant's state at Synthflow (published, v2.0 or later, not paused), and at its status page.",
        "AI side",
        _ATTACH,
    ),
    "credentials-not-sent": Described(
        "the AI asks for credentials, and the platform sends none",
        REGISTRATION,
        "Set the trunk's authentication type at {platform} to Digest and enter the user name and password from Synthflow, or have "
        "Synthflow accept the platform by address.",
        "trunk",
        _TRUNK,
    ),
    "number-unknown-at-platform": Described(
        "the platform does not know the number that was dialled",
        REACHING,
        "Check the number in the deployment file, and that it is provisioned and active at {platform}.",
        "deployment file",
        _INBOUND,
    ),
    "certificate-untrusted": Described(
        "the AI's TLS certificate is from no authority that is trusted",
        GLADLY,
        "Have a certificate from a public authority on Synthflow's TLS port, sent with its intermediates.",
        "AI side",
        _TRUNK,
    ),
    "echo": Described(
        "a caller hears their own voice: echo",
        AUDIO,
        "Look for a media loop (RTP sent back to its source) at the SBC, and for a hybrid without echo cancellation on the way.",
        "trunk",
        _TROUBLE,
    ),
    "digits-lost": Described(
        "digits do not arrive as they were sent",
        "DTMF",
        "Use telephone-event (RFC 4733) on both legs with a payload type the SBC maps between them, or SIP INFO on both.",
        "trunk",
        _TROUBLE,
    ),
    "nobody-available": Described(
        "the group's number is right, and nobody in it can be rung",
        TRANSFER,
        "Log the group's agents in, or give the group an overflow; check its opening hours at {platform}.",
        "transfer target",
        _BACK,
    ),
    "transfer-not-tried": Described(
        "the AI does not try to transfer",
        TRANSFER,
        "Check the assistant's transfer action at Synthflow: what triggers it, and that it is enabled.",
        "AI side",
        _BACK,
    ),
    "platform-refuses-caller": Described(
        "the platform turns the caller away by itself, without asking the AI",
        REACHING,
        "Look the call up in {platform}'s call log: the number's routing, its hours, its capacity, or a block on the caller ends it.",
        "platform routing",
        _INBOUND,
    ),
    "ai-hangs-up": Described(
        "the AI takes the call and ends it by itself",
        REACHING,
        "Look up the call at Synthflow: its end reason says why the assistant hung up.",
        "AI side",
        _TROUBLE,
    ),
    "call-dropped": Described(
        "the platform ends the call while caller and AI are talking",
        REACHING,
        "Look the call up in {platform}'s call log; an SBC that misses RTP, an ACK or a session refresh hangs up by itself.",
        "trunk",
        _TROUBLE,
    ),
    "media-on-hold": Described(
        "an SDP of the call's set-up puts the media on hold",
        AUDIO,
        "Find who sends a=inactive, a=sendonly or a=recvonly when the call is set up, and have it say a=sendrecv (RFC 3264 "
        "section 5.1).",
        "trunk",
        _TROUBLE,
    ),
    "media-lost-on-reinvite": Described(
        "audio does not come back after the call is changed (hold, resume, another codec)",
        AUDIO,
        "Compare the SDP before and after the re-INVITE on both sides of {platform}: address, port, direction and codec; its SBC has "
        "to carry the change through to the other leg (RFC 3264 section 8).",
        "trunk",
        _TROUBLE,
    ),
    "ai-silent": Described(
        "the AI answers and says nothing",
        AUDIO,
        "Look at the assistant's voice and greeting at Synthflow, and at its status page; its record has no word of it.",
        "AI side",
        _ATTACH,
    ),
    "audio-silenced": Described(
        "RTP arrives with nothing but silence in it",
        AUDIO,
        "Find the element that replaces the audio: a mute, a mixer, or a transcoder that cannot read what it is sent.",
        "trunk",
        _TROUBLE,
    ),
    "fallback-no-audio": Described(
        "the fallback's agent answers, and caller and agent do not both hear each other",
        AUDIO,
        "Have {platform} check the media path between the carrier's side and the agents' for calls it takes over from the AI.",
        "network",
        _INBOUND,
    ),
    "transfer-unanswered": Described(
        "the platform does not answer the AI's transfer",
        TRANSFER,
        "Have {platform} look for the REFER or INVITE by its Call-ID: either it never arrives, or its SBC ignores it.",
        "trunk",
        _BACK,
    ),
    "transfer-call-refused": Described(
        "the platform refuses the AI's own call to the group",
        TRANSFER,
        "Look the call up in {platform}'s call log: the status it answered with says what it did not accept.",
        "trunk",
        _BACK,
    ),
    "header-repeated": Described(
        "an X-Gladly header is there more than once",
        GLADLY,
        "Let one place alone add the header: the SIP forwarding configuration, not an SBC behind it as well.",
        "platform routing",
        _HEADER,
    ),
    "answer-unusable": Described(
        "the 200 does not answer the caller's offer: no SDP, no audio, or a codec that was not offered",
        AUDIO,
        "Compare the SDP that {platform} answers the caller with to the caller's offer: one m-line for each that was offered, with "
        "formats out of the offer (RFC 3264 section 6).",
        "trunk",
        _TROUBLE,
    ),
    "rtp-disordered": Described(
        "RTP arrives in disorder",
        AUDIO,
        "Look for paths that share one stream packet by packet between {platform} and Synthflow: load balancing, a bonded line, "
        "a VPN.",
        "network",
        _TROUBLE,
    ),
    "level-wrong": Described(
        "a voice arrives much too quiet or too loud",
        AUDIO,
        "Look for a gain or attenuation setting at {platform}'s SBC or media server, and for a gateway that adapts levels by itself.",
        "trunk",
        _TROUBLE,
    ),
    "request-uri-form": Described(
        "the AI is called by its number in another form than E.164",
        REACHING,
        "Set the destination of the routing step at {platform} to the Synthflow DID in E.164, with its plus, and switch off number "
        "rewriting on the trunk.",
        "platform routing",
        _INBOUND,
    ),
    "answer-not-passed-on": Described(
        "the AI takes the call, and the caller is not connected with it",
        REACHING,
        "Look the call up in {platform}'s call log: the 200 of the AI's side has to become a 200 to the caller at once.",
        "trunk",
        _TROUBLE,
    ),
    "change-refused": Described(
        "a change of the call (hold, resume, another codec) is not accepted",
        AUDIO,
        "Allow re-INVITEs on the trunk at {platform} (RFC 3261 section 14); a 481 says that its SBC has lost the call, and no answer "
        "that the request does not get there: look at the Contact and Record-Route of its 200.",
        "trunk",
        _TROUBLE,
    ),
    "transfer-said-done": Described(
        "the platform reports the transfer as done, and nobody's phone rings",
        TRANSFER,
        "Look up in {platform}'s call log where the transferred call went: to another number, a queue that plays music, or nowhere; "
        "a NOTIFY with 200 may be sent only when somebody has answered (RFC 3515 section 2.4.5).",
        "transfer target",
        _BACK,
    ),
    "ack-not-taken": Described(
        "the caller's ACK does not arrive",
        REACHING,
        "Look at the Contact and Record-Route of the 200 that the caller got: its ACK goes there (RFC 3261 section 13.2.2.4). A call "
        "without ACK is ended by whoever waits for it, after 32 s.",
        "trunk",
        _TROUBLE,
    ),
    "fallback-late": Described(
        "the fallback lets the caller wait though the AI has refused",
        FALLBACK,
        "Have the routing step at {platform} go on to its fallback as soon as the SIP transfer is refused, not when a timer is over.",
        "platform routing",
        _INBOUND,
    ),
    "transfer-not-reported": Described(
        "the transfer succeeds, and the platform does not tell the AI so",
        TRANSFER,
        "Report the Call-ID to {platform}: its SBC owes the AI a final NOTIFY (RFC 3515 section 2.4.4), or a BYE once the agent has "
        "answered; the AI's leg is counted, and paid for, until then.",
        "trunk",
        _BACK,
    ),
    "selector-unwanted": Described(
        "X-Gladly-Routing-Selector is sent though the number has no topic",
        GLADLY,
        "Take the X-Gladly-Routing-Selector out of the X-headers of this number's SIP forwarding, or write its topic into the "
        "deployment file.",
        "platform routing",
        _HEADER,
    ),
    "agent-call-dropped": Described(
        "the call is ended as soon as an agent has answered",
        TRANSFER,
        "Look the call up in {platform}'s call log: its SBC has to put the agent in the AI's place, and end the AI's leg alone.",
        "trunk",
        _BACK,
    ),
    "hangup-not-taken": Described(
        "the caller's hang-up (BYE) is not taken",
        REACHING,
        "Look at the Contact and Record-Route of the 200 that the caller got: its BYE goes there (RFC 3261 section 12.2.1.1). A 481 "
        "says that the SBC has lost the call.",
        "trunk",
        _TROUBLE,
    ),
    "hangup-not-passed-on": Described(
        "the AI's leg stays up when the caller hangs up",
        REACHING,
        "Have {platform} end the other leg as soon as one has ended; until it does, the call is counted, and paid for.",
        "trunk",
        _TROUBLE,
    ),
}
