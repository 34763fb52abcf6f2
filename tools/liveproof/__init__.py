"""Shows that a live run says only what it saw: faults and AIs of every kind, told by witnesses of
every kind.
"""
