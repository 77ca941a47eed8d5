"""Tests for ImageFolder of isoexp.data.images, on pictures written here."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image

from isoexp.data import ImageFolder, checked

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


@pytest.mark.parametrize("valid", ["val", "valid", "validation", "Val"])
@pytest.mark.parametrize("test", ["test", "Testing"])
def test_splits_go_by_the_names_that_people_give(tmp_path: Path, valid: str, test: str) -> None:
    for part, count in (("train", 5), (valid, 1), (test, 2)):
        write_pictures(tmp_path / part, count)
    splits = ImageFolder(root=str(tmp_path)).load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [10, 2, 4]


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("train", "test"), [8, 2, 4]), (("train", "val"), [8, 4, 2]), (("train",), [6, 2, 2]),
    ],
)  # fmt: skip
def test_a_split_that_is_missing_is_cut_from_the_training_pictures(
    tmp_path: Path, parts: tuple[str, ...], sizes: list[int]
) -> None:
    for part in parts:
        write_pictures(tmp_path / part, 5 if part == "train" else 2)
    splits = ImageFolder(root=str(tmp_path)).load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == sizes
    assert splits.published == ("test" in parts)
    for split in (splits.train, splits.valid, splits.test):
        assert_colours(split)


def test_what_systems_add_is_no_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    source = ImageFolder(root=str(tmp_path))
    before = source.fingerprint()
    for path in (
        ".git/objects/a.png", ".ipynb_checkpoints/red/0.png", "__MACOSX/red/._0.png", "red/._0.png",
        "red/.thumbnails/0.png", "red/folder.png/note.txt", "notes.txt",
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"no picture")

    assert ImageFolder(root=str(tmp_path)).fingerprint() == before
    assert ImageFolder(root=str(tmp_path)).load().outputs == 2


def test_an_archive_in_a_folder_of_its_name_is_found(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pets" / "pets")

    assert ImageFolder(root=str(tmp_path)).load().outputs == 2
    write_pictures(tmp_path / "hot" / "train")
    assert ImageFolder(root=str(tmp_path / "hot")).load().outputs == 2


def test_train_may_be_a_class(tmp_path: Path) -> None:
    """Of vehicles, say; but not where nothing else is."""

    write_pictures(tmp_path)
    (tmp_path / "red").rename(tmp_path / "train")
    assert ImageFolder(root=str(tmp_path)).load().outputs == 2

    (tmp_path / "cyan").rename(tmp_path / "test")
    message = refusal(lambda: ImageFolder(root=str(tmp_path)))
    assert (
        message == f"data.root: the pictures in {tmp_path / 'test'} need a class, as CLASS/NAME.png"
    )


def test_half_a_split_is_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_pictures(tmp_path / part)
    make = lambda: ImageFolder(root=str(tmp_path))

    (tmp_path / "valid").mkdir()
    message = refusal(make)
    assert str(tmp_path / "valid") in message
    assert "holds no pictures as CLASS/NAME.png; looked for CLASS/NAME.png, train/" in message

    write_pictures(tmp_path / "valid")
    write_pictures(tmp_path / "val")
    assert "are one split: keep one" in refusal(make)


def test_a_class_must_have_pictures_to_train_on(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_pictures(tmp_path / part)
    (tmp_path / "test" / "red").rename(tmp_path / "test" / "green")
    message = refusal(ImageFolder(root=str(tmp_path)).load)
    assert (
        message == f"data.root: the class of {tmp_path / 'test' / 'green'} has no training pictures"
    )

    (tmp_path / "train" / "blue").mkdir()
    (tmp_path / "train" / "blue" / "0.heic").write_bytes(b"of a kind that Pillow does not read")
    message = refusal(lambda: ImageFolder(root=str(tmp_path)))
    assert f"the class {tmp_path / 'train' / 'blue'} holds no pictures; looked for" in message
    assert ".png" in message


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


# --- modes ----------------------------------------------------------------------------------

RAMP = np.linspace(0, 1, 16).reshape(4, 4)


def load_one(folder: Path, image: Image.Image, end: str = "png", channels: int = 1, **options: Any):
    """Returns the pixels of a picture, written and read back at its own size."""

    settings = {k: options.pop(k) for k in ("size", "background") if k in options}
    for name in ("a", "b"):
        (folder / name).mkdir(exist_ok=True)
        for i in range(3):
            try:
                image.save(folder / name / f"{i}.{end}", **options)
            except OSError as error:
                if int(PIL.__version__.partition(".")[0]) >= 11:
                    raise
                pytest.skip(f"Pillow before 11 reads it and cannot write it: {error}")
    settings = {"size": image.size[0], **settings}

    return ImageFolder(root=str(folder), channels=channels, **settings).load().train.x[0]


def ramp_16_bits() -> Image.Image:
    return Image.fromarray(np.rint(65535 * RAMP).astype(np.uint16))


@pytest.mark.parametrize(
    ("image", "end", "steps"),
    [
        (Image.fromarray(np.rint(255 * RAMP).astype(np.uint8)), "png", 255),
        (ramp_16_bits(), "png", 65535),
        (ramp_16_bits(), "tif", 65535),
        (ramp_16_bits(), "pgm", 65535),
        (Image.fromarray(RAMP.astype(np.float32)), "tif", 2**23),
        (Image.fromarray(np.rint(255 * RAMP).astype(np.uint8)).convert("RGB"), "png", 255),
        (Image.fromarray(np.rint(255 * RAMP).astype(np.uint8)).convert("LA"), "png", 255),
        (Image.fromarray(np.rint(255 * RAMP).astype(np.uint8)).convert("P"), "png", 255),
        (Image.fromarray(np.rint(255 * RAMP).astype(np.uint8)).convert("RGBA"), "tif", 255),
        (Image.fromarray(np.rint(255 * RAMP).astype(np.uint8)).convert("RGB").convert("CMYK"),
         "tif", 255),
    ],
    ids=["L", "I;16", "I;16 tif", "I", "F", "RGB", "LA", "P", "RGBA", "CMYK"],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_a_ramp_is_a_ramp_in_every_mode(
    tmp_path: Path, image: Image.Image, end: str, steps: int, channels: int
) -> None:
    """From 0 to 1, each pixel rounded to the steps that the mode has."""

    x = load_one(tmp_path, image, end, channels)

    assert x.shape == (channels, 4, 4)
    eps = float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(x, np.broadcast_to(RAMP, x.shape), atol=0.5 / steps + eps)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    x = load_one(tmp_path, Image.fromarray(RAMP > 0.5))

    np.testing.assert_array_equal(x[0], RAMP > 0.5)


def test_sixteen_bits_are_resized_as_eight(tmp_path: Path) -> None:
    """Bicubic, within the range: an edge overshoots by less than nothing."""

    edge = np.zeros((8, 8), np.uint8)
    edge[:, 4:] = 255
    (tmp_path / "8").mkdir()
    (tmp_path / "16").mkdir()
    eight = load_one(tmp_path / "8", Image.fromarray(edge), size=5)
    sixteen = load_one(tmp_path / "16", Image.fromarray(edge.astype(np.uint16) * 257), size=5)

    assert sixteen.min() >= 0
    assert sixteen.max() <= 1
    np.testing.assert_allclose(sixteen, eight, atol=1.5 / 255)  # 8 bits are rounded twice


def test_white_may_be_zero_in_sixteen_bits_too(tmp_path: Path) -> None:
    x = load_one(tmp_path, ramp_16_bits(), "tif", tiffinfo={262: 0})

    np.testing.assert_allclose(x[0], 1 - RAMP, atol=0.5 / 65535 + 1e-7)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.rint(65535 * RAMP).astype(np.int32), "mode I have no range of their own"),
        (255 * RAMP.astype(np.float32), "must be from 0 to 1, got 0 to 255"),
        (RAMP.astype(np.float32) - 0.5, "must be from 0 to 1, got -0.5 to 0.5"),
        (np.where(RAMP > 0.5, np.nan, RAMP).astype(np.float32), "must be from 0 to 1, got nan"),
    ],
)
def test_what_has_no_range_is_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    line = refusal(lambda: load_one(tmp_path, Image.fromarray(pixels), "tif"))

    assert line.startswith(f"cannot read the picture {tmp_path / 'a' / '0.tif'}: ")
    assert message in line


def test_lab_is_refused(tmp_path: Path) -> None:
    message = refusal(lambda: load_one(tmp_path, Image.new("LAB", (4, 4)), "tif"))
    assert "mode LAB" in message


# --- transparency ---------------------------------------------------------------------------


def seen_through(mode: str) -> Image.Image:
    """Returns black ink on nothing: a picture that its transparency alone shows."""

    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 2, 4))
    if mode != "P":
        return image.convert(mode)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.paste(0, (0, 0, 2, 4))

    return palette


@pytest.mark.parametrize(
    ("mode", "options"), [("RGBA", {}), ("LA", {}), ("P", {"transparency": 1})]
)
@pytest.mark.parametrize("background", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_pixels_show_the_background(
    tmp_path: Path, mode: str, options: dict[str, Any], background: float, channels: int
) -> None:
    image = seen_through(mode)
    x = load_one(tmp_path, image, channels=channels, background=background, **options)

    assert (x[..., :2] == 0).all()
    np.testing.assert_allclose(x[..., 2:], background, atol=1e-7)


def test_the_background_is_white_and_half_seen_through_what_is_half(tmp_path: Path) -> None:
    x = load_one(tmp_path, Image.new("RGBA", (4, 4), (255, 0, 0, 51)), channels=3)

    np.testing.assert_allclose(x[:, 0, 0], [1, 0.8, 0.8], atol=1 / 255)
    with pytest.raises(ValueError, match="background must be from 0 to 1, got 2"):
        ImageFolder(root=str(tmp_path), background=2.0)


@pytest.mark.parametrize("image", [ramp_16_bits(), Image.fromarray(np.arange(16, dtype=np.uint8)
    .reshape(4, 4))], ids=["I;16", "L"])  # fmt: skip
def test_a_grey_may_stand_for_nothing(tmp_path: Path, image: Image.Image) -> None:
    x = load_one(tmp_path, image, "png", transparency=0)

    assert x[0, 0, 0] == 1
    assert x[0, 0, 1] < 0.1


# --- the way up -----------------------------------------------------------------------------

TURNS = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.T, 6: lambda a: np.rot90(a, 3), 7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}  # fmt: skip
"""What a viewer does to the rows as they are stored, by the EXIF tag of orientation."""


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_pictures_are_taken_upright(tmp_path: Path, turn: int, deep: bool) -> None:
    exif = Image.Exif()
    exif[274] = turn
    image = ramp_16_bits() if deep else Image.fromarray(np.rint(255 * RAMP).astype(np.uint8))
    x = load_one(tmp_path, image, exif=exif)

    np.testing.assert_allclose(x[0], TURNS[turn](RAMP), atol=0.5 / 255 + 1e-6)


def test_pictures_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    """White ink on nothing, say, over white."""

    load_one(tmp_path, Image.new("RGBA", (4, 4), (255, 255, 255, 30)))
    splits = ImageFolder(root=str(tmp_path), size=4).load()

    assert "inputs must vary, got 2 that are all alike" in refusal(lambda: checked(splits, "Mine"))
