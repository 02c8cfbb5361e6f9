"""No value says in its `repr` what a log must not hold: secrets, addresses, bodies."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

PACKAGES = (
    "appliance.protocol",
    "appliance.store",
    "appliance.service",
    "appliance.api",
    "appliance.client.person",
)
SECRET = {"seed", "secret", "capability", "vault_key", "authentication", "token", "refresh", "access"}
SECRET |= {"passphrase", "envelope", "payload", "address", "text", "wrapped", "signing", "agreement"}


def values() -> Iterator[type]:
    for package in PACKAGES:
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
            module = importlib.import_module(f"{package}.{found.name}")
            for value in vars(module).values():
                if inspect.isclass(value) and value.__module__ == module.__name__ and not _is_message(value):
                    yield value


def _is_message(value: type) -> bool:
    # Their base says its type only.
    return any(
        base.__name__ == "Message" and base.__module__.endswith("protocol.messages") for base in value.__mro__
    )


def shown(value: type) -> set[str]:
    """The fields that a value's `repr` tells."""
    own = inspect.getsource(value)
    if "def __repr__" in own:
        return set()
    if dataclasses.is_dataclass(value):
        tells = value.__dataclass_params__.repr  # type: ignore[attr-defined]
        return {one.name for one in dataclasses.fields(value) if one.repr} if tells else set()
    return set(value._fields) if issubclass(value, tuple) and hasattr(value, "_fields") else set()


def test_there_are_values() -> None:
    names = {value.__name__ for value in values()}
    assert {"Waiting", "Started", "Contact", "Opened"} <= names


@pytest.mark.parametrize("value", list(values()), ids=lambda value: f"{value.__module__}.{value.__name__}")
def test_a_repr_tells_no_secret(value: type) -> None:
    assert not shown(value) & SECRET
