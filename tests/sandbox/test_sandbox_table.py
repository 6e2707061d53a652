# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from yett.sandbox.control import Control
from yett.sandbox.engine import EngineFacts
from yett.sandbox.engine_notes import engine_notes
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.table import BEGIN, END, markdown, with_table
from yett.sandbox.verify import verify_hardening

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def rows(text):
    """Control and what is asked for; what is seen differs between machines."""
    found = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| ")]
    return [row for row in found if "sysrq" not in row[0]]  # not every kernel has it


@pytest.mark.anyio
@pytest.mark.engine
async def test_the_table_of_the_page_is_that_of_a_probe(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        controls = await verify_hardening(box, SandboxSettings(), await boxes.engine.facts())
    on_page = PAGE.partition(BEGIN)[2].partition(END)[0]
    assert rows(on_page) == rows(markdown(controls)), "stale: make docs"
    assert "**wrong**" not in on_page


def test_the_table_goes_between_its_marks_and_nothing_else_changes():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_table(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        with_table("no marks", "new")


def test_what_is_wrong_is_bold():
    control = Control(control="pids", expected="128", seen="max", ok=False)
    assert "| max **wrong** |" in markdown([control])


def facts(**changes):
    known = {
        "version": "20.10",
        "api": (1, 41),
        "cgroup": "2",
        "runtimes": frozenset({"runc"}),
        "userns": True,
    }
    return EngineFacts(**{**known, "security": ("name=apparmor",), "oci": "1.2.8", **changes})


@pytest.mark.parametrize("oci", ["1.1.5+ds1", "1.2.7", "1.3.0", "1.3.2"])
def test_a_runc_with_known_ways_out_is_noted(oci):
    assert "CVE-2025-31133" in " ".join(engine_notes(facts(oci=oci)))


@pytest.mark.parametrize("oci", ["1.2.8", "1.3.3", "1.4.0", "", "unknown"])
def test_a_later_or_an_unknown_one_is_not(oci):
    assert list(engine_notes(facts(oci=oci))) == []


def test_what_an_engine_lacks_is_noted():
    said = " ".join(engine_notes(facts(userns=False, cgroup="1", security=(), warnings=("No swap limit",))))
    for word in ("maps no users", "cgroup v1", "AppArmor", "No swap limit"):
        assert word in said
