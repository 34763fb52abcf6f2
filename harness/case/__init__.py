"""One case: its events and the facts that follow from them (``model``, ``legs``), what is checked
(``checks``), what excuses a failure (``excuses``), how it ended (``verdict``), and the one judge of
all that (``judge``).

Only two modules read or write files: ``recorder`` writes a case's log, ``log`` reads it.
"""
