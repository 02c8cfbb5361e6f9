"""The invitation to a relay as one line of text: "address/secret"."""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import Error as BadBase32

from appliance.errors import Refusal
from appliance.protocol import onion


def write_invitation(host: str, secret: bytes) -> str:
    """The line to hand over: relay address and secret."""
    return f"{host}/{b32encode(secret).decode().rstrip('=').lower()}"


def read_invitation(code: str) -> tuple[bytes, bytes]:
    """Onion key and grant secret (or empty) in "address/secret"; Refusal bad_address or grant."""
    address, _, secret = "".join(code.split()).partition("/")
    public = onion.public_key(address)
    if not secret:
        return public, b""
    try:
        octets = b32decode(secret.upper() + "=" * (-len(secret) % 8))
    except (BadBase32, ValueError) as error:
        raise Refusal("grant") from error
    if len(octets) != 32:
        raise Refusal("grant")
    return public, octets
