"""Why one end does not hear the other, or hears badly; digits."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

AUDIO: Mapping[str, Described] = {
    "rtp-blocked-to-ai": Described(
        "RTP does not get from the caller to the AI",
        at.AUDIO_ISSUE,
        "Open UDP 10000–60000 from the {platform} media addresses to Synthflow's media addresses; check NAT and the SBC's media route. "
        "Where a capture there has none of the caller's RTP either, it is lost ahead of the platform.",
        "network",
        at.TROUBLE,
    ),
    "rtp-blocked-to-caller": Described(
        "RTP does not get from the AI to the caller",
        at.AUDIO_ISSUE,
        "Open UDP 10000–60000 from Synthflow's media addresses to the {platform} media addresses; check NAT and the SBC's media route. "
        "Where other calls bring the harness no RTP either, its own firewall keeps it back (`rtp_ports`).",
        "network",
        at.TROUBLE,
    ),
    "rtp-blocked-both": Described(
        "no RTP gets through between caller and AI, either way",
        at.AUDIO_ISSUE,
        "Open UDP 10000–60000 in both directions between the media addresses of {platform} and of Synthflow. Where other calls bring "
        "the harness no RTP either, its own firewall keeps it back (`rtp_ports`), or {platform} advertises a wrong media address.",
        "network",
        at.TROUBLE,
    ),
    "rtp-blocked-after-10s": Described(
        "audio stops during the call: RTP is cut off after some seconds",
        at.AUDIO_ISSUE,
        "Look for a firewall or NAT whose UDP timeout or inspection closes the media path, and for an SBC's media timer; keep the "
        "binding open for as long as RTP flows.",
        "network",
        at.TROUBLE,
    ),
    "agent-audio-stops": Described(
        "audio between caller and agent stops soon after it began",
        at.AUDIO_ISSUE,
        "Have {platform} look what it does to the media once the call is with the agent: a re-INVITE that names another address, "
        "a relay that ends with the AI's leg, a firewall or NAT that closes a path after the first packets.",
        "network",
        at.TROUBLE,
    ),
    "rtp-late": Described(
        "audio begins late: no RTP arrives for seconds after the answer",
        at.AUDIO_ISSUE,
        "Look what holds the media back once the call is answered: an SBC that waits for the first packet from outside, ICE or a "
        "transcoder that runs into a time limit, a firewall that is slow to open the path.",
        "network",
        at.TROUBLE,
    ),
    "sdp-private-address": Described(
        "the platform's SDP names a private address, so what is sent there goes nowhere",
        at.AUDIO_ISSUE,
        "Have {platform} write its public media address into SDP (its NAT or advertised-address setting), and switch off SIP "
        "ALG on the way.",
        "trunk",
        at.TROUBLE,
    ),
    "sdp-other-address": Described(
        "the platform's SDP names another address than its RTP comes from, and what is sent there does not arrive",
        at.AUDIO_ISSUE,
        "Have {platform} write the address at which it takes RTP into SDP (its advertised media address, which may be an old "
        "one). Where that address is right, open UDP to it.",
        "trunk",
        at.TROUBLE,
    ),
    "no-g711": Described(
        "the trunk offers no G.711, and the AI refuses with 488",
        at.AUDIO_ISSUE,
        "Enable PCMU and PCMA on the trunk, and put one of them first.",
        "trunk",
        at.TROUBLE,
    ),
    "g711-one-side": Described(
        "the two sides use different codecs and nothing transcodes between them",
        at.AUDIO_ISSUE,
        "Make both legs agree on the same G.711 law (PCMU or PCMA), or let the SBC transcode.",
        "trunk",
        at.TROUBLE,
    ),
    "payload-mismatch": Described(
        "noise is heard, where a voice was sent: the RTP payload is not what its type says",
        at.AUDIO_ISSUE,
        "Check the trunk's codec and payload-type mapping, its transcoder where the two sides have two codecs, and that no leg sends "
        "SRTP or another codec under a G.711 payload type.",
        "trunk",
        at.TROUBLE,
    ),
    "srtp-mismatch": Described(
        "the trunk offers SRTP alone, and the AI refuses with 488",
        at.AUDIO_ISSUE,
        "Set media encryption on the trunk to off or optional, or have SRTP enabled at both ends.",
        "trunk",
        at.TROUBLE,
    ),
    "srtp-key": Described(
        "the media is encrypted with another key than the SDP names, or not at all",
        at.AUDIO_ISSUE,
        "Have the sender's SRTP looked at: the key in `a=crypto` of its SDP (RFC 4568) has to be the one that it encrypts with, also "
        "behind a re-INVITE, and where SRTP was agreed on nothing may be sent in clear. An SBC between the two has to encrypt anew on "
        "each side.",
        "trunk",
        at.TROUBLE,
    ),
    "audio-crossed": Described(
        "another call's audio is heard",
        at.AUDIO_ISSUE,
        "Report it to the platform at once with the times and Call-IDs: two calls share a media port or a mixer. Nobody should use "
        "the line until that is found.",
        "trunk",
        at.TROUBLE,
    ),
    "heavy-loss": Described(
        "much RTP is lost on the way",
        at.AUDIO_ISSUE,
        "Have the path between {platform} and Synthflow measured for loss (RTCP on both legs says on which side), and voice put first "
        "on it.",
        "network",
        at.TROUBLE,
    ),
    "rtp-not-sent": Described(
        "the audio that arrives has holes, though no packet is lost",
        at.AUDIO_ISSUE,
        "Find who makes the RTP that arrives, and numbers it anew: a transcoder or SBC of {platform}'s that drops packets, or gets too "
        "few. Compare captures on both of its sides.",
        "trunk",
        at.TROUBLE,
    ),
    "high-delay": Described(
        "audio takes too long: above the 400 ms one way that ITU-T G.114 allows",
        at.AUDIO_ISSUE,
        "Use the Synthflow region nearest to the platform's media, and look for detours and deep buffers on the way.",
        "network",
        at.TROUBLE,
    ),
    "echo": Described(
        "a caller hears their own voice: echo",
        at.AUDIO_ISSUE,
        "Look for a media loop (RTP sent back to its source) at the SBC, and for a hybrid without echo cancellation on the way.",
        "trunk",
        at.TROUBLE,
    ),
    "digits-lost": Described(
        "digits do not arrive as they were sent",
        "DTMF",
        "Use telephone-event (RFC 4733) on both legs with a payload type the SBC maps between them, or SIP INFO on both.",
        "trunk",
        at.TROUBLE,
    ),
    "media-on-hold": Described(
        "an SDP of the call's set-up puts the media on hold",
        at.AUDIO_ISSUE,
        "Find who sends a=inactive, a=sendonly or a=recvonly when the call is set up, and have it say a=sendrecv (RFC 3264 "
        "section 5.1).",
        "trunk",
        at.TROUBLE,
    ),
    "media-lost-on-reinvite": Described(
        "audio does not come back after the call is changed (hold, resume, another codec)",
        at.AUDIO_ISSUE,
        "Compare the SDP before and after the re-INVITE or UPDATE on both sides of {platform}: address, port, direction and codec; its "
        "SBC has to carry the change through to the other leg (RFC 3264 section 8).",
        "trunk",
        at.TROUBLE,
    ),
    "ai-silent": Described(
        "the AI answers and says nothing",
        at.AUDIO_ISSUE,
        "Look at the assistant's voice and greeting at Synthflow, and at its status page; its record has no word of it.",
        "AI side",
        at.ATTACH,
    ),
    "audio-silenced": Described(
        "RTP arrives with silence, or another sound, in the place of the voice",
        at.AUDIO_ISSUE,
        "Find the element that replaces the audio: a mute, music on hold that goes on, a mixer, or a transcoder that cannot read what "
        "it is sent, or gets nothing (then RTP ports between it and who speaks are closed).",
        "trunk",
        at.TROUBLE,
    ),
    "fallback-no-audio": Described(
        "the fallback's agent answers, and caller and agent do not both hear each other",
        at.AUDIO_ISSUE,
        "Have {platform} check the media path between the carrier's side and the agents' for calls it takes over from the AI.",
        "network",
        at.INBOUND,
    ),
    "answer-unusable": Described(
        "the 200 does not answer the caller's offer: no SDP, no audio, or a codec that was not offered",
        at.AUDIO_ISSUE,
        "Compare the SDP that {platform} answers the caller with to the caller's offer: one m-line for each that was offered, with "
        "formats out of the offer (RFC 3264 section 6).",
        "trunk",
        at.TROUBLE,
    ),
    "rtp-disordered": Described(
        "RTP arrives in disorder",
        at.AUDIO_ISSUE,
        "Look for paths that share one stream packet by packet between {platform} and Synthflow: load balancing, a bonded line, "
        "a VPN.",
        "network",
        at.TROUBLE,
    ),
    "level-wrong": Described(
        "a voice arrives much too quiet or too loud",
        at.AUDIO_ISSUE,
        "Look for a gain or attenuation setting at {platform} or its media server, and for a gateway that adapts levels by itself.",
        "trunk",
        at.TROUBLE,
    ),
    "change-refused": Described(
        "a change of the call (hold, resume, another codec) is not accepted",
        at.AUDIO_ISSUE,
        "Allow re-INVITEs on the trunk at {platform} (RFC 3261 section 14); a 488 objects to the codec or direction that is offered, a "
        "481 says that its SBC has lost the call, and no answer that the request does not get there: look at the Contact and "
        "Record-Route of its 200. Where {platform} hands the change on, it may be the AI's side that refuses.",
        "trunk",
        at.TROUBLE,
    ),
    "ai-refuses-change": Described(
        "the AI's side does not accept a change of the call (hold, resume, another codec)",
        at.AUDIO_ISSUE,
        "Ask Synthflow why it refuses the re-INVITE or UPDATE that it gets, and compare what that offers with the caller's own: hold "
        "(a=sendonly, a=inactive) and either G.711 law are to be taken (RFC 3264 section 8). Or have {platform} answer for such "
        "changes itself.",
        "AI side",
        at.TROUBLE,
    ),
}
