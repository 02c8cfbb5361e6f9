"""Mailbox authorisation: a signature serves one request, one mailbox, one relay and one nonce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import codec, mailbox, messages
from appliance.protocol.keys import SigningKey
from appliance.protocol.messages import Acknowledge, Authorisation, CreateMailbox, Fetch, PeerProof, Subscribe

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mailbox.json").read_text())
KEY = SigningKey(bytes.fromhex(VECTORS["fetch_seed"]))
BOX = mailbox.mailbox_id(KEY.public)
HOST = VECTORS["host"]
NONCE = bytes.fromhex(VECTORS["nonce"])
FETCH = mailbox.sign_request(KEY, HOST, NONCE, Fetch(BOX, mailbox.BLANK, limit=9, after=3))


def test_ids_of_the_vectors() -> None:
    assert BOX.hex() == VECTORS["mailbox"] and len(BOX) == 20
    capability = bytes.fromhex(VECTORS["capability"])
    assert mailbox.capability_hash(capability).hex() == VECTORS["capability_hash"]


@pytest.mark.parametrize("case", VECTORS["requests"], ids=lambda case: case["type"])
def test_requests_of_the_vectors(case: dict[str, str]) -> None:
    kind: Any = getattr(messages, case["type"])
    request = codec.read(bytes.fromhex(case["signed"]), kind)
    assert mailbox.unsigned(request).hex() == case["body"]
    assert mailbox.mailbox_of(request) == BOX
    mailbox.verify_authorisation(KEY.public, HOST, case["operation"], BOX, request)  # type: ignore[arg-type]
    mailbox.verify_request(KEY.public, HOST, request)
    blank = msgspec.structs.replace(request, auth=mailbox.BLANK)
    assert mailbox.sign_request(KEY, HOST, NONCE, blank) == request
    body = bytes.fromhex(case["body"])
    assert mailbox.authorise(KEY, HOST, case["operation"], BOX, body, NONCE) == request.auth  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 10},
        {"after": 4},
        {"acknowledge": [bytes(16)]},
        {"mailbox": bytes(20)},
        {"auth": Authorisation(bytes(32), FETCH.auth.signature)},
        {"auth": mailbox.BLANK},
    ],
)
def test_a_changed_request_is_refused(changes: dict[str, Any]) -> None:
    mailbox.verify_request(KEY.public, HOST, FETCH)
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_request(KEY.public, HOST, msgspec.structs.replace(FETCH, **changes))


def test_a_request_serves_one_host_one_key_and_one_operation() -> None:
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_request(KEY.public, "x" + HOST[1:], FETCH)
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_request(SigningKey(bytes(32)).public, HOST, FETCH)
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_authorisation(KEY.public, HOST, "acknowledge", BOX, FETCH)
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_authorisation(KEY.public, HOST, "fetch", bytes(20), FETCH)
    other = Subscribe(BOX, FETCH.auth)
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_request(KEY.public, HOST, other)


def test_the_signature_does_not_depend_on_the_medium_or_on_defaults_sent() -> None:
    signed = mailbox.sign_request(KEY, HOST, NONCE, Fetch(BOX, mailbox.BLANK))
    body = msgspec.to_builtins(signed, builtin_types=(bytes,)) | {"limit": 64, "after": 0, "acknowledge": []}
    mailbox.verify_request(KEY.public, HOST, codec.read(codec.encode(body), Fetch))
    mailbox.verify_request(KEY.public, HOST, codec.read(codec.write(signed, codec.JSON), Fetch, codec.JSON))


def test_creating_proves_the_key_it_names() -> None:
    request = CreateMailbox(bytes(32), KEY.public, bytes(32), "contact", mailbox.BLANK)
    signed = mailbox.sign_request(KEY, HOST, NONCE, request)
    mailbox.verify_request(signed.fetch_key, HOST, signed)
    stolen = mailbox.sign_request(SigningKey(bytes(32)), HOST, NONCE, request)
    with pytest.raises(Refusal, match="signature"):
        mailbox.verify_request(stolen.fetch_key, HOST, stolen)


@given(
    st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=5)
)
def test_what_was_signed_verifies(nonce: bytes, ids: list[bytes]) -> None:
    request = mailbox.sign_request(KEY, HOST, nonce, Acknowledge(BOX, ids, mailbox.BLANK))
    mailbox.verify_request(KEY.public, HOST, codec.read(codec.write(request), Acknowledge))


def test_a_peer_proves_itself_to_one_host_with_one_nonce() -> None:
    proof = codec.read(bytes.fromhex(VECTORS["peer"]["proof"]), PeerProof)
    assert mailbox.prove_peer(SigningKey(bytes.fromhex(VECTORS["peer"]["seed"])), HOST, NONCE) == proof
    mailbox.verify_peer(proof, HOST)
    for broken, host in (
        (proof, "x" + HOST[1:]),
        (msgspec.structs.replace(proof, nonce=bytes(32)), HOST),
        (msgspec.structs.replace(proof, identity=KEY.public), HOST),
    ):
        with pytest.raises(Refusal, match="signature"):
            mailbox.verify_peer(broken, host)
