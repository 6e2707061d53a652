# SPDX-License-Identifier: Apache-2.0
"""What the documentation says is so: keys, defaults, examples, commands, links."""

from __future__ import annotations

import re
import shlex
import sqlite3
import tomllib
import typing
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from yett.builtin import listed_tools
from yett.cli.commands import yett
from yett.config.document import Document
from yett.config.later import LATER
from yett.config.load import parse
from yett.config.settings import Settings
from yett.joining import compile_rules

ROOT = Path(__file__).parents[1]
KEYS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", "node_modules", ".cache", ".build"} & set(page.relative_to(ROOT).parts)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)


def sections_in(annotation) -> tuple[type[BaseModel], ...]:
    """The sections that a type holds, itself included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(section for part in typing.get_args(annotation) for section in sections_in(part))


def fields_of(section: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """Dotted key, as the page writes it, to the field. A section with keys of its own is not a row."""
    found = {}
    for name, field in section.model_fields.items():
        key = prefix + name
        inner = sections_in(field.annotation)
        optional = field.default is None
        listed = typing.get_origin(field.annotation) is tuple
        if not inner or optional or listed:
            found[key] = field
        named = typing.get_origin(field.annotation) is dict
        host = "<host>" if name == "credentials" else "<name>"
        for each in inner:
            found |= fields_of(each, key + ("[]." if listed else f".{host}." if named else "."))
    return found


def described() -> dict[str, str]:
    """Key to the default that the page gives."""
    return dict(ROW.findall(KEYS.partition("## Keys of later versions")[0]))


def test_the_page_has_every_key_and_no_other():
    assert set(described()) == set(fields_of(Settings))


@pytest.mark.parametrize(("key", "field"), fields_of(Settings).items())
def test_the_page_gives_the_default(key, field):
    written = described()[key]
    if field.default is PydanticUndefined or key == "version":
        assert written == "required"
    elif field.default is None:
        assert written == "absent"
    elif not field.default and field.default is not False:
        assert written == "none"
    else:
        value = (
            Document(f"value: {written.strip('`')}").value if "[" not in written else {"value": ["patterns"]}
        )
        kind = typing.Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        assert TypeAdapter(kind).validate_python(value["value"]) == field.default


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("listen.max_depth", 4, 512),
        ("tools.shell.pids", 8, 4096),
        ("tools.shell.warm", 0, 256),
        ("tools.shell.containers", 1, 4096),
        ("tools.shell.per_agent", 1, 4096),
        ("tools.http.max_redirects", 0, 20),
        ("tools.sql.max_rows", 1, 100_000),
        ("approvals.max_pending", 1, 1000),
    ],
)
def test_the_page_gives_the_first_and_last_value_that_is_taken(key, low, high):
    field = fields_of(Settings)[key]
    adapter = TypeAdapter(typing.Annotated[(field.annotation, *field.metadata)])
    line = next(line for line in KEYS.splitlines() if line.startswith(f"| `{key}`"))
    assert f"{low} to {high:,}" in line or f"{low} to {high}" in line
    for value in (low, high):
        adapter.validate_python(value)
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_the_page_lists_the_keys_that_are_errors_in_this_version():
    later = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \|$", KEYS.partition("## Keys of later versions")[2], re.MULTILINE
    )
    assert dict(later) == {".".join(path).replace("*", "<name>"): what for path, what in LATER.items()}


def test_the_example_on_the_page_is_taken_and_its_tests_hold(tmp_path):
    sqlite3.connect(tmp_path / "sales.db").close()
    example = FENCE.findall(KEYS.partition("## A complete example")[2])[0][1]
    configuration = parse(example, tmp_path / "yett.yaml")
    policy = compile_rules(configuration, listed_tools(configuration))
    assert [result.number for result in policy.run_tests() if not result.passed] == []
    # What is left to say is only that upstreams can't be asked here.
    assert {(f.id, f.severity.value) for f in policy.lint()} == {("unknown-tool", "warning")}
    used = {key.split(".")[0] for key in fields_of(Settings)} - {"state"}
    assert used == set(configuration.document.value)


AROUND = """
version: 1
agents: { my-agent: { roles: [analyst] }, research-1: { roles: [analyst] } }
roles: { reader: {}, analyst: { inherits: [reader] } }
people: { kim: { groups: [sec-oncall] } }
tools: { http: {}, shell: {} }
upstreams: { mail: { url: "https://mail.example.com/mcp" } }
"""


@pytest.mark.parametrize("page", ["README.md", "docs/policy.md"])
def test_the_rules_that_a_page_shows_compile(page):
    blocks = [text for kind, text in FENCE.findall((ROOT / page).read_text()) if kind == "yaml"]
    assert blocks
    for block in blocks:
        rules = block if block.startswith("rules:") else "rules:\n" + block
        configuration = parse(AROUND + rules, Path("/somewhere/yett.yaml"))
        policy = compile_rules(configuration, listed_tools(configuration))
        assert [f.message for f in policy.lint() if f.severity.value == "error"] == []


def commands_in(text: str) -> list[list[str]]:
    """Every `yett ...` that a page shows, in words; `a|b` is shown as both."""
    spans = [line for kind, block in FENCE.findall(text) if kind != "yaml" for line in block.splitlines()]
    spans += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    found = []
    for span in spans:
        match = re.match(r"(?:\$ )?(?:\w+=\S+ )*yett ([^#;]+)", span.strip())
        if match is None:
            continue
        shown = shlex.split(match[1])
        alternatives = [[]]
        for word in shown:
            words = word.split("|") if re.fullmatch(r"[a-z|-]+", word) else [word]
            alternatives = [[*before, each] for before in alternatives for each in words]
        found += alternatives
    return found


def wrong_with(words: list[str]) -> str:
    """What is wrong with a command line, without running it; empty when nothing is."""
    command = typer.main.get_command(yett)
    rest = list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no {name!r}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    if rest[:1] == ["--"] or "--" in rest:
        rest = rest[: rest.index("--")]
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known]
    return f"there is no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists(page):
    wrong = {" ".join(words): wrong_with(words) for words in commands_in(page.read_text(encoding="utf-8"))}
    assert {line: why for line, why in wrong.items() if why} == {}


def test_the_check_of_commands_sees_what_is_wrong():
    shown = "`yett polcy lint`, `$ yett audit tail --lines 3`, `yett agents add|drop x`\n"
    shown += "```sh\nyett init --force # x\n```\n"
    assert [wrong_with(words) for words in commands_in(shown)] == [
        "",
        "there is no 'polcy'",
        "there is no option --lines",
        "",
        "there is no 'drop'",
    ]


@pytest.mark.parametrize("source", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.name)
def test_every_command_that_our_own_words_advise_exists(source):
    advised = re.findall(
        r"(?:`|run: |with: |: +)yett ([a-z]+(?: [a-z]+)?)", source.read_text(encoding="utf-8")
    )
    tree = typer.main.get_command(yett).commands
    for words in advised:
        first, _, second = words.partition(" ")
        assert first in tree, words
        assert not second or not hasattr(tree[first], "commands") or second in tree[first].commands, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    inside = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_shows_exists(page):
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = re.findall(r"(?:`|^)make ([a-z0-9-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(shown) <= targets


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["presidio"]]
    reasons = (ROOT / "docs" / "adr" / "0002-dependencies.md").read_text(encoding="utf-8")
    names = [re.match(r"[A-Za-z0-9-]+", each)[0] for each in wanted]
    assert [name for name in names if not re.search(rf"^\|[^|]*\b{name}\b", reasons, re.MULTILINE)] == []


def test_every_dependency_has_an_exact_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *groups["test"], *groups["lint"]]
    pinned = {
        canonical(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert {canonical(re.match(r"[A-Za-z0-9-]+", each)[0]) for each in wanted} <= pinned


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()
