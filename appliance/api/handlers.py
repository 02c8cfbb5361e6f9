"""Handlers that do more than pass a message on, and the few messages only they know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.api.call import Call
from appliance.api.stream import settle
from appliance.errors import REFUSALS, Refusal
from appliance.protocol.desk import State
from appliance.protocol.messages import Deposited, Message, Nonces, RelayInfo

if TYPE_CHECKING:
    from appliance.service.box import Box

LONG_POLL_SECONDS = 25.0


class ErrorRow(Message, omit_defaults=False):
    """One refusal."""

    code: str
    status: int
    message: str


class Errors(Message, omit_defaults=False):
    """Every refusal."""

    errors: list[ErrorRow]


class Nothing(Message):
    """The empty answer."""


def relay_info(box: Box, call: Call) -> RelayInfo:
    """What this relay offers."""
    return box.admission.info()


def nonces(box: Box, call: Call) -> Nonces:
    """Fresh nonces, eight unless `count` says otherwise."""
    return box.relay.nonces(call.number("count", 8))


async def deposit(box: Box, call: Call) -> Deposited:
    """Keep envelopes; when all were refused alike, that refusal."""
    deposited = await box.relay.deposit(call.body)
    settle(deposited.groups)
    return deposited


def stream_needs_upgrade(box: Box, call: Call) -> None:
    """The stream's address was asked without an upgrade."""
    raise Refusal("upgrade")


def errors(box: Box, call: Call) -> Errors:
    """The table of refusals."""
    return Errors([ErrorRow(code, row.status, row.message) for code, row in REFUSALS.items()])


async def state(box: Box, call: Call) -> State:
    """The state now, or when it has changed since revision `after`."""
    if "after" in call.query:
        await box.changes.wait(call.number("after", 0), LONG_POLL_SECONDS)
    return box.state(call.caller)
