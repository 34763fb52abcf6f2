"""The child process of softphones: one pjsua2 Endpoint with its accounts and calls, controlled over a socket pair.

``harness.phone.process`` starts it as ``python -m harness.phone.child FD DIRECTORY``. Its
modules may import the standard library, numpy and soundfile, ``harness.audio``, ``harness.calls.events``, ``harness.support.memory``,
``harness.sip``, ``harness.support.files``, and of the phones ``config``, ``log_ring``, ``protocol``, ``recording``, ``rtp_log``
and ``sources``; ``bindings`` alone imports pjsua2.

- ``service``: the process and its main loop. ``parent_link``: messages to and from the parent. ``commands``: the parent's commands.
- ``stack``: the Endpoint; ``stack_log``: its log. ``native``: C functions of pjproject that pjsua2 lacks.
- ``account``: a phone; ``phones``: all phones, and how they are removed. ``leg``: a call; ``legs``: all calls.
- Parts of a leg: ``media`` (plays, hears, records), ``digits``, ``rtp_monitor`` (RTP events), ``transfers`` (outcomes of REFERs),
  ``ending`` (whether both sides know that the call is over).
- Messages pass ``requests`` before pjsip sees them: ``admission`` refuses strangers, ``dialog_requests`` answers what pjsip cannot
  handle, ``unsafe_headers`` removes headers that crash pjsip, ``sdp_names`` waits for DNS, ``offers`` selects what can be answered.
- ``attribution`` finds the leg of a message; ``dropped`` finds messages that pjsip could not parse.
- ``policy``: incoming calls; ``socket_slots`` and ``tcp_limits``: limits of pjlib; ``shared_phones``: finds the case of a call.
- ``names``: DNS; ``trust``: TLS; ``challenges``: digest.
- RTP passes ``taps``: ``crossing`` buffers it, ``streams`` counts it, ``rtcp`` reads the far end's reports.

What shapes the design (pjproject 2.15.1):

- pjlib's asserts are on, so misuse aborts the process: every command checks the state before it calls pjsua2.
- SIP runs in the main thread, in ``libHandleEvents``. A second thread reads commands and wakes the main thread with a datagram.
  The null device's clock thread records audio in C and never waits for Python; ``mark_listener`` analyses the recordings in its own
  thread (``hearing``). pjmedia's thread receives RTP and buffers it in C (``crossing``).
- An exception that leaves a callback ends in ``std::terminate``, so each callback is wrapped.
- A SWIG proxy of a member does not keep its owner alive: keep the owner in a variable while its members are read.
- ``Call``'s destructor hangs up the call that has its slot *at that time*, and ``Account``'s deletes the account that has its
  number: a Call is dropped within its last callback, and an Account is never destroyed.
"""
