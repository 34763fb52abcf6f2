"""What ``.ci/run`` and ``.ci/nightly`` do: parts in lanes, each with a time limit, and a table at
the end.
"""
