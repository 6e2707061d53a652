# SPDX-License-Identifier: Apache-2.0
"""Constraints: typed, total, normalising tests of one value. None of them is a regular expression."""
