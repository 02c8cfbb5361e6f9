"""Vectors of what opens an account: passphrases, backup codes, linking, vault records, safety numbers."""

from __future__ import annotations

from typing import Any

from people import ALICE, BOB, Vectors, seed

from appliance.protocol import backup_code, codec, link, passphrase, record, safety
from appliance.protocol.account import Kdf


def passphrase_vectors() -> Vectors:
    """Stretched passphrases, and a vault key wrapped."""
    cases = []
    for text, memory, passes in (
        ("correct horse battery staple", 64, 1),
        ("correct horse battery staple", *passphrase.DEFAULT),
        ("", 8, 1),
        ("\ufb01sh \u2460 A\u030angstro\u0308m \u6c34", 64, 2),
        ("fish 1 \u00c5ngstr\u00f6m \u6c34", 64, 2),
    ):
        kdf = Kdf(seed("passphrase salt", 16), memory, passes)
        keys = passphrase.stretch(text, kdf)
        cases.append(
            {
                "passphrase": text,
                "salt": kdf.salt.hex(),
                "memory_kib": memory,
                "passes": passes,
                "authentication": keys.authentication.hex(),
                "wrapping": keys.wrapping.hex(),
            }
        )
    wrapping, account, vault_key, nonce = seed("wrapping"), seed("account", 16), seed("vault"), seed("n", 24)
    wrapped = passphrase.wrap(wrapping, account, vault_key, nonce)
    return {
        "about": "Argon2id, HKDF; the last two cases are one passphrase after NFKC. Refused: not_opened.",
        "cases": cases,
        "wrap": {
            "wrapping": wrapping.hex(),
            "account": account.hex(),
            "vault_key": vault_key.hex(),
            "nonce": nonce.hex(),
            "wrapped": wrapped.hex(),
        },
        "refused": [
            {"why": "another account", "account": seed("other", 16).hex(), "wrapped": wrapped.hex()},
            {"why": "changed", "account": account.hex(), "wrapped": _flip(wrapped, 30)},
            {"why": "nonce changed", "account": account.hex(), "wrapped": _flip(wrapped, 0)},
            {"why": "cut", "account": account.hex(), "wrapped": wrapped[:-1].hex()},
            {"why": "empty", "account": account.hex(), "wrapped": ""},
        ],
    }


def backup_code_vectors() -> Vectors:
    """Codes as text, their keys, and spellings."""
    codes = [bytes(16), b"\xff" * 16, seed("code", 16), seed("code 2", 16)]
    text = backup_code.write(codes[2])
    zeros = backup_code.write(codes[0])
    return {
        "about": "text = Crockford base32, 26 characters in groups of five. Refused: malformed.",
        "cases": [
            {
                "code": code.hex(),
                "text": backup_code.write(code),
                "authentication": backup_code.keys(code).authentication.hex(),
                "wrapping": backup_code.keys(code).wrapping.hex(),
            }
            for code in codes
        ],
        "same": [
            {"text": text.lower(), "code": codes[2].hex()},
            {"text": text.replace("-", ""), "code": codes[2].hex()},
            {"text": f" {text.replace('-', ' - ')}\n", "code": codes[2].hex()},
            {"text": zeros.replace("0", "O"), "code": codes[0].hex()},
            {"text": "l" + zeros[1:], "code": backup_code.read("1" + zeros[1:]).hex()},
            {"text": "I" + zeros[1:], "code": backup_code.read("1" + zeros[1:]).hex()},
        ],
        "refused": [
            "",
            text[:-1],
            text + "0",
            "U" + text[1:],
            zeros[:-1] + "1",
            "\u0131" + zeros[1:],
            "=" * 26,
        ],
    }


def link_vectors() -> Vectors:
    """A linking packet and its fragment."""
    ident, secret, nonce = seed("link id", 16), seed("link secret"), seed("link nonce", 24)
    packet = link.LinkPacket(seed("vault"), "ada")
    sealed = link.seal(ident, secret, packet, nonce)
    fragment = link.fragment(ident, secret)
    return {
        "about": "Refused fragments: malformed; refused packets: not_opened.",
        "id": ident.hex(),
        "secret": secret.hex(),
        "fragment": fragment,
        "vault_key": packet.vault_key.hex(),
        "name": packet.name,
        "nonce": nonce.hex(),
        "packet": sealed.hex(),
        "refused_fragments": ["", fragment[:-1], fragment + "A", fragment[2:], fragment[:-1] + "+"],
        "refused_packets": ["", _flip(sealed, 40), sealed[:-1].hex(), (bytes(24) + sealed[24:]).hex()],
    }


def record_vectors() -> Vectors:
    """Vault records, their blind ids, and ones that must not open."""
    keys = record.VaultKeys(seed("vault"))
    values: list[tuple[str, int, Any]] = [
        ("profile", 1, {"name": "ada"}),
        ("log/1/水", 2, [1, "two", b"three", None, True]),
        ("peer", 1 << 40, {"blob": seed("blob", 1000)}),
        ("empty", 1, None),
    ]
    records = []
    for name, version, value in values:
        ident, nonce = keys.id(name), seed(f"record nonce {name}", 12)
        records.append(
            {
                "name": name,
                "id": ident.hex(),
                "version": version,
                "nonce": nonce.hex(),
                "value": codec.encode(value).hex(),
                "data": keys.seal(ident, version, value, nonce).hex(),
            }
        )
    ident, data = keys.id("profile"), bytes.fromhex(records[0]["data"])
    refused = [
        ("another version", "not_opened", ident, 2, data.hex()),
        ("another id", "not_opened", keys.id("empty"), 1, data.hex()),
        ("changed", "not_opened", ident, 1, _flip(data, 50)),
        ("version octet 0", "not_opened", ident, 1, "00" + data[1:].hex()),
        ("newer", "unknown_version", ident, 1, "02" + data[1:].hex()),
        ("cut", "not_opened", ident, 1, data[:-1].hex()),
        ("empty", "not_opened", ident, 1, ""),
    ]
    return {
        "about": "value is CBOR in hex; padded = [octets of the value, octets after padding].",
        "vault_key": seed("vault").hex(),
        "records": records,
        "padded": [[n, record.padded_size(n)] for n in (0, 1, 62, 63, 64, 65, 100, 1000, 5000, 200_000)],
        "refused": [
            {"why": why, "code": code, "id": at.hex(), "version": version, "data": data}
            for why, code, at, version, data in refused
        ],
    }


def safety_vectors() -> Vectors:
    """The safety number of two identities."""
    text = safety.code(ALICE.public, BOB.public)
    return {
        "about": "The same from both sides.",
        "identities": [ALICE.public.hex(), BOB.public.hex()],
        "fingerprints": [safety.fingerprint(ALICE.public), safety.fingerprint(BOB.public)],
        "digits": safety.digits(ALICE.public, BOB.public),
        "code": text,
        "matching": [text, text.lower(), f" {text[:40]}\n{text[40:]}"],
        "not_matching": [text[:-1], text + "A", safety.code(ALICE.public, ALICE.public), text[14:], ""],
    }


def _flip(data: bytes, at: int) -> str:
    return (data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]).hex()
