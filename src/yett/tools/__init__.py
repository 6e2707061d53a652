# SPDX-License-Identifier: Apache-2.0
"""The tools that the gateway itself serves."""
