"""What people do on the pages without scripts, at whole boxes in one process."""

from __future__ import annotations

from urllib.parse import urlsplit

from appliance.client.entrance import loopback
from appliance.protocol.account import Invite, NewInvite
from tests.boxes import Running
from tests.readers import Reader, Seen

PASSPHRASE = "copper finch nine harbour"


def reader(box: Running, language: str = "en") -> Reader:
    """A fresh browser at the page's own address."""
    return Reader(loopback(urlsplit(box.ready.url).netloc), language)


async def invite(box: Running, **more: object) -> Invite:
    """An invite, made by the owner."""
    return await box.desk.invite(NewInvite(**more))  # type: ignore[arg-type]


async def join(box: Running, who: Reader, name: str, passphrase: str = PASSPHRASE) -> list[str]:
    """Make an account by invite and write the codes down; they are returned."""
    made = await invite(box)
    page = await who.open(f"/plain/invite/{made.code}")
    shown = await who.send(page, "/plain/join", name=name, passphrase=passphrase, again=passphrase)
    codes = codes_of(shown)
    account = await who.send(shown, "/plain/codes/kept", kept="on")
    assert account.path == "/plain/account", account.words
    return codes


async def sign_in(who: Reader, name: str, passphrase: str = PASSPHRASE) -> Seen:
    """Sign in; the page one comes to."""
    page = await who.open("/plain/sign-in")
    return await who.send(page, "/plain/sign-in", name=name, passphrase=passphrase)


def codes_of(seen: Seen) -> list[str]:
    """The eight codes of the page that shows them."""
    assert seen.page is not None
    codes = [word for word in seen.page.words if word.count("-") == 5 and word.isupper()]
    assert len(codes) == 8, seen.words
    return codes
