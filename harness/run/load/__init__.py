"""Many calls at once at one deployment: how many are held, how long setting up takes, and which step fails first.

::

    plan → lane call → steps → result → picture

``plan`` checks what was asked for against the deployment's limits; a ``lane`` is one number over one trunk with its phones; a
``call`` is placed, verified, verified again while it is held, and ended, by the same phones and checks as a scenario's;
``steps`` place them in steps at a given rate; ``result`` has the figures, and ``picture`` draws them.
"""
