# SPDX-License-Identifier: Apache-2.0
"""Who calls: service accounts, people, sessions."""
