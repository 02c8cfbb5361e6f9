"""A sign-in by backup code whose answer may be lost: who made the attempt may make it again, nobody else."""

from __future__ import annotations

import hmac
from typing import Final

from appliance.protocol.account import SignInByCode
from appliance.service.credentials import proof_of
from appliance.service.tokens import AccessTokens
from appliance.store import sessions
from appliance.store.accounts import Account, BackupCode
from appliance.store.sessions import CodeEntry
from appliance.store.storekey import Sealer
from appliance.store.transaction import Transaction

AGAIN_SECONDS: Final = 600
"""How long a backup code lets the same attempt in again."""


def entry_of(code: BackupCode, body: SignInByCode, now: float) -> CodeEntry:
    """What the sign-in remembers of the code that is used up for it."""
    return CodeEntry(code.proof, _attempt(body), code.wrapped, int(now))


def unanswered(
    txn: Transaction,
    machine: Sealer,
    account: Account | None,
    body: SignInByCode,
    now: float,
    tokens: AccessTokens,
) -> tuple[bytes, CodeEntry] | None:
    """The sign-in by this code and attempt, if nobody has used it and it is not too long ago."""
    if account is None or body.attempt is None:
        return None
    shown = proof_of(body.authentication) + _attempt(body)
    for row in sessions.list_account(txn, machine, account.account):
        if row.entry is None or now - row.entry.at > AGAIN_SECONDS:
            continue
        same = hmac.compare_digest(row.entry.proof + row.entry.attempt, shown)
        if same and tokens.proven(row.session) != row.refresh:
            return row.session, row.entry
    return None


def _attempt(body: SignInByCode) -> bytes:
    """What is kept of a client's attempt; without one there is none that could be made again."""
    return b"" if body.attempt is None else sessions.digest(body.attempt)
