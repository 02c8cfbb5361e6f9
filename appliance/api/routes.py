"""The one table of routes: what can be asked, where, by whom, with what, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from appliance.api import handlers
from appliance.api.call import Call
from appliance.api.entrance import Kind
from appliance.protocol import desk, messages

if TYPE_CHECKING:
    from appliance.service.box import Box

ANYWHERE: Final[frozenset[Kind]] = frozenset({"onion", "loopback", "control"})
HOME: Final[frozenset[Kind]] = frozenset({"loopback", "control"})

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[["Box", Call], Any]
"""Gives the answer's value, an `Answer` or a `Download`, or an awaitable of one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One route. Words in braces in `path` are its parameters; `request` bytes means a raw body."""

    method: Method
    path: str
    request: type | None
    response: type | None
    handler: Handler
    summary: str
    entrances: frozenset[Kind] = HOME
    owner: bool = True
    query: tuple[str, ...] = ()
    hot: bool = False
    """Served by the short way past Quart (see app.py)."""


def _open(
    method: Method,
    path: str,
    request: type | None,
    response: type | None,
    handler: Handler,
    summary: str,
    entrances: frozenset[Kind] = HOME,
    query: tuple[str, ...] = (),
    hot: bool = False,
) -> Row:
    """A row that needs no owner."""
    return Row(method, path, request, response, handler, summary, entrances, False, query, hot)


_relay = partial(_open, entrances=ANYWHERE)


RELAY: Final = (
    _relay("GET", "/v1/relay", None, messages.RelayInfo, handlers.relay_info, "Policy and bounds."),
    _relay("GET", "/v1/nonces", None, messages.Nonces, handlers.nonces, "Nonces for signed requests.",
           query=("count",), hot=True),
    _relay("POST", "/v1/grants", messages.GrantRequest, messages.Grant,
           lambda box, call: box.admission.grant(call.body), "Obtain a grant by work or as a peer."),
    _relay("POST", "/v1/mailboxes", messages.CreateMailbox, messages.MailboxState,
           lambda box, call: box.relay.create(call.body), "Create a mailbox under a grant."),
    _relay("POST", "/v1/mailboxes/delete", messages.DeleteMailbox, None,
           lambda box, call: box.relay.delete(call.body), "Delete a mailbox and all it holds."),
    _relay("POST", "/v1/deposit", messages.Deposit, messages.Deposited,
           handlers.deposit, "Leave envelopes; answered once they are durable.", hot=True),
    _relay("POST", "/v1/fetch", messages.Fetch, messages.Fetched,
           lambda box, call: box.relay.fetch(call.body), "Read envelopes in order of arrival.", hot=True),
    _relay("POST", "/v1/acknowledge", messages.Acknowledge, messages.Acknowledged,
           lambda box, call: box.relay.acknowledge(call.body), "Remove fetched envelopes.", hot=True),
    _relay("GET", "/v1/relay/stream", None, None, handlers.stream_needs_upgrade,
           "A WebSocket with the relay's operations (SPEC.md)."),
    _relay("GET", "/v1/card", None, handlers.PublicCard, handlers.card, "The address card for strangers."),
    _relay("GET", "/v1/errors", None, handlers.Errors, handlers.errors, "Every refusal."),
)  # fmt: skip

OWNER: Final = (
    _open("GET", "/v1/state", None, desk.State, handlers.state,
          "The first page; with `after` the answer waits for a newer revision.", query=("after",), hot=True),
    _open("POST", "/v1/claim", desk.Claim, desk.SessionIssued, handlers.claim, "Make the box one's own."),
    _open("POST", "/v1/session", desk.SignIn, desk.SessionIssued, handlers.sign_in, "Sign in and unlock."),
    _open("POST", "/v1/unlock", desk.SignIn, desk.SessionIssued, handlers.sign_in, "The same."),
    Row("DELETE", "/v1/session", None, None, handlers.sign_out, "Sign out."),
    Row("GET", "/v1/identity", None, desk.Identity,
        lambda box, call: box.owner.identity(), "Address, name, card and safety words."),
    Row("POST", "/v1/name", handlers.NewName, None,
        lambda box, call: box.owner.rename(call.body.name), "Change the name on the card."),
    Row("POST", "/v1/passphrase", handlers.NewPassphrase, None,
        lambda box, call: box.owner.change_passphrase(call.body.old, call.body.new),
        "Change the passphrase."),
    Row("POST", "/v1/protection", handlers.Protection, None,
        lambda box, call: box.owner.protect(call.body.passphrase, call.body.protect),
        "Wrap the store key by the passphrase, or no longer."),
    Row("POST", "/v1/cards/preview", desk.CardText, desk.CardPreview,
        lambda box, call: box.contacts.preview(call.body), "What a card says."),
    Row("GET", "/v1/contacts", None, desk.Contacts,
        lambda box, call: box.contacts.page(), "All contacts."),
    Row("POST", "/v1/contacts", desk.AddContact, desk.Contact,
        lambda box, call: box.contacts.add(call.body), "Add a contact by card or address."),
    Row("POST", "/v1/contacts/{address}/accept", None, desk.Contact,
        lambda box, call: box.contacts.accept(call.path["address"]), "A request becomes a contact."),
    Row("DELETE", "/v1/contacts/{address}", None, None,
        lambda box, call: box.contacts.remove(call.path["address"]), "Remove a contact."),
    Row("GET", "/v1/outbox", None, desk.Outbox,
        lambda box, call: box.outbox.page(), "Items on their way."),
    Row("POST", "/v1/outbox", desk.Compose, desk.ItemId,
        lambda box, call: box.outbox.compose(call.body), "Start an item."),
    Row("PUT", "/v1/outbox/{id}/content", bytes, desk.Uploaded, handlers.upload,
        "At most 1 MiB of a file, from `offset` on.", query=("offset",)),
    Row("POST", "/v1/outbox/{id}/retry", None, None,
        lambda box, call: box.outbox.retry(call.path["id"]), "Try again now."),
    Row("DELETE", "/v1/outbox/{id}", None, None,
        lambda box, call: box.outbox.cancel(call.path["id"]), "Give an item up, or forget it."),
    Row("GET", "/v1/inbox", None, desk.Inbox,
        lambda box, call: box.inbox.page(), "Items that arrived."),
    Row("GET", "/v1/inbox/{id}/content", None, bytes, handlers.download, "An item's bytes, to be saved."),
    Row("POST", "/v1/inbox/{id}/seen", None, None,
        lambda box, call: box.inbox.seen(call.path["id"]), "Mark an item as seen."),
    Row("DELETE", "/v1/inbox/{id}", None, None,
        lambda box, call: box.inbox.remove(call.path["id"]), "Remove an item."),
    Row("GET", "/v1/relay/load", None, desk.RelayLoad,
        lambda box, call: box.hosting.load(), "What this relay holds for others."),
    Row("POST", "/v1/relay/grants", desk.NewGrant, desk.GrantCode,
        lambda box, call: box.hosting.grant(call.body), "Invite somebody to keep mailboxes here."),
    Row("DELETE", "/v1/relay/grants/{id}", None, None,
        lambda box, call: box.hosting.revoke(call.path["id"]), "Take a grant back."),
    Row("GET", "/v1/relays", None, desk.UsedRelays,
        lambda box, call: box.places.page(), "Relays this box uses."),
    Row("POST", "/v1/relays", desk.UseRelay, desk.UsedRelay,
        lambda box, call: box.places.use(call.body), "Use one more relay."),
    Row("DELETE", "/v1/relays/{address}", None, None,
        lambda box, call: box.places.leave(call.path["address"]), "Leave a relay."),
    Row("GET", "/v1/readers", None, desk.Readers,
        lambda box, call: box.tor.list_readers(), "Who may reach the closed onion."),
    Row("POST", "/v1/readers", desk.NewReader, desk.Reader,
        lambda box, call: box.tor.add_reader(call.body), "Let one more reader in."),
    Row("DELETE", "/v1/readers/{name}", None, None,
        lambda box, call: box.tor.remove_reader(call.path["name"]), "Shut a reader out."),
    Row("GET", "/v1/reader-keys", None, desk.ReaderKeys,
        lambda box, call: box.tor.list_reader_keys(), "Closed onions we hold a key for."),
    Row("POST", "/v1/reader-keys", desk.NewReaderKey, None,
        lambda box, call: box.tor.add_reader_key(call.body), "Keep a key to a closed onion."),
    Row("DELETE", "/v1/reader-keys/{address}", None, None,
        lambda box, call: box.tor.remove_reader_key(call.path["address"]), "Forget such a key."),
    Row("GET", "/v1/health", None, desk.Health,
        lambda box, call: box.health.report(), "How the box is."),
    Row("GET", "/v1/settings", None, desk.Settings,
        lambda box, call: box.settings.page(), "Every setting."),
    Row("PATCH", "/v1/settings", desk.ChangeSettings, desk.Settings,
        lambda box, call: box.settings.change(call.body), "Change settings."),
)  # fmt: skip

ROUTES: Final[tuple[Row, ...]] = RELAY + OWNER
