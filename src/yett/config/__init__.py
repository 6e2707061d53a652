# SPDX-License-Identifier: Apache-2.0
"""The configuration: `yett.yaml` becomes one typed, frozen `Settings`, with line numbers in its errors."""
