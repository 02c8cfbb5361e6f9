"""The transparency log: the vectors, trees of any size, forks, and everything a box could show instead."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Refusal
from appliance.protocol import prekeys, transparency
from appliance.protocol.directory import Entry, Found, Proof
from appliance.protocol.keys import verify_plain
from appliance.protocol.transparency import Head
from tests.protocol.parties import BOX, HOUR, Someone
from tests.vectors.checks import check_transparency

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "transparency.json").read_text())
LEAVES = [b"leaf %d" % at for at in range(300)]
NODE = transparency.nodes_of([transparency.leaf_hash(leaf) for leaf in LEAVES])
SIZES = st.integers(1, len(LEAVES))


def head(size: int, node: transparency.Node = NODE) -> Head:
    """The tree of the first leaves."""
    return Head("log", size, transparency.root(node, size))


def test_vectors() -> None:
    check_transparency(VECTORS)


@given(SIZES, st.data())
def test_every_leaf_is_proven_and_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes, tree = transparency.prove_inclusion(NODE, index, size), head(size)
    transparency.check_inclusion(tree, LEAVES[index], index, hashes)
    wrong = [(LEAVES[index], index + 1, hashes), (b"another", index, hashes)]
    wrong += [(LEAVES[index], index, [*hashes, bytes(32)]), (LEAVES[index], size + index, hashes)]
    wrong += [(LEAVES[index], index, hashes[:-1])] if hashes else []
    wrong += [(LEAVES[index], index, [bytes(32), *hashes[1:]])] if hashes else []
    wrong += [(LEAVES[index], index, [each[:31] for each in hashes])] if hashes else []
    for leaf, at, path in wrong:
        with pytest.raises(Refusal, match="bad_log"):
            transparency.check_inclusion(tree, leaf, at, path)


@given(SIZES, SIZES)
def test_a_prefix_is_proven_and_a_fork_is_not(one: int, other: int) -> None:
    first, second = sorted((one, other))
    hashes = transparency.prove_consistency(NODE, first, second)
    older, newer = head(first), head(second)
    transparency.check_consistency(older, newer, hashes)
    changed = transparency.nodes_of([transparency.leaf_hash(leaf) for leaf in [b"fork", *LEAVES[1:]]])
    fork = head(second, changed)
    attempts = [
        (older, fork, hashes),
        (older, fork, transparency.prove_consistency(changed, first, second)),
        (msgspec.structs.replace(older, origin="other"), newer, hashes),
        (older, newer, [*hashes, bytes(32)]),
    ]
    attempts += [(older, newer, hashes[:-1]), (older, newer, [bytes(32), *hashes[1:]])] if hashes else []
    attempts += [(newer, older, hashes)] if first < second else []
    for before, after, path in attempts:
        with pytest.raises(Refusal, match="bad_log"):
            transparency.check_consistency(before, after, path)


@given(st.integers(1, 100_000))
def test_completed_subtrees_end_with_the_last_leaf(size: int) -> None:
    found = transparency.completed(size)
    assert [level for level, _ in found] == list(range(1, len(found) + 1))
    assert all((index + 1) << level == size for level, index in found)
    assert size % (1 << len(found) + 1)


def test_appending_needs_only_the_nodes_that_were_completed() -> None:
    """What a store does: it keeps completed nodes, and every root comes from them."""
    kept: dict[tuple[int, int], bytes] = {}
    for at, leaf in enumerate(LEAVES):
        kept[0, at] = transparency.leaf_hash(leaf)
        for level, index in transparency.completed(at + 1):
            children = kept[level - 1, 2 * index], kept[level - 1, 2 * index + 1]
            kept[level, index] = transparency.node_hash(*children)
        assert transparency.root(lambda level, index: kept[level, index], at + 1) == head(at + 1).root


def test_proofs_outside_the_tree_are_not_made() -> None:
    for act in (
        lambda: transparency.prove_inclusion(NODE, 5, 5),
        lambda: transparency.prove_consistency(NODE, 6, 5),
    ):
        with pytest.raises(ValueError, match="no such"):
            act()


ADA = Someone("ada")


def entry(revision: int, **changes: object) -> bytes:
    """Ada's signed entry."""
    base = Entry(
        version=1,
        name="ada",
        onion=BOX.public,
        identity=ADA.identity.public,
        revision=revision,
        issued_hour=HOUR,
        devices=[ADA.device],
    )
    return prekeys.sign_entry(ADA.identity, msgspec.structs.replace(base, **changes))


def found(log: list[bytes], index: int, older: int = 0, bundles: list[bytes] | None = None) -> Found:
    """What an honest box answers."""
    node = transparency.nodes_of([transparency.leaf_hash(leaf) for leaf in log])
    return Found(
        entry=log[index],
        proof=Proof(
            index=index,
            hashes=transparency.prove_inclusion(node, index, len(log)),
            checkpoint=transparency.write_checkpoint(BOX, len(log), transparency.root(node, len(log))),
            consistency=transparency.prove_consistency(node, older, len(log)) if older else None,
        ),
        bundles=bundles or [],
    )


def test_a_look_up_is_read_as_a_whole() -> None:
    bundle = prekeys.sign_bundle(ADA.signing, ADA.bundle())
    log = [entry(1), entry(2)]
    answer = found(log, 1, bundles=[bundle])
    whole, bundles, tree = transparency.check_found(answer, "ada", BOX.public, None, None)
    assert whole.revision == 2 and bundles == [ADA.bundle()] and tree.size == 2
    later = found([*log, b"somebody"], 1, older=2, bundles=[bundle[:-1] + b"\0", bundle])
    _, bundles, tree = transparency.check_found(later, "ada", BOX.public, ADA.identity.public, tree)
    # More bundles than devices: the surplus is not even looked at.
    assert bundles == [] and tree.size == 3


def test_a_box_cannot_show_another_history_or_another_person() -> None:
    log = [entry(1), entry(2)]
    tree = transparency.check_found(found(log, 1), "ada", BOX.public, None, None)[2]
    fork = [entry(1), entry(2, issued_hour=HOUR + 1), entry(3)]
    elsewhere = msgspec.structs.replace(
        found(log, 1).proof, checkpoint=transparency.write_checkpoint(ADA.signing, 2, tree.root)
    )
    answers = [
        ("bad_log", found(fork, 2, older=2)),
        ("bad_log", found(log[:1], 0)),
        ("bad_log", found([*log, entry(3)], 2)),
        ("bad_log", msgspec.structs.replace(found(log, 1), proof=found(log, 0).proof)),
        ("bad_log", msgspec.structs.replace(found(log, 1), proof=elsewhere)),
        ("bad_entry", found([*log, entry(3, name="eve")], 2, older=2)),
    ]
    for code, answer in answers:
        with pytest.raises(Refusal, match=code):
            transparency.check_found(answer, "ada", BOX.public, ADA.identity.public, tree)
    with pytest.raises(Refusal, match="bad_entry"):
        transparency.check_found(found(log, 1), "ada", BOX.public, BOX.public, tree)
    # An entry that was replaced is in the log as well, with a proof: its revision tells.
    with pytest.raises(Refusal, match="old_entry"):
        transparency.check_found(found(log, 0), "ada", BOX.public, ADA.identity.public, tree, revision=2)


def test_roots_of_certificate_transparency() -> None:
    """The trees by which implementations of RFC 6962 compare themselves."""
    leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    node = transparency.nodes_of([transparency.leaf_hash(bytes.fromhex(leaf)) for leaf in leaves])
    assert [transparency.root(node, size).hex() for size in range(9)] == roots


def test_a_signed_note_of_go() -> None:
    """The note in the documentation of Go's package: its key hash and signature are ours."""
    text = "If you think cryptography is the answer to your problem,\n"
    text += "then you don't know what your problem is.\n"
    key = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    signature = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert key[:1] == transparency._SIGNATURE_KIND
    assert transparency._key_hash("PeterNeumann", key[1:]) == signature[:4] == bytes.fromhex("c74f20a3")
    verify_plain(key[1:], signature[4:], text.encode())
