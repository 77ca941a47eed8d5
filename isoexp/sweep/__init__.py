"""Sweeps: many jobs, planned as a whole, done in parallel, many networks trained as one.

plan        jobs, checked, and bundled into units     unit      runs that are trained together
pace        how many networks to train as one         attempts  what became of each run
supervision units sent out until every run has ended  events    what is told meanwhile
backends    where units are done: processes, clusters, the user's own
"""

from .attempts import FINAL as FINAL
from .backends import Backend as Backend
from .backends.hydra import launch as launch
from .backends.launcher import Launcher as Launcher
from .backends.launcher import chosen_launcher as chosen_launcher
from .backends.launcher import of_hydra as of_hydra
from .backends.launcher import wants_hydra as wants_hydra
from .backends.processes import Workers as Workers
from .events import Beat as Beat
from .events import Ended as Ended
from .events import Event as Event
from .events import Left as Left
from .events import Resumed as Resumed
from .events import Retried as Retried
from .events import Sent as Sent
from .plan import Plan as Plan
from .plan import plan as plan
from .plan import planned as planned
from .supervision import run as run
from .unit import Outcome as Outcome
from .unit import Unit as Unit
from .unit import attempted as attempted
