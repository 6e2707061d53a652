# SPDX-License-Identifier: Apache-2.0
"""The command line. `yett serve` is dispatched before anything heavy is imported."""
