"""The SIP number registers at the platform, or must not."""

from __future__ import annotations

from harness.scenario import row
from harness.scenario.registration import attached


@row("TD-REGISTER-OK")
def test_number_registers_and_refreshes(stage, timings):
    with attached(stage) as registration:
        registration.is_accepted()
        registration.is_refreshed(before_s=timings.register_expires_s)


@row("TD-REGISTER-BADPASS")
def test_wrong_password_is_refused(stage):
    with attached(stage, password="not-the-password") as registration:
        registration.is_refused_with((401, 403))


@row("TD-REGISTER-NOTALLOWED")
def test_address_outside_the_allowed_list_is_refused(stage):
    with attached(stage, from_outside=True) as registration:
        registration.is_refused_with((403,))
