"""The owner's desk: what only an owner may ask, on the box itself."""

from __future__ import annotations

from typing import Final

from appliance.api import handlers
from appliance.api.account_handlers import admin_of, place_of
from appliance.api.row import HOME, Row, anyone
from appliance.protocol import desk

OWNER: Final = (
    anyone("GET", "/v1/state", None, desk.State, handlers.state,
           "The first page; with `after` the answer waits for a newer revision.",
           HOME, query=("after",), hot=True),
    Row("GET", "/v1/identity", None, desk.Identity,
        lambda box, call: box.nameplate.identity(), "Address, name and safety words."),
    Row("POST", "/v1/name", desk.NewTitle, None,
        lambda box, call: box.nameplate.rename(call.body.name), "Change the box's title."),
    Row("POST", "/v1/protection", desk.Protection, None,
        lambda box, call: box.accounts.protect(admin_of(call), call.body, place_of(call)),
        "Wrap the store key by the owner's passphrase, or no longer."),
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
