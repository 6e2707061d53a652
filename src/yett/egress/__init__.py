# SPDX-License-Identifier: Apache-2.0
"""The one path out to the network."""
