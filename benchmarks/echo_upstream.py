# SPDX-License-Identifier: Apache-2.0
"""The upstream of the benchmark: one `echo` tool on the official SDK, stateless HTTP, JSON answers, uvloop.

usage: echo_upstream.py PORT
"""

import logging
import sys

import uvicorn
from mcp.server import MCPServer

logging.disable(logging.CRITICAL)
server = MCPServer("echo", log_level="CRITICAL")


@server.tool()
def echo(text: str) -> str:
    """Give the text back."""
    return text


if __name__ == "__main__":
    app = server.streamable_http_app(stateless_http=True, json_response=True)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", loop="uvloop")
