# SPDX-License-Identifier: Apache-2.0
"""Answering approvals in code: a program that says yes to small payments and leaves the rest to people.

It drives `yett approvals`, so it needs the standard library only. It answers as a person of `yett.yaml`
with a login token of its own: the log shows that the program answered and not somebody else. Run it as
the gateway's user and never where the agent can reach it: whoever can run this can approve.

    YETT_PERSON_TOKEN=... python approver.py yett.yaml [--once]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

NAME = "payments-bot"
RULE = "book-a-payment"
LIMIT = 500
PAYMENT = re.compile(r"pay (\d{1,9}) to [a-z ]{1,40}\n", re.ASCII)


def yett(config: str, *words: str) -> str:
    """Run `yett WORDS`; what it printed."""
    command = ["yett", *words, "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    return done.stdout


def amount(row: dict) -> int | None:
    """What a pending call would pay; None when it is not exactly one payment.

    The record holds the very arguments that will run, so that what is judged is what happens.
    """
    arguments = row["arguments"]
    payment = PAYMENT.fullmatch(str(arguments.get("content")))
    if arguments.get("append") is not True or payment is None:
        return None
    return int(payment[1])


def answer_all(config: str) -> None:
    """Look at everything that waits, once."""
    for line in yett(config, "approvals", "list", "--json").splitlines():
        row = json.loads(line)
        if row["rule"] != RULE:
            continue  # other rules are other people's business
        paid = amount(row)
        if paid is None:
            said = yett(
                config, "approvals", "deny", row["id"], "--as", NAME, "--reason", "book one payment a call"
            )
        elif paid <= LIMIT:
            said = yett(config, "approvals", "approve", row["id"], "--as", NAME)
        else:
            said = f"{row['id']} is over {LIMIT}: a person answers.\n"
        print(said, end="", flush=True)


if __name__ == "__main__":
    answer_all(sys.argv[1])
    while "--once" not in sys.argv:
        time.sleep(2)
        answer_all(sys.argv[1])
