"""What the core needs to know of a Bottle app."""

from __future__ import annotations

import bottle

from autocron.integration import ModuleIntegration


class BottleIntegration(ModuleIntegration):
    """What the core needs to know of a Bottle app: the modules that make it."""

    def load(self) -> None:
        """Import the modules, in a worker, where `run()` does nothing."""
        bottle.NORUN = True
        super().load()

    def should_start(self) -> bool:
        """Leave the start to the plugin, which knows when the app serves."""
        return False
