"""The documents as a site: ``make docs`` stages the pages, has Zensical build them strictly, and
looks at what came out.
"""
