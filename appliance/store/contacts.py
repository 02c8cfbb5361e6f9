"""Contacts: the people this box knows or who wrote to it, with their latest address card."""

from __future__ import annotations

from typing import Final

from appliance.errors import Refusal
from appliance.store.engine import Transaction
from appliance.store.schema import CONTACTS
from appliance.store.sealed import Record, SealedTable
from appliance.store.storekey import Sealer


class Contact(Record, frozen=True):
    """One contact: identity key (32 octets), our name for them, signed card; `request`: they wrote first."""

    identity: bytes
    name: str
    card: bytes
    added: int
    request: bool = False


_TABLE: Final = SealedTable(CONTACTS, Contact, blind=True)


def add(txn: Transaction, sealer: Sealer, contact: Contact) -> None:
    """Keep a new contact; Refusal contact_exists."""
    if _TABLE.get(txn, sealer, contact.identity) is not None:
        raise Refusal("contact_exists")
    _TABLE.put(txn, sealer, contact.identity, contact)


def save(txn: Transaction, sealer: Sealer, contact: Contact) -> None:
    """Keep a contact as it is now, new or not."""
    _TABLE.put(txn, sealer, contact.identity, contact)


def find(txn: Transaction, sealer: Sealer, identity: bytes) -> Contact | None:
    """The contact with this identity key, or None."""
    return _TABLE.get(txn, sealer, identity)


def list_all(txn: Transaction, sealer: Sealer) -> list[Contact]:
    """All contacts by name."""
    return sorted(
        _TABLE.list_all(txn, sealer), key=lambda contact: (contact.name.casefold(), contact.identity)
    )


def remove(txn: Transaction, sealer: Sealer, identity: bytes) -> None:
    """Forget a contact; Refusal no_contact."""
    if not _TABLE.delete(txn, sealer, identity):
        raise Refusal("no_contact")
