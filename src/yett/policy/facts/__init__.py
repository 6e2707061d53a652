# SPDX-License-Identifier: Apache-2.0
"""Facts: what parsers find in a call's arguments. What can't be read for certain is left out."""
