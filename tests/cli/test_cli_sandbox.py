# SPDX-License-Identifier: Apache-2.0
import importlib
import io
import json
import secrets

import pytest
from rich.console import Console

from yett.cli.sandbox_bench import NEVER_USED, SESSION, Figure, Report, Row, Size, run_bench, show
from yett.cli.sandbox_contenders import Absent, other_ways
from yett.cli.sandbox_measures import percentile
from yett.sandbox.images import ImageStore, Step
from yett.sandbox.settings import SandboxSettings

TINY_RUN = Size(rounds=2, seconds=0.2, strict_seconds=0.5, kills=1)


@pytest.fixture(scope="module")
def settings():
    from yett.cli.sandbox_build import cache_folder
    from yett.sandbox.images import build_tiny

    tag = f"bench-{secrets.token_hex(4)}"
    with ImageStore(SandboxSettings().engine) as store:
        name = build_tiny(store, cache=cache_folder(), tag=tag).name
        yield SandboxSettings(image=name, engine_deadline=30.0)
        store.remove(name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "debian"), "--from needs --tag"),
        (("tiny", "--from", "debian", "--tag", "a/b"), "--from goes with base"),
        (("--from", "debian", "--tag", "a/b", "--arch", "arm64"), "--arch is for tiny and base"),
        (("tiny", "--sources", "/dev/null"), "--sources is for `base`"),
        (("huge",), "'huge'"),
        (("tiny", "--arch", "mips"), "'mips'"),
    ],
)
def test_what_does_not_go_together_is_exit_2_and_said(yett, words, said):
    done = yett("sandbox", "build", *words)
    assert done.code == 2
    assert said in done.out + done.err


@pytest.mark.engine
def test_a_build_tells_what_it_made_and_then_that_it_is_there(yett):
    tag = f"cli-{secrets.token_hex(4)}"
    try:
        first = yett("sandbox", "build", "--tag", tag)
        assert (first.code, first.err) == (0, "")
        assert first.out.startswith(f"Built yett/tiny:{tag} (")
        again = yett("sandbox", "build", "tiny", "--tag", tag)
        assert again.out.startswith(f"yett/tiny:{tag} is there and current (")
        assert yett("sandbox", "build", "--tag", tag, "--quiet").out == ""
        told = json.loads(yett("sandbox", "build", "--tag", tag, "--json").out)
        assert (told["name"], told["new"]) == (f"yett/tiny:{tag}", False)
        assert yett("sandbox", "build", "--tag", tag, "--no-cache").out.startswith("Built ")
    finally:
        with ImageStore(SandboxSettings().engine) as store:
            store.remove(f"yett/tiny:{tag}")


@pytest.mark.parametrize("module", ["sandbox_build", "sandbox_bench"])
def test_on_a_terminal_each_step_is_shown_and_elsewhere_nothing(monkeypatch, module):
    shown = importlib.import_module(f"yett.cli.{module}")
    for terminal in (True, False):
        out = io.StringIO()
        monkeypatch.setattr(shown, "problems", Console(file=out, force_terminal=terminal, width=120))
        with shown._shown() as tell:
            step = Step(number=2, of=4, title="install [bold]", detail="one\x1b[2J")
            tell(step if module == "sandbox_build" else "round [red] 1/2")
        assert bool(out.getvalue()) is terminal
        if terminal:
            assert ("install [bold]: one\\x1b[2J" in out.getvalue()) or ("round [red] 1/2" in out.getvalue())


@pytest.mark.engine
def test_an_own_image_that_the_engine_does_not_have_is_exit_3_with_advice(yett):
    done = yett("sandbox", "build", "--from", "yett-test/none", "--tag", "yett-test/made")
    assert done.code == 3
    assert "has no image yett-test/none" in done.err
    assert "docker pull yett-test/none" in done.err


@pytest.mark.engine
def test_a_run_measures_every_way_in_turn_and_every_figure(settings, capsys):
    words = []
    report = run_bench(settings, TINY_RUN, other_ways, words.append)
    rows = {row.name: row for row in report.rows}
    assert rows[NEVER_USED].ratio == 1.0
    for name in (SESSION, "plain process", "docker exec", "docker run --rm, same hardening"):
        assert rows[name].p95 >= rows[name].p50 > 0
    assert rows["docker run --rm, same hardening"].p50 > rows[NEVER_USED].p50
    figures = {figure.name: figure for figure in report.figures}
    assert figures["strict mode, failures"].value == 0
    assert figures["strict mode, 4 callers"].value > 0
    assert all(figure.value is not None for figure in report.figures)
    assert "calls in turn, round 2/2" in words
    show(report)
    assert "RATIO" in capsys.readouterr().out
    assert json.loads(json.dumps(report.json()))["ways"][0]["name"] == report.rows[0].name


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_is_not_installed_is_named_and_not_guessed(monkeypatch, tmp_path, anyio_backend):
    monkeypatch.setenv("PATH", str(tmp_path))
    async with other_ways(SandboxSettings(), "none") as ways:
        absent = {way.name: way.why for way in ways if isinstance(way, Absent)}
    assert set(absent) == {"bubblewrap --unshare-all", "docker exec", "docker run --rm, same hardening"}
    assert absent["bubblewrap --unshare-all"] == "not installed: apt-get install bubblewrap"


def test_a_target_is_met_or_missed_and_without_a_value_neither(capsys):
    assert Figure(name="a", value=5.0, unit="ms", target=5).verdict == "met"
    assert Figure(name="a", value=5.1, unit="ms", target=5).verdict == "missed"
    assert Figure(name="a", value=999.0, unit="calls/s", target=1000, least=True).verdict == "missed"
    assert Figure(name="a", value=None, unit="MB", target=8).verdict == ""
    figures = (Figure(name="memory", value=None, unit="MB", target=8),)
    show(Report(rows=(Row(name="bubblewrap", absent="not installed"),), figures=figures))
    said = capsys.readouterr().out
    assert "absent (not installed)" in said
    assert "cannot be seen here" in said


def test_a_percentile_is_one_of_the_times():
    times = [0.5, 0.1, 0.4, 0.2, 0.3]
    assert (percentile(times, 0.5), percentile(times, 0.95), percentile([7.0], 0.95)) == (0.3, 0.5, 7.0)


@pytest.mark.parametrize(
    ("difference", "each"), [(-5.0, None), (0.0, None), (7.9, None), (8.0, 4.0), (20.0, 10.0)]
)
def test_memory_that_other_programs_moved_is_not_measured_and_meets_no_target(difference, each):
    from yett.cli.sandbox_measures import each_takes

    assert each_takes(difference, 2, 4.0) == each
