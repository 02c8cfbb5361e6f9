"""One's own account: sign-ins, passphrase, codes, second factor, export, deletion."""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode, b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Final

from appliance.api.plain.door_pages import ACCOUNT, check_new, codes_page, read_digits
from appliance.api.plain.forms import DeleteForm, DigitsForm, EndForm, PassphraseForm, ProofForm
from appliance.api.plain.row import Ask, Away, Download, Page, Result, Wrong, drawn
from appliance.errors import Refusal
from appliance.protocol import codec
from appliance.protocol.account import TotpConfirm
from appliance.protocol.codec import from_text, to_text
from appliance.service import totp

if TYPE_CHECKING:
    from appliance.service.box import Box

SIGN_INS: Final = f"{ACCOUNT}/sign-ins"
FACTOR: Final = f"{ACCOUNT}/second-factor"
QR_SCALE: Final = 5
"""Pixels of one module."""


def show_account(box: Box, ask: Ask) -> Page:
    """Who one is here, and what can be done."""
    session = box.sign_in.describe(ask.member)
    return drawn(
        ask, "account.html", "account.title", session=session, address=f"{session.name}@{session.onion}"
    )


def show_sign_ins(box: Box, ask: Ask) -> Page:
    """Every place where the account is signed in."""
    rows = [(to_text(row.session), row) for row in box.sign_in.page(ask.member).sessions]
    return drawn(ask, "sign_ins.html", "signIns.title", rows=rows)


async def end_sign_in(box: Box, ask: Ask) -> Result:
    """End one of them; one's own is signing out."""
    form: EndForm = ask.form
    session = from_text(form.session)
    await box.sign_in.end(ask.member, session)
    if session == ask.member.session:
        return Page("said.html", "signedOut.title", {"lead": "signedOut.lead"}, out=True)
    return Away(f"{SIGN_INS}?done=ended")


def show_passphrase(box: Box, ask: Ask) -> Page:
    """The present passphrase and the new one."""
    return drawn(ask, "passphrase.html", "passphrase.title")


async def change_passphrase(box: Box, ask: Ask) -> Result:
    """Change it; every other sign-in ends."""
    form: PassphraseForm = ask.form
    wrong = Wrong()
    if not form.old:
        wrong.add("old", "field.passphrase.needed")
    check_new(form, wrong)
    wrong.require()
    await box.plain.change_passphrase(ask.member, form.old, form.passphrase, ask.place)
    return Away(f"{ACCOUNT}?done=passphrase")


def show_codes(box: Box, ask: Ask) -> Page:
    """Ask for the passphrase before new codes are made."""
    return _proof(ask, "newCodes", "/plain/account/codes")


async def new_codes(box: Box, ask: Ask) -> Result:
    """Eight new codes on the page that answers."""
    codes = await box.plain.new_codes(ask.member, _passphrase(ask), ask.place)
    return codes_page(ask, codes, f"{ask.member.name}@{box.relay.host}")


def show_factor(box: Box, ask: Ask) -> Page:
    """Whether there is a second factor, and the passphrase to change that."""
    on = box.sign_in.describe(ask.member).totp
    return drawn(ask, "factor.html", "factor.title", on=on)


async def begin_factor(box: Box, ask: Ask) -> Result:
    """A new secret, to be scanned."""
    made = await box.plain.begin_totp(ask.member, _passphrase(ask), ask.place)
    form = DigitsForm(secret=b32encode(made.secret).decode().rstrip("="))
    return _scan(ask, form, made.uri)


def show_scan(box: Box, ask: Ask) -> Page:
    """The same secret again, after wrong digits; it is what this browser was shown."""
    form: DigitsForm = ask.form
    try:
        secret = b32decode(form.secret)
    except binascii.Error:
        raise Refusal("malformed") from None
    if len(secret) != totp.SECRET_SIZE:
        raise Refusal("malformed")
    return _scan(ask, form, totp.uri(secret, ask.member.name, box.relay.host))


async def confirm_factor(box: Box, ask: Ask) -> Result:
    """Put it in force by its first digits."""
    form: DigitsForm = ask.form
    await box.accounts.confirm_totp(ask.member, TotpConfirm(read_digits(form.digits)), ask.place)
    return Away(f"{FACTOR}?done=factorOn")


async def remove_factor(box: Box, ask: Ask) -> Result:
    """Sign in without it again."""
    await box.plain.remove_totp(ask.member, _passphrase(ask), ask.place)
    return Away(f"{FACTOR}?done=factorOff")


def show_export(box: Box, ask: Ask) -> Page:
    """What the file will hold."""
    return drawn(ask, "export.html", "export.title")


async def export(box: Box, ask: Ask) -> Result:
    """What the box keeps about the account, as a file."""
    found = await box.accounts.export(ask.member)
    return Download("private-island-export.json", codec.JSON, codec.write(found, codec.JSON))


def show_delete(box: Box, ask: Ask) -> Page:
    """What goes, and the two fields that confirm it."""
    return drawn(ask, "delete.html", "delete.title", name=ask.member.name)


async def delete(box: Box, ask: Ask) -> Result:
    """Delete the account for good."""
    form: DeleteForm = ask.form
    wrong = Wrong()
    if form.name.strip().lower().partition("@")[0] != ask.member.name:
        wrong.add("name", "delete.name.bad")
    if not form.passphrase:
        wrong.add("passphrase", "field.passphrase.needed")
    wrong.require()
    await box.plain.delete(ask.member, form.passphrase, ask.place)
    return Page("said.html", "deleted.title", {"lead": "deleted.lead"}, out=True)


def _proof(ask: Ask, area: str, action: str) -> Page:
    return drawn(ask, "proof.html", f"{area}.title", area=area, action=action)


def _passphrase(ask: Ask) -> str:
    form: ProofForm = ask.form
    if not form.passphrase:
        wrong = Wrong()
        wrong.add("passphrase", "field.passphrase.needed")
        raise wrong
    return form.passphrase


def _scan(ask: Ask, form: DigitsForm, uri: str) -> Page:
    import segno  # with the first code that is drawn: half a MiB for what is seldom asked for

    # A PNG: at its safest level Tor Browser draws no SVG.
    file = BytesIO()
    segno.make(uri, error="m").save(file, kind="png", scale=QR_SCALE, border=4)
    picture = "data:image/png;base64," + b64encode(file.getvalue()).decode()
    return drawn(ask, "scan.html", "factor.title", form=form, picture=picture)
