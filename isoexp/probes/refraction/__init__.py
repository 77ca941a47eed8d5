"""Refraction: how far an activation turns a vector, as the vector grows."""

from .rays import deflection as deflection
from .refraction import Refraction as Refraction
