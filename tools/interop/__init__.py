"""``make test-interop``, and the programs it runs: Kamailio, baresip and rtpengine as child
processes.
"""
