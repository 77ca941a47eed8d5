"""Searches: settings are asked for, tried as jobs of a sweep, and told, until the best is found.

space   the parameters            search  what is searched, and how
trials  asked for, and told       rounds  trials done together, as jobs of a sweep
"""

from .rounds import Begun as Begun
from .rounds import Event as Event
from .rounds import Waiting as Waiting
from .rounds import run as run
from .search import Search as Search
from .search import Told as Told
