"""A run that is asked to end twice, as when its process group gets the signal as well."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from harness.run.plugin.parallel import _end_in_order

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    before = [(each, signal.signal(each, signal.default_int_handler)) for each in SIGNALS]
    yield
    for each, handler in before:
        signal.signal(each, handler)


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_only_a_second_ctrl_c_cuts_the_hangup_short(
    first: signal.Signals, second: signal.Signals
) -> None:
    _end_in_order()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(first)
    if second == signal.SIGINT:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
    else:
        signal.raise_signal(second)


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_ignored_signal_ends_nothing(ignored: signal.Signals) -> None:
    """As in the background of a shell without job control, or under nohup."""
    signal.signal(ignored, signal.SIG_IGN)
    _end_in_order()
    signal.raise_signal(ignored)
