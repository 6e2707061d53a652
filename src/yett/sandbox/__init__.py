# SPDX-License-Identifier: Apache-2.0
"""Execute in locked-down containers. The only room that talks to a container engine."""
