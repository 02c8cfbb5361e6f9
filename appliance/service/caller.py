"""Who asks: the account and sign-in behind a request, as the services see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from appliance.errors import Refusal
from appliance.protocol.account import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in member: account (16 octets), role, sign-in (16 octets), the device it speaks for."""

    account: bytes = field(repr=False)
    name: str = field(repr=False)
    role: Role
    session: bytes = field(repr=False)
    device: bytes | None = field(default=None, repr=False)

    @property
    def is_member(self) -> bool:
        """Whether an account stands behind it; the operator at the control socket has none."""
        return self is not OPERATOR

    def require_device(self) -> bytes:
        """The device this sign-in speaks for; Refusal no_device."""
        if self.device is None:
            raise Refusal("no_device")
        return self.device


OPERATOR: Final = Caller(account=bytes(16), name="", role="owner", session=bytes(16))
"""Whoever may open the control socket runs the box: an owner without an account."""
