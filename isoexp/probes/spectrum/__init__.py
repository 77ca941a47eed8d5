"""Spectrum: how many directions representations and weights take up; whether layers learn."""

from .spectrum import Spectrum as Spectrum
