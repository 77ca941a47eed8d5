"""Tests for isoexp.data.synthetic: the geometry that is promised is the geometry that comes."""

from dataclasses import replace

import numpy as np
import pytest

from isoexp.data import XOR, Source, Spheres, Splits, Teacher
from isoexp.data.base import digest_arrays

SETS = [
    Spheres(),
    Spheres(dim=10, shells=4),
    Spheres(dim=1),
    XOR(),
    XOR(basis="random"),
    Teacher(),
    Teacher(form="isotropic", values=1),
]

each = pytest.mark.parametrize("source", SETS, ids=repr)


def whole(splits: Splits) -> tuple[np.ndarray, np.ndarray]:
    parts = (splits.train, splits.valid, splits.test)

    return np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts])


@each
def test_sizes_shapes_and_types(source) -> None:
    splits = replace(source, train=50, valid=20, test=30).load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [50, 20, 30]
    assert [len(s.y) for s in (splits.train, splits.valid, splits.test)] == [50, 20, 30]
    assert splits.inputs == (source.dim,)
    assert splits.outputs == source.outputs
    x, y = whole(splits)
    assert x.dtype == np.float32
    assert y.dtype == (np.float32 if isinstance(source, Teacher) else np.int64)


@each
def test_a_set_is_a_function_of_its_settings(source) -> None:
    a, b = source.load(), source.load()
    c = replace(source, seed=1).load()

    np.testing.assert_array_equal(a.train.x, b.train.x)
    np.testing.assert_array_equal(a.test.y, b.test.y)
    assert (a.train.x != c.train.x).any()
    assert source.fingerprint() == source.fingerprint() != replace(source, seed=1).fingerprint()


@each
def test_leaves_the_global_generator_alone(source: Source) -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    source.load()

    assert np.random.rand() == expected


# --- spheres --------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 10])
def test_the_class_is_the_radius(dim: int) -> None:
    x, y = whole(Spheres(dim=dim, shells=4, noise=0.0).load())

    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1 + y, rtol=1e-6)
    assert set(y) == {0, 1, 2, 3}


def test_noise_is_along_the_radius() -> None:
    x, y = whole(Spheres(noise=0.1).load())
    off = np.linalg.norm(x, axis=1) - 1 - y

    # 6,000 samples: five standard errors.
    assert abs(off.mean()) < 5 * 0.1 / 6000**0.5
    assert off.std() == pytest.approx(0.1, rel=5 / 12_000**0.5)


def test_every_direction_is_alike() -> None:
    x, _ = whole(Spheres(dim=3, noise=0.0).load())
    u = x / np.linalg.norm(x, axis=1, keepdims=True)

    np.testing.assert_allclose(u.mean(axis=0), 0, atol=5 / 6000**0.5)
    np.testing.assert_allclose(u.T @ u / len(u), np.eye(3) / 3, atol=5 / 6000**0.5)


# --- xor ------------------------------------------------------------------------------------


def test_xor_is_its_formula() -> None:
    x, y = whole(XOR(dim=5).load())

    np.testing.assert_array_equal(y, (x[:, 0] > 0) ^ (x[:, 1] > 0))


def label_moment(source: XOR) -> np.ndarray:
    """Returns E[s x xᵀ] with s = ±1 the label: where in space the classes lie."""

    x, y = whole(source.load())

    return (x * (1 - 2 * y[:, None])).T @ x / len(x)


def test_xor_in_a_random_basis_is_the_same_problem_turned() -> None:
    """E[s x xᵀ] = (2/π)(u vᵀ + v uᵀ): its eigenvalues ±2/π and zeros know no basis, its entries
    are one pair in the standard basis and are spread in the random one."""

    # 200,000 samples: an error of 1/√200,000 an entry, of √dim times that an eigenvalue.
    standard = XOR(dim=8, train=198_000)
    turned = replace(standard, basis="random")
    expected = np.array([-2 / np.pi] + 6 * [0] + [2 / np.pi])

    moments = [label_moment(s) for s in (standard, turned)]
    for moment in moments:
        np.testing.assert_allclose(np.linalg.eigvalsh(moment), expected, atol=0.03)

    assert abs(moments[0][0, 1] - 2 / np.pi) < 0.02
    rest = moments[0].copy()
    rest[0, 1] = rest[1, 0] = 0
    assert abs(rest).max() < 0.02
    assert abs(moments[1]).max() < 0.5


def test_xor_is_balanced_and_no_line_tells() -> None:
    x, y = whole(XOR(dim=4, train=20_000).load())

    assert abs(y.mean() - 0.5) < 5 * 0.5 / 22_000**0.5
    assert abs((x * (1 - 2 * y[:, None])).mean(axis=0)).max() < 5 / 22_000**0.5


# --- teacher --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["elementwise", "isotropic"])
def test_targets_have_variance_one(form) -> None:
    _, y = whole(Teacher(form=form).load())

    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("form", ["elementwise", "isotropic"])
def test_targets_are_a_function_of_the_inputs(form) -> None:
    """One of a hidden layer: regressing on the teacher's own features leaves nothing over."""

    source = Teacher(form=form, dim=3, hidden=5)
    x, y = whole(source.load())

    rng = np.random.default_rng(source.seed)
    rng.standard_normal((6000, 3))
    z = x @ rng.standard_normal((3, 5)) / 3**0.5 + rng.standard_normal(5)
    r = np.linalg.norm(z, axis=1, keepdims=True)
    elementwise, isotropic = np.tanh(z), np.tanh(r) * z / r
    own, other = (elementwise, isotropic) if form == "elementwise" else (isotropic, elementwise)

    def left_over(features: np.ndarray) -> float:
        design = np.c_[features, np.ones(len(x))]
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]

        return float(((y - fitted) ** 2).mean())

    assert left_over(own) < 1e-10
    assert left_over(other) > 1e-3  # the control: the two teachers are not one
    assert left_over(x) > 1e-3


def test_runs_on_targets_that_were_not_standardized_are_other_runs() -> None:
    """Those of classes are the runs that they were."""

    for source in (Teacher(), Spheres()):
        made = source.load()
        content = digest_arrays([*made.train, *made.valid, *made.test])
        mark = "-standardized" if isinstance(source, Teacher) else ""
        assert source.fingerprint() == content + mark


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Spheres(dim=0), "dim must be at least 1, got 0"),
        (lambda: Spheres(train=0), "train must be at least 1"),
        (lambda: Spheres(shells=1), "shells must be at least 2, got 1"),
        (lambda: Spheres(noise=-0.1), "noise must not be negative, got -0.1"),
        (lambda: XOR(dim=1), "dim must be at least 2, got 1"),
        (lambda: Teacher(hidden=0), "hidden must be at least 1, got 0"),
        (lambda: Teacher(values=0), "values must be at least 1, got 0"),
    ],
)
def test_refuses_empty_sets(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
