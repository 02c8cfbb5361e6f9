"""The closed table of refusals: what a box answers when it will not do what was asked."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class Row(NamedTuple):
    """One refusal: its HTTP status and the sentence a person reads."""

    status: int
    message: str


REFUSALS: Final[dict[str, Row]] = {
    # The request itself
    "malformed": Row(400, "The request could not be read."),
    "unknown_version": Row(400, "This was made by a newer version; this box cannot read it."),
    "unknown_format": Row(415, "Send application/cbor or application/json."),
    "not_found": Row(404, "There is nothing here."),
    "method": Row(405, "This address does not take that method."),
    "too_large": Row(413, "This is larger than the box accepts."),
    "too_slow": Row(408, "The request took too long to arrive."),
    "too_many": Row(429, "Too many requests on this connection; wait a little."),
    "upgrade": Row(426, "This address speaks WebSocket; open it as the first request of a connection."),
    "fault": Row(500, "Something went wrong inside the box; it was counted."),
    "busy": Row(503, "The box is busy; try again in a moment."),
    "wrong_host": Row(421, "This address is not served here."),
    "forbidden_origin": Row(403, "This request came from another site."),
    # Who asks
    "not_claimed": Row(403, "This box has no owner yet."),
    "already_claimed": Row(409, "This box already has an owner."),
    "wrong_token": Row(403, "This link is not valid any more."),
    "wrong_passphrase": Row(403, "The passphrase is wrong."),
    "weak_passphrase": Row(400, "The passphrase is too short."),
    "weak_stretching": Row(400, "The box asks for too little work on the passphrase; nothing was sent."),
    "sign_in": Row(401, "Sign in first."),
    "owner_only": Row(403, "Only the owner may do this, on the box itself."),
    "locked": Row(423, "The box is locked; its owner must unlock it with the passphrase."),
    "wrong_sign_in": Row(403, "The name, the passphrase or the code is wrong."),
    "second_factor": Row(401, "The six-digit code of the authenticator app is needed."),
    "session_ended": Row(401, "This sign-in has ended; sign in again."),
    "suspended": Row(403, "This account is suspended by those who look after the box."),
    "registration": Row(403, "This box takes no new accounts in this way."),
    "invite": Row(403, "The invite is not valid, used up or too old."),
    "name_taken": Row(409, "This name is taken."),
    "role": Row(403, "Your role does not allow this."),
    "banned": Row(403, "You may not write here any more, or not yet again."),
    "withheld": Row(403, "Those who look after the box have taken this from your account."),
    "karma": Row(403, "This needs more karma: it comes from thanks for what you write."),
    "word_filter": Row(400, "This holds a word that is not wanted here."),
    "too_fast": Row(429, "That was a lot in a short time; wait a little."),
    "slow_mode": Row(429, "This place is in slow mode; wait a little before you write again."),
    "switched_off": Row(403, "This is switched off on this box."),
    "second_eyes": Row(409, "Somebody else who looks after the box must agree to this within 24 hours."),
    "yourself": Row(409, "You cannot do this to yourself; somebody else must."),
    "last_owner": Row(409, "A box keeps at least one owner."),
    "no_account": Row(404, "There is no such account here."),
    "no_device": Row(409, "This sign-in speaks for no device yet."),
    "no_link": Row(404, "The link was used or is too old."),
    # Directory, vault and post
    "bad_entry": Row(400, "The directory entry cannot be read, or is not signed as it must be."),
    "bad_bundle": Row(400, "The prekeys cannot be read, or are not signed as they must be."),
    "old_entry": Row(409, "The directory has a newer entry."),
    "vault_conflict": Row(409, "Another device changed the vault; read it and try again."),
    "vault_old": Row(410, "This device was away for too long; it reads the whole vault again."),
    "vault_full": Row(507, "The vault is full."),
    "outbox_full": Row(507, "Too much is waiting to be sent."),
    "kept_full": Row(507, "The space for attachments is full."),
    # Logs
    "no_log": Row(404, "There is no such list of entries here."),
    "no_entry": Row(404, "This entry is not there any more."),
    # Boards
    "no_board": Row(404, "There is no such board here."),
    "no_thread": Row(404, "There is no such thread on this board."),
    "bad_post": Row(400, "The post cannot be read, or is not signed as it must be."),
    "old_post": Row(409, "The post was changed or removed meanwhile; read it again."),
    "board_closed": Row(409, "This board is closed; it can be read only."),
    "boards_full": Row(507, "The box has as many boards as it can."),
    "thread_locked": Row(409, "This thread is locked; nobody can post in it."),
    "thread_full": Row(507, "This thread is full; begin a new one."),
    "no_room": Row(404, "There is no such board at that box, or your box may not read it."),
    "mirrored": Row(409, "This board is another box's; write on it there."),
    "mirror_full": Row(507, "This mirror holds as much as it may; it goes on when older threads are gone."),
    "bad_room": Row(400, "This is not the address of a board of another box."),
    # Messages between devices
    "bad_message": Row(400, "The message cannot be read, or is not from whom it says."),
    "out_of_step": Row(409, "The message belongs to a session that is not known any more."),
    "repeated": Row(409, "The message was received before."),
    "bad_log": Row(502, "The box's directory log contradicts what it showed before."),
    # Channels
    "bad_roster": Row(
        400, "The change of the channel cannot be read, is not signed as it must be, or is not allowed."
    ),
    "old_roster": Row(409, "The channel's members changed; read them and try again."),
    "no_channel": Row(404, "There is no such channel here."),
    "channel_exists": Row(409, "There is a channel with this id already."),
    "channel_full": Row(409, "The channel has as many members as it can have."),
    "channel_closed": Row(409, "The channel is closed; nothing is posted there any more."),
    "not_member": Row(403, "You are not a member of this channel."),
    "channels_full": Row(507, "The box has as many channels as it can."),
    "channels_most": Row(409, "This person is in as many channels as one can be."),
    "channel_owner": Row(
        409, "You are the only owner of a channel; make somebody else its owner, or close it."
    ),
    # Envelopes and mailboxes
    "wrong_size": Row(400, "The envelope is not of a known size class."),
    "ttl": Row(400, "The time to live is outside this relay's bounds."),
    "no_mailbox": Row(404, "There is no such mailbox here."),
    "mailbox_exists": Row(409, "This mailbox exists with another key or capability."),
    "capability": Row(403, "The capability does not open this mailbox."),
    "signature": Row(403, "The signature is not valid."),
    "nonce": Row(403, "The nonce is unknown, used or too old."),
    "mailbox_full": Row(507, "The mailbox is full."),
    "grant_full": Row(507, "The grant for this mailbox is used up."),
    "relay_full": Row(507, "The relay has no more space."),
    "disk_full": Row(507, "The disk is full."),
    "grant": Row(403, "The grant is not valid or has expired."),
    "policy": Row(403, "This relay does not serve strangers in this way."),
    "work": Row(403, "The proof of work is not valid or too old."),
    # Addresses, contacts, what is named
    "own_card": Row(400, "This is the address of this box, or your own."),
    "bad_address": Row(400, "This is not an onion address."),
    "not_opened": Row(400, "The envelope could not be opened."),
    "no_contact": Row(404, "There is no such contact."),
    "no_item": Row(404, "There is no such item."),
    "wrong_state": Row(409, "This cannot be done in the present state."),
    "no_route": Row(409, "No way to this contact is known."),
    # The other side and Tor
    "unreachable": Row(502, "The other box could not be reached."),
    "tor_off": Row(503, "Tor is not running."),
    "bad_answer": Row(502, "The other box answered something that cannot be read."),
    # Settings and the store
    "unknown_setting": Row(404, "There is no such setting."),
    "bad_setting": Row(400, "The setting cannot have this value."),
    "in_use": Row(409, "Another box runs on this data folder."),
    "newer_store": Row(409, "The data folder was written by a newer version."),
    "older_lock": Row(
        409, "This box was locked by the passphrase of an older version; open it once with: island upgrade"
    ),
    "damaged_store": Row(500, "The data folder is damaged or its key is missing."),
}


class Refusal(Exception):
    """A refusal with its code; `details` must hold no secret, address or body."""

    def __init__(self, code: str, **details: Any) -> None:
        self.row = REFUSALS[code]
        self.code = code
        self.details = details
        super().__init__(code)

    @property
    def status(self) -> int:
        """The HTTP status of this refusal."""
        return self.row.status

    @property
    def message(self) -> str:
        """The sentence a person reads."""
        return self.row.message


def cause(error: BaseException) -> BaseException:
    """The first error inside nested groups: nurseries wrap what their tasks raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
