"""``make odd``: rows against an odd platform that others wrote, each oddity of a public report with
the verdict and the causes that are right (``cases.toml``).

The platform's programs are not part of this repository: ``--platform`` names their directory, which
has ``run.sh FILE ROW ODDITY…``. ``reports/odd.json``: ``cases``, ``right``, ``wrong``,
``false_pass``, ``false_alarms``, ``broken``, ``seconds``. Exit code 0 when all are right.
"""
