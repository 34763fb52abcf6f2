"""What can go wrong that is not a finding about the system under test.

::

    HarnessError
    ├── MistakeError          the user's: one line that says what, where, what is allowed (exit 2)
    │   ├── DeploymentError       a deployment file
    │   ├── SelectionError        a row, axis or fault that does not exist here
    │   └── RefusedError          a call the safety rules do not allow
    │       └── WrongTargetError      a target that no run may call
    └── BrokenError           the harness or its surroundings; never counts against the platform (exit 3)
        ├── PhoneLostError        a softphone's process died or hung
        ├── PhoneParseError       a softphone's stack dropped a message that is in order
        ├── PhoneMisuseError      a softphone was asked for something its state does not allow
        │   └── OfferPendingError an offer was to be made while one of the far end's was under way
        ├── WorldLostError        the simulated world died or did not start
        ├── ResourceError         no port, no address, no call slot, no mark, no disk left
        │   └── DamagedHistoryError   history.sqlite holds what no run of this version wrote
        └── FarEndError           the far end's own interface (API, trigger) could not be used

A failed expectation is neither: it is an :class:`harness.case.verdict.ExpectationError`, an
``AssertionError``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: What another path would mend. A disk that is full or fails is the surroundings' fault.
_OF_THE_PATH: Final = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EEXIST),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
}
#: What this machine has no more of, or what of it fails.
_OF_THE_MACHINE: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EIO,
}


class HarnessError(Exception):
    """Root of everything this package raises on purpose, failed expectations apart."""


class MistakeError(HarnessError):
    """The user can mend this; ``str()`` is one line: where, what, what is allowed."""


class DeploymentError(MistakeError):
    """One or more mistakes in a deployment file, one line each."""


class SelectionError(MistakeError):
    """A row, axis value, fault or integration was asked for that does not exist here."""


class RefusedError(MistakeError):
    """The safety rules do not allow this call."""


class WrongTargetError(RefusedError):
    """The target is not in the deployment file, or is not callable."""


class BrokenError(HarnessError):
    """The harness or its surroundings failed, so nothing is known about the system under test."""


class PhoneLostError(BrokenError):
    """A softphone's process died, hung or could not start; the message ends with its last log
    lines.
    """


class PhoneParseError(BrokenError):
    """A softphone's stack dropped a message that is in order, and what was waited for never came."""


class PhoneMisuseError(BrokenError):
    """A softphone was asked for something the state of its call does not allow."""


class OfferPendingError(PhoneMisuseError):
    """An offer was to be made while one of the far end's was under way (RFC 3261 section 14.1)."""


class WorldLostError(BrokenError):
    """The simulated world died or did not start; the message ends with its last log lines."""


class ResourceError(BrokenError):
    """This machine has no free port, address, call slot, mark or disk left."""


class DamagedHistoryError(ResourceError):
    """The history of earlier runs holds something that no run of this version wrote."""


class FarEndError(BrokenError):
    """The far end's own interface could not be used."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Where a path that the user has named cannot be written to, raise what says so."""
    try:
        yield
    except OSError as error:
        said = f"{path}: cannot be written: {error.strerror}"
        if is_of_the_path(error):
            raise MistakeError(f"{said}; allowed: a path that can be") from error
        raise ResourceError(said) from error


def is_of_the_path(error: OSError) -> bool:
    """Whether the path itself is wrong: another would do."""
    return error.errno in _OF_THE_PATH


def is_of_the_machine(error: OSError) -> bool:
    """Whether this machine has not enough of something, or fails."""
    return error.errno in _OF_THE_MACHINE
