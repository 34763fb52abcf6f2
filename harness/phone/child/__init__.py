"""The child process of softphones: one pjsua2 Endpoint with its accounts and calls, controlled over
a socket pair.

``harness.phone.process`` starts it as ``python -m harness.phone.child FD PULSE DIRECTORY``. Its modules
may import the standard library, numpy and soundfile, ``harness.audio``, ``harness.case.events``,
``harness.support.memory``, ``harness.support.stalls``, ``harness.sip``, ``harness.support.files``, and of the phones
``config``, ``protocol``, ``recording`` and ``rtp_log``; ``bindings`` alone imports pjsua2.

Its modules are layers (a contract in pyproject.toml), from the top:

- ``service``: the process and its main loop.
- ``commands``: the parent's commands. ``requests`` sees each received message before pjsip and reads it once.
- ``admission`` decides on requests. ``incoming``: incoming calls, and their cases at shared phones. ``connection_limit``.
- ``legs``: the calls, and the call slots they take. ``attribution`` finds the leg of each message, sent ones too.
- ``leg``: a call, and when it is over; its parts: ``media`` (plays, hears, records), ``hearing`` (marks), ``digits``,
  ``rtp_monitor`` (RTP events; RTP passes ``taps``, which buffers it, and ``streams``, which counts it and reads the far end's reports).
- ``account``: the phones. ``stack``: the Endpoint. ``parent``: the connection to the parent. ``pulse`` shows it that the loop runs.
- ``audio_clock``: has the conference bridge pass frames. ``media_threads`` stops it and pjmedia's thread between calls.
- ``native``: C functions of pjproject that pjsua2 lacks; ``pjlib``: its structures. ``bindings``: pjsua2's classes.
- ``messages`` as they pass; ``header_rewrites`` and ``sdp`` change what pjsip mishandles. ``socket_limits`` of pjlib. ``names``: DNS.

What shapes the design (pjproject 2.15.1):

- pjlib's asserts are on, so misuse aborts the process: every command checks the state before it calls pjsua2.
- SIP runs in the main thread, in ``pjsua_handle_events``. A second thread reads commands and wakes the main thread with a datagram.
  The audio clock's thread records audio, and logs (``log_ring``), in C and never waits for Python; ``hearing`` analyses the
  recordings in its own thread. pjmedia's thread receives RTP and buffers it in C (``crossing.c``).
- An exception that leaves a callback ends in ``std::terminate``, so each callback is wrapped.
- A SWIG proxy of a member does not keep its owner alive: keep the owner in a variable while its members are read.
- ``Call``'s destructor hangs up the call that has its slot *at that time*, and ``Account``'s deletes the account that has its
  number: a Call is dropped within its last callback, and an Account is never destroyed.
"""
