"""One run over several sites: Celery carries shards of cases to them, Redis holds what all of them
share.

::

    plan → controller → (Celery, one queue a site) → worker → pytest with the plugin ``site``
               ↓                                                    ↓
            result  ←───────────────  store  ←──────────────────────┘

``plan`` reads the fleet's file and makes shards of cases; ``controller`` hands them out, notices
losses and resumes; ``worker`` is the site's end of Celery, and runs each shard by the site's own
pytest; ``site`` is that pytest's plugin, with a gate whose limits hold over all sites; ``state`` is
all that stands in Redis, changed by Lua scripts; ``store`` takes the evidence; ``result`` makes one
report of it.
"""
