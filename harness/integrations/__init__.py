"""Integrations: one declaration file each, found by the name a deployment gives."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from harness.errors import SelectionError
from harness.integrations.base import Integration

_NOT_INTEGRATIONS = {"base", "practice"}


def names() -> list[str]:
    """The integrations there are, sorted."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in _NOT_INTEGRATIONS)


def find(name: str) -> Integration:
    """The integration of that name. Raises :class:`SelectionError`."""
    if name not in names():
        raise SelectionError(f"integration {name!r} does not exist; allowed: {', '.join(names())}")
    found: Integration = import_module(f"{__name__}.{name}").INTEGRATION
    return found
