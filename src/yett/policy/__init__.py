# SPDX-License-Identifier: Apache-2.0
"""Decide: rules become verdicts. Pure: no I/O, no clock, no randomness, no logging."""
