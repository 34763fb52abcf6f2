"""Writes the reference pages and the JSON Schemas."""

from tools.reference import cli, deployment, schemas

for made in (deployment, cli):
    made.PAGE.write_text(made.page(), encoding="utf-8")
schemas.write()
