"""Decrypts SRTP with the keys that SDP carries (RFC 3711 and RFC 4568: AES in counter mode,
HMAC-SHA1).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import struct
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from harness.sip.grammar import decimal
from harness.sip.sdp import Crypto

#: Octets of the key and of the authentication tag. The salt has 14, the key of HMAC-SHA1 20 (RFC
#: 3711 section 5, RFC 6188 section 7).
_SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": (16, 10),
    "AES_CM_128_HMAC_SHA1_32": (16, 4),
    "AES_256_CM_HMAC_SHA1_80": (32, 10),
    "AES_256_CM_HMAC_SHA1_32": (32, 4),
}
_SALT: Final = 14
_ENCRYPTION, _AUTHENTICATION, _SALTING = 0, 1, 2  # labels of RFC 3711 section 4.3.2
_MKI_LENGTH: Final = re.compile(r"\|[0-9]+:([0-9]+)\Z")


class SrtpKey:
    """One master key of an ``a=crypto`` line. Raises ``ValueError`` for a suite or a key that
    cannot be used.
    """

    def __init__(self, crypto: Crypto) -> None:
        if crypto.suite not in _SUITES or not crypto.key.startswith("inline:"):
            raise ValueError(f"SRTP suite {crypto.suite} is not supported")
        size, self._tag = _SUITES[crypto.suite]
        text = crypto.key.removeprefix("inline:").partition("|")[0]
        padding = "=" * (-len(text) % 4)  # rtpengine leaves it out
        try:
            master = base64.b64decode(text + padding)
        except binascii.Error as error:
            raise ValueError("an SRTP key is not base64") from error
        if len(master) != size + _SALT:
            raise ValueError(
                f"an SRTP key of {crypto.suite} has {len(master)} octets instead of {size + _SALT}"
            )
        self._mki = 0
        if mki := _MKI_LENGTH.search(crypto.key):
            self._mki = decimal(mki[1], most=128) or 0
        self._encryption = _derived(master, size, _ENCRYPTION, size)
        self._authentication = _derived(master, size, _AUTHENTICATION, 20)
        self._salt = int.from_bytes(_derived(master, size, _SALTING, _SALT))

    def unprotect(self, packet: bytes, header: int, rollovers: int) -> bytes | None:
        """The RTP packet; None where it was not made with this key. ``header`` is the length of its
        header, ``rollovers`` how often its sequence number began again (the ROC of RFC 3711 section
        3.3.1).
        """
        end = len(packet) - self._tag - self._mki
        if end < header:
            return None
        authenticated = packet[:end] + struct.pack("!I", rollovers)
        tag = hmac.digest(self._authentication, authenticated, "sha1")[: self._tag]
        if not hmac.compare_digest(tag, packet[len(packet) - self._tag :]):
            return None
        sequence, ssrc = struct.unpack_from("!H4xI", packet, 2)
        index = rollovers << 16 | sequence
        # section 4.1.1: the last 16 bits count blocks
        counter = (self._salt << 16) ^ (ssrc << 64) ^ (index << 16)
        return packet[:header] + _keystream(self._encryption, counter, packet[header:end])


def _derived(master: bytes, size: int, label: int, length: int) -> bytes:
    """The session key for a purpose (section 4.3.1)."""
    key, salt = master[:size], int.from_bytes(master[size:])
    counter = (salt ^ (label << 48)) << 16
    return _keystream(key, counter, bytes(length))


def _keystream(key: bytes, counter: int, octets: bytes) -> bytes:
    """``octets``, encrypted or decrypted."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16)))
    return cipher.encryptor().update(octets)
