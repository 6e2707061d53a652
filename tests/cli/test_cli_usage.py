# SPDX-License-Identifier: Apache-2.0
"""What a person sees who types something wrong, and what a start costs."""

import subprocess
import sys

import pytest

from yett import __version__

HEAVY = {
    "casbin",
    "cryptography",
    "docker",
    "mcp",
    "phonenumbers",
    "re2",
    "requests",
    "sqlglot",
    "structlog",
    "uvicorn",
}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Usage: yett"),
        (("polcy",), "No such command 'polcy'"),
        (("policy", "explain"), "Missing argument"),
        (("policy", "explain", "tool"), "--as"),
        (("policy", "lint", "--jsn"), "--jsn"),
        (("audit", "tail", "-n", "many"), "'-n'"),
        (("audit", "verify", "--folder", "/no/such/log"), "/no/such/log"),
        (("audit", "verify", "--key", "/no/such/key"), "/no/such/key"),
        (("setup", "emacs", "--agent", "a"), "I don't know 'emacs'; I know openclaw"),
    ],
)
def test_a_wrong_command_line_is_exit_2_and_says_what_is_wrong(yett, words, said):
    done = yett(*words)
    assert done.code == 2
    assert said in done.out + done.err


def test_help_and_version_are_exit_0(yett):
    assert yett("--help").code == 0
    assert yett("policy", "explain", "-h").code == 0
    assert yett("--version").out == f"yett {__version__}\n"


def loaded_by(code):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_the_command_line_starts_without_what_only_some_commands_need():
    assert loaded_by("import yett.cli.commands") & HEAVY == set()


def test_explain_needs_the_policy_and_neither_protocol_nor_engine():
    needed = loaded_by("import yett.cli.commands, yett.builtin, yett.joining")
    assert "casbin" in needed
    assert needed & {"docker", "mcp", "phonenumbers", "requests", "uvicorn"} == set()


def test_serve_starts_with_the_standard_library_alone():
    code = "import sys; sys.argv = ['yett', 'serve', '--wrong']; from yett.cli import main; main()"
    assert loaded_by(code) & (HEAVY | {"anyio", "pydantic", "rich", "typer", "yaml"}) == set()
