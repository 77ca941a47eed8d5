"""Measurements of a network: probe(subject) returns tidy rows."""

from .alignment import Alignment as Alignment
from .ood_magnitude import OODMagnitude as OODMagnitude
from .refraction import Refraction as Refraction
from .refraction import deflection as deflection
from .subject import Probe as Probe
from .subject import Subject as Subject
