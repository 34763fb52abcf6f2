"""Writes the reference pages."""

from tools.reference import deployment

deployment.PAGE.write_text(deployment.page(), encoding="utf-8")
