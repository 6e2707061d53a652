# SPDX-License-Identifier: Apache-2.0
"""Receive and reply: MCP over stdio and streamable HTTP, both protocol eras, strict JSON at the edge."""
