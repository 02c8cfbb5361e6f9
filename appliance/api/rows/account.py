"""Accounts: the door, sign-in, one's own account, invites and members."""

from __future__ import annotations

from typing import Final

from appliance.api import account_handlers as handlers
from appliance.api.account_handlers import admin_of, place_of
from appliance.api.cookies import REFRESH_PATH
from appliance.api.row import Row, admin, anyone, member, moderator
from appliance.protocol import account
from appliance.protocol.export import Export

DOOR: Final = (
    anyone("GET", "/v1/door", None, account.Door,
           lambda box, call: box.door.look(), "Who may make an account here, and by which work."),
    anyone("POST", "/v1/invites/check", account.InviteCheck, account.InviteState,
           lambda box, call: box.door.check(call.body, place_of(call)), "Whether an invite is good."),
    anyone("POST", "/v1/accounts", account.Register, account.Session,
           handlers.register, "Make an account by invite, work or claim link, and sign in."),
    anyone("POST", "/v1/session/parameters", account.NameQuery, account.Kdf,
           lambda box, call: box.sign_in.parameters(call.body.name),
           "How the passphrase of a name is stretched; every name has an answer."),
    anyone("POST", "/v1/session", account.SignIn, account.Session,
           handlers.sign_in, "Sign in by passphrase; the box's owner unlocks it so."),
    anyone("POST", "/v1/session/code", account.SignInByCode, account.Session,
           handlers.by_code, "Sign in by a backup code, which is used up."),
    anyone("POST", REFRESH_PATH, None, account.Session,
           handlers.refresh, "New tokens for the refresh cookie."),
    anyone("POST", "/v1/links/take", account.TakeLink, account.Linked,
           handlers.take_link, "Take a link's packet, once, and sign in."),
)  # fmt: skip

OWN: Final = (
    member("GET", "/v1/session", None, account.Session,
           lambda box, call: box.sign_in.describe(call.member), "This sign-in."),
    member("DELETE", "/v1/session", None, None, handlers.sign_out, "Sign out."),
    member("GET", "/v1/sessions", None, account.Sessions,
           lambda box, call: box.sign_in.page(call.member), "Where the account is signed in."),
    member("DELETE", "/v1/sessions/{id}", None, None, handlers.end_session, "End one sign-in."),
    member("POST", "/v1/session/device", account.BindDevice, None,
           handlers.bind_device, "This sign-in speaks for a device from now on."),
    member("POST", "/v1/account/passphrase", account.ChangePassphrase, None,
           lambda box, call: box.accounts.change_passphrase(call.member, call.body, place_of(call)),
           "Change the passphrase; other sign-ins end."),
    member("POST", "/v1/account/codes", account.ReplaceCodes, None,
           lambda box, call: box.accounts.replace_codes(call.member, call.body, place_of(call)),
           "New backup codes."),
    member("POST", "/v1/account/totp", account.TotpBegin, account.TotpSecret,
           lambda box, call: box.accounts.begin_totp(call.member, call.body, place_of(call)),
           "A new second-factor secret."),
    member("POST", "/v1/account/totp/confirm", account.TotpConfirm, None,
           lambda box, call: box.accounts.confirm_totp(call.member, call.body, place_of(call)),
           "Put it in force by one of its codes."),
    member("POST", "/v1/account/totp/remove", account.Confirm, None,
           lambda box, call: box.accounts.remove_totp(call.member, call.body, place_of(call)),
           "Sign in without a second factor."),
    member("POST", "/v1/account/export", None, Export,
           lambda box, call: box.accounts.export(call.member), "What the box keeps about the account."),
    member("POST", "/v1/account/delete", account.Confirm, None,
           handlers.delete, "Delete the account and all that belongs to it."),
    member("POST", "/v1/links", account.PutLink, None,
           lambda box, call: box.linking.put(call.member, call.body),
           "Leave a sealed packet for a new device."),
)  # fmt: skip

OTHERS: Final = (
    admin("GET", "/v1/invites", None, account.Invites,
          lambda box, call: box.invites.page(), "Invites that are still good."),
    admin("POST", "/v1/invites", account.NewInvite, account.Invite,
          lambda box, call: box.invites.create(admin_of(call), call.body), "Make an invite."),
    admin("DELETE", "/v1/invites/{id}", None, None,
          lambda box, call: box.invites.revoke(admin_of(call), call.octets("id")),
          "Take an invite back."),
    moderator("GET", "/v1/members", None, account.Members,
              lambda box, call: box.members.page(), "Every account of the box."),
)  # fmt: skip

ACCOUNT: Final[tuple[Row, ...]] = DOOR + OWN + OTHERS
