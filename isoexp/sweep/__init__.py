"""Sweeps: many jobs, planned as a whole, done in parallel, many networks trained as one."""

from .attempts import FINAL as FINAL
from .choosing import hands as hands
from .choosing import launcher as launcher
from .choosing import of_hydra as of_hydra
from .choosing import wants_hydra as wants_hydra
from .events import Back as Back
from .events import Beat as Beat
from .events import Ended as Ended
from .events import Event as Event
from .events import Left as Left
from .events import Retried as Retried
from .events import Sent as Sent
from .launching import launch as launch
from .planning import Plan as Plan
from .planning import plan as plan
from .planning import planned as planned
from .ray import Ray as Ray
from .running import Hands as Hands
from .running import run as run
from .slurm import Local as Local
from .slurm import Slurm as Slurm
from .units import Unit as Unit
from .workers import Workers as Workers
