"""Fingerprints are stored: computed otherwise, every schema would seem to have changed."""

from __future__ import annotations

import hashlib

from twd_shared.schema_model.fingerprint import content_fingerprint, snapshot_fingerprint


def test_a_content_fingerprint_is_of_each_part_behind_its_length_in_bytes() -> None:
    written = b"\0\0\0\0\0\0\0\x02ab" + b"\0\0\0\0\0\0\0\0" + b"\0\0\0\0\0\0\0\x03\xe1\xbb\x87"
    assert content_fingerprint(["ab", "", "ệ"]) == hashlib.sha256(written).hexdigest()[:32]


def test_parts_that_are_cut_elsewhere_give_another_fingerprint() -> None:
    assert content_fingerprint(["ab", "c"]) != content_fingerprint(["a", "bc"])


def test_a_snapshot_has_the_fingerprint_of_its_sorted_objects_whatever_their_order() -> None:
    orders, users = ("table", "public", "orders"), ("table", "public", "users")
    expected = content_fingerprint([*orders, "1", *users, "2"])
    assert snapshot_fingerprint({users: "2", orders: "1"}) == expected
