# SPDX-License-Identifier: Apache-2.0
"""`yett.yaml` becomes Settings, or an error that names the line and the remedy."""

from pathlib import Path

import pytest

from yett.config.later import LATER
from yett.config.load import configuration_path, load, parse
from yett.errors import ConfigurationError

HERE = Path("/somewhere/yett.yaml")


def test_the_smallest_file_has_safe_defaults():
    settings = parse("version: 1\n", HERE).settings
    assert settings.listen.http == "127.0.0.1:8787"
    assert settings.agents == {}
    assert settings.tools.shell is None
    assert settings.egress.allow == ()
    assert settings.egress.tls.min == "1.3"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("version: 2\n", 1, "1"),
        ("version: 1\nlisen: {}\n", 2, "Did you mean 'listen'?"),
        ("version: 1\ntools:\n  shell: {timeout: 60x}\n", 3, "a duration looks like"),
        ("version: 1\ntools:\n  shell: {memory: many}\n", 3, "a size looks like"),
        ("version: 1\ntools:\n  shell: {network: host}\n", 3, "none"),
        ("version: 1\nupstreams:\n  x: {command: [a]}\n", 3, "sandbox: false"),
        ("version: 1\nupstreams:\n  x: {command: [a], url: b, sandbox: false}\n", 3, "either"),
        ("version: 1\nupstreams:\n  x__y: {url: b}\n", 3, "pattern"),
        ("version: 1\nagents:\n  Kim!: {}\n", 3, "pattern"),
        ("version: 1\negress:\n  allow:\n    - a.b\n    - {host: c, metods: [GET]}\n", 5, "methods"),
        ("version: 1\nroles: {reader: {}}\negress:\n  allow: [{host: c, to: raeder}]\n", 4, "'reader'"),
        ("version: 1\nprivacy: {default: {outbound: {SECRET: tokenise}}}\n", 2, "allow"),
        ("version: 1\ntools: {sql: {databases: {x: {url: y, mode: read-write}}}}\n", 2, "read-only"),
    ],
)
def test_an_error_names_the_line_and_what_is_allowed(text, line, reason):
    with pytest.raises(ConfigurationError) as refused:
        parse(text, HERE)
    assert f"line {line}:" in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.parametrize("written", ["1.2", '"1.2"'])
def test_a_tls_version_needs_no_quotes(written):
    assert parse(f"version: 1\negress: {{tls: {{min: {written}}}}}\n", HERE).settings.egress.tls.min == "1.2"


@pytest.mark.parametrize("pattern", LATER)
def test_a_key_that_would_be_silently_off_is_an_error(pattern):
    value = "1"
    for key in reversed(pattern):
        value = "{" + ("anything" if key == "*" else key) + ": " + value + "}"
    with pytest.raises(ConfigurationError, match="does not enforce"):
        parse(f"version: 1\n{pattern[0]}: {value[len(pattern[0]) + 3 : -1]}\n", HERE)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path / "yett.yaml")
    assert refused.value.advice() == "run: yett init"


def test_the_current_folder_is_never_searched(tmp_path, monkeypatch):
    (tmp_path / "yett.yaml").write_text("version: 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("YETT_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/xdg-elsewhere")
    assert configuration_path() == Path("/etc/xdg-elsewhere/yett/yett.yaml")


def workspace_of(written):
    return parse(
        f"version: 1\ntools: {{shell: {{workspace: {written}}}}}\n", HERE
    ).settings.tools.shell.workspace


def test_a_workspace_is_a_path_or_says_more():
    assert (workspace_of("/w").path, workspace_of("/w").mode) == (Path("/w"), "read-only")
    more = workspace_of("{path: /w, mode: read-write, quota: 64MiB, protect: [.git]}")
    assert (more.mode, more.quota, more.protect) == ("read-write", 64 << 20, (".git",))
    assert workspace_of("{path: /w}").protect is None


@pytest.mark.parametrize("written", ["{mode: read-write}", "{path: /w, mode: write}", "{path: /w, quota: x}"])
def test_a_workspace_that_is_not_understood_fails_start_up(written):
    with pytest.raises(ConfigurationError):
        workspace_of(written)


def test_a_writable_workspace_that_holds_the_state_fails_start_up():
    with pytest.raises(ConfigurationError, match="overlap"):
        parse("version: 1\nstate: /w/s\ntools: {shell: {workspace: {path: /w, mode: read-write}}}\n", HERE)


@pytest.mark.parametrize(
    ("state", "workspace"),
    [("/w/state", "/w"), ("/w/state", "/w/state"), ("/w", "/w/sub"), ("/elsewhere", "/somewhere")],
)
def test_state_or_configuration_inside_a_workspace_fails_start_up(state, workspace):
    with pytest.raises(ConfigurationError, match="overlap"):
        parse(f"version: 1\nstate: {state}\ntools: {{shell: {{workspace: {workspace}}}}}\n", HERE)


def test_a_workspace_that_reaches_the_state_through_a_symlink_fails_start_up(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigurationError, match="overlap"):
        parse(
            f"version: 1\nstate: {tmp_path}/real/state\ntools: {{shell: {{workspace: {tmp_path}/link}}}}\n",
            HERE,
        )


def test_a_workspace_beside_the_state_is_fine():
    assert parse("version: 1\nstate: /s\ntools: {shell: {workspace: /w}}\n", HERE).settings.tools.shell


def test_how_much_of_a_stream_is_shown_has_bounds():
    for size in ("1KiB", "256KiB"):
        assert parse(f"version: 1\ntools: {{shell: {{shown: {size}}}}}\n", HERE).settings.tools.shell
    for size in (1023, 262145):
        with pytest.raises(ConfigurationError, match="shown"):
            parse(f"version: 1\ntools: {{shell: {{shown: {size}}}}}\n", HERE)


@pytest.mark.parametrize("name", ["crm", "Api.acme.com", "egres", "upstream:crm"])
def test_privacy_for_a_destination_that_nothing_sends_to_is_an_error_with_its_line(name):
    with pytest.raises(ConfigurationError, match=r"line 3: .*no tool sends there"):
        parse(
            "version: 1\negress: {allow: [api.acme.com]}\n"
            f"privacy: {{destinations: {{'{name}': {{outbound: {{SECRET: block}}}}}}}}\n",
            HERE,
        )


@pytest.mark.parametrize(
    "name", ["egress", "sandbox", "docs", "upstream:docs", "api.acme.com", "a.b.com", "d"]
)
def test_privacy_for_a_destination_that_is_there_is_taken(name):
    assert parse(
        "version: 1\negress: {allow: ['api.acme.com:8443', '*.b.com']}\n"
        "upstreams: {docs: {url: 'http://127.0.0.1:1/mcp'}}\n"
        "tools: {sql: {databases: {d: {url: 'sqlite:///d.db'}}}}\n"
        f"privacy: {{destinations: {{'{name}': {{outbound: {{SECRET: block}}}}}}}}\n",
        HERE,
    ).settings.privacy.destinations
