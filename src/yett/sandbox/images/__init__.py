# SPDX-License-Identifier: Apache-2.0
"""The images that sandboxes are made of: `tiny`, `base`, and any other with the runner put in.

`yett sandbox build`, `yett init` and the tests call in here. Nothing in it runs while the gateway serves, but
for `seccomp_profile`. No program of somebody else's image is ever started to build one.
"""

from yett.sandbox.images.architecture import ARCHITECTURES, Architecture
from yett.sandbox.images.base import BASE, build_base, build_base_from
from yett.sandbox.images.built import INPUTS_LABEL, PACKAGES_LABEL, RUNNER_LABEL, Built, Step
from yett.sandbox.images.own import build_own
from yett.sandbox.images.runner import compile_runner
from yett.sandbox.images.sources import seccomp_profile, sources
from yett.sandbox.images.store import Images, ImageStore
from yett.sandbox.images.tiny import TINY, build_tiny, tiny_archive

__all__ = [
    "ARCHITECTURES",
    "BASE",
    "INPUTS_LABEL",
    "PACKAGES_LABEL",
    "RUNNER_LABEL",
    "TINY",
    "Architecture",
    "Built",
    "ImageStore",
    "Images",
    "Step",
    "build_base",
    "build_base_from",
    "build_own",
    "build_tiny",
    "compile_runner",
    "seccomp_profile",
    "sources",
    "tiny_archive",
]
