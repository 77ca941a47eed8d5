"""Tests for ImageFolder of isoexp.data.images, on pictures written here."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isoexp.data import ImageFolder

from ..properties import refusal

COLOURS = {"cyan": (0, 255, 255), "red": (255, 0, 0)}


def write_pictures(folder: Path, count: int = 5) -> None:
    """Writes pictures of one colour each, in folders that are named after it."""

    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            end = ("png", "PNG", "bmp")[i % 3]
            Image.new("RGB", (6, 4), colour).save(folder / name / f"{i}.{end}")


def assert_colours(split) -> None:
    expected = np.array(list(COLOURS.values()), dtype=np.float32)[split.y] / 255
    assert (split.x == expected[:, :, None, None]).all()


def test_a_folder_of_classes_is_split(tmp_path: Path) -> None:
    """60/20/20, the same way every time."""

    write_pictures(tmp_path)
    source = ImageFolder(root=str(tmp_path), size=8)
    splits, again = source.load(), source.load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [6, 2, 2]
    assert splits.inputs == (3, 8, 8)
    assert splits.outputs == 2
    for split in (splits.train, splits.valid, splits.test):
        assert_colours(split)
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int64
    np.testing.assert_array_equal(splits.train.y, again.train.y)


def test_a_folder_of_splits_is_kept(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("valid", 1), ("test", 2)):
        write_pictures(tmp_path / part, count)
    splits = ImageFolder(root=str(tmp_path)).load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [10, 2, 4]
    for split in (splits.train, splits.valid, splits.test):
        assert_colours(split)


def test_pictures_are_resized_and_greyed(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    splits = ImageFolder(root=str(tmp_path), size=3, channels=1).load()

    assert splits.inputs == (1, 3, 3)
    # ITU-R 601: red is 0.299 of white, cyan the rest.
    grey = {1: 76 / 255, 0: 179 / 255}
    for x, y in zip(splits.train.x, splits.train.y, strict=True):
        np.testing.assert_allclose(x, grey[y], atol=1e-6)


def test_rows_stay_rows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0, 3] = (255, 128, 0)  # the corner at the top right
    for i in range(3):
        Image.fromarray(pixels).save(tmp_path / "a" / f"{i}.png")
    x = ImageFolder(root=str(tmp_path), size=4).load().train.x[0]

    assert x[:, 0, 3].tolist() == pytest.approx([1.0, 128 / 255, 0.0])
    assert x.sum() == pytest.approx(1 + 128 / 255)


def test_pictures_fingerprint(tmp_path: Path) -> None:
    """Of the contents and of the classes, not of where the folder lies."""

    for name in ("a", "b"):
        write_pictures(tmp_path / name)
    a, b = (ImageFolder(root=str(tmp_path / name)).fingerprint() for name in ("a", "b"))
    assert a == b

    (tmp_path / "b" / "red" / "0.png").rename(tmp_path / "b" / "cyan" / "9.png")
    moved = ImageFolder(root=str(tmp_path / "b")).fingerprint()
    assert moved != a
    (tmp_path / "b" / "red" / "notes.txt").write_text("not a picture")
    assert ImageFolder(root=str(tmp_path / "b")).fingerprint() == moved


def test_wrong_folders_are_refused(tmp_path: Path) -> None:
    make = lambda: ImageFolder(root=str(tmp_path))

    assert "must be a folder of pictures" in refusal(lambda: ImageFolder(root=str(tmp_path / "no")))
    assert "holds no pictures as CLASS/NAME.png" in refusal(make)

    Image.new("RGB", (2, 2)).save(tmp_path / "0.png")
    assert "holds no pictures as CLASS/NAME.png" in refusal(make)  # one without a class

    write_pictures(tmp_path)
    assert f"got {tmp_path / '0.png'}" in refusal(make)


def test_half_a_split_is_refused(tmp_path: Path) -> None:
    """train and test without valid would be taken for two classes, or be shuffled together."""

    for part in ("train", "test"):
        write_pictures(tmp_path / part)
    assert "holds no pictures as CLASS/NAME.png" in refusal(lambda: ImageFolder(root=str(tmp_path)))

    (tmp_path / "valid").mkdir()
    message = refusal(lambda: ImageFolder(root=str(tmp_path)))
    assert str(tmp_path / "valid") in message


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    broken = tmp_path / "red" / "broken.jpg"
    broken.write_bytes(b"no picture")
    assert f"cannot read the picture {broken}" in refusal(ImageFolder(root=str(tmp_path)).load)

    whole = (tmp_path / "red" / "2.bmp").read_bytes()
    broken.unlink()
    (tmp_path / "red" / "cut.bmp").write_bytes(whole[:60])
    assert "cut.bmp" in refusal(ImageFolder(root=str(tmp_path)).load)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": 0}, "size must be at least 1"), ({"channels": 2}, "channels must be 1 or 3")],
)
def test_refuses_no_pixels(tmp_path: Path, options: dict[str, int], message: str) -> None:
    write_pictures(tmp_path)
    with pytest.raises(ValueError, match=message):
        ImageFolder(root=str(tmp_path), **options)
