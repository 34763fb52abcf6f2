"""Single SIP requests to a port, without a softphone: names, addresses, certificates, and what the
port answers.
"""
