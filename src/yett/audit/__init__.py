# SPDX-License-Identifier: Apache-2.0
"""The log: durable before anything runs, and evident when edited."""
