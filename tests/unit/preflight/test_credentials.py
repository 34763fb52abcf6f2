"""Preflight answers a digest challenge only where a softphone would: an answer lets its reader guess the password offline."""

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.message import Request, Response
from harness.witness.ports.certificates import alternative_names_of
from tests.unit.preflight.conftest import FAILED, OK, check, registrar

ROW = "Registration fails"


def credentials_sent(far: Any) -> list[str]:
    return [value for request in far.requests for value in request.get_all("Authorization")]


def over_tls(lab: Any, far: Any, **certificate: Any) -> Any:
    port = far.stream(registrar(), far.certificate(**certificate))
    lab.account.update(transport="tls", port=port, ca_file=far.ca_file)
    return lab.line("registration")


def test_a_verified_server_gets_them(lab: Any, far: Any) -> None:
    check(over_tls(lab, far), OK, "digest accepted")
    assert len(credentials_sent(far)) == 1


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ({"signed_by": "self"}, "not trusted"),
        ({"signed_by": "stranger"}, "not trusted"),
        ({"days": -1, "starts": -30}, "expired"),
        ({"starts": 1}, "not yet valid"),
        ({"names": ("other.example",)}, "made out to other.example"),
        ({"names": ()}, "made out to server"),
        # RFC 5922 section 7.1: beside a subjectAltName the common name is no name
        ({"names": ("other.example",), "common_name": "the host"}, "made out to other.example"),
    ],
)
def test_a_server_that_is_not_verified_gets_none(lab: Any, far: Any, certificate: dict[str, Any], why: str) -> None:
    if "common_name" in certificate:
        certificate = certificate | {"common_name": far.address}
    line = over_tls(lab, far, **certificate)
    check(line, FAILED, "no password was sent", ROW)
    assert why in line.detail
    assert credentials_sent(far) == []


def test_another_realm_than_the_configured_gets_none(lab: Any, far: Any) -> None:
    lab.plain["phones"]["caller"]["realm"] = "carrier.example"
    lab.account["port"] = far.udp(registrar(realm="evil.example"))
    check(lab.line("registration"), FAILED, "the realm is evil.example, and carrier.example is configured", ROW)
    assert credentials_sent(far) == []


_HOSTS = st.sampled_from(["acme.example", "SIP.Acme.Example", "other.example"])


@given(
    dns=st.lists(_HOSTS, max_size=2),
    uris=st.lists(
        st.tuples(_HOSTS, st.sampled_from(["sip:{}", "SIP:{}", "sip:billing@{}", "https://{}/", "xmpp:{}"])), max_size=3
    ),
)
def test_a_sip_domain_is_a_name_as_well_and_a_user_of_it_is_none(dns: list[str], uris: list[tuple[str, str]]) -> None:
    """RFC 5922 section 7.1: a URI of another scheme, or of a user, says nothing of a domain."""
    written = [x509.DNSName(name) for name in dns]
    written += [x509.UniformResourceIdentifier(form.format(host)) for host, form in uris]  # type: ignore[misc]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, now + datetime.timedelta(days=1))
    if written:
        built = built.add_extension(x509.SubjectAlternativeName(written), critical=False)
    domains = [host for host, form in uris if form.lower() == "sip:{}"]
    assert list(alternative_names_of(built.sign(key, hashes.SHA256())) or ()) == dns + domains


def challenges(*steps: tuple[int, dict[str, str]]) -> Any:
    """A far end that sends these challenges one after the other, and then accepts anything."""
    left = list(steps)

    def answer(request: Request) -> Response:
        if request.method != "REGISTER" or not left:
            return Response.to_request(request, 200, tag="far")
        status, params = left.pop(0)
        header = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
        value = "Digest " + ", ".join(f'{name}="{text}"' for name, text in params.items())
        return Response.to_request(request, status, tag="far", headers=[(header, value)])

    return answer


FIRST = {"realm": "r", "nonce": "n1", "qop": "auth"}


@pytest.mark.parametrize(
    ("steps", "status", "detail"),
    [
        (
            [(401, FIRST), (401, FIRST | {"nonce": "n2", "stale": "true"})],
            OK,
            "digest accepted",
        ),  # RFC 7616 section 3.3
        ([(401, FIRST), (401, FIRST | {"nonce": "n2"})], FAILED, "credentials of +14155550101 refused (realm r)"),
        ([(401, FIRST | {"nonce": f"n{n}", "stale": "true"}) for n in range(9)], FAILED, "4 answers already"),
        ([(401, FIRST | {"algorithm": "SHA-512-256"})], FAILED, "the softphones compute MD5 and SHA-256"),
        ([(407, FIRST), (401, FIRST | {"realm": "q"})], FAILED, "the realm is q, and r asked first"),
    ],
)
def test_several_challenges(lab: Any, far: Any, steps: Any, status: Any, detail: str) -> None:
    lab.account["port"] = far.udp(challenges(*steps))
    check(lab.line("registration"), status, detail, "" if status is OK else ROW)


def test_a_proxy_and_a_registrar_are_answered_where_any_realm_is_allowed(lab: Any, far: Any) -> None:
    lab.plain["phones"]["caller"]["realm"] = "*"
    lab.account["port"] = far.udp(challenges((407, FIRST), (401, FIRST | {"realm": "q"})))
    check(lab.line("registration"), OK, "realm q")
    assert far.requests[-1].has("Authorization")
    assert far.requests[-1].has("Proxy-Authorization")
