"""Writes the reference pages."""

from tools.reference import cli, deployment

for made in (deployment, cli):
    made.PAGE.write_text(made.page(), encoding="utf-8")
