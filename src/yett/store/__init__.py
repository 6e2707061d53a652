# SPDX-License-Identifier: Apache-2.0
"""Small durable state: SQLite by default."""
