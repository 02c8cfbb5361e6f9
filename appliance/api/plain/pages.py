"""The one table of pages."""

from __future__ import annotations

from typing import Final

from appliance.api.cookies import REFRESH_PATH
from appliance.api.plain import account_pages as account
from appliance.api.plain import board_pages as boards
from appliance.api.plain import door_pages as door
from appliance.api.plain import forms
from appliance.api.plain.row import AT_HOME, PageRow

RENEW: Final = f"{REFRESH_PATH}/plain"
"""Under the path of the refresh cookie, so that it comes here."""
WRITTEN_OCTETS: Final = 640 * 1024
"""A post as browsers send it: three octets become nine letters."""
CARRIED_OCTETS: Final = WRITTEN_OCTETS + 8 * 1024
"""The longest form of the table, carried along by the sign-in form."""

_WRONG_SIGN_IN: Final = {"wrong_sign_in": "passphrase", "suspended": "name", "too_many": "passphrase"}
_JOINING: Final = {
    "name_taken": "name",
    "invite": "invite",
    "registration": "invite",
    "wrong_token": "invite",
    "weak_passphrase": "passphrase",
}
_PROVING: Final = {"wrong_passphrase": "passphrase", "too_many": "passphrase"}

DOOR: Final = (
    PageRow("/plain", door.show_welcome, who="anyone"),
    PageRow("/plain/sign-in", door.show_sign_in, door.sign_in, forms.SignInForm, "anyone",
            blame=_WRONG_SIGN_IN, octets=CARRIED_OCTETS, keeps=True),
    PageRow("/plain/sign-in/digits", door.show_second_step, door.second_step, forms.SecondStepForm, "anyone",
            blame={"wrong_sign_in": "digits", "too_many": "digits"}, octets=CARRIED_OCTETS, keeps=True,
            get=False, home="/plain/sign-in"),
    PageRow("/plain/code", door.show_code, door.by_code, forms.CodeForm, "anyone",
            blame={"wrong_sign_in": "code", "malformed": "code", "weak_passphrase": "passphrase"}),
    PageRow("/plain/join", door.show_join, door.join, forms.JoinForm, "anyone", blame=_JOINING),
    PageRow("/plain/invite/{code}", door.show_join, form=forms.JoinForm, who="anyone"),
    PageRow("/plain/claim", door.show_claim, door.claim, forms.ClaimForm, "anyone", AT_HOME, _JOINING),
    PageRow("/plain/codes/kept", door.show_kept, door.kept, forms.KeptForm, get=False,
            home="/plain/account/codes"),
    PageRow("/plain/sign-out", act=door.sign_out, get=False),
    PageRow(RENEW, who="anyone", octets=CARRIED_OCTETS),
)  # fmt: skip

ACCOUNT: Final = (
    PageRow(door.ACCOUNT, account.show_account),
    PageRow(account.SIGN_INS, account.show_sign_ins),
    PageRow(f"{account.SIGN_INS}/end", account.show_sign_ins, account.end_sign_in, forms.EndForm,
            get=False, home=account.SIGN_INS),
    PageRow(f"{door.ACCOUNT}/passphrase", account.show_passphrase, account.change_passphrase,
            forms.PassphraseForm,
            blame={"wrong_passphrase": "old", "too_many": "old", "weak_passphrase": "passphrase"}),
    PageRow(f"{door.ACCOUNT}/codes", account.show_codes, account.new_codes, forms.ProofForm, blame=_PROVING),
    PageRow(account.FACTOR, account.show_factor, account.begin_factor, forms.ProofForm, blame=_PROVING),
    PageRow(f"{account.FACTOR}/confirm", account.show_scan, account.confirm_factor, forms.DigitsForm,
            blame={"wrong_sign_in": "digits", "too_many": "digits"}, get=False, home=account.FACTOR),
    PageRow(f"{account.FACTOR}/remove", account.show_factor, account.remove_factor, forms.ProofForm,
            blame=_PROVING, get=False, home=account.FACTOR),
    PageRow(f"{door.ACCOUNT}/export", account.show_export, account.export),
    PageRow(f"{door.ACCOUNT}/delete", account.show_delete, account.delete, forms.DeleteForm, blame=_PROVING),
)  # fmt: skip

_WRITING: Final = {"word_filter": "body", "too_large": "body", "bad_post": "body", "old_post": "body"}
_POST: Final = f"{boards.BOARDS}/{{board}}/{{thread}}/{{post}}"

BOARDS: Final = (
    PageRow(boards.BOARDS, boards.show_boards),
    PageRow(boards.SEARCH, boards.show_search),
    PageRow(boards.FEEDS, boards.show_feeds, boards.renew_feeds),
    PageRow(f"{boards.BOARDS}/{{board}}", boards.show_board),
    PageRow(f"{boards.BOARDS}/{{board}}/new", boards.show_new, boards.new, forms.WriteForm,
            blame=_WRITING, octets=WRITTEN_OCTETS),
    PageRow(f"{boards.BOARDS}/{{board}}/{{thread}}", boards.show_thread),
    PageRow(f"{boards.BOARDS}/{{board}}/{{thread}}/reply", boards.show_reply, boards.reply, forms.WriteForm,
            blame=_WRITING, octets=WRITTEN_OCTETS),
    PageRow(f"{_POST}/edit", boards.show_edit, boards.edit, forms.WriteForm,
            blame=_WRITING, octets=WRITTEN_OCTETS),
    PageRow(f"{_POST}/delete", boards.show_delete, boards.delete, forms.DeletePostForm),
    PageRow(f"{_POST}/report", boards.show_report, boards.report, forms.ReportForm),
)  # fmt: skip

PAGES: Final[tuple[PageRow, ...]] = (*DOOR, *ACCOUNT, *BOARDS)
