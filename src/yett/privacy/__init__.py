# SPDX-License-Identifier: Apache-2.0
"""Redact: what is private is masked or blocked, in both directions."""
