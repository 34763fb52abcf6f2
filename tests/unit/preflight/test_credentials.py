"""Whom preflight gives an answer to a digest challenge: it lets anybody guess the password at leisure."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.digest import Credentials, DigestClient, parse
from harness.sip.message import Request, Response
from harness.witness.ports.certificates import alternative_names_of, names_of
from tests.unit.preflight.probing import FAILED, OK, registrar


def tls(lab: Any, far: Any, **certificate: Any) -> Any:
    lab.account.update(
        transport="tls", port=far.stream(registrar(), far.certificate(**certificate)), ca_file=far.ca_file
    )
    return lab.line("registration")


def credentials_sent(far: Any) -> list[str]:
    return [value for request in far.requests for value in request.get_all("Authorization")]


def test_a_verified_server_gets_them(lab: Any, far: Any) -> None:
    line = tls(lab, far)
    assert (line.status, "digest accepted" in line.detail) == (OK, True)
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
        ({"names": ("other.example",), "common_name": "the host"}, "made out to other.example"),
    ],
    ids=[
        "self-signed",
        "stranger's",
        "expired",
        "not yet",
        "another name",
        "another common name",
        "a common name beside another",
    ],
)
def test_a_server_that_is_not_verified_gets_none(lab: Any, far: Any, certificate: dict[str, Any], why: str) -> None:
    if "common_name" in certificate:
        certificate = certificate | {"common_name": far.address}
    line = tls(lab, far, **certificate)
    assert line.status is FAILED
    assert "no password was sent" in line.detail
    assert why in line.detail
    assert credentials_sent(far) == []


def test_another_realm_than_the_configured_gets_none(lab: Any, far: Any) -> None:
    lab.plain["phones"]["caller"]["realm"] = "carrier.example"
    lab.account["port"] = far.udp(registrar(realm="evil.example"))
    line = lab.line("registration")
    assert line.status is FAILED
    assert "the realm is evil.example, and carrier.example is configured" in line.detail
    assert credentials_sent(far) == []
    lab.account["port"] = far.udp(registrar())
    assert lab.line("registration").status is OK


def test_any_realm_may_be_allowed(lab: Any, far: Any) -> None:
    lab.plain["phones"]["caller"]["realm"] = "*"
    lab.account["port"] = far.udp(registrar(realm="any.example"))
    assert lab.line("registration").status is OK
    assert len(credentials_sent(far)) == 1


def challenge(*algorithms: str, realm: str = "acme") -> Response:
    request = Request.build("REGISTER", "sip:acme", [])
    values = [f'Digest realm="{realm}", nonce="n", algorithm={algorithm}, qop="auth"' for algorithm in algorithms]
    return Response.to_request(request, 401, headers=[("WWW-Authenticate", value) for value in values])


def algorithm_of(request: Request | None) -> str | None:
    return None if request is None else parse(request.get("Authorization") or "").get("algorithm")


def test_the_strongest_algorithm_is_taken_and_never_a_weaker_one_afterwards() -> None:
    client = DigestClient(Credentials("a", "b"))
    fresh = Request.build("REGISTER", "sip:acme", [])
    assert algorithm_of(client.answer(fresh, challenge("MD5", "SHA-256"))) == "SHA-256"
    assert client.answer(fresh, challenge("MD5")) is None
    assert algorithm_of(client.answer(fresh, challenge("SHA-256"))) == "SHA-256"
    assert algorithm_of(client.answer(fresh, challenge("MD5", realm="another"))) == "MD5"


def test_credentials_of_a_realm_answer_no_other() -> None:
    client = DigestClient(Credentials("a", "b", "acme"))
    fresh = Request.build("REGISTER", "sip:acme", [])
    assert client.answer(fresh, challenge("SHA-256", realm="evil")) is None
    assert client.answer(fresh, challenge("SHA-256")) is not None


def test_a_common_name_is_no_name_beside_others(far: Any) -> None:
    """RFC 5922 section 7.1: it may be one if and only if there is no subjectAltName."""
    for names in (("other.example",), ()):
        far.certificate(names=names)
        path = max(far.directory.glob("server-*.pem"), key=lambda file: file.stat().st_mtime_ns)
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "server"
        assert list(names_of(certificate)) == list(names or ("server",))
        assert list(alternative_names_of(certificate) or ()) == list(names)


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
    nobody = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(nobody, nobody, key.public_key(), 7, now, now + datetime.timedelta(days=1))
    if written:
        built = built.add_extension(x509.SubjectAlternativeName(written), critical=False)
    domains = [host for host, form in uris if form.lower() == "sip:{}"]
    assert list(alternative_names_of(built.sign(key, hashes.SHA256())) or ()) == dns + domains


def test_an_api_that_sends_what_was_not_asked_for_is_said_to(lab: Any, far: Any) -> None:
    """A few bytes of gzip unpack to any number."""
    lab.account["port"] = far.udp(registrar())
    lab.plain["synthflow"] = {"api_base": far.api(headers="Content-Encoding: gzip\r\n"), "api_token": "t0ken"}
    (line,) = [line for line in lab.report().lines if line.status is FAILED and "compressed" in line.detail]
    assert "which was not asked for" in line.detail


def challenges(*steps: tuple[int, dict[str, str]]) -> Any:
    """A far end that challenges so, one time after the other, and then takes whatever is there."""
    left = list(steps)

    def answer(request: Request) -> Response:
        if request.method != "REGISTER" or not left:
            return Response.to_request(request, 200, tag="far")
        status, params = left.pop(0)
        header = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
        value = "Digest " + ", ".join(f'{name}="{text}"' for name, text in params.items())
        return Response.to_request(request, status, tag="far", headers=[(header, value)] if params else [])

    return answer


#: What tests/process/phone and pjsip itself show: the algorithms that a softphone answers.
COMPUTED = ("MD5", "SHA-256")


@pytest.mark.parametrize("qop", ["", "auth", "auth,auth-int", "auth-int"])
@pytest.mark.parametrize(
    "algorithm", ["", "MD5", "md5", "SHA-256", "MD5-sess", "SHA-256-sess", "SHA-512-256", "AKAv1-MD5"]
)
def test_only_what_a_softphone_could_answer_is_answered(lab: Any, far: Any, algorithm: str, qop: str) -> None:
    wanted = {name: text for name, text in (("algorithm", algorithm), ("qop", qop)) if text}
    lab.account["port"] = far.udp(challenges((401, {"realm": "r", "nonce": "n"} | wanted)))
    line = lab.line("registration")
    if (algorithm or "MD5").upper() in COMPUTED and qop != "auth-int":
        assert (line.status, len(credentials_sent(far))) == (OK, 1)
    else:
        assert (line.status, credentials_sent(far)) == (FAILED, [])
        assert f"it asks for {algorithm or 'MD5'}" in line.detail
        assert "the softphones compute MD5 and SHA-256" in line.detail


@pytest.mark.parametrize("realm", [None, "*", "registrar.example", "proxy.example"])
def test_a_proxy_that_asks_before_the_registrar_does(lab: Any, far: Any, realm: str | None) -> None:
    """Whoever is asked first, and nobody else, unless the file says otherwise: as the phones have it."""
    proxy = {"realm": "proxy.example", "nonce": "n1", "qop": "auth"}
    lab.account["port"] = far.udp(challenges((407, proxy), (401, {"realm": "registrar.example", "nonce": "n2"})))
    if realm:
        lab.plain["phones"]["caller"]["realm"] = realm
    line = lab.line("registration")
    if realm == "*":
        assert line.status is OK
        last = far.requests[-1]
        assert last.method == "REGISTER"
        assert last.has("Authorization")
        assert last.has("Proxy-Authorization")
        assert "realm registrar.example" in line.detail
    else:
        assert line.status is FAILED
        refused, mine = ("proxy", "registrar") if realm == "registrar.example" else ("registrar", "proxy")
        assert (
            f"the realm is {refused}.example, and {mine}.example {'is configured' if realm else 'asked first'}"
            in line.detail
        )
        assert 'realm = "*"' in line.fix


def test_a_nonce_that_has_grown_old_is_no_wrong_password(lab: Any, far: Any) -> None:
    """RFC 7616 section 3.3: stale=true."""
    first = {"realm": "r", "nonce": "n1", "qop": "auth"}
    lab.account["port"] = far.udp(challenges((401, first), (401, first | {"nonce": "n2", "stale": "true"})))
    assert lab.line("registration").status is OK
    lab.account["port"] = far.udp(challenges((401, first), (401, first | {"nonce": "n2"})))
    assert "credentials of +14155550101 refused (realm r)" in lab.line("registration").detail
    lab.account["port"] = far.udp(challenges(*[(401, first | {"nonce": f"n{n}", "stale": "true"}) for n in range(9)]))
    line = lab.line("registration")
    assert (line.status, "it has had 4 answers already" in line.detail) == (FAILED, True)


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_that_is_none_asks_for_no_password(lab: Any, far: Any, status: int) -> None:
    lab.account["port"] = far.udp(challenges((status, {}), (status, {})))
    line = lab.line("registration")
    assert (line.status, credentials_sent(far)) == (FAILED, [])
    assert "no digest challenge stands in it" in line.detail
