"""A simulated Zoom: token endpoint, API and control on one local port.

It knows Zoom's side alone and imports nothing else of the gateway, so that it can judge it.
"""

from gateway.sim.client import Reply, SimClient
from gateway.sim.config import Account, App, SimConfig
from gateway.sim.control import Control
from gateway.sim.faults import Faults
from gateway.sim.modes import Mode, parse_mode
from gateway.sim.reading import ReadError
from gateway.sim.run import run
from gateway.sim.server import Simulator

__all__ = [
    "Account",
    "App",
    "Control",
    "Faults",
    "Mode",
    "ReadError",
    "Reply",
    "SimClient",
    "SimConfig",
    "Simulator",
    "parse_mode",
    "run",
]
