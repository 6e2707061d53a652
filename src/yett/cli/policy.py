# SPDX-License-Identifier: Apache-2.0
"""`yett policy`: what the rules say, why, whether their own tests hold, and putting them in force."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from yett.action import (
    Action,
    Effect,
    Kind,
    Principal,
    ToolDefinition,
)
from yett.cli import control
from yett.cli.output import (
    EXIT_ASK,
    EXIT_CONFIGURATION,
    EXIT_NO,
    EXIT_OK,
    ConfigOption,
    JsonFlag,
    print_json,
    print_lines,
    say,
    table,
    visible,
)
from yett.config.load import Configuration
from yett.errors import BadRequest
from yett.server.strict_json import parse_strict_object
from yett.world import SystemClock

if TYPE_CHECKING:
    from yett.policy.compiled import CompiledPolicy
    from yett.policy.self_tests import TestResult

policy = typer.Typer(help="Rules and verdicts.", no_args_is_help=True)

EXITS = {Effect.ALLOW: EXIT_OK, Effect.ASK: EXIT_ASK, Effect.DENY: EXIT_NO}


@policy.command("explain")
def explain(
    tool: Annotated[str, typer.Argument(help="The tool's name.")],
    arguments: Annotated[str, typer.Argument(help="Its arguments, as a JSON object.")] = "{}",
    *,
    agent: Annotated[str, typer.Option("--as", help="The agent that would call.")],
    at: Annotated[str | None, typer.Option("--at", help="When, RFC 3339; now by default.")] = None,
    source: Annotated[str | None, typer.Option("--from", help="From which address.")] = None,
    as_json: JsonFlag = False,
    config: ConfigOption = None,
) -> None:
    """The verdict on one call under the file, and every row with the condition that failed.

    Exit 0 allow, 1 deny, 4 ask.
    """
    known = control.configuration(config)
    compiled, tools = _compiled(known)
    action = Action(
        id="explain",
        kind=Kind.TOOL,
        tool=_definition(known, tools, tool),
        arguments=parse_strict_object(arguments.encode()),
        principal=_principal(known, agent, source),
        received_at=_moment(at),
    )
    found = compiled.explain(action)
    if as_json:
        print_json(json.loads(json.dumps(found, default=_plain)))
    else:
        for row in found.rows:
            mark = "*" if row.matched else " "
            say(
                f"{mark} {row.effect:<9}{visible(row.rule)}{'' if row.concerns else '  (not for this agent)'}"
            )
            for condition in row.conditions:
                wanted = f"{condition.subject} {condition.constraint} {json.dumps(condition.expected)}"
                say(visible(f"    {condition.truth:<8} {wanted}, seen: {json.dumps(condition.seen)}"))
        if misfit := _misfit(action):
            say(f"  A call like this is refused before any rule: {visible(misfit)}")
        decision = found.decision
        say(f"{decision.effect.value} by {decision.rule}: {visible(decision.reason)}")
    raise typer.Exit(EXITS[found.decision.effect])


def _misfit(action: Action) -> str | None:
    """How the arguments do not fit the tool's schema."""
    from yett.tools.schema import SchemaCheck  # noqa: PLC0415 - see commands.py

    return SchemaCheck().problem(action.tool.digest, action.tool.input_schema, action.arguments)


def _compiled(known: Configuration) -> tuple[CompiledPolicy, tuple[ToolDefinition, ...]]:
    """The file's rules, and the tools that this gate serves itself."""
    from yett.builtin import listed_tools  # noqa: PLC0415 - see commands.py
    from yett.joining import compile_rules  # noqa: PLC0415 - see commands.py

    tools = listed_tools(known)
    return compile_rules(known, tools), tools


def _plain(value: object) -> object:
    """Dataclasses and enums for JSON."""
    slots = getattr(value, "__dataclass_fields__", None)
    if slots is not None:
        return {name: getattr(value, name) for name in slots}
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)


def _principal(known: Configuration, agent: str, source: str | None) -> Principal:
    named = known.settings.agents.get(agent)
    if named is None:
        raise BadRequest(f"yett.yaml names no agent {agent!r}; it names {', '.join(known.settings.agents)}")
    return Principal(
        agent=agent,
        id=f"spiffe://{known.settings.trust_domain}/agent/{agent}",
        roles=frozenset(named.roles),
        user=named.user,
        source_ip=source,
    )


def _definition(known: Configuration, tools: tuple[ToolDefinition, ...], name: str) -> ToolDefinition:
    definition = next((tool for tool in tools if tool.name == name), None)
    if definition is not None:
        return definition
    upstream, separator, _ = name.partition("__")
    if separator and upstream in known.settings.upstreams:
        # Only a running gateway knows an upstream's tools; the rules need no more than where it is.
        return ToolDefinition(
            name=name, description="", input_schema={}, origin=upstream, target=f"upstream:{upstream}"
        )
    raise BadRequest(f"there is no tool {name!r}; there are {', '.join(tool.name for tool in tools)}")


def _moment(at: str | None) -> float:
    try:
        return datetime.fromisoformat(at).timestamp() if at else SystemClock().now()
    except ValueError as error:
        raise BadRequest(f"--at takes an RFC 3339 time, as 2026-11-22T16:00:00+01:00: {error}") from error


@policy.command("test")
def run_tests(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """Run the `tests:` of the file. Exit 1 when one fails."""
    known = control.configuration(config)
    results = _compiled(known)[0].run_tests()
    if as_json:
        print_lines(json.loads(json.dumps(result, default=_plain)) for result in results)
    else:
        for result in results:
            say(_told(result))
        failed = sum(not result.passed for result in results)
        say(f"{len(results) - failed} passed, {failed} failed" if results else "yett.yaml has no `tests:`")
    if not all(result.passed for result in results):
        raise typer.Exit(EXIT_NO)


def _told(result: TestResult) -> str:
    """One test in one line."""
    wanted = result.expected.value + (f" by {result.expected_rule}" if result.expected_rule else "")
    came = f"{result.decision.effect.value} by {result.decision.rule}"
    word = "passed" if result.passed else "FAILED"
    return visible(f"{word}  test {result.number}: {result.agent} {result.tool}: wanted {wanted}, got {came}")


@policy.command("lint")
def lint(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """What in the rules is shadowed, too wide, or names what does not exist. Exit 1 on an error."""
    known = control.configuration(config)
    findings = _compiled(known)[0].lint()
    if as_json:
        print_lines(json.loads(json.dumps(finding, default=_plain)) for finding in findings)
    else:
        table(["", "FINDING", "RULE", ""], [[f.severity.value, f.id, f.rule, f.message] for f in findings])
        if not findings:
            say("Nothing to say about these rules.")
    if any(f.severity.value == "error" for f in findings):
        raise typer.Exit(EXIT_NO)


@policy.command("apply")
def apply(config: ConfigOption = None) -> None:
    """Put yett.yaml in force. Until then an edited file only makes things stricter."""
    known = control.configuration(config)
    compiled, _ = _compiled(known)
    failed = [result for result in compiled.run_tests() if not result.passed]
    errors = [finding for finding in compiled.lint() if finding.severity.value == "error"]
    for result in failed:
        say(_told(result))
    for finding in errors:
        say(f"error {finding.id} in {finding.rule}: {visible(finding.message)}")
    if failed or errors:
        say("Not applied.")
        raise typer.Exit(EXIT_CONFIGURATION)
    done = control.ask(known, "policy.apply")
    if isinstance(done, dict):
        say(f"Applied {str(done['digest'])[:12]}.")
        restart = done.get("restart")
        if isinstance(restart, list) and restart:
            say(f"These sections take effect when the gateway starts again: {', '.join(map(str, restart))}.")
            say("yett gateway --stop   (the next client starts it)")
