"""Synthflow: assistants that answer, hear, speak and transfer; the registration of SIP numbers; the
HTTP API.
"""
