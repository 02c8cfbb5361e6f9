"""Forms as they come: read once, bounded, typed. Fields that are missing are empty, others are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import parse_qsl

import msgspec

from appliance.errors import Refusal
from appliance.protocol import codec

MEDIA: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 64
KEPT: Final = "kept."
"""Before the names of fields that belong to another form (see `PageRow.keeps`)."""

Line = Annotated[str, msgspec.Meta(max_length=2048)]
Long = Annotated[str, msgspec.Meta(max_length=1 << 17)]
"""Twice what may be posted: what is too long is told in words."""
Tick = Annotated[str, msgspec.Meta(max_length=8)]
"""A box that was ticked: "on", otherwise nothing."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every form sends: the token that shows that it was drawn here, for this browser."""

    SECRET: ClassVar[frozenset[str]] = frozenset()
    """Fields that are never drawn or kept."""

    token: Line = ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class SignInForm(Form, frozen=True):
    """Name and passphrase, and where one was going."""

    SECRET: ClassVar = frozenset({"passphrase"})

    name: Line = ""
    passphrase: Line = ""
    then: Line = ""


class SecondStepForm(Form, frozen=True):
    """Six digits; `word` says whose."""

    SECRET: ClassVar = frozenset({"digits"})

    word: Line = ""
    digits: Line = ""
    then: Line = ""


class CodeForm(Form, frozen=True):
    """A backup code and the passphrase that comes after it."""

    SECRET: ClassVar = frozenset({"code", "passphrase", "again"})

    name: Line = ""
    code: Line = ""
    passphrase: Line = ""
    again: Line = ""
    then: Line = ""


class JoinForm(Form, frozen=True):
    """A new account; `account` is drawn with the form, so that sending it twice makes one."""

    SECRET: ClassVar = frozenset({"passphrase", "again"})

    account: Line = ""
    invite: Line = ""
    name: Line = ""
    passphrase: Line = ""
    again: Line = ""


class ClaimForm(JoinForm, frozen=True):
    """The first account of a box; `invite` is the link it printed."""

    protect: Tick = ""


class KeptForm(Form, frozen=True):
    """The backup codes were written down."""

    kept: Tick = ""


class EndForm(Form, frozen=True):
    """One sign-in of the list."""

    session: Line = ""


class PassphraseForm(Form, frozen=True):
    """The present passphrase and the new one, twice."""

    SECRET: ClassVar = frozenset({"old", "passphrase", "again"})

    old: Line = ""
    passphrase: Line = ""
    again: Line = ""


class ProofForm(Form, frozen=True):
    """The passphrase for what needs it again."""

    SECRET: ClassVar = frozenset({"passphrase"})

    passphrase: Line = ""


class DigitsForm(Form, frozen=True):
    """Six digits of a new second factor; `secret` is on the page anyway."""

    SECRET: ClassVar = frozenset({"digits"})

    secret: Line = ""
    digits: Line = ""


class DeleteForm(Form, frozen=True):
    """One's own name, typed, and the passphrase."""

    SECRET: ClassVar = frozenset({"passphrase"})

    name: Line = ""
    passphrase: Line = ""


class WriteForm(Form, frozen=True):
    """A post; `id` is drawn with the form, so that sending it twice posts once. `do` is the button."""

    id: Line = ""
    to: Line = ""
    previous: Line = ""
    subject: Line = ""
    body: Long = ""
    do: Line = ""


class ReportForm(Form, frozen=True):
    """Why a post is reported; `id` is drawn with the form, so that sending it twice reports once."""

    id: Line = ""
    why: Line = ""
    words: Line = ""


class DeletePostForm(Form, frozen=True):
    """Taking a post back."""

    id: Line = ""


def read_pairs(content_type: str, raw: bytes) -> dict[str, str]:
    """The fields of a body; Refusal unknown_format, or malformed for doubled and unreadable ones."""
    if content_type.partition(";")[0].strip().lower() != MEDIA:
        raise Refusal("unknown_format")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:  # UnicodeDecodeError is one
        raise Refusal("malformed") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refusal("malformed")
    # Browsers send line ends as CR LF.
    return {name: value.replace("\r\n", "\n") for name, value in fields.items()}


def read_form(kind: type[Form], fields: Mapping[str, str]) -> Any:
    """The typed form; Refusal malformed for unknown or overlong fields."""
    return codec.convert(fields, kind)


def keep(kind: type[Form], fields: Mapping[str, str]) -> dict[str, str]:
    """What may be carried along of a form: no secret, and nothing that the form does not know."""
    known = set(kind.__struct_fields__) - kind.SECRET - {"token"}
    return {name: value for name, value in fields.items() if name in known}


def split_kept(fields: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The form's own fields, and those it carries for another."""
    own = {name: value for name, value in fields.items() if not name.startswith(KEPT)}
    kept = {name.removeprefix(KEPT): value for name, value in fields.items() if name.startswith(KEPT)}
    return own, kept
