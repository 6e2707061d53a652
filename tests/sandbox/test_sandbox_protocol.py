# SPDX-License-Identifier: Apache-2.0
import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ExecutionError
from yett.ports import FileEntry
from yett.sandbox.connection_frames import (
    PIECE,
    Bytes,
    Ended,
    Granted,
    Opened,
    Reset,
    encode_data,
    encode_end,
    encode_grant,
    encode_reset,
)
from yett.sandbox.protocol import Data, Done, Entries, Exit, Failure, Hello, Info, Output, Parser
from yett.sandbox.requests import (
    Limit,
    encode_begin,
    encode_exec,
    encode_kill,
    encode_list,
    encode_read,
    encode_stat,
    encode_write,
)
from yett.sandbox.wire import CHUNK, ProtocolViolation


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<I", len(payload)) + kind + payload


def entry(kind=b"f", *, size=1, mode=0o644, modified=2_000_000_000, name=b"n", name_size=None) -> bytes:
    return (
        struct.pack("<cQIqH", kind, size, mode, modified, len(name) if name_size is None else name_size)
        + name
    )


ALL = [
    (frame(b"R", b"\2secret"), Hello(2, b"secret")),
    (frame(b"R", b"s"), Hello(ord("s"), b"")),
    (frame(b"1", b"\0out"), Output(0, "stdout", b"out")),
    (frame(b"2", b"\10err"), Output(8, "stderr", b"err")),
    (frame(b"E", b"\0\0\7"), Exit(0, 7, None)),
    (frame(b"E", b"\3\1\11"), Exit(3, None, 9)),
    (frame(b"o", b"\1\2"), Opened(0x201)),
    (frame(b"d", b"\1\0data"), Bytes(1, b"data")),
    (frame(b"g", b"\1\0\0\0\1\0"), Granted(1, 1 << 16)),
    (frame(b"e", b"\377\377"), Ended(0xFFFF)),
    (frame(b"x", b"\0\0"), Reset(0)),
    (frame(b"D", b"data"), Data(b"data")),
    (frame(b"O"), Done()),
    (frame(b"F", struct.pack("<I", 2) + b"open"), Failure(2, "open")),
    (
        frame(b"I", entry(name=b"")),
        Info(FileEntry(name="", kind="file", size=1, mode=0o644, modified_at=2.0)),
    ),
    (
        frame(b"N", entry() + entry(b"l", name=b"\xff")),
        Entries(
            (
                FileEntry(name="n", kind="file", size=1, mode=0o644, modified_at=2.0),
                FileEntry(name="\udcff", kind="symlink", size=1, mode=0o644, modified_at=2.0),
            )
        ),
    ),
]

HOSTILE = {
    "unknown type": frame(b"Z"),
    "a request as an answer": frame(b"X", b"\0" * 9),
    "over the limit": struct.pack("<I", CHUNK + 1) + b"1",
    "4 GiB": b"\xff\xff\xff\xff1",
    "empty output": frame(b"1", b"\0"),
    "output without a slot": frame(b"1"),
    "output of slot 9": frame(b"2", b"\11x"),
    "empty data": frame(b"D"),
    "exit too short": frame(b"E", b"\0\0"),
    "exit too long": frame(b"E", b"\0\0\0\0"),
    "exit of slot 9": frame(b"E", b"\11\0\0"),
    "exit of no kind": frame(b"E", b"\0\2\0"),
    "signal 0": frame(b"E", b"\0\1\0"),
    "signal 65": frame(b"E", b"\0\1\x41"),
    "failure too short": frame(b"F", b"\1\0\0"),
    "failure too long": frame(b"F", b"\1" * 69),
    "done with bytes": frame(b"O", b"x"),
    "greeting too long": frame(b"R", b"x" * 258),
    "greeting without a version": frame(b"R"),
    "opening too short": frame(b"o", b"\0"),
    "opening too long": frame(b"o", b"\0\0\0"),
    "connection data without an id": frame(b"d", b"\0"),
    "empty connection data": frame(b"d", b"\0\0"),
    "grant too short": frame(b"g", b"\0\0\0\0\0"),
    "grant too long": frame(b"g", b"\0" * 7),
    "end too long": frame(b"e", b"\0\0\0"),
    "reset too short": frame(b"x"),
    "entry cut short": frame(b"N", entry()[:10]),
    "entry name past the end": frame(b"N", entry(name_size=200)),
    "entry name of 256": frame(b"N", entry(name=b"n" * 256)),
    "entry name with a slash": frame(b"N", entry(name=b"../x")),
    "entry name with NUL": frame(b"N", entry(name=b"a\0b")),
    "entry name ..": frame(b"N", entry(name=b"..")),
    "entry of no kind": frame(b"N", entry(b"z")),
    "entry mode": frame(b"N", entry(mode=0o10000)),
    "information about nothing": frame(b"I"),
    "information about two": frame(b"I", entry(name=b"") * 2),
    "information with a name": frame(b"I", entry()),
}


@given(st.lists(st.sampled_from(ALL), max_size=20), st.data())
def test_answers_come_out_in_order_however_the_bytes_were_cut(answers, data):
    whole = b"".join(raw for raw, _ in answers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    parser, got = Parser(), []
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        got += parser.feed(whole[begin:end])
    assert got == [value for _, value in answers]
    assert not parser.waiting


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_frame_that_the_runner_never_sends_ends_the_conversation_for_good(hostile):
    parser = Parser()
    with pytest.raises(ProtocolViolation):
        parser.feed(hostile)
    with pytest.raises(ProtocolViolation, match="already failed"):
        parser.feed(frame(b"O"))


@given(st.binary(max_size=2000))
def test_any_bytes_give_answers_or_a_violation_and_nothing_else(raw):
    parser = Parser()
    try:
        answers = parser.feed(raw)
    except ProtocolViolation:
        return
    assert sum(len(getattr(a, "data", b"")) for a in answers) <= len(raw)


@given(st.sampled_from(ALL), st.data())
def test_one_changed_byte_never_raises_anything_but_a_violation(answer, data):
    raw = bytearray(answer[0])
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolViolation):
        Parser().feed(bytes(raw))


def test_a_frame_of_the_largest_size_is_taken():
    largest = b"\0" + b"x" * (CHUNK - 1)
    assert Parser().feed(frame(b"1", largest)) == [Output(0, "stdout", largest[1:])]


def test_requests_have_the_bytes_that_the_runner_reads():
    program = encode_exec(["a", "b"], env={"K": "v"}, cwd="/w", stdin=b"in", limits={Limit.FILE_SIZE: 7})
    body = struct.pack("<HHB", 2, 1, 1) + struct.pack("<BQ", 1, 7) + b"/w\0a\0b\0K=v\0in"
    assert program == frame(b"X", b"\0" + body)
    beside = encode_exec(
        ["a", "b"], env={"K": "v"}, cwd="/w", stdin=b"in", limits={Limit.FILE_SIZE: 7}, slot=8
    )
    assert beside == frame(b"X", b"\10" + body)
    assert encode_begin(port=3128) == frame(b"B", struct.pack("<H", 3128))
    assert encode_kill(3) == frame(b"K", b"\3")
    assert encode_read("/f", offset=1, limit=2) == frame(b"G", struct.pack("<QQ", 1, 2) + b"/f\0")
    assert encode_write("/f", b"data", append=True) == frame(b"P", b"\1/f\0data")
    assert encode_list("/d", limit=3) == frame(b"L", struct.pack("<I", 3) + b"/d\0")
    assert encode_stat("/udcff".replace("udcff", "\udcff")) == frame(b"S", b"/\xff\0")


@pytest.mark.parametrize("slot", [-1, 9])
def test_there_are_no_other_slots(slot):
    with pytest.raises(ValueError, match="no slot"):
        encode_kill(slot)


@given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=2000), st.integers(0, 0xFFFFFFFF))
def test_what_is_said_of_a_connection_reads_as_it_was_meant(number, data, more):
    said = encode_data(number, data) + encode_grant(number, more) + encode_end(number) + encode_reset(number)
    meant = [Bytes(number, data), Granted(number, more), Ended(number), Reset(number)]
    assert Parser().feed(said) == meant


def test_the_largest_piece_of_a_connection_fits_a_frame():
    assert Parser().feed(encode_data(1, b"x" * PIECE)) == [Bytes(1, b"x" * PIECE)]
    with pytest.raises(ProtocolViolation):
        Parser().feed(encode_data(1, b"x" * (PIECE + 1)))


@pytest.mark.parametrize("path", ["", "relative", "/nul\0", "/lone\ud800", "/" + "x" * 4095])
def test_a_path_that_the_runner_would_not_take_is_not_sent(path):
    with pytest.raises(ExecutionError):
        encode_stat(path)


def test_a_path_of_the_largest_size_is_sent():
    assert len(encode_stat("/" + "x" * 4094)) == 5 + 4096


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_no_argument_can_put_a_string_of_its_own_into_a_request(program, argument, env):
    try:
        raw = encode_exec([program, argument], env=env, cwd="/", limits={})
    except ExecutionError:
        return
    assert raw[5:].count(b"\0") - raw[5:11].count(b"\0") == 3 + len(env)


def test_more_strings_than_the_runner_takes_are_not_sent():
    encode_exec(["x"] * 4096, env={}, cwd="/", limits={})
    with pytest.raises(ExecutionError, match="4096"):
        encode_exec(["x"] * 4096, env={"A": "b"}, cwd="/", limits={})


@pytest.mark.parametrize(("offset", "limit"), [(-1, 0), (1 << 63, 0), (0, -1), (0, 1 << 63)])
def test_offsets_and_limits_out_of_range_are_not_sent(offset, limit):
    with pytest.raises(ExecutionError, match="out of range"):
        encode_read("/f", offset=offset, limit=limit)
