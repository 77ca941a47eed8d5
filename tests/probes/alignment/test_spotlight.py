"""Tests for isoexp.probes.spotlight, projection, coordinates and thomson: the mathematics."""

from math import pi

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import betainc, erf, gammaln

from isoexp.probes.alignment import spotlight as module
from isoexp.probes.alignment.alignment import thomson_points
from isoexp.probes.alignment.spotlight import (
    circle,
    in_plane,
    lit,
    opposite,
    permutation_planes,
    projected,
    shells,
    spotlight_width,
)
from isoexp.probes.alignment.views import nearest_cosine_null, seen_by_vectors


def unit_rows(count: int, n: int, seed: int = 0) -> np.ndarray:
    """Isotropic directions."""

    x = np.random.RandomState(seed).randn(count, n)

    return x / np.linalg.norm(x, axis=1, keepdims=True)


def spotlight(
    x: np.ndarray, basis: np.ndarray, planes: np.ndarray, angles: int, epsilon: float
) -> np.ndarray:
    """SRM(θ), the share of all pairs of a sample and a plane."""

    counts = [lit(*part, angles, epsilon) for part in in_plane(x, basis, planes, epsilon)]

    return sum(counts, np.zeros(angles)) / max(1, len(x) * len(planes))


def spotlight_null(n: int, epsilon: float) -> float:
    """SRM₀, the share of a cap."""

    return 0.5 * betainc((n - 1) / 2, 0.5, 1 - epsilon**2)


def upper(planes: np.ndarray) -> np.ndarray:
    """The pairs i < j."""

    return planes[planes[:, 0] < planes[:, 1]]


def by_rotations(
    x: np.ndarray, basis: np.ndarray, planes: np.ndarray, angles: int, epsilon: float
) -> np.ndarray:
    """The definition: b̂_i is rotated in the plane by R(θ) = exp(θ (b̂_i ê_jᵀ − ê_j b̂_iᵀ))."""

    scores = np.zeros(angles)
    for i, j in planes:
        e = basis[j] - (basis[i] @ basis[j]) * basis[i]
        generator = np.outer(basis[i], e) / np.linalg.norm(e)
        p = expm(circle(angles)[:, None, None] * (generator - generator.T)) @ basis[i]
        scores += np.mean(p @ x.T >= epsilon, axis=1)

    return scores / len(planes)


# --- spotlights -------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(4, 4), (5, 3), (3, 6), (3, 2)])
@pytest.mark.parametrize("epsilon", [0.05, 0.4, 0.9])
def test_is_the_rotation_of_a_vector(k: int, n: int, epsilon: float) -> None:
    """On bases that are not orthogonal, of too few and of too many vectors."""

    x, basis = unit_rows(80, n), unit_rows(k, n, seed=1)
    for planes in (permutation_planes(basis), upper(permutation_planes(basis))):
        found = spotlight(x, basis, planes, 13, epsilon)

        np.testing.assert_allclose(found, by_rotations(x, basis, planes, 13, epsilon), atol=1e-12)


def test_on_a_fine_grid_of_an_orthonormal_basis() -> None:
    x, basis, epsilon = unit_rows(50, 3), np.eye(3), 0.6
    theta = circle(361)[:, None]
    expected = np.zeros(361)
    for i, j in permutation_planes(basis):
        expected += (x @ (np.cos(theta) * basis[i] - np.sin(theta) * basis[j]).T > 0.6).mean(0) / 6

    found = spotlight(x, basis, permutation_planes(basis), 361, epsilon)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_sweep_meets_minus_the_second_vector_first() -> None:
    plane = np.array([[0, 1]])
    lit_at = {
        name: np.degrees(circle(361))[spotlight(x[None], np.eye(3), plane, 361, 0.999) > 0]
        for name, x in zip(("i", "j"), np.eye(3), strict=False)
    }

    assert set(lit_at["i"]) == {0, 1, 2, 358, 359, 360}  # arccos 0.999 = 2.6°
    assert set(lit_at["j"]) == {268, 269, 270, 271, 272}
    minus_j = spotlight(-np.eye(3)[1:2], np.eye(3), plane, 361, 0.999)
    assert circle(361)[minus_j.argmax() + 2] == pytest.approx(pi / 2)


@pytest.mark.parametrize("n", [4, 9, 32])
def test_corners_are_lit_at_odd_multiples_of_45_degrees(n: int) -> None:
    """x = (±1, …, ±1)/√n has the cosine √(2/n) there, and 1/√n on the axes."""

    x = np.sign(unit_rows(200, n)) / n**0.5
    sweep = spotlight(x, np.eye(n), permutation_planes(np.eye(n)), 9, 1.3 / n**0.5)

    np.testing.assert_array_equal(sweep[::2], 0)
    assert sweep[1:8:2].sum() == pytest.approx(1)
    assert not spotlight(x, np.eye(n), permutation_planes(np.eye(n)), 9, 1.42 / n**0.5).any()


@pytest.mark.parametrize("n", [2, 3, 7])
def test_turns_with_data_and_basis(n: int) -> None:
    x, basis = unit_rows(60, n), unit_rows(4, n, seed=1)
    R = np.linalg.qr(unit_rows(n, n, seed=2))[0]
    planes = permutation_planes(basis)

    found = spotlight(x @ R, basis @ R, planes, 61, 0.3)
    np.testing.assert_allclose(found, spotlight(x, basis, planes, 61, 0.3), atol=1e-12)
    assert not np.allclose(found, spotlight(x, basis @ R, planes, 61, 0.3))


def test_permutations_are_combinations_there_and_back() -> None:
    """In an orthonormal basis the plane (j, i) at θ is (i, j) at 3π/2 − θ."""

    x, basis = unit_rows(60, 5), np.eye(5)
    there = spotlight(x, basis, upper(permutation_planes(basis)), 361, 0.3)
    back = there[(270 - np.arange(361)) % 360]

    both = spotlight(x, basis, permutation_planes(basis), 361, 0.3)
    np.testing.assert_allclose(both, (there + back) / 2, atol=1e-12)
    assert not np.allclose(both, there)


def test_the_opposite_is_what_looks_away() -> None:
    x, basis = unit_rows(60, 4), unit_rows(3, 4, seed=1)
    planes = permutation_planes(basis)
    sweep = spotlight(x, basis, planes, 41, 0.2)

    away = spotlight(-x, basis, planes, 41, 0.2)
    np.testing.assert_allclose(opposite(sweep), away, atol=1e-12)
    assert not np.allclose(sweep, away)


def test_no_direction_is_counted_and_never_lit() -> None:
    x, planes = unit_rows(50, 4), permutation_planes(np.eye(4))
    whole = spotlight(x, np.eye(4), planes, 9, 0.3)

    half = spotlight(np.concatenate([x, np.zeros((50, 4))]), np.eye(4), planes, 9, 0.3)
    np.testing.assert_allclose(half, whole / 2, atol=1e-15)
    assert not spotlight(np.zeros((0, 4)), np.eye(4), planes, 9, 0.3).any()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, basis = unit_rows(30, 5), unit_rows(7, 5, seed=1)
    planes = permutation_planes(basis)
    whole = spotlight(x, basis, planes, 361, 0.2)
    monkeypatch.setattr(module, "AT_ONCE", 70)

    np.testing.assert_array_equal(permutation_planes(basis), planes)
    np.testing.assert_array_equal(spotlight(x, basis, planes, 361, 0.2), whole)


# --- planes -----------------------------------------------------------------------------------


def test_planes_are_the_pairs() -> None:
    assert permutation_planes(np.eye(3)).tolist() == [
        [0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1],
    ]  # fmt: skip
    assert permutation_planes(np.eye(1)).shape == (0, 2)


def test_parallel_vectors_span_no_plane() -> None:
    axes = np.concatenate([np.eye(4), -np.eye(4)])

    assert len(permutation_planes(axes)) == 8 * 6
    assert len(permutation_planes(np.ones((3, 1)))) == 0


def test_some_of_the_planes_are_an_even_sample() -> None:
    few = permutation_planes(np.eye(20), 40, seed=3)
    assert len(np.unique(few, axis=0)) == 40
    assert (few[:, 0] != few[:, 1]).all()
    np.testing.assert_array_equal(few, permutation_planes(np.eye(20), 40, seed=3))
    assert not np.array_equal(few, permutation_planes(np.eye(20), 40, seed=4))
    np.testing.assert_array_equal(permutation_planes(np.eye(5), 20), permutation_planes(np.eye(5)))

    # Each of 20 is drawn with chance ¼: 500 draws give 125 ± 9.7.
    drawn = [permutation_planes(np.eye(5), 5, seed) for seed in range(500)]
    counts = np.unique(np.concatenate(drawn), axis=0, return_counts=True)[1]
    assert len(counts) == 20
    assert abs(counts - 125).max() < 5 * 9.7


# --- the null ---------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0.01, 0.3, 0.7, 1.0])
def test_the_null_is_the_share_of_a_cap(epsilon: float) -> None:
    """An arc in the plane; by Archimedes its height in R³."""

    assert spotlight_null(2, epsilon) == pytest.approx(np.arccos(epsilon) / pi)
    assert spotlight_null(3, epsilon) == pytest.approx((1 - epsilon) / 2)


@pytest.mark.parametrize("n", [2, 3, 32, 4096])
@pytest.mark.parametrize("level", [1e-6, 0.01, 0.1, 0.49])
def test_the_width_has_its_level(n: int, level: float) -> None:
    assert spotlight_null(n, spotlight_width(n, level)) == pytest.approx(level, rel=1e-5)


@pytest.mark.parametrize("n", [4, 16, 64, 256])
@pytest.mark.parametrize("level", [0.01, 0.1])
def test_isotropic_data_is_at_the_null(n: int, level: float) -> None:
    """Within 3 standard errors of one plane's binomial share, in any basis, at every angle.

    The mean over the sweep, which planes and angles make surer, within one.
    """

    x, basis = unit_rows(3000, n), unit_rows(12, n, seed=1)
    error = (level * (1 - level) / 3000) ** 0.5
    for B in (np.eye(n), basis):
        sweep = spotlight(x, B, permutation_planes(B, 132), 37, spotlight_width(n, level))
        assert abs(sweep - level).max() < 3 * error
        assert abs(sweep.mean() - level) < error


def test_planes_share_their_samples() -> None:
    """The mean over P planes scatters less than one plane, and far more than P independent ones."""

    n, count, level = 8, 50, 0.1
    planes, epsilon = permutation_planes(np.eye(n)), spotlight_width(n, level)
    means = [
        spotlight(unit_rows(count, n, seed), np.eye(n), planes, 5, epsilon)[0]
        for seed in range(400)
    ]
    binomial = (level * (1 - level) / count) ** 0.5

    assert np.std(means) < binomial
    assert np.std(means) > 2 * binomial / len(planes) ** 0.5


@pytest.mark.parametrize("points", [1, 4, 360, 362])
def test_the_circle_must_be_quartered(points: int) -> None:
    with pytest.raises(ValueError, match="one more than a multiple of 4"):
        circle(points)


# --- projections ------------------------------------------------------------------------------


def projection(x: np.ndarray, basis: np.ndarray, kept: float, sectors: int) -> np.ndarray:
    planes, (edges, _) = permutation_planes(basis), shells(x.shape[1], kept)
    parts = [projected(*block, edges, sectors) for block in in_plane(x, basis, planes, edges[0])]

    return sum(parts, np.zeros((len(edges) - 1, sectors))) / (len(x) * len(planes))


@pytest.mark.parametrize("n", [2, 3, 4, 30])
def test_isotropic_data_fills_shells_and_sectors(n: int) -> None:
    """P(ρ ≥ r) = (1 − r²)^((n−2)/2) and an even angle, within 5 standard errors of one plane."""

    edges, shares = shells(n, 0.5)
    count, null = 4000, shares[:, None] / 8
    found = projection(unit_rows(count, n), np.eye(n), 0.5, 8)

    assert shares.sum() == pytest.approx(1.0 if n == 2 else 0.5)
    assert edges[-1] == 1
    assert (abs(found - null) < 5 * np.sqrt(null / count)).all()
    if n > 2:
        np.testing.assert_allclose(
            (1 - edges**2) ** ((n - 2) / 2), [0.5 * 0.5**k for k in range(6)] + [0]
        )


@pytest.mark.parametrize("degrees", [0, 45, 130, 270, 355])
def test_sectors_are_counted_as_the_spotlight_turns(degrees: int) -> None:
    theta = np.radians(degrees)
    x = np.cos(theta) * np.eye(4)[:1] - np.sin(theta) * np.eye(4)[1:2]
    edges, _ = shells(4, 0.5)
    (block,) = in_plane(x, np.eye(4), np.array([[0, 1]]), edges[0])
    found = projected(*block, edges, 72)

    assert found.sum() == 1
    assert found[-1, degrees // 5] == 1  # wholly in the plane: the last shell


def test_what_is_far_from_a_plane_is_not_kept() -> None:
    edges, _ = shells(4, 0.5)
    rho, theta = np.array([edges[0] - 1e-9, edges[1]]), np.zeros(2)

    np.testing.assert_array_equal(projected(rho, theta, edges, 1)[:, 0], [0, 1, 0, 0, 0, 0])


# --- coordinates and charges --------------------------------------------------------------------


def test_the_nearest_axis_in_closed_form() -> None:
    assert nearest_cosine_null(1) == pytest.approx(1)
    assert nearest_cosine_null(2) == pytest.approx(2 * 2**0.5 / pi)


@pytest.mark.parametrize("n", [3, 32, 4096])
def test_the_nearest_axis_against_quadpack(n: int) -> None:
    largest, _ = quad(lambda t: 1 - erf(t / 2**0.5) ** n, 0, np.inf, epsabs=0, epsrel=1e-12)
    length = 2**0.5 * np.exp(gammaln((n + 1) / 2) - gammaln(n / 2))

    assert nearest_cosine_null(n) == pytest.approx(largest / length, rel=1e-11)


@pytest.mark.parametrize("n", [3, 32, 500])
def test_moments_of_isotropic_data(n: int) -> None:
    """Means over 2,000 samples, within 5 standard errors."""

    x = unit_rows(2000, n)
    _, _, kurtosis, nearest = seen_by_vectors(x, np.eye(n), 11)
    for view, each, null in (
        (nearest, abs(x).max(axis=1), nearest_cosine_null(n)),
        (kurtosis, n**2 * (x**4).mean(axis=1), 3 * n / (n + 2)),
    ):
        assert view.null == null
        assert abs(each.mean() - null) < 5 * each.std() / 2000**0.5


def coulomb_energy(points: np.ndarray) -> float:
    i, j = np.triu_indices(len(points), 1)

    return float((1 / np.linalg.norm(points[i] - points[j], axis=1)).sum())


@pytest.mark.parametrize(
    ("k", "energy"),
    [
        (2, 0.5),
        (3, 3**0.5),
        (4, 6 * (3 / 8) ** 0.5),
        (6, 1.5 + 12 / 2**0.5),
        (8, 19.675287861),
        (12, 49.165253058),
    ],
)
def test_known_optima_on_the_sphere(k: int, energy: float) -> None:
    """Antipodes, triangle, tetrahedron, octahedron, square antiprism, icosahedron."""

    points = thomson_points(k, 3)

    assert points.shape == (k, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    assert coulomb_energy(points) == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 16])
def test_one_point_more_than_features_is_a_simplex(n: int) -> None:
    points = thomson_points(n + 1, n)
    cosines = (points @ points.T)[np.triu_indices(n + 1, 1)]

    np.testing.assert_allclose(cosines, -1 / n, atol=1e-5)


def test_charges_are_drawn_once() -> None:
    assert thomson_points(4, 3) is thomson_points(4, 3)
    assert not thomson_points(4, 3).flags.writeable
    assert coulomb_energy(thomson_points(4, 3, seed=1)) == pytest.approx(6 * (3 / 8) ** 0.5)
