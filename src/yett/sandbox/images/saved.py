# SPDX-License-Identifier: Apache-2.0
"""An image of one layer as `docker save` writes it: the layer's archive, its configuration, and a name.

Made here and not by the engine's import, which stamps the time and its own machine on an image. `tiny.py` and
`base.py` call it.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from yett.sandbox.images.architecture import Architecture
from yett.sandbox.images.finish import image_config


def save(
    layer: Path,
    image: Path,
    *,
    name: str,
    architecture: Architecture,
    labels: Mapping[str, str],
    environment: Mapping[str, str],
) -> None:
    """Write an image to a file. Equal arguments give equal bytes.

    Args:
        layer: the layer's tar archive.
        image: the file to write.
        name: repository and tag.
        architecture: of the machine it is for.
        labels: of the image.
        environment: of what `docker run` starts in it.
    """
    with layer.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    config = json.dumps(image_config(digest, architecture, labels, environment), sort_keys=True).encode()
    files = f"{hashlib.sha256(config).hexdigest()}.json"
    layers = f"{digest}/layer.tar"
    manifest = json.dumps([{"Config": files, "RepoTags": [name], "Layers": [layers]}]).encode()
    with tarfile.open(image, "w", format=tarfile.GNU_FORMAT) as tar:
        for path, data in ((files, config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo(layers)
        info.size = layer.stat().st_size
        with layer.open("rb") as source:
            tar.addfile(info, source)
