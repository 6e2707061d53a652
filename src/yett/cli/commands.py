# SPDX-License-Identifier: Apache-2.0
"""Every command, and what an error looks like: one sentence, what to do, and the exit code.

A person waits for each command, so this must load in a tenth of a second: command modules import the
engine's client, the policy compiler and the gateway inside the functions that use them.
"""

from __future__ import annotations

from typing import Annotated

import typer

from yett import __version__
from yett.cli.agents import agents, people
from yett.cli.approvals import approvals
from yett.cli.audit import audit
from yett.cli.demo import demo
from yett.cli.doctor import doctor
from yett.cli.gateway import gateway, serve, status
from yett.cli.init import init
from yett.cli.output import EXIT_CONFIGURATION, EXIT_ENVIRONMENT, EXIT_NO, complain, say
from yett.cli.policy import policy
from yett.cli.sandbox import sandbox
from yett.cli.sessions import sessions
from yett.cli.setup import setup
from yett.errors import CallerError, ConfigurationError, EnvironmentFault, YettError

yett = typer.Typer(
    help="The gate between an AI agent and its tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
yett.command("init")(init)
yett.command("gateway")(gateway)
yett.command("serve")(serve)
yett.command("status")(status)
yett.command("demo")(demo)
yett.command("doctor")(doctor)
yett.command("setup")(setup)
yett.add_typer(policy, name="policy")
yett.add_typer(approvals, name="approvals")
yett.add_typer(agents, name="agents")
yett.add_typer(people, name="people")
yett.add_typer(sessions, name="sessions")
yett.add_typer(sandbox, name="sandbox")
yett.add_typer(audit, name="audit")


@yett.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        say(f"yett {__version__}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run a command line and give back its exit code."""
    try:
        yett(arguments, prog_name="yett")
    except SystemExit as done:  # typer has told the person what was wrong with the command line: 2
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except YettError as error:
        return _complained(error)
    except ExceptionGroup as group:  # what fails in a task of the gateway comes in one
        ours, others = group.split(YettError)
        if ours is None or others is not None:
            raise
        return _complained(_first(ours))
    return 0


def _complained(error: BaseException) -> int:
    advice = error.advice() if isinstance(error, YettError) else ""
    complain(str(error), advice)
    if isinstance(error, EnvironmentFault):
        return getattr(error, "exit_code", EXIT_ENVIRONMENT)
    return EXIT_CONFIGURATION if isinstance(error, CallerError | ConfigurationError) else EXIT_NO


def _first(group: BaseExceptionGroup[YettError]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
