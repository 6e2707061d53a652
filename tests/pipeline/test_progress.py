# SPDX-License-Identifier: Apache-2.0
"""What a caller is told while a call runs: no more than the result would show, and nothing after it."""

import anyio
import pytest

from gate import World, text_of
from yett.action import Arrival, FindingAction, Kind, RedactedResult, Request, Secret, ToolResult, Transport
from yett.errors import ExecutionError
from yett.pipeline import Pipeline, PipelineSettings
from yett.privacy.redactor import Redactor
from yett.privacy.settings import PrivacySettings
from yett.progress import Progress, ProgressSettings, Screener, told

pytestmark = pytest.mark.anyio
QUICK = ProgressSettings(interval=0.01)
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
PRIVATE_KEY = [
    "-----BEGIN PRIVATE KEY-----",
    *("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" for _ in range(8)),
    "-----END PRIVATE KEY-----",
]


class Ear:
    """A client that hears."""

    def __init__(self):
        self.said = []

    async def tell(self, seconds, message):
        self.said.append((seconds, message))

    @property
    def text(self):
        return "\n".join(line for _, message in self.said for line in message.split("\n")[1:])

    async def heard(self, count=1):
        wanted = len(self.said) + count
        with anyio.fail_after(10):
            while len(self.said) < wanted:  # noqa: ASYNC110 - a client has no event to wait for
                await anyio.sleep(0.002)


class Looker:
    """The redactor of a gate, as the pipeline hands it to progress."""

    def __init__(self, **inbound):
        settings = PrivacySettings(key=Secret("k" * 32), **({"inbound": inbound} if inbound else {}))
        self.redactor = Redactor(settings)

    async def __call__(self, part: ToolResult) -> RedactedResult:
        from yett.testing import make_action

        return self.redactor.inbound(make_action("shell_run"), part)


async def shown(*pieces, stream="stdout", settings=QUICK, look=None):
    """What is told of output that comes in these pieces, each after the last one was told of."""
    ear = Ear()
    async with Progress(ear.tell, look or Looker(), settings).telling() as on_output:
        for piece in pieces:
            await on_output(stream, piece.encode())
            await ear.heard(2)
    return ear


async def test_seconds_and_bytes_are_told_and_whole_lines():
    ear = await shown("one\ntw", "o\n")
    assert ear.text == "one\ntwo"
    assert ear.said[0][1] == "0 s, 6 bytes of output\none"
    seconds = [at for at, _ in ear.said]
    assert seconds == sorted(set(seconds))


async def test_a_call_without_output_tells_seconds_alone():
    ear = Ear()
    async with Progress(ear.tell, Looker(), QUICK).telling():
        await ear.heard()
    assert ear.said[0][1] == "0 s"


async def test_a_secret_in_a_line_is_masked_as_in_a_result():
    ear = await shown(f"key {AWS_KEY}\nnext\n")
    assert ear.text == "key [SECRET]\nnext"


async def test_a_line_is_held_back_until_it_has_ended():
    ear = await shown(f"key {AWS_KEY[:9]}", f"{AWS_KEY[9:]}\n")
    assert ear.text == "key [SECRET]"


async def test_a_key_over_many_lines_is_never_shown_in_part():
    ear = await shown("before\n", *(f"{line}\n" for line in PRIVATE_KEY), "after\n")
    assert ear.text == "before\n[SECRET]\nafter"
    ear = await shown("before\n", *(f"{line}\n" for line in PRIVATE_KEY[:-1]))
    assert ear.text == "before"


async def test_lines_that_continue_something_private_end_the_text():
    """A card whose digits are on two lines: what was shown can't be taken back, so no more is shown."""
    ear = await shown("card 4111 1111\n", "1111 1111\nmore\n", "and more\n")
    assert "1111 1111" not in ear.text.replace("card 4111 1111", "", 1)
    assert "more" not in ear.text


async def test_what_may_be_one_json_document_is_not_shown_line_by_line():
    ear = await shown(' \n{\n"password":\n', '"hunter2"\n', "}\n")
    assert ear.text == ""
    assert "bytes of output" in ear.said[-1][1]


async def test_output_that_comes_faster_than_it_can_be_looked_at_is_counted_only():
    limits = ProgressSettings(interval=0.01, held=100)
    assert (await shown("x" * 99 + "\n", settings=limits)).text == "x" * 99
    ear = await shown("x" * 100 + "\n", "later\n", settings=limits)
    assert ear.text == ""
    assert ear.said[-1][1].endswith("107 bytes of output")


async def test_one_telling_shows_the_last_whole_lines_only():
    limits = ProgressSettings(interval=0.01, shown=12)
    assert (await shown("first\nsecond\nthird\n", settings=limits)).text == "third"
    assert (await shown("a line that is far too long\n", settings=limits)).text == ""


async def test_lines_are_looked_at_with_those_before_them_up_to_a_limit():
    looks = []

    async def look(part):
        looks.append(part.content[0]["text"])
        return RedactedResult(result=part)

    limits = ProgressSettings(interval=0.01, context=8)
    ear = await shown("one\n", "two\n", "three\n", settings=limits, look=look)
    assert ear.text == "one\ntwo\nthree"
    assert looks == ["one\n", "one\n", "one\ntwo\n", "one\ntwo\n", "one\ntwo\nthree\n", "three\n"]


async def test_the_two_streams_are_looked_at_apart():
    ear = Ear()
    async with Progress(ear.tell, Looker(), QUICK).telling() as on_output:
        await on_output("stdout", b"out ")
        await on_output("stderr", b"err\n")
        await on_output("stdout", b"put\n")
        await ear.heard(2)
    assert sorted(ear.text.split("\n")) == ["err", "out put"]


async def test_nothing_is_told_after_the_call():
    ear = Ear()
    async with Progress(ear.tell, Looker(), QUICK).telling() as on_output:
        await on_output("stdout", b"one\n")
        await ear.heard()
    before = list(ear.said)
    await on_output("stdout", b"late\n")
    await anyio.sleep(0.05)
    assert ear.said == before


async def test_a_client_that_does_not_read_holds_nothing_up_and_is_told_no_more():
    tried = []

    async def tell(seconds, message):
        tried.append(message)
        await anyio.sleep_forever()

    limits = ProgressSettings(interval=0.01, send=0.01)
    with anyio.fail_after(10):
        async with Progress(tell, Looker(), limits).telling():
            await anyio.sleep(0.2)
    assert len(tried) == 1


async def test_what_a_tool_raises_comes_out_as_it_is():
    with pytest.raises(ExecutionError, match="as it is"):
        async with told(Ear().tell, Looker(), QUICK):
            raise ExecutionError("as it is")


async def test_a_redactor_that_breaks_ends_the_call():
    async def look(part):
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):  # noqa: PT012 - the block is the call
        async with Progress(Ear().tell, look, QUICK).telling() as on_output:
            await on_output("stdout", b"one\n")
            await anyio.sleep(5)


async def test_a_screened_text_of_a_forbidden_kind_is_the_refusal():
    screen = Screener(Looker(CREDIT_CARD=FindingAction.BLOCK))
    assert await screen("card 4111 1111 1111 1111") == "The result was withheld: it holds CREDIT_CARD."
    assert [finding.entity for finding in screen.findings] == ["CREDIT_CARD"]


class Loud:
    """Gives the tray of a world a voice."""

    def __init__(self, world, text):
        self.definition = world.tray.definition
        self.text = text
        self.call = None
        self.screened = ""

    async def run(self, call):
        self.call = call
        self.screened = await call.screen(self.text)
        if call.on_output is not None:
            await call.on_output("stdout", self.text.encode())
            await anyio.sleep(0.1)
        return ToolResult.text("kept")


async def through_the_gate(text, tell):
    from yett.tools.toolbox import BuiltinTools, Toolbox

    world = World()
    loud = Loud(world, text)
    world.use(execute=Toolbox((BuiltinTools((loud,)),)))
    world.gate = Pipeline(world.rooms, PipelineSettings(hold=0.01, progress=QUICK))
    arrival = Arrival(transport=Transport.STDIO, credential=Secret("research-1"))
    request = Request(kind=Kind.TOOL, name="note", arguments={"text": "x"}, arrival=arrival, tell=tell)
    return world, loud, await world.gate.pass_(request)


async def test_the_gate_tells_who_asked_and_redacts_what_it_tells():
    ear = Ear()
    _, loud, reply = await through_the_gate(f"key {AWS_KEY}\n", ear.tell)
    assert text_of(reply) == "kept"
    assert ear.text == "key [SECRET]"
    assert loud.screened == "key [SECRET]\n"


async def test_the_gate_tells_nobody_who_did_not_ask():
    _, loud, _ = await through_the_gate("x\n", None)
    assert loud.call.on_output is None


async def test_what_a_kept_text_held_stands_in_the_outcome_once():
    world, _, _ = await through_the_gate(f"key {AWS_KEY}\n", Ear().tell)
    (outcome,) = [record for record in world.audit.records if record.event == "outcome"]
    assert [finding["entity"] for finding in outcome.fields["findings"]] == ["SECRET"]
    assert AWS_KEY not in str(world.audit.records)
