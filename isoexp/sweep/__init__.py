"""Sweeps: many jobs, planned as a whole, done in parallel, many networks trained as one."""

from .choosing import hands as hands
from .choosing import launcher as launcher
from .choosing import of_hydra as of_hydra
from .choosing import wants_hydra as wants_hydra
from .launching import launch as launch
from .planning import Plan as Plan
from .planning import plan as plan
from .planning import planned as planned
from .ray import Ray as Ray
from .running import FINAL as FINAL
from .running import Beat as Beat
from .running import Ended as Ended
from .running import Event as Event
from .running import Hands as Hands
from .running import Left as Left
from .running import Retried as Retried
from .running import Sent as Sent
from .running import run as run
from .slurm import Local as Local
from .slurm import Slurm as Slurm
from .units import Unit as Unit
from .workers import Back as Back
from .workers import Workers as Workers
