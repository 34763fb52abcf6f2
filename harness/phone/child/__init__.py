"""The process side of softphones: one pjsua2 Endpoint, its accounts and calls, driven over a socket pair.

Started as ``python -m harness.phone.child FD DIRECTORY`` by ``harness.phone.process``, and of no use otherwise. Its
modules may import the standard library, numpy and soundfile, ``harness.audio``, ``harness.calls.events``, ``harness.support.memory``,
``harness.sip``, ``harness.support.files``, and of the phones ``config``, ``log_ring``, ``protocol``, ``recording``, ``rtp_log``
and ``sources``; ``bindings`` alone imports pjsua2.

``service`` is the process: what it is made of, and the main loop. ``parent`` is the line to the parent, ``commands``
what the parent can ask for, ``stack`` the Endpoint, ``stack_log`` what its log says. ``account`` is a phone, ``phones``
all of them and how they go; ``leg`` a call of one, ``legs`` all of them until they are forgotten. A leg has ``media``,
what it plays, hears and records, ``digits`` that come, ``rtp_monitor``, what is told of its RTP, ``transfers``, what
became of its REFERs, and ``ending``, whether both sides know that it is over. ``dropped`` is what pjsip lets fall and
``deadly`` what would end it; ``names`` is DNS, ``trust`` TLS, ``challenges`` digest, ``policy`` what becomes of a call that
comes in, ``places`` whether there is room for it, ``lodging`` whose it is where cases share a phone, ``attribution`` whose
message is whose. Messages pass ``requests`` before pjsip has them: ``gate`` keeps strangers out, ``within`` answers what
pjsip has nobody for, ``sdp_names`` waits for names; ``offers`` says which offers can be answered. RTP passes ``taps``:
``crossing`` puts it aside, ``streams`` counts it, ``rtcp`` reads the far end's counts. ``native`` is what only pjproject's
C functions do.

What shapes it (pjproject 2.15.1):

- pjlib's asserts are on, so misuse aborts the process: every command checks the state it needs before it calls.
- SIP runs in one thread, the main one, in ``libHandleEvents``. A second thread reads commands and wakes the first with
  a datagram. Audio comes from the null device's clock thread, which records it in C and never waits for Python; ``ear``, a
  thread of its own, hears the recordings (``hearing``). RTP comes in pjmedia's thread, and is put aside in C (``crossing``).
- An exception that leaves a callback ends in ``std::terminate``: each callback is wrapped.
- A SWIG proxy of a member does not keep its owner alive: owners stay in a name while members are read.
- ``Call``'s destructor hangs up whatever call has its slot *then*, and ``Account``'s deletes whatever account has its
  number then: a Call is dropped within its last callback, an Account never destroyed.
"""
