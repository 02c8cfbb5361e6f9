"""Handlers of accounts that set cookies, or need to know where somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from appliance.api import cookies
from appliance.api.call import Answer, Call
from appliance.errors import Refusal
from appliance.service.caller import Caller
from appliance.service.guesses import Place

if TYPE_CHECKING:
    from appliance.service.box import Box
    from appliance.service.sign_in import Issued


def place_of(call: Call) -> Place:
    """Where guesses of this call are counted."""
    return Place(home=call.visit.kind != "onion", circuit=call.visit.circuit)


async def register(box: Box, call: Call) -> Answer:
    """A new account, signed in. Who may open the control socket runs the box: they need no claim link."""
    trusted = call.visit.kind == "control"
    return _told(await box.door.register(call.body, place_of(call), trusted=trusted))


async def sign_in(box: Box, call: Call) -> Answer:
    """A sign-in by passphrase."""
    if not box.nameplate.claimed:
        raise Refusal("not_claimed")
    return _told(await box.sign_in.sign_in(call.body, place_of(call)))


async def by_code(box: Box, call: Call) -> Answer:
    """A sign-in by backup code."""
    return _told(await box.sign_in.by_code(call.body, place_of(call)))


async def refresh(box: Box, call: Call) -> Answer:
    """New tokens for the refresh cookie."""
    if not call.refresh:
        raise Refusal("sign_in")
    return _told(await box.sign_in.refresh(call.refresh))


async def take_link(box: Box, call: Call) -> Answer:
    """The packet of a link, and the sign-in it opens."""
    linked, issued = await box.linking.take(call.body)
    return Answer(linked, cookies.given(issued))


async def bind_device(box: Box, call: Call) -> None:
    """The sign-in speaks for a device; what hears for it is on the way."""
    await box.sign_in.bind(call.member, call.body.device)
    box.post.events.expect(call.member.account + call.body.device)


async def sign_out(box: Box, call: Call) -> Answer:
    """End this sign-in."""
    await box.sign_in.end(call.member, call.member.session)
    return Answer(None, cookies.cleared())


async def end_session(box: Box, call: Call) -> None:
    """End one sign-in of the account."""
    await box.sign_in.end(call.member, call.octets("id"))


async def delete(box: Box, call: Call) -> Answer:
    """Delete the account; nobody is signed in after it."""
    await box.accounts.delete(call.member, call.body, place_of(call))
    return Answer(None, cookies.cleared())


def admin_of(call: Call) -> Caller:
    """The owner or admin, or the operator at the control socket."""
    return call.caller if call.caller is not None else _nobody()


def _nobody() -> NoReturn:
    raise Refusal("sign_in")


def _told(issued: Issued) -> Answer:
    return Answer(issued.session, cookies.given(issued))
