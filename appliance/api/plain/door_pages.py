"""Coming in: the first page, signing in, backup codes, new accounts, and the claim of a new box."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from appliance.api.plain.forms import ClaimForm, CodeForm, JoinForm, KeptForm, SecondStepForm, SignInForm
from appliance.api.plain.row import Ask, Away, Page, Result, Wrong, drawn
from appliance.errors import Refusal
from appliance.protocol import backup_code
from appliance.protocol.account import InviteCheck
from appliance.protocol.codec import from_text, to_text
from appliance.service.plain import SHORTEST, Halfway, Wish, read_name

if TYPE_CHECKING:
    from appliance.service.box import Box

ACCOUNT: Final = "/plain/account"
_DIGITS: Final = re.compile(r"[0-9]{6}")
_INVITE: Final = re.compile(r"(?:.*/invite/)?([A-Za-z0-9_-]{1,128})/?")
_CLAIM: Final = re.compile(r"(?:.*[#&?]claim=)?([A-Za-z0-9_-]{1,128})")


def show_welcome(box: Box, ask: Ask) -> Page:
    """What the box is, who may come in, what is honest to say first."""
    door, told = box.door.look(), box.branding.page()
    return drawn(
        ask,
        "welcome.html",
        "welcome.title",
        welcome=told.welcome,
        policy=told.policy,
        claimed=door.claimed,
        registration=door.registration,
        locked=box.lock.locked,
        home=ask.visit.kind != "onion",
    )


def show_sign_in(box: Box, ask: Ask) -> Page:
    """Name and passphrase."""
    registration = box.door.look().registration
    return drawn(ask, "sign_in.html", "signIn.title", locked=box.lock.locked, registration=registration)


async def sign_in(box: Box, ask: Ask) -> Result:
    """Sign in; with a second factor the next page asks for it."""
    form: SignInForm = ask.form
    wrong = Wrong()
    name = _name(form.name, wrong)
    if not form.passphrase:
        wrong.add("passphrase", "field.passphrase.needed")
    wrong.require()
    if not box.nameplate.claimed:
        raise Refusal("not_claimed")
    found = await box.plain.sign_in(name, form.passphrase, ask.words("signIn.label"), ask.place)
    if isinstance(found, Halfway):
        step = SecondStepForm(word=found.word, then=ask.then)
        return drawn(ask, "second_step.html", "signIn.totp.title", form=step)
    await _leave(box, ask)
    return Away(ask.then or ACCOUNT, issued=found)


def show_second_step(box: Box, ask: Ask) -> Page:
    """The six digits, again."""
    return drawn(ask, "second_step.html", "signIn.totp.title")


async def second_step(box: Box, ask: Ask) -> Result:
    """Sign in by passphrase and second factor."""
    form: SecondStepForm = ask.form
    issued = await box.plain.finish(form.word, read_digits(form.digits), ask.place)
    await _leave(box, ask)
    return Away(ask.then or ACCOUNT, issued=issued)


def show_code(box: Box, ask: Ask) -> Page:
    """Name, backup code, new passphrase."""
    return drawn(ask, "code.html", "code.title")


async def by_code(box: Box, ask: Ask) -> Result:
    """Sign in by a backup code, with a new passphrase."""
    form: CodeForm = ask.form
    wrong = Wrong()
    name = _name(form.name, wrong)
    try:
        backup_code.read(form.code)
    except Refusal:
        wrong.add("code", "field.code.bad")
    check_new(form, wrong)
    wrong.require()
    label = ask.words("signIn.label")
    issued = await box.plain.by_code(name, form.code, form.passphrase, label, ask.place)
    await _leave(box, ask)
    return Away(ask.then or f"{ACCOUNT}?done=code", issued=issued)


def show_join(box: Box, ask: Ask) -> Page:
    """A new account; an invite in the address is looked at before anything is typed."""
    form: JoinForm = ask.form
    invite = form.invite or ask.path.get("code", "")
    form = JoinForm(account=form.account or _fresh(), invite=invite, name=form.name)
    wrong, state = dict(ask.wrong), None
    if ask.path.get("code") and not wrong:
        try:
            state = box.door.check(InviteCheck(_invite(invite)), ask.place)
        except Refusal as refusal:
            wrong["invite"] = ask.words.refusal(refusal)
    closed = box.door.look().registration == "closed"
    return drawn(ask, "join.html", "join.title", form=form, wrong=wrong, state=state, closed=closed)


async def join(box: Box, ask: Ask) -> Result:
    """Make an account by invite; its backup codes are on the page that answers."""
    form: JoinForm = ask.form
    wrong = Wrong()
    invite = _invite(form.invite)
    if not invite:
        wrong.add("invite", "field.invite.needed")
    return await _register(box, ask, wrong, invite)


def show_claim(box: Box, ask: Ask) -> Page:
    """The first account of a box."""
    if box.nameplate.claimed:
        raise Refusal("already_claimed")
    form: ClaimForm = ask.form
    form = ClaimForm(
        account=form.account or _fresh(), invite=form.invite, name=form.name, protect=form.protect
    )
    return drawn(ask, "claim.html", "claim.title", form=form)


async def claim(box: Box, ask: Ask) -> Result:
    """Make the box one's own."""
    form: ClaimForm = ask.form
    wrong = Wrong()
    match = _CLAIM.fullmatch(form.invite.strip())
    if match is None:
        wrong.add("invite", "field.invite.needed")
    return await _register(box, ask, wrong, match[1] if match else "", protect=bool(form.protect))


async def kept(box: Box, ask: Ask) -> Result:
    """The codes were written down."""
    form: KeptForm = ask.form
    if not form.kept:
        raise Wrong(kept="codes.kept.needed")
    return Away(ACCOUNT)


def show_kept(box: Box, ask: Ask) -> Page:
    """What to do when they were not."""
    return drawn(ask, "not_kept.html", "codes.title")


async def sign_out(box: Box, ask: Ask) -> Result:
    """End this sign-in."""
    await box.sign_in.end(ask.member, ask.member.session)
    return Page("said.html", "signedOut.title", {"lead": "signedOut.lead"}, out=True)


def codes_page(ask: Ask, codes: list[str], address: str, **more: Any) -> Page:
    """Backup codes, shown only in the answer that makes them."""
    page = drawn(ask, "codes.html", "codes.title", form=KeptForm(), codes=codes, address=address)
    return Page(page.template, page.title, {**page.values, "wrong": {}}, **more)


def check_new(form: Any, wrong: Wrong) -> None:
    """A new passphrase: long enough, and twice the same."""
    if len(form.passphrase) < SHORTEST:
        wrong.add("passphrase", "field.passphrase.short")
    elif form.passphrase != form.again:
        wrong.add("again", "field.again.bad")


def read_digits(text: str) -> str:
    """Six digits, whatever spaces people type between them."""
    digits = "".join(text.split())
    if _DIGITS.fullmatch(digits) is None:
        raise Wrong(digits="field.digits.bad")
    return digits


async def _register(box: Box, ask: Ask, wrong: Wrong, invite: str, protect: bool = False) -> Page:
    form: JoinForm = ask.form
    name = _name(form.name, wrong)
    check_new(form, wrong)
    wrong.require()
    account = from_text(form.account)
    if len(account) != 16:
        raise Refusal("malformed")
    wish = Wish(account, name, form.passphrase, ask.words("signIn.label"), invite, protect)
    issued, codes = await box.plain.register(wish, ask.place)
    await _leave(box, ask)
    return codes_page(ask, codes, f"{name}@{box.relay.host}", issued=issued)


async def _leave(box: Box, ask: Ask) -> None:
    """A new sign-in of this browser takes the place of the one before."""
    if ask.caller is not None:
        await box.sign_in.end(ask.caller, ask.caller.session)


def _name(text: str, wrong: Wrong) -> str:
    try:
        return read_name(text)
    except Refusal:
        wrong.add("name", "field.name.bad")
        return ""


def _invite(text: str) -> str:
    """The code in what was pasted: a link or the code alone; or ""."""
    match = _INVITE.fullmatch(text.strip())
    return match[1] if match else ""


def _fresh() -> str:
    return to_text(os.urandom(16))
