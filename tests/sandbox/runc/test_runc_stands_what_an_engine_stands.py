# SPDX-License-Identifier: Apache-2.0
"""Every test and every attack on an engine's containers, over containers that runc made.

Unchanged, but for the fixtures beside this file. What is about the engine itself has its own tests here.
"""

import importlib

import pytest

pytestmark = pytest.mark.anyio

MODULES = (
    "test_sandbox_background",
    "test_sandbox_connections",
    "test_sandbox_container",
    "test_sandbox_pool",
    "test_sandbox_seccomp",
    "test_sandbox_with_tools",
    "test_sandbox_workspace",
    "test_client_cancels",
    "test_daemons_outlive_the_call",
    "test_file_escapes",
    "test_forged_frames",
    "test_fork_bomb",
    "test_gateway_killed",
    "test_host_users_counts_exhausted",
    "test_memory_bomb",
    "test_network_from_the_sandbox",
    "test_output_flood",
    "test_second_connection",
    "test_secrets_in_the_sandbox",
)
OURS = {"empty_image", "sandboxes_of"}
MAKERS = {"sandboxes_of", "both_ways", "forwarding"}
ABOUT_THE_ENGINE = {
    "test_reaping_removes_what_crashed_gateways_of_this_state_left_and_nothing_else",
    "test_reaping_with_an_engine_that_lost_its_containers_is_quiet",
    "test_nothing_survives_a_gateway_that_is_killed_in_mid_call",
    "test_a_writable_folder_is_written_as_its_owner",
    "test_nothing_is_left_at_the_engine",
    "test_the_janitor_leaves_with_an_orderly_gateway_and_knows_nothing",
    "test_a_call_cancelled_while_its_container_is_made_leaves_none",
}

for module in map(importlib.import_module, MODULES):
    for name, thing in vars(module).items():
        is_fixture = type(thing).__name__ == "FixtureFunctionDefinition" and name not in OURS
        uses_containers = MAKERS & set(getattr(getattr(thing, "__code__", None), "co_varnames", ()))
        if is_fixture or (name.startswith("test_") and uses_containers and name not in ABOUT_THE_ENGINE):
            if name in globals():
                raise NameError(f"two tests are called {name}")
            globals()[name] = thing


@pytest.fixture(autouse=True)
def containers_are_runcs(containers_of, monkeypatch):
    """The modules look at the engine for what is left; here it is not the engine who knows."""
    for module in map(importlib.import_module, MODULES):
        if hasattr(module, "containers_of"):
            monkeypatch.setattr(module, "containers_of", containers_of)
