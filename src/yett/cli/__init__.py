# SPDX-License-Identifier: Apache-2.0
"""The command line. `yett serve` is dispatched before anything heavy is imported.

Exit codes: 0 ok or allow, 1 deny or failed check, 2 usage or configuration, 3 environment, 4 ask.
"""

import sys


def main() -> int:
    """The console script."""
    if sys.argv[1:2] == ["serve"] and not {"-h", "--help"} & set(sys.argv):
        from yett import shim  # noqa: PLC0415 - the shim must start without the rest

        return shim.main(sys.argv[2:])
    from yett.cli.commands import run  # noqa: PLC0415 - see above

    return run(sys.argv[1:])
