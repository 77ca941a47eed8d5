"""Sweeps: many jobs, planned as a whole, done in parallel, many networks trained as one."""

from .clusters import LAUNCHERS as LAUNCHERS
from .clusters import hands as hands
from .launching import launch as launch
from .launching import launcher as launcher
from .launching import of_hydra as of_hydra
from .launching import wants_hydra as wants_hydra
from .planning import Plan as Plan
from .planning import plan as plan
from .running import Beat as Beat
from .running import Ended as Ended
from .running import Event as Event
from .running import Hands as Hands
from .running import Left as Left
from .running import Retried as Retried
from .running import Sent as Sent
from .running import run as run
from .units import Unit as Unit
from .workers import Workers as Workers
