"""Out-of-distribution magnitude: the answers of a network when its input, or a layer, is scaled."""

from .ood_magnitude import OODMagnitude as OODMagnitude
