"""One run over several sites: Celery carries shards of cases to them, Redis holds what all of them share.

::

    config → plan → controller → (Celery, one queue a site) → worker → shard → pytest with the plugin ``site`` → gate
                        ↓                                                            ↓
                     result  ←───────────────────  store  ←──────────────────────────┘

``config`` is the fleet's file; ``plan`` makes shards of cases; ``controller`` hands them out, notices losses and resumes;
``worker`` is the site's end of Celery, and ``shard`` runs one by the site's own pytest; ``site`` is that pytest's plugin, with a
``gate`` whose limits hold over all sites; ``state`` is all that stands in Redis, changed by Lua scripts; ``store`` takes the
evidence; ``result`` makes one report of it.
"""
