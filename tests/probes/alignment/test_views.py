"""Tests for isoexp.probes.alignment.views: all planes at once, against planes one by one."""

import numpy as np
import pytest
import torch

from isoexp.geometry import random_orthogonal, unit
from isoexp.probes.alignment.spotlight import (
    in_plane,
    lit,
    permutation_planes,
    projected,
    shells,
    spotlight_width,
    there_and_back,
)
from isoexp.probes.alignment.views import seen_by_planes

LEVELS = (0.05, 0.2)


def one_by_one(
    x: np.ndarray, basis: np.ndarray, planes: np.ndarray, angles: int, sectors: int
) -> dict[tuple[str, float], np.ndarray]:
    """The shares of spotlights and sectors, each plane as if it were the only one."""

    edges, _ = shells(x.shape[1], 0.5)
    found = {
        ("spotlight", spotlight_width(x.shape[1], level)): np.zeros(angles) for level in LEVELS
    }
    inside = np.zeros((len(edges) - 1, sectors))
    for plane in planes:
        for rho, theta in in_plane(x, basis, plane[None], 1e-3):
            for (_, epsilon), share in found.items():
                share += lit(rho, theta, angles, epsilon) / len(x) / len(planes)
            inside += projected(rho, theta, edges, sectors) / len(x) / len(planes)

    return {**found, **{("plane", e): each for e, each in zip(edges, inside, strict=False)}}


@pytest.mark.parametrize("sectors", [8, 7, 1])
@pytest.mark.parametrize("most", [None, 11])
@pytest.mark.parametrize("kind", ["standard", "turned", "axes", "oblique"])
def test_all_planes_are_seen_as_each_alone(kind: str, most: int | None, sectors: int) -> None:
    """Also where (j, i) is not looked at, but read off (i, j)."""

    n = 5
    basis = {
        "standard": np.eye(n),
        "turned": random_orthogonal(n).numpy(),
        "axes": np.concatenate([np.eye(n), -np.eye(n)]),
        "oblique": unit(torch.randn(4, n).double()).numpy(),
    }[kind]
    x = unit(torch.randn(40, n).double()).numpy()
    planes = permutation_planes(basis, most)
    curves = seen_by_planes(x, basis, planes, LEVELS, 37, 0.5, sectors)
    found = {(curve.measure, curve.threshold): curve.value for curve in curves}

    for key, share in one_by_one(x, basis, planes, 37, sectors).items():
        np.testing.assert_allclose(found[key], share, atol=1e-14, err_msg=str(key))


def test_there_and_back_are_planes_of_orthogonal_vectors() -> None:
    planes = permutation_planes(np.eye(4))
    alone, both = there_and_back(np.eye(4), planes)
    assert len(alone) == 0
    assert both.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]

    alone, both = there_and_back(np.eye(4), planes[[0, 3, 4]])  # (0, 1), (1, 0) and (1, 2)
    assert (alone.tolist(), both.tolist()) == ([[1, 2]], [[0, 1]])

    oblique = np.array([[1.0, 0.0], [0.6, 0.8]])
    alone, both = there_and_back(oblique, permutation_planes(oblique))
    assert (len(alone), len(both)) == (2, 0)
