"""Cost: what the function of a layer takes in time and memory, beside elementwise ones."""

from .cost import Cost as Cost
from .passes import saved_bytes as saved_bytes
