"""Many calls at once at one deployment: how many are held, how long setting up takes, and which
step fails first.

::

    plan → call → run → result

``plan`` checks what was asked for against the deployment's limits; a ``call`` is placed on its lane
(one number over one trunk, with its phones), verified, verified again while it is held, and ended,
by the same phones and checks as a scenario's; ``run`` places them in steps at a given rate;
``result`` has the figures and draws them.
"""
