# SPDX-License-Identifier: Apache-2.0
"""file_search: the words ripgrep is given, and its answer, which comes from a hostile container."""

import base64
import json
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ExecutionError, ExecutionTimeout
from yett.testing import MemorySandboxes
from yett.tools.file_search import FileSearch
from yett.tools.ripgrep import TEXT_LIMIT, Search, arguments_of, read_lines

sys.path.insert(0, str(Path(__file__).parent))

from tool_calls import done, text_of

pytestmark = pytest.mark.anyio
WHERE = "/workspace/src"


def row(kind="match", path=f"{WHERE}/a.py", text="hello\n", number=3, **data):
    """As ripgrep 13 prints it."""
    told = {
        "path": {"text": path},
        "lines": {"text": text},
        "line_number": number,
        "absolute_offset": 9,
        "submatches": [],
        **data,
    }
    return json.dumps({"type": kind, "data": told}).encode() + b"\n"


BEGIN = b'{"type":"begin","data":{"path":{"text":"/workspace/src/a.py"}}}\n'
END = b'{"type":"end","data":{"path":{"text":"/workspace/src/a.py"},"binary_offset":null,"stats":{}}}\n'
SUMMARY = b'{"data":{"elapsed_total":{},"stats":{}},"type":"summary"}\n'


def answering(output, code=0, err=b""):
    async def rg(running):
        await running.out(output)
        await running.err(err)
        return code

    boxes = MemorySandboxes({"rg": rg})
    boxes.of("s-1").files.put(f"{WHERE}/a.py", b"hello\n")
    return boxes


async def searched(output, code=0, err=b"", **arguments):
    boxes = answering(output, code, err)
    return await done(FileSearch(boxes), **{"path": WHERE, "pattern": "hello", **arguments})


async def test_matches_are_lines_of_text_and_structured():
    context = row("context", number=4, text="beside\r\n")
    result = await searched(BEGIN + row() + context + END + SUMMARY, context=1)
    assert text_of(result) == f"{WHERE}/a.py:3: hello\n{WHERE}/a.py:4- beside"
    assert result.structured == {
        "lines": [
            {"path": f"{WHERE}/a.py", "line": 3, "text": "hello", "match": True},
            {"path": f"{WHERE}/a.py", "line": 4, "text": "beside", "match": False},
        ],
        "truncated": False,
    }
    jsonschema.validate(result.structured, FileSearch(MemorySandboxes()).definition.output_schema)


async def test_no_match_is_said():
    result = await searched(SUMMARY, code=1)
    assert (text_of(result), result.is_error) == ("[no match]", False)
    assert result.structured == {"lines": [], "truncated": False}


async def test_names_alone_can_be_asked_for():
    result = await searched(BEGIN + row() + END + row(path=f"{WHERE}/b") + SUMMARY, files_only=True)
    assert text_of(result) == f"{WHERE}/a.py\n{WHERE}/b"


async def test_more_matches_than_asked_for_are_cut_and_said():
    rows = b"".join(row(number=n) for n in range(1, 4))
    result = await searched(rows, max_results=2)
    assert text_of(result).splitlines()[2:] == [
        "[there are more matches: narrow the pattern, the path or the glob]"
    ]
    assert result.structured["truncated"] is True
    assert "more" not in text_of(await searched(rows, max_results=3))


async def test_a_long_line_is_cut_and_a_name_stays_on_one_line():
    result = await searched(row(text="x" * (TEXT_LIMIT + 1), path=f"{WHERE}/two\nlines"))
    assert text_of(result) == f'"{WHERE}/two\\nlines":3: {"x" * TEXT_LIMIT} [the line is longer]'


async def test_bytes_that_are_no_text_are_shown_as_text():
    raw = base64.b64encode(b"\xffhello\n").decode()
    assert text_of(await searched(row(lines={"bytes": raw}))) == f"{WHERE}/a.py:3: \ufffdhello"


async def test_without_ripgrep_the_image_that_has_it_is_named():
    boxes = MemorySandboxes()
    with pytest.raises(ExecutionError, match=r"no ripgrep.*yett/base"):
        await done(FileSearch(boxes), path="/workspace", pattern="x")


async def test_what_ripgrep_complains_of_is_a_result_so_that_it_is_redacted():
    result = await searched(b"", code=2, err=b"regex parse error: (\n" + b"x" * 9000)
    assert result.is_error
    assert text_of(result).startswith("ripgrep failed: regex parse error")
    assert len(text_of(result)) < 2100
    partly = await searched(BEGIN + row() + END, code=2)
    assert text_of(partly).endswith("hello\n[some files could not be read]")


async def test_a_search_that_does_not_end_is_said():
    async def rg(running):
        import anyio

        await anyio.sleep_forever()

    boxes = MemorySandboxes({"rg": rg})
    with pytest.raises(ExecutionTimeout, match="smaller folder"):
        await done(FileSearch(boxes, timeout=0.01), path="/workspace", pattern="x")
    with pytest.raises(ExecutionError, match="ended before it was done"):
        await searched(b"", code=137)


WORDS = [
    "--pre=/workspace/evil",
    "-f/etc/passwd",
    "--",
    "-",
    "--hostname-bin=x",
    "; id",
    "$(id)",
    "!*.py",
    "\n",
]


@pytest.mark.parametrize("word", WORDS)
async def test_no_argument_becomes_an_option(word):
    argv = arguments_of(Search(pattern=word, path=WHERE, globs=(word, word)))
    assert argv[-3:] == (f"--regexp={word}", "--", WHERE)
    assert argv.count(f"--glob={word}") == 2
    assert argv[:3] == ("rg", "--no-config", "--json")
    before = argv[: argv.index(f"--glob={word}")]
    assert all(part.startswith("--") for part in before[1:])
    assert not {"--pre", "--follow", "--search-zip"} & {part.partition("=")[0] for part in before}


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_pattern_that_is_no_text_is_refused(text):
    for search in (Search(pattern=text, path=WHERE), Search(pattern="a", path=WHERE, globs=(text,))):
        with pytest.raises(ExecutionError, match="not valid text"):
            arguments_of(search)


def test_what_is_asked_for_is_what_ripgrep_is_told():
    search = Search(
        pattern="a", path="/w", case="insensitive", fixed=True, context=2, limit=9, hidden=True, ignored=True
    )
    assert {"--ignore-case", "--fixed-strings", "--context=2", "--max-count=10"} < set(arguments_of(search))
    assert {"--hidden", "--no-ignore"} < set(arguments_of(search))
    plain = arguments_of(Search(pattern="a", path="/w"))
    assert not {"--hidden", "--no-ignore", "--fixed-strings"} & set(plain)
    assert "--smart-case" in plain


STRANGE = {
    "no JSON": b"hello\n",
    "a row without an end": row()[:-1],
    "a list": b"[]\n",
    "an unknown type": b'{"type":"exec","data":{}}\n',
    "no data": b'{"type":"match"}\n',
    "no path": row(path={}),
    "a path outside": row(path="/etc/passwd"),
    "a path that climbs out": row(path=f"{WHERE}/../../etc/passwd"),
    "a path beside": row(path="/workspace/src2/a"),
    "a relative path": row(path="a.py"),
    "a line number that is none": row(number=0),
    "a line number that is a word": row(number="3"),
    "a line number that is true": row(number=True),
    "a huge line number": row(number=1 << 60),
    "no lines": row(lines=None),
    "two forms of a text": row(lines={"text": "a", "bytes": "YQ=="}),
    "broken base64": row(lines={"bytes": "!"}),
    "a text of two lines": row(text="hello\n/etc/passwd:1: root\n"),
    "deep nesting": b"[" * 100_000 + b"\n",
    "a huge number": b'{"type":' + b"9" * 5000 + b"}\n",
}


@pytest.mark.parametrize("what", STRANGE)
async def test_an_answer_that_is_not_ripgrep_s_is_not_shown(what):
    output = STRANGE[what] if what != "no path" else row().replace(b'"text": "/workspace/src/a.py"', b"")
    with pytest.raises(ExecutionError, match="did not answer as ripgrep does") as refused:
        await searched(BEGIN + output)
    assert "passwd" not in str(refused.value)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_lines_below_the_path_or_refused(output, cut):
    search = Search(pattern="a", path=WHERE)
    for data in (output, row() + output, row()[:30] + output):
        try:
            lines, _ = read_lines(data, search, cut=cut)
        except ExecutionError:
            continue
        assert all(line.path.startswith(WHERE) for line in lines)


async def test_output_that_was_cut_is_read_up_to_its_last_whole_row():
    lines, more = read_lines(row() + row(number=4)[:40], Search(pattern="a", path=WHERE), cut=True)
    assert ([line.number for line in lines], more) == ([3], True)


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": ""},
        {"pattern": "x" * 4097},
        {"path": "src"},
        {"glob": ["x"] * 21},
        {"glob": [""]},
        {"glob": ["x" * 513]},
        {"case": "upper"},
        {"context": 21},
        {"max_results": 0},
        {"max_results": 1001},
        {"pre": "sh"},
    ],
)
def test_the_schema_refuses_what_the_tool_does_not_take(change):
    schema = FileSearch(MemorySandboxes()).definition.input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"pattern": "x", "path": "/w", "glob": ["*.py"] * 20, "context": 20, "max_results": 1000}
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | change, schema)
