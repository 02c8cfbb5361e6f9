"""Rights: the table is whole, power goes downwards only, and never onto oneself."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from appliance.protocol.account import Role
from appliance.service import rights
from appliance.service.caller import OPERATOR, Caller
from tests.services import refused

ROLES = get_args(Role)
ORDER = ("owner", "admin", "moderator", "member", "agent")


def caller(role: str) -> Caller:
    return Caller(role.encode().ljust(16, b"."), role, role, b"S" * 16)  # type: ignore[arg-type]


def test_every_act_and_role_is_in_the_table() -> None:
    assert set(rights.RIGHTS) == set(get_args(rights.Act))
    assert set(rights.RANKS) == set(ROLES)


@pytest.mark.parametrize("act", get_args(rights.Act))
def test_whoever_ranks_higher_may_do_no_less(act: rights.Act) -> None:
    allowed = [rights.may(role, act) for role in ORDER]  # type: ignore[arg-type]
    assert allowed == sorted(allowed, reverse=True) and allowed[0]


@pytest.mark.parametrize(("role", "target"), list(product(ROLES, ROLES)))
def test_power_goes_downwards_only(role: Role, target: Role) -> None:
    someone = b"T" * 16
    below = role == "owner" or rights.RANKS[role] > rights.RANKS[target]
    for act in ("change_role", "suspend", "suspend_for_ever", "ban", "delete_member"):
        if rights.may(role, act) and below:  # type: ignore[arg-type]
            rights.check_power(caller(role), act, someone, target)  # type: ignore[arg-type]
        else:
            with refused("role"):
                rights.check_power(caller(role), act, someone, target)  # type: ignore[arg-type]


def test_nobody_makes_somebody_his_equal_but_an_owner() -> None:
    for role, new in (("admin", "admin"), ("admin", "owner")):
        with refused("role"):
            rights.check_power(caller(role), "change_role", b"T" * 16, "member", new)  # type: ignore[arg-type]
    rights.check_power(caller("admin"), "change_role", b"T" * 16, "member", "moderator")
    rights.check_power(caller("owner"), "change_role", b"T" * 16, "member", "owner")


@pytest.mark.parametrize("role", ["owner", "admin", "moderator"])
def test_nobody_does_it_to_himself(role: Role) -> None:
    who = caller(role)
    for act in get_args(rights.Act):
        if rights.may(role, act):
            with refused("yourself"):
                rights.check_power(who, act, who.account, role)


def test_the_operator_is_an_owner_without_an_account() -> None:
    for role in ROLES:
        rights.check_power(OPERATOR, "delete_member", OPERATOR.account, role)


def test_a_level_lets_in_whoever_ranks_so_high() -> None:
    reached = {
        level: [role for role in ORDER if rights.reaches(role, level)]  # type: ignore[arg-type]
        for level in get_args(rights.Level)
    }
    assert reached == {
        "member": list(ORDER),
        "moderator": ["owner", "admin", "moderator"],
        "admin": ["owner", "admin"],
        "owner": ["owner"],
    }
