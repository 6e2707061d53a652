# SPDX-License-Identifier: Apache-2.0
"""A hundred thousand names that are masked to one marker: finding each a free name took quadratic time."""

from __future__ import annotations

from yett.privacy import walk
from yett.privacy.walk import Walker


class Counting(dict):
    """Counts how often somebody asks whether a name is taken."""

    asked = 0

    def __contains__(self, name):
        type(self).asked += 1
        return super().__contains__(name)


def test_each_masked_name_is_found_a_free_one_in_a_bounded_number_of_steps(monkeypatch):
    names = 2_000
    walker = Walker(
        on_text=lambda text, _key, _place: text,
        on_name=lambda name, _place: ("[EMAIL_ADDRESS]", "[EMAIL_ADDRESS]"),
        max_bytes=1 << 20,
        max_depth=8,
        max_leaves=10_000,
    )
    asked = 0
    honest = walk._unused

    def counting(name, taken, *rest):
        nonlocal asked
        seen = Counting(taken)
        Counting.asked = 0
        found = honest(name, seen, *rest)
        asked += Counting.asked
        return found

    monkeypatch.setattr(walk, "_unused", counting)
    seen = walker.rewrite({f"a{number}@acme.com": number for number in range(names)}, "")
    assert sorted(seen.values()) == list(range(names))
    assert asked <= 3 * names


def test_a_name_that_looks_like_a_numbered_marker_is_not_overwritten():
    walker = Walker(
        on_text=lambda text, _key, _place: text,
        on_name=lambda name, _place: ("[X]" if name.isdigit() else name, name),
        max_bytes=1 << 20,
        max_depth=8,
        max_leaves=10_000,
    )
    seen = walker.rewrite({"[X]_2": "kept", "1": "a", "2": "b", "3": "c", "[X]_3": "late"}, "")
    assert sorted(seen.values()) == ["a", "b", "c", "kept", "late"]
