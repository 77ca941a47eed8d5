"""Searches: settings are asked for, tried as jobs of a sweep, and told, until the best is found."""

from .running import Begun as Begun
from .running import Event as Event
from .running import Waiting as Waiting
from .running import run as run
from .search import Search as Search
from .search import Told as Told
from .space import Choice as Choice
from .space import Interval as Interval
from .space import Parameter as Parameter
