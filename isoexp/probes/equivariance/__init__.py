"""Equivariance: which changes of basis the functions of a network commute with."""

from .equivariance import Equivariance as Equivariance
