"""Tests for isoexp.models.blocks."""

import pytest
import torch
import torch.nn.functional as F

from isoexp.models.blocks import steps_of, to_patches, to_rows


@pytest.mark.parametrize("shape", [(2, 5, 3), (1, 28, 28), (4, 3), (1, 1), (7,)])
def test_samples_are_read_as_is_said(shape: tuple[int, ...]) -> None:
    assert to_rows(torch.randn(6, *shape)).shape == (6, *steps_of(shape))


def test_a_picture_is_read_row_by_row() -> None:
    x = torch.randn(6, 2, 5, 3)
    rows = to_rows(x)

    for t in range(5):
        assert torch.equal(rows[:, t], torch.cat([x[:, 0, t], x[:, 1, t]], dim=1))


def test_a_sequence_is_what_it_is() -> None:
    x = torch.randn(6, 5, 3)

    assert torch.equal(to_rows(x), x)
    assert torch.equal(to_rows(x[:, :, 0])[..., 0], x[:, :, 0])


@pytest.mark.parametrize(("shape", "p"), [((2, 6, 4), 2), ((3, 6, 9), 3), ((1, 4, 4), 4)])
def test_patches_are_those_of_unfold(shape: tuple[int, ...], p: int) -> None:
    x = torch.randn(5, *shape)
    patches = to_patches(x, p)

    assert torch.equal(patches, F.unfold(x, p, stride=p).mT)
    assert torch.equal(F.fold(patches.mT, shape[1:], p, stride=p), x)  # and back


def test_patches_of_one_pixel() -> None:
    x = torch.randn(5, 3, 2, 4)

    assert torch.equal(to_patches(x, 1), x.flatten(2).mT)


@pytest.mark.parametrize("shape", [(), (1, 2, 3, 4)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"a sequence \(T,\), \(T, D\) or a picture .* got \("):
        steps_of(shape)
