# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import EgressRefused
from yett.url import parse_url


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTPS://API.GitHub.com", "https://api.github.com/"),
        ("https://api.github.com:443/a", "https://api.github.com/a"),
        ("http://api.github.com:443/a", "http://api.github.com:443/a"),
        ("https://api.github.com./a", "https://api.github.com/a"),
        ("https://bücher.example/ä?q=ö", "https://xn--bcher-kva.example/%C3%A4?q=%C3%B6"),
        ("https://a.example/%41%7e%2d%c3%a4", "https://a.example/A~-%C3%A4"),
        ("https://a.example/public/../secret", "https://a.example/secret"),
        ("https://a.example/public/%2e%2E/secret", "https://a.example/secret"),
        ("https://a.example/a/./b/.", "https://a.example/a/b/"),
        ("https://a.example/../../a/..", "https://a.example/"),
        ("https://a.example/a#fragment", "https://a.example/a"),
        ("https://a.example?x=1/../2?3", "https://a.example/?x=1/../2?3"),
        ("https://a.example/?", "https://a.example/?"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("http://[0:0:0:0:0:ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
    ],
)
def test_a_url_has_one_canonical_form(text, canonical):
    assert parse_url(text).text == canonical


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "gopher://a.example/",
        "//a.example/",
        "/only/a/path",
        "http:a.example",
        "http:/a.example",
        "http:///a.example",
        "https://user@a.example/",
        "https://good.example:pw@evil.example/",
        "https://good.example\\@evil.example/",
        "https://a.example\\evil/",
        "https://a.example/a b",
        " https://a.example/",
        "https://a.example/\n",
        "https://a.example/\r\nHost: evil",
        "https://a.example/\x00",
        "https://a\tb.example/",
        "https://a.example/%zz",
        "https://a.example/%",
        "https://a.example/%00",
        "https://a.example/%0d%0aX: y",
        "https://a.example/public/..%2fsecret",
        "https://a.example/public/%252e%252e/secret",
        "https://a.example/public/..;x/secret",
        "https://a.example/public/..%5csecret",
        "https://a.example:/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:8_0/",
        "https://a.example:٣/",
        "https://a..example/",
        "https://.a.example/",
        "https://a.example../",
        "https://-a.example/",
        "https://a%2eexample/",
        "https://" + "a" * 64 + ".example/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[fe80::1%25eth0]/",
        "https://[::g]/",
        "https://xn--a.example/",
        "https://a.example/\ud800",
        "https://256.1.1.1/",
        "https://1.2.3.4.5/",
        "https://0x100000000/",
        "https://a.0x/b",
        "https://09.1.1.1/",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_refused(text):
    with pytest.raises(EgressRefused):
        parse_url(text)


def test_a_url_over_the_limit_is_refused_and_one_at_it_is_not():
    assert parse_url("https://a.example/", limit=18)
    with pytest.raises(EgressRefused):
        parse_url("https://a.example/a", limit=18)


@given(
    st.text(max_size=60) | st.text(alphabet="htps:/@.%2e0x7f[]#?;\\aä1", max_size=60).map("http://".__add__)
)
def test_every_text_is_refused_or_has_a_form_that_parses_to_itself(text):
    try:
        url = parse_url(text)
    except EgressRefused:
        return
    assert parse_url(url.text) == url
    assert url.text.isascii()
    assert not set(url.text) & set(" \r\n\t\\#\x00")
    assert not {".", ".."} & set(url.path.split("/"))
