"""Hooks: what other services do and know when an account is deleted, listed or exported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from appliance.store.engine import Transaction


@dataclass(frozen=True)
class Hooks:
    """Filled by the composition root. They run on the event loop or in the committer; only `keep` raises."""

    forget: list[Callable[[Transaction, bytes, str], None]] = field(default_factory=list)
    """(transaction, account, name): in the transaction that deletes the account; bounded work."""
    keep: list[Callable[[Transaction, bytes], None]] = field(default_factory=list)
    """(transaction, account): in the transaction in which somebody deletes their own account; may refuse."""
    gone: list[Callable[[bytes], Awaitable[None]]] = field(default_factory=list)
    """(account): after that transaction."""
    ended: list[Callable[[bytes, bytes], None]] = field(default_factory=list)
    """(account, session): a sign-in has ended, or what it may do has changed."""
    octets: list[Callable[[Transaction, bytes], int]] = field(default_factory=list)
    """(transaction, account): what the account uses of the disk."""
    export: list[Callable[[Transaction, bytes, str], dict[str, Any]]] = field(default_factory=list)
    """(transaction, account, name): fields of `Export` that another service knows."""

    def tell_ended(self, account: bytes, sessions: list[bytes]) -> None:
        """Call `ended` for each of these."""
        for session in sessions:
            for hook in self.ended:
                hook(account, session)
