"""Measurements of a network: probe(subject) returns tidy rows.

    subject · layers · junctions · spaces · hidden     the network, as a probe is given it
    rows · statistics                rows by name, with means and intervals
    measurement · arguments          isoexp.probe, from Python
    copies · procrustes · landscape · derivatives      mathematics that probes share

Every other module, or folder, is a probe.
"""

from .agreement import Agreement as Agreement
from .alignment import Alignment as Alignment
from .compression import Compression as Compression
from .compression import compressed as compressed
from .connectivity import Connectivity as Connectivity
from .continuity import Continuity as Continuity
from .cost import Cost as Cost
from .decisions import Decisions as Decisions
from .equivariance import Equivariance as Equivariance
from .junctions import Junction as Junction
from .junctions import find_junctions as find_junctions
from .junctions import relative_error as relative_error
from .layers import Pair as Pair
from .layers import conjugated as conjugated
from .locking import Locking as Locking
from .measurement import probe as probe
from .ood_magnitude import OODMagnitude as OODMagnitude
from .refraction import Refraction as Refraction
from .refraction import deflection as deflection
from .spectrum import Spectrum as Spectrum
from .subject import Probe as Probe
from .subject import Subject as Subject
from .subject import Unsuitable as Unsuitable
