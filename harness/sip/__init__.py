"""SIP as text: messages, URIs, identities, SDP and digest, with no input or output.

Every judgement about signalling, by the harness or by the simulated world, starts from these modules.
"""
