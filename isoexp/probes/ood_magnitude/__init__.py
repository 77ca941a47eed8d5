"""Out-of-distribution magnitude: what a network says when its inputs, or a layer, are scaled."""

from .ood_magnitude import OODMagnitude as OODMagnitude
