"""The owner's desk: what only an owner may ask, on the box itself."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from appliance.api import handlers
from appliance.api.account_handlers import admin_of, place_of
from appliance.api.call import Call
from appliance.api.row import HOME, Handler, Row, anyone
from appliance.config import convert
from appliance.protocol import desk
from appliance.protocol.audit import Action

if TYPE_CHECKING:
    from appliance.service.box import Box


def audited(action: Action, target: Callable[[Call], str], handler: Handler) -> Handler:
    """A handler whose act is written down once it is done; for those that are no transaction of their own."""

    async def perform(box: Box, call: Call) -> Any:
        result = handler(box, call)
        if isawaitable(result):
            result = await result
        await box.audit.record(admin_of(call), action, target(call))
        return result

    return perform


def nothing(call: Call) -> str:
    """No name of what was acted on: it would be an address."""
    return ""


async def change_settings(box: Box, call: Call) -> desk.Settings:
    """Change settings; that one pair of eyes is enough again needs a second one."""
    values = call.body.values
    if box.config.four_eyes and "four_eyes" in values:
        wanted = values["four_eyes"]
        if wanted is None or not convert("four_eyes", wanted):
            await box.moderation.four_eyes.ask(admin_of(call), "four_eyes.off", b"", "four_eyes")
            values = {name: value for name, value in values.items() if name != "four_eyes"}
    return await box.settings.change(admin_of(call), desk.ChangeSettings(values=values))


OWNER: Final = (
    anyone("GET", "/v1/state", None, desk.State, handlers.state,
           "The first page; with `after` the answer waits for a newer revision.",
           entrances=HOME, query=("after",), hot=True),
    Row("GET", "/v1/identity", None, desk.Identity,
        lambda box, call: box.nameplate.identity(), "Address, name and safety words."),
    Row("POST", "/v1/name", desk.NewTitle, None,
        lambda box, call: box.nameplate.rename(admin_of(call), call.body.name), "Change the box's title."),
    Row("POST", "/v1/protection", desk.Protection, None,
        lambda box, call: box.accounts.protect(admin_of(call), call.body, place_of(call)),
        "Wrap the store key by the owner's passphrase, or no longer."),
    Row("GET", "/v1/relay/load", None, desk.RelayLoad,
        lambda box, call: box.hosting.load(), "What this relay holds for others."),
    Row("POST", "/v1/relay/grants", desk.NewGrant, desk.GrantCode,
        audited("grant.make", lambda call: call.body.label,
                lambda box, call: box.hosting.grant(call.body)), "Invite somebody to keep mailboxes here."),
    Row("DELETE", "/v1/relay/grants/{id}", None, None,
        audited("grant.revoke", nothing,
                lambda box, call: box.hosting.revoke(call.path["id"])), "Take a grant back."),
    Row("GET", "/v1/relays", None, desk.UsedRelays,
        lambda box, call: box.places.page(), "Relays this box uses."),
    Row("POST", "/v1/relays", desk.UseRelay, desk.UsedRelay,
        audited("relay.use", nothing,
                lambda box, call: box.places.use(call.body)), "Use one more relay."),
    Row("DELETE", "/v1/relays/{address}", None, None,
        audited("relay.leave", nothing,
                lambda box, call: box.places.leave(call.path["address"])), "Leave a relay."),
    Row("GET", "/v1/readers", None, desk.Readers,
        lambda box, call: box.tor.list_readers(), "Who may reach the closed onion."),
    Row("POST", "/v1/readers", desk.NewReader, desk.Reader,
        audited("reader.add", lambda call: call.body.name,
                lambda box, call: box.tor.add_reader(call.body)), "Let one more reader in."),
    Row("DELETE", "/v1/readers/{name}", None, None,
        audited("reader.remove", lambda call: call.path["name"],
                lambda box, call: box.tor.remove_reader(call.path["name"])), "Shut a reader out."),
    Row("GET", "/v1/reader-keys", None, desk.ReaderKeys,
        lambda box, call: box.tor.list_reader_keys(), "Closed onions we hold a key for."),
    Row("POST", "/v1/reader-keys", desk.NewReaderKey, None,
        audited("key.add", nothing,
                lambda box, call: box.tor.add_reader_key(call.body)), "Keep a key to a closed onion."),
    Row("DELETE", "/v1/reader-keys/{address}", None, None,
        audited("key.remove", nothing,
                lambda box, call: box.tor.remove_reader_key(call.path["address"])), "Forget such a key."),
    Row("GET", "/v1/health", None, desk.Health,
        lambda box, call: box.health.report(), "How the box is."),
    Row("GET", "/v1/minimise", None, desk.Minimised,
        lambda box, call: box.minimise.page(), "What the box forgot when it minimised last."),
    Row("POST", "/v1/minimise", None, desk.Minimised,
        lambda box, call: box.minimise.now(), "Minimise now; answered when it is done."),
    Row("GET", "/v1/settings", None, desk.Settings,
        lambda box, call: box.settings.page(), "Every setting."),
    Row("PATCH", "/v1/settings", desk.ChangeSettings, desk.Settings,
        change_settings, "Change settings."),
)  # fmt: skip
