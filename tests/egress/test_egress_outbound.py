# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl

import anyio
import pytest
from egress_loopback import AGENT, answering, certificate, serving

from yett.action import Secret
from yett.egress.outbound import Egress
from yett.egress.settings import EgressCredential, EgressLimits, EgressRule, EgressSettings
from yett.errors import ConfigurationError, EgressRefused, ExecutionError, ExecutionTimeout
from yett.ports import HttpRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
def server():
    with serving() as running:
        yield running


def egress_to(server, *, resolve=None, **settings):
    rule = EgressRule(host=f"127.0.0.1:{server.port}")
    built = EgressSettings(**{"allow": (rule,), **settings})
    return Egress(built, resolve=resolve) if resolve else Egress(built)


def get(server, path="/", **fields):
    return HttpRequest(**{"method": "GET", "url": f"http://127.0.0.1:{server.port}{path}", **fields})


async def test_an_allowed_request_arrives_as_it_was_matched(server):
    response = await egress_to(server).send(
        get(server, "/a/../b%7e?q=%41", method="POST", body=b"data", headers=(("X-Mine", "1"),)), AGENT
    )
    assert (response.status, response.body) == (200, b"hello")
    assert server.last.method == "POST"
    assert server.last.target == "/b~?q=A"
    assert server.last.body == b"data"
    assert server.last.header("host") == [f"127.0.0.1:{server.port}"]
    assert server.last.header("x-mine") == ["1"]


async def test_a_redirect_is_not_followed(server):
    server.answers["/r"] = (302, [("Location", "/elsewhere")], b"")
    response = await egress_to(server).send(get(server, "/r"), AGENT)
    assert response.status == 302
    assert [seen.target for seen in server.seen] == ["/r"]


async def test_a_proxy_of_the_environment_is_not_used(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await egress_to(server).send(get(server), AGENT)).status == 200


async def test_a_host_that_is_not_allowed_is_never_resolved(server):
    resolve = answering()
    with pytest.raises(EgressRefused, match=r"secret\.evil\.example is not on"):
        await egress_to(server, resolve=resolve).send(get(server, url="https://secret.evil.example/"), AGENT)
    assert resolve.asked == []


async def test_the_connection_goes_to_the_checked_address_under_the_name(tmp_path):
    ca_file, context = certificate(tmp_path, "api.acme.test")
    resolve = answering(api_acme_test=["127.0.0.1"])
    with serving(context) as server:
        rule = EgressRule(host=f"api.acme.test:{server.port}", private=True)
        egress = Egress(EgressSettings(allow=(rule,), ca_file=ca_file), resolve=resolve)
        response = await egress.send(get(server, url=f"https://api.acme.test:{server.port}/x"), AGENT)
    assert response.status == 200
    assert resolve.asked == ["api.acme.test"]
    assert server.names == ["api.acme.test"]
    assert server.last.header("host") == [f"api.acme.test:{server.port}"]


async def test_a_certificate_for_another_name_is_refused(tmp_path):
    ca_file, context = certificate(tmp_path, "other.acme.test", "127.0.0.1")
    with serving(context) as server:
        rule = EgressRule(host=f"api.acme.test:{server.port}", private=True)
        egress = Egress(
            EgressSettings(allow=(rule,), ca_file=ca_file), resolve=answering(api_acme_test=["127.0.0.1"])
        )
        with pytest.raises(ExecutionError, match="certificate is not valid"):
            await egress.send(get(server, url=f"https://api.acme.test:{server.port}/x"), AGENT)
    assert server.seen == []


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path):
    _, context = certificate(tmp_path, "127.0.0.1")
    with serving(context) as server, pytest.raises(ExecutionError, match="certificate is not valid"):
        await egress_to(server).send(get(server, url=f"https://127.0.0.1:{server.port}/"), AGENT)
    assert server.seen == []


@pytest.mark.parametrize(("named", "works"), [(None, False), ("1.2", True)])
async def test_tls_1_2_is_spoken_only_where_the_rule_names_it(tmp_path, named, works):
    ca_file, context = certificate(tmp_path, "127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(context) as server:
        rule = EgressRule(host=f"127.0.0.1:{server.port}", tls_min=named)
        egress = Egress(EgressSettings(allow=(rule,), ca_file=ca_file))
        request = get(server, url=f"https://127.0.0.1:{server.port}/")
        if works:
            assert (await egress.send(request, AGENT)).status == 200
        else:
            with pytest.raises(ExecutionError, match="TLS"):
                await egress.send(request, AGENT)


async def test_the_second_address_is_tried_when_the_first_takes_no_connection(server):
    resolve = answering(a_test=["127.0.0.2", "127.0.0.1"])
    rule = EgressRule(host=f"a.test:{server.port}", private=True)
    request = get(server, url=f"http://a.test:{server.port}/")
    assert (await egress_to(server, allow=(rule,), resolve=resolve).send(request, AGENT)).status == 200
    one = EgressLimits(addresses=1)
    with pytest.raises(ExecutionError, match="not accepted"):
        await egress_to(server, allow=(rule,), resolve=resolve, limits=one).send(request, AGENT)


async def test_a_silent_server_ends_at_the_deadline(server):
    server.hold.clear()
    with pytest.raises(ExecutionTimeout):
        await egress_to(server).send(get(server, timeout=0.2), AGENT)


async def test_a_caller_can_not_wait_longer_than_the_setting(server):
    server.hold.clear()
    with pytest.raises(ExecutionTimeout):
        await egress_to(server, limits=EgressLimits(timeout=0.2)).send(get(server, timeout=999), AGENT)


async def test_a_silent_resolver_ends_at_its_deadline(server):
    async def never(host, port):
        await anyio.sleep_forever()

    rule = EgressRule(host="a.test", private=True)
    with pytest.raises(ExecutionTimeout):
        await egress_to(server, allow=(rule,), resolve=never, limits=EgressLimits(resolve_timeout=0.1)).send(
            get(server, url="https://a.test/"), AGENT
        )


async def test_a_body_at_the_limit_is_whole_and_one_byte_more_is_cut(server):
    server.answers["/b"] = (200, [], b"x" * 100)
    whole = await egress_to(server).send(get(server, "/b", limit=100), AGENT)
    assert (len(whole.body), whole.truncated) == (100, False)
    cut = await egress_to(server).send(get(server, "/b", limit=99), AGENT)
    assert (len(cut.body), cut.truncated) == (99, True)
    capped = await egress_to(server, limits=EgressLimits(response_bytes=10)).send(get(server, "/b"), AGENT)
    assert (len(capped.body), capped.truncated) == (10, True)


async def test_response_headers_over_the_limits_are_an_error(server):
    server.answers["/many"] = (200, [(f"X-{n}", "v") for n in range(20)], b"")
    server.answers["/large"] = (200, [("X-Large", "v" * 2000)], b"")
    for path, limits in (
        ("/many", EgressLimits(response_headers=20)),
        ("/large", EgressLimits(response_header_bytes=2000)),
    ):
        assert (await egress_to(server).send(get(server, path), AGENT)).status == 200
        with pytest.raises(ExecutionError, match="headers"):
            await egress_to(server, limits=limits).send(get(server, path), AGENT)


async def test_a_request_over_its_limits_is_refused(server):
    limits = EgressLimits(request_bytes=4, request_headers=1, request_header_bytes=10)
    egress = egress_to(server, limits=limits)
    await egress.send(get(server, method="PUT", body=b"1234", headers=(("a", "12345"),)), AGENT)
    for fields in (
        {"body": b"12345"},
        {"headers": (("a", ""), ("b", ""))},
        {"headers": (("a", "123456"),)},
    ):
        with pytest.raises(EgressRefused):
            await egress.send(get(server, method="PUT", **fields), AGENT)
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "GET / HTTP/1.1\r\nX:", ""])
async def test_a_method_outside_the_list_is_refused(server, method):
    with pytest.raises(EgressRefused):
        await egress_to(server).send(get(server, method=method), AGENT)


async def test_a_credential_is_added_at_the_edge_and_masked_in_what_comes_back(server):
    server.answers["/echo"] = (
        200, [("X-Echo", "Bearer s3cr3t-value"), ("Content-Type", "text/plain")], b"you sent s3cr3t-value!",
    )  # fmt: skip
    credential = EgressCredential(header="Authorization", value=Secret("Bearer s3cr3t-value"))
    egress = egress_to(server, credentials={f"127.0.0.1:{server.port}": credential})
    response = await egress.send(get(server, "/echo", headers=(("authorization", "mine"),)), AGENT)
    assert server.last.header("authorization") == ["Bearer s3cr3t-value"]
    assert dict(response.headers)["x-echo"] == "***"
    assert response.body == b"you sent ***!"
    cut = await egress.send(get(server, "/echo", limit=15), AGENT)
    assert cut.body == b"you sent "


async def test_a_credential_is_never_sent_in_clear_or_to_another_host(server):
    rules = (
        EgressRule(host=f"a.test:{server.port}", private=True),
        EgressRule(host=f"127.0.0.1:{server.port}"),
    )
    credentials = {
        f"a.test:{server.port}": EgressCredential(header="Authorization", value=Secret("Bearer s3cr3t")),
        "127.0.0.1": EgressCredential(header="Authorization", value=Secret("Bearer other-port")),
    }
    egress = egress_to(server, allow=rules, credentials=credentials, resolve=answering(a_test=["127.0.0.1"]))
    for host in ("a.test", "127.0.0.1"):
        await egress.send(get(server, url=f"http://{host}:{server.port}/"), AGENT)
        assert server.last.header("authorization") == []


async def test_a_failed_request_does_not_show_the_credential(tmp_path):
    _, context = certificate(tmp_path, "127.0.0.1")
    with serving(context) as server:
        credential = EgressCredential(header="Authorization", value=Secret("Bearer s3cr3t"))
        egress = egress_to(server, credentials={f"127.0.0.1:{server.port}": credential})
        with pytest.raises(ExecutionError) as caught:
            await egress.send(get(server, url=f"https://127.0.0.1:{server.port}/"), AGENT)
    error = caught.value
    while error is not None:
        assert "s3cr3t" not in f"{error!r} {error}"
        error = error.__cause__


@pytest.mark.parametrize(
    "settings",
    [
        EgressSettings(credentials={"not a host": EgressCredential(header="A", value=Secret("x"))}),
        EgressSettings(credentials={"a.test": EgressCredential(header="A:", value=Secret("x"))}),
        EgressSettings(credentials={"a.test": EgressCredential(header="A", value=Secret("x\r\ny"))}),
        EgressSettings(credentials={"a.test": EgressCredential(header="A", value=Secret(""))}),
        EgressSettings(ca_file="/does/not/exist.pem"),
    ],
)
async def test_settings_that_can_not_work_fail_at_start(settings):
    with pytest.raises(ConfigurationError):
        Egress(settings)
