"""Put the built web part into the wheel.

From a source distribution or a plain ``pip install .`` the pages do not exist
yet: they are built here, by the Node that ``build-system.requires`` brings.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface[Any]):
    """Build ``web/`` into ``app/static/`` before a wheel is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build where the pages are missing or older than their sources.

        An editable install points at the working tree, where ``make`` builds
        them, and a source distribution carries the sources instead.
        """
        if self.target_name != "wheel" or version == "editable":
            return
        sys.path.insert(0, str(Path(self.root) / "scripts"))
        from web import build_web  # noqa: PLC0415 - found only after the line above

        build_web(Path(self.root))
