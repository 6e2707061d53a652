# SPDX-License-Identifier: Apache-2.0
"""Tools of other MCP servers, passed through the same pipeline."""
