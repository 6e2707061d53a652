# SPDX-License-Identifier: Apache-2.0
"""Where `${secret:name}` of the configuration is looked up (`ports.Secrets`).

First the environment (`YETT_SECRET_GITHUB` for `github`), then the file `secrets/github` beside
`yett.yaml`, which must be readable by its owner alone. A secret is never written in the YAML; one that
is missing fails the start.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from yett.action import Secret
from yett.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\{secret:([A-Za-z0-9_-]{1,64})\}")
_LIMIT = 64 << 10


class SecretStore:
    """Secrets of one configuration."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """`folder` holds one file a secret."""
        self._folder = folder
        self._environment = os.environ if environment is None else environment

    def get(self, name: str) -> Secret:
        """The secret of that name."""
        variable = "YETT_SECRET_" + name.upper().replace("-", "_")
        if value := self._environment.get(variable):
            return Secret(value)
        path = self._folder / name
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise ConfigurationError(f"others can read {path}", advice=f"chmod 600 {path}")
            with path.open(encoding="utf-8") as file:
                return Secret(file.read(_LIMIT).rstrip("\n"))
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"there is no secret {name!r}", advice=f"put it into {path} (mode 0600) or set {variable}"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"can't read the secret {name!r}: {error}") from error

    def expand(self, text: str) -> Secret:
        """`text` with each `${secret:name}` replaced. The result is a secret whatever it holds."""
        return Secret(_REFERENCE.sub(lambda match: self.get(match[1]).reveal(), text))
