"""Why calls do not reach the AI, and why they do not end."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

REACHING: Mapping[str, Described] = {
    "route-wrong-did": Described(
        "the routing sends the call to another assistant's number",
        at.REACHING_ISSUE,
        "In the routing step of this number at {platform}, set the destination to the DID of the assistant that should answer.",
        "platform routing",
        at.INBOUND,
    ),
    "route-wrong-trunk": Described(
        "the routing uses another trunk than the one for this number",
        at.REACHING_ISSUE,
        "In the routing step of this number at {platform}, select the Synthflow AI trunk it should leave by.",
        "platform routing",
        at.INBOUND,
    ),
    "route-missing": Described(
        "the number has no SIP transfer: the platform keeps the call, or rings its own agents at once",
        at.REACHING_ISSUE,
        "Give the number's IVR or ring group a step that transfers to the Synthflow DID over the SIP trunk, put it before the agents, "
        "and activate the routing.",
        "platform routing",
        at.INBOUND,
    ),
    "trunk-transport-mismatch": Described(
        "the trunk's transport and port do not belong together (UDP and TCP go to 32681, TLS to 32682)",
        at.REACHING_ISSUE,
        "In the trunk's settings use port 32681 with UDP or TCP, and 32682 with TLS.",
        "trunk",
        at.TRUNK,
    ),
    "assistant-not-attached": Described(
        "the number is attached to no assistant at Synthflow",
        at.REACHING_ISSUE,
        "At Synthflow, attach the SIP number to the assistant (v2.0 or later), and give it one or two minutes to become active.",
        "AI side",
        at.ATTACH,
    ),
    "concurrency-exhausted": Described(
        "Synthflow takes no more calls at once: its concurrency limit is reached",
        at.REACHING_ISSUE,
        "Compare the trunk's Max Concurrent Calls with the Synthflow plan's limit, end calls that hang, or have the plan raised.",
        "AI side",
        at.TRUNK,
    ),
    "ai-refuses": Described(
        "the AI's side refuses the call",
        at.REACHING_ISSUE,
        "Look up the call at Synthflow by time and number: its error message says why the call was not taken.",
        "AI side",
        at.TROUBLE,
    ),
    "ai-never-answers": Described(
        "the call rings at the AI, and it does not answer before the platform gives up",
        at.REACHING_ISSUE,
        "Look at the assistant's state at Synthflow (published, v2.0 or later, not paused), and at its status page.",
        "AI side",
        at.ATTACH,
    ),
    "platform-answers-first": Described(
        "the platform answers the call itself, before the AI or anybody else has",
        at.REACHING_ISSUE,
        "Have the number's flow ring through before it answers, so that the caller hears how the call goes on and is charged from the "
        "AI's answer; where it has to speak first, say so in the deployment file (announcement_s of the number).",
        "platform routing",
        at.INBOUND,
    ),
    "number-unknown-at-platform": Described(
        "the platform does not know the number that was dialled",
        at.REACHING_ISSUE,
        "Check the number in the deployment file, and that it is provisioned and active at {platform}.",
        "deployment file",
        at.INBOUND,
    ),
    "platform-no-route": Described(
        "the platform has no route to where the number leads",
        at.REACHING_ISSUE,
        "Look the call up in {platform}'s call log: the number's routing leads to a trunk, carrier or step that is missing or out of "
        "service. A number that nobody knows is told otherwise (Q.850 cause 1, not 2, 3 or 25).",
        "platform routing",
        at.INBOUND,
    ),
    "routed-in-a-circle": Described(
        "the call is routed in a circle, or over too many hops",
        at.REACHING_ISSUE,
        "Follow the number through {platform}'s routing: a step, trunk or carrier leads back to where the call came from (482, 483). "
        "Where nothing does, look who sends a Max-Forwards that is too low.",
        "platform routing",
        at.INBOUND,
    ),
    "platform-full": Described(
        "the platform, or a carrier behind it, has no channel or capacity left for the call",
        at.REACHING_ISSUE,
        "Look how many calls {platform} and its carriers carried at that time, against the channels of the trunk and the licence; end "
        "calls that hang. Asterisk says the same (Q.850 cause 34) of a call that it could place nowhere: look at its routes, too.",
        "trunk",
        at.TRUNK,
    ),
    "platform-refuses-caller": Described(
        "the platform turns the caller away by itself",
        at.REACHING_ISSUE,
        "Look the call up in {platform}'s call log: the number's routing, its hours, its capacity, or a block on the caller ends it. "
        "Where the log has no such call, the caller's carrier refused it (credit, permissions, the number's form).",
        "platform routing",
        at.INBOUND,
    ),
    "platform-fails": Described(
        "the platform, or a server behind it, fails over the caller's call (500, 502, 503, 504)",
        at.REACHING_ISSUE,
        "Have {platform} look the call up by its Call-ID: 500 is its SBC's own error, or a 503 of somebody behind it; 503 is a server "
        "that is overloaded or out of service; with 502 and 504 the server behind it answered what cannot be used, or not in time "
        "(RFC 3261 sections 21.5 and 16.7). Where it has no such call, it was the caller's carrier that failed.",
        "platform routing",
        at.INBOUND,
    ),
    "caller-redirected": Described(
        "the platform redirects the caller (3xx), and the call ends there",
        at.REACHING_ISSUE,
        "Look at the Contact of the 3xx. Either have {platform} take the call at the address that callers use, or have the carrier "
        "send it to the other one: not everybody follows a redirection.",
        "platform routing",
        at.INBOUND,
    ),
    "caller-media-refused": Described(
        "the platform refuses the media that the caller offers (415, 488, 606)",
        at.REACHING_ISSUE,
        "Compare the SDP of the caller's INVITE with what the trunk at {platform} takes: codecs (G.711 on both sides), RTP or SRTP, "
        "and the address family. A Warning in the answer says which.",
        "trunk",
        at.TROUBLE,
    ),
    "ai-hangs-up": Described(
        "the AI takes the call and ends it by itself",
        at.REACHING_ISSUE,
        "Look up the call at Synthflow: its end reason says why the assistant hung up.",
        "AI side",
        at.TROUBLE,
    ),
    "call-dropped": Described(
        "the platform ends the call while caller and AI are talking",
        at.REACHING_ISSUE,
        "Look the call up in {platform}'s call log; an SBC that misses RTP, an ACK or a session refresh hangs up by itself. Where the "
        "log has the caller's side hang up, the caller's carrier ended it (credit, a longest call).",
        "trunk",
        at.TROUBLE,
    ),
    "request-uri-form": Described(
        "the AI is called by its number in another form than E.164",
        at.REACHING_ISSUE,
        "Set the destination of the routing step at {platform} to the Synthflow DID in E.164, with its plus, and switch off number "
        "rewriting on the trunk.",
        "platform routing",
        at.INBOUND,
    ),
    "answer-not-passed-on": Described(
        "the AI takes the call, and the caller is not connected with it",
        at.REACHING_ISSUE,
        "Look the call up in {platform}'s call log: the 200 of the AI's side has to become a 200 to the caller at once.",
        "trunk",
        at.TROUBLE,
    ),
    "ack-not-taken": Described(
        "the caller's ACK does not arrive",
        at.REACHING_ISSUE,
        "Look at the Contact and Record-Route of the 200 that the caller got: its ACK goes there (RFC 3261 section 13.2.2.4). A call "
        "without ACK is ended by whoever waits for it, after 32 s.",
        "trunk",
        at.TROUBLE,
    ),
    "prack-not-taken": Described(
        "the caller's PRACK does not arrive, so that its call is not answered",
        at.REACHING_ISSUE,
        "Look at the Contact and Record-Route of the 18x that the caller got: its PRACK goes there (RFC 3262 section 4). Most "
        "often the address that {platform} advertises for its signalling is wrong.",
        "trunk",
        at.TROUBLE,
    ),
    "extension-refused": Described(
        "the platform refuses an extension of SIP that the call requires (420)",
        at.REACHING_ISSUE,
        "Switch on at {platform} what its Unsupported header names, on the caller's side and on the trunk: 100rel is RFC 3262's, "
        "timer RFC 4028's. Where it is not promised, leave the row out.",
        "trunk",
        at.TROUBLE,
    ),
    "ack-not-passed-on": Described(
        "no ACK of the platform's arrives at the AI, which ends the call for want of it",
        at.REACHING_ISSUE,
        "Look at the Contact of the AI's 200, and at NAT between {platform} and it: the platform's ACK goes there (RFC 3261 section "
        "13.2.2.4). A call without ACK is ended after 32 s.",
        "trunk",
        at.TROUBLE,
    ),
    "refresh-not-taken": Described(
        "the AI's session refresh is not accepted, and the AI ends the call for want of it",
        at.REACHING_ISSUE,
        "Have {platform} answer an UPDATE or re-INVITE within the call with 200 and a Session-Expires (RFC 4028 section 9), "
        "or agree on no session timer at all.",
        "trunk",
        at.TROUBLE,
    ),
    "hangup-not-taken": Described(
        "the caller's hang-up (BYE) is not taken",
        at.REACHING_ISSUE,
        "Look at the Contact and Record-Route of the 200 that the caller got: its BYE goes there (RFC 3261 section 12.2.1.1). A 481 "
        "says that the SBC has lost the call; or the AI's side, where {platform} hands the BYE on.",
        "trunk",
        at.TROUBLE,
    ),
    "ai-refuses-hangup": Described(
        "the AI's side does not take the caller's hang-up (BYE)",
        at.REACHING_ISSUE,
        "Compare Call-ID and tags of the BYE that the AI got with those of its INVITE and of the AI's 200. Where {platform} has "
        "changed them, have it keep them (RFC 3261 section 12.2.1.1); where they are the same, ask Synthflow why it refuses the BYE, "
        "or does not answer it.",
        "AI side",
        at.TROUBLE,
    ),
    "hangup-not-passed-on": Described(
        "the AI's leg stays up when the caller hangs up",
        at.REACHING_ISSUE,
        "Have {platform} end the other leg as soon as one has ended; until it does, the call is counted, and paid for.",
        "trunk",
        at.TROUBLE,
    ),
    "ai-not-let-go": Described(
        "the AI rings on when the platform has given it up",
        at.FALLBACK_ISSUE,
        "Have {platform} cancel the call to the AI when its ring timeout is over (RFC 3261 section 9.1): until it does, the AI may "
        "answer a call that somebody else has.",
        "platform routing",
        at.INBOUND,
    ),
}
