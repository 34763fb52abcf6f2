"""SIP as text: messages, URIs, identities, SDP and digest, with no input or output.

Every judgement about signalling, by the harness or by the simulated world, starts from these
modules.

The parser is our own. The library that was to do the work (aiosipua 0.7.1) had to be worked around
for header order and case, list headers, compact forms, quoting, spaced Via values, ``;`` in the
user part, ``Contact: *`` and the octets as received; of RFC 4475's messages, ``mpart01`` aside, it
takes 19 of 48 for what they are not (it accepts what has to be refused, or refuses what is valid),
this parser none. It stays as the second opinion of ``tests/unit/sip/test_against_aiosipua.py``.
"""
