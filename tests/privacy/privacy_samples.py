# SPDX-License-Identifier: Apache-2.0
"""Actions, redactors and made-up private values, for the tests of privacy."""

from __future__ import annotations

import json

from yett.action import Action, Kind, Principal, Secret, ToolDefinition
from yett.privacy.redactor import Redactor
from yett.privacy.settings import PrivacySettings

KEY = Secret("a fingerprint key of the tests")
CARD = "4111 1111 1111 1111"
SSN = "212-09-9998"
IBAN = "DE89 3704 0044 0532 0130 00"
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"

POSITIVES = {
    "CREDIT_CARD": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "3782 822463 10005",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4111.1111.1111.1111",
        "6011000990139424",
    ],
    "EMAIL_ADDRESS": ["jane.doe@corp.io", "x+tag@mail.example.co.uk", "o'neil@example.com"],
    "IBAN_CODE": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR1420041010050500013M02606"],
    "PHONE_NUMBER": ["+1 415 555 2671", "(415) 555-2671", "+49 30 901820", "+442079460958"],
    "US_SSN": ["212-09-9998", "SSN 212099998", "social security number: 212 09 9998"],
    "IP_ADDRESS": ["10.1.2.3", "2001:db8::8a2e:370:7334"],
    "SECRET": [
        AWS_KEY,
        "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
        "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
        "github_pat_" + "11ABCDEFG0abcdefghijkl_MNOPQRSTUV",
        "glpat-" + "abcdefGHIJ1234567890",
        "xoxb-" + "1234567890-abcdefghij",
        "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk-ant-" + "api03-abcDEF1234567890abcdef",
        "sk-proj-" + "abcDEF1234567890abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "postgres://app:s3cr3t@db.internal:5432/sales",
        "https://kim:letmein@example.com/x",
        "Authorization: Bearer abc123DEF456ghi789jkl",
        "Authorization: Basic dXNlcjpwYXNz",
        "password: hunter2",
        "DB_PASSWORD='it is long'",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
        "AccountKey=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/abcdefghijklmnopqrstuv==",
        '{\\"api_key\\": \\"abcd1234efgh5678\\"}',
        "curl --token abcd1234efgh5678",
        "machine h login u password p4ss",
        "<Pass>geheim</Pass>",
    ],
}

NEAR_MISSES = {
    "CREDIT_CARD": [
        "4111111111111112",
        "0.4111111111111111",
        "12344111-1111-1111-1111-111111111111",
        "x4111111111111111",
        "1700000000000",
        "0000 0000 0000 0000",
        "411111111111111111",
        "\n".join(str(n) for n in range(1, 500)),
        " ".join(str(n) for n in range(30, 60, 2)),
    ],
    "EMAIL_ADDRESS": ["image@2x.png", "git@github.com:acme/repo.git", "pkg@1.2.3", "a@b", "user@-bad-.com"],
    "IBAN_CODE": ["DE89 3704 0044 0532 0130 01", "DE8937040044053201300", "ab12cdefghijklmnop"],
    "PHONE_NUMBER": ["1700000000", "2024-01-02 03:04:05", "12345678", "v415.555.26711", "555-26"],
    "US_SSN": [
        "000-12-3456",
        "666-12-3456",
        "912-12-3456",
        "212-00-9998",
        "212-09-0000",
        "212099998",
        "1-212-09-9998-7",
    ],
    "IP_ADDRESS": ["256.1.1.1", "1.2.3", "1.2.3.4.5", "12:34:56"],
    "SECRET": [
        "sk-loading-spinner-container",
        "token: string",
        "next_page_token=abc123def456ghi789",
        "max_tokens=4096",
        "token_type: bearer",
        "DB_PASSWORD=${DB_PASSWORD}",
        "password: required",
        "password = getpass()",
        "the password is wrong",
        "password=[SECRET]",
        "if '-----BEGIN PRIVATE KEY-----' in text:",
        "public_key: abcd1234efgh5678",
        "postgres://app@db/sales",
        "postgres://app:${PASSWORD}@db/sales",
        "Bearer authentication",
        "key: value1234",
    ],
}

NAMED = [
    ("password", "correcthorse", "SECRET"),
    ("dbPassword", "abc", "SECRET"),
    ("apiKey", "abcd1234efgh", "SECRET"),
    ("AWS_SECRET_ACCESS_KEY", "abcd1234EFGH", "SECRET"),
    ("ssn", "212099998", "US_SSN"),
    ("mobile", "4155552671", "PHONE_NUMBER"),
    ("card_number", "4222222222222", "CREDIT_CARD"),
]
NAMED_NEAR_MISSES = [
    ("nextPageToken", "abcd1234efgh"),
    ("token", "string"),
    ("password", "[SECRET]"),
    ("passwordPolicy", "strict"),
    ("id", "212099998"),
    ("order", "4222222222222"),
    ("created", "4155552671"),
]


def action(arguments, *, target="egress", name="http_request", kind=Kind.TOOL) -> Action:
    return Action(
        id="act-1",
        kind=kind,
        tool=ToolDefinition(name=name, description="", input_schema={}, target=target),
        arguments=arguments,
        principal=Principal(agent="a1", id="spiffe://t/agent/a1"),
        received_at=0.0,
    )


def redactor(**settings) -> Redactor:
    return Redactor(PrivacySettings(key=KEY, **settings))


def clean_tool_json() -> str:
    """About 10 KB of tool traffic without anything private."""
    rows = [
        {
            "id": f"550e8400-e29b-41d4-a716-4466554{number:05}",
            "sha1": f"{number * 7919:040x}",
            "sha256": f"{number**9 * 104729 + 11**50:064x}"[:64],
            "commit": f"{number * 104729 + 3:07x}",
            "created": 1_700_000_000 + number * 86_400,
            "created_ms": 1_700_000_000_123 + number,
            "at": f"2024-01-{number % 28 + 1:02}T03:04:05.{number:03}Z",
            "version": f"1.{number}.0-rc.1+build.{number}",
            "path": f"/srv/app/releases/2024{number:04}/main-{number:08x}.js",
            "url": f"https://api.example.com/v2/items/{number}?page={number}&limit=100",
            "price": 19.99 + number,
            "ratio": 0.4111111111111111,
            "position": [52.5200 + number / 1000, 13.4050],
            "next_page_token": f"CAUQAA{number:06}xYz",
            "tokens": number * 17,
            "status": "token expired, password required",
        }
        for number in range(20)
    ]
    return json.dumps({"items": rows, "total": 20})
