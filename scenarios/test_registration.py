"""The SIP number registers at the platform, or must not."""

from __future__ import annotations

from harness.scenario import scenario
from harness.scenario.registration import attached


@scenario("REGISTER-OK")
def test_number_registers_and_refreshes(context, timings):
    with attached(context) as registration:
        registration.is_accepted()
        registration.is_refreshed(before_s=timings.register_expires_s)


@scenario("REGISTER-BADPASS")
def test_wrong_password_is_refused(context):
    with attached(context, password="not-the-password") as registration:
        registration.is_refused_with(
            (401, 403, 407), for_its_password=True
        )  # 407: by a proxy (RFC 3261 section 22.3)


@scenario("REGISTER-NOTALLOWED")
def test_address_outside_the_allowed_list_is_refused(context):
    with attached(context, from_outside=True) as registration:
        registration.is_refused_with((403,))
