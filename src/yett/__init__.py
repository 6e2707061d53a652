# SPDX-License-Identifier: Apache-2.0
"""Yett: the gate between an AI agent and its tools. Start reading at `yett.pipeline`.

This file stays empty of imports: the stdio shim (`yett.shim`) must start in milliseconds.
"""

__version__ = "0.1.0"
