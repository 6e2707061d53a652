# SPDX-License-Identifier: Apache-2.0
"""Approve: durable questions to people, spent at most once."""
