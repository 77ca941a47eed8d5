"""Tests for isoexp.data.images, on files written here: no network, no downloaded set."""

import gzip
import hashlib
import os
import pickle
import socket
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from isoexp.data import CIFAR10, CIFAR100, EMNIST, MNIST, FashionMNIST
from isoexp.data.images import NETWORK_TIMEOUT_S

from ..properties import refusal

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test alone."""

    folder = tmp_path / "cache"
    monkeypatch.setenv("ISOEXP_DATA", str(folder))

    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[list[str]]:
    """Answers every download as a machine without a network does; lists what was asked for."""

    from torchvision import datasets

    asked: list[str] = []
    for name in ("MNIST", "FashionMNIST", "EMNIST", "CIFAR10", "CIFAR100"):

        def download(root: str, download: bool, name: str = name, **options: Any) -> None:
            assert socket.getdefaulttimeout() == NETWORK_TIMEOUT_S, "it may hang"
            asked.append(name)
            raise URLError("Name or service not known\n(second line)")

        monkeypatch.setattr(datasets, name, download)

    socket.setdefaulttimeout(7.0)
    yield asked
    socket.setdefaulttimeout(None)


# --- IDX ------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)

    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns pictures of 4×3 pixels, so that rows and columns cannot be confused."""

    rng = np.random.default_rng(seed)

    return rng.integers(256, size=(count, 4, 3)), rng.integers(10, size=count)


def write_idx(folder: Path, prefix: str = "", test: str = "t10k", end: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in (("train", pictures(12, 0)), (test, pictures(5, 1))):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            raw = idx(array)
            path = folder / f"{prefix}{part}-{kind}-ubyte{end}"
            path.write_bytes(gzip.compress(raw) if end else raw)


def pairs(images: np.ndarray, labels: np.ndarray) -> list[tuple[list[int], int]]:
    return sorted((i.flatten().tolist(), int(k)) for i, k in zip(images, labels, strict=True))


def assert_written(splits, transposed: bool = False) -> None:
    """Asserts that what was loaded is what was written."""

    images, labels = pictures(5, 1)
    expected = images.transpose(0, 2, 1) if transposed else images
    np.testing.assert_array_equal(splits.test.x, expected[:, None].astype(np.float32) / 255)
    np.testing.assert_array_equal(splits.test.y, labels)
    assert splits.published

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [8, 4, 5]
    images, labels = pictures(12, 0)
    expected = images.transpose(0, 2, 1) if transposed else images
    seen = np.rint(255 * np.concatenate([splits.train.x, splits.valid.x])).astype(int)
    numbers = np.concatenate([splits.train.y, splits.valid.y])
    assert pairs(seen[:, 0], numbers) == pairs(expected, labels)
    assert splits.train.x.dtype == np.float32
    assert splits.train.y.dtype == np.int64


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("below", [".", "raw", "MNIST/raw", "gzip", "MNIST", "MNIST/gzip"])
def test_mnist_is_found_in_a_folder(tmp_path: Path, below: str, end: str) -> None:
    write_idx(tmp_path / below, end=end)

    assert_written(MNIST(root=str(tmp_path), valid=4).load())


def rename(folder: Path, new: Callable[[str], str]) -> None:
    """Lays files out anew."""

    for path in list(folder.iterdir()):
        raw = path.read_bytes()
        path.unlink()
        (folder / new(path.name)).parent.mkdir(exist_ok=True)
        (folder / new(path.name)).write_bytes(raw)


@pytest.mark.parametrize(
    ("end", "new"),
    [
        ("", lambda name: name.replace("-idx", ".idx")),
        (".gz", lambda name: name.replace("-idx", ".idx")),
        ("", lambda name: f"{name}/{name}"),
        ("", lambda name: f"{name}/{name}".replace("-idx", ".idx")),
        ("", lambda name: f"{name}.gz"),
        (".gz", lambda name: name.removesuffix(".gz")),
        (".gz", lambda name: f"{name.removesuffix('.gz')}/{name}"),
    ],
    ids=["dot", "dot.gz", "NAME/NAME", "dot/dot", "unpacked .gz", "packed raw", "NAME/NAME.gz"],
)
def test_mnist_is_found_as_people_have_it(
    tmp_path: Path, end: str, new: Callable[[str], str]
) -> None:
    """As Kaggle names it, in folders named like files, unpacked by a browser that kept the name."""

    write_idx(tmp_path, end=end)
    for path in list(tmp_path.iterdir()):
        (tmp_path / f"._{path.name}").write_bytes(b"what a Mac adds")
    rename(tmp_path, new)

    assert_written(MNIST(root=str(tmp_path), valid=4).load())


def test_emnist_is_found_as_its_archive_has_it(tmp_path: Path) -> None:
    write_idx(tmp_path / "gzip", "emnist-balanced-", "test", ".gz")

    assert_written(EMNIST(root=str(tmp_path), valid=4).load(), transposed=True)


def test_mnist_is_found_in_the_cache(cache: Path) -> None:
    write_idx(cache / "MNIST" / "raw")

    assert_written(MNIST(valid=4).load())


def test_fashion_mnist_is_found_where_debian_puts_it(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path / "debian", end=".gz")
    monkeypatch.setattr(FashionMNIST, "system", str(tmp_path / "debian"))

    assert_written(FashionMNIST(valid=4).load())


def test_nothing_is_found_where_one_happens_to_stand(
    tmp_path: Path, offline: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the folders that are documented are looked through, not the working directory."""

    write_idx(tmp_path)
    monkeypatch.chdir(tmp_path)

    refusal(MNIST(valid=4).load)
    assert offline == ["MNIST"]


@pytest.mark.parametrize("end", ["", ".gz"])
def test_emnist_is_turned_upright(tmp_path: Path, end: str) -> None:
    """It is published with rows for columns."""

    write_idx(tmp_path / "EMNIST" / "raw", "emnist-balanced-", "test", end)
    splits = EMNIST(root=str(tmp_path), valid=4).load()

    assert splits.outputs == 47
    assert_written(splits, transposed=True)


def test_the_validation_split_is_the_same_for_ever(tmp_path: Path) -> None:
    write_idx(tmp_path)
    first, again = (MNIST(root=str(tmp_path), valid=4).load() for _ in range(2))

    np.testing.assert_array_equal(first.valid.x, again.valid.x)
    assert refusal_of_value(MNIST(root=str(tmp_path), valid=12).load).endswith("lower data.valid")


def refusal_of_value(use: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:
        use()

    return str(caught.value)


def test_mnist_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_idx(tmp_path / name)
    a, b = (MNIST(root=str(tmp_path / name)).fingerprint() for name in ("a", "b"))
    assert a == b

    path = tmp_path / "b" / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert MNIST(root=str(tmp_path / "b")).fingerprint() != a


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda raw: raw[:-7],
    "longer": lambda raw: raw + b"\0",
    "no sizes": lambda raw: raw[:9],
    "no rank": lambda raw: raw[:3],
    "empty": lambda raw: b"",
    "another format": lambda raw: b"\x89PNG" + raw,
    "another type": lambda raw: b"\0\0\x0d" + raw[3:],
    "too few": lambda raw: idx(np.zeros((11, 4, 3))),
    "another rank": lambda raw: idx(np.zeros((12, 4))),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))

    assert str(tmp_path) in refusal(MNIST(root=str(tmp_path), valid=4).load)


@pytest.mark.parametrize("where", [0, 10, -5])
def test_a_damaged_archive_is_named(tmp_path: Path, where: int) -> None:
    """Cut short, and with a byte changed in its header, its first block and its check sum."""

    write_idx(tmp_path, end=".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2])
    assert path.name in refusal(MNIST(root=str(tmp_path), valid=4).load)
    broken = bytearray(whole)
    broken[where] ^= 0xFF
    path.write_bytes(bytes(broken))
    assert path.name in refusal(MNIST(root=str(tmp_path), valid=4).load)


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()

    message = refusal(MNIST(root=str(tmp_path)).load)
    assert message == (
        f"data.root={tmp_path} holds no MNIST files: looked for t10k-labels-idx1-ubyte (or .gz, or "
        "with a dot), there and in raw/, gzip/, raw/gzip/ and MNIST/"
    )


def test_a_root_must_be_a_folder(tmp_path: Path) -> None:
    assert "data.root must be a folder, got" in refusal(lambda: MNIST(root=str(tmp_path / "no")))


def test_a_validation_split_must_be_something() -> None:
    with pytest.raises(ValueError, match="valid must be at least 1, got 0"):
        MNIST(valid=0)


# --- downloads ------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [MNIST, FashionMNIST, EMNIST, CIFAR10, CIFAR100])
def test_without_a_network_one_line_says_what_else_to_do(
    cls: type[MNIST], offline: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cls, "system", str(tmp_path / "none") if cls.system else "")

    for use in (cls().load, cls().fingerprint):
        message = refusal(use)
        assert message.startswith(f"{cls.__name__} is not on this machine and cannot be downloaded")
        assert "Name or service not known" in message
        assert "data.root=" in message
        assert "data=digits" in message
        assert ("dataset-fashion-mnist" in message) == (cls is FashionMNIST)

    assert socket.getdefaulttimeout() == 7.0
    assert offline == [cls.__name__] * 2


def test_what_is_downloaded_is_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the second time it is there."""

    from torchvision import datasets

    calls = []

    def download(root: str, download: bool, **options: Any) -> None:
        calls.append(options)
        write_idx(Path(root) / "EMNIST" / "raw", "emnist-balanced-", "test")

    monkeypatch.setattr(datasets, "EMNIST", download)

    assert_written(EMNIST(valid=4).load(), transposed=True)
    assert EMNIST(valid=4).fingerprint()
    assert calls == [{"split": "balanced"}]


def test_nothing_is_downloaded_over_a_named_root(tmp_path: Path, offline: list[str]) -> None:
    refusal(MNIST(root=str(tmp_path)).load)

    assert not offline


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian(cache: Path) -> None:
    splits = FashionMNIST().load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [55_000, 5000, 10_000]
    assert splits.inputs == (1, 28, 28)
    assert set(splits.train.y) == set(range(10))
    # The published mean of all training pixels.
    x = np.concatenate([splits.train.x, splits.valid.x])
    assert x.mean(dtype=np.float64) == pytest.approx(0.2860, abs=1e-4)


# --- CIFAR ----------------------------------------------------------------------------------


def write_cifar(folder: Path, cls: type[CIFAR10], monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes batches as they are published, and tells torchvision their check sums."""

    from torchvision import datasets

    peer = getattr(datasets, cls.__name__)
    folder.mkdir(parents=True, exist_ok=True)
    labels = "fine_labels" if cls is CIFAR100 else "labels"

    def write(name: str, content: dict[str, Any]) -> list[str]:
        raw = pickle.dumps(content)
        (folder / name).write_bytes(raw)

        return [name, hashlib.md5(raw).hexdigest()]

    def batch(name: str, seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        data = rng.integers(256, size=(6, 3072)).astype(np.uint8)

        return write(name, {"data": data, labels: rng.integers(10, size=6).tolist()})

    monkeypatch.setattr(peer, "train_list", [batch("data_batch_1", 0), batch("data_batch_2", 1)])
    monkeypatch.setattr(peer, "test_list", [batch("test_batch", 2)])
    meta = peer.meta
    name, md5 = write(meta["filename"], {meta["key"]: [str(i) for i in range(cls.classes)]})
    monkeypatch.setattr(peer, "meta", {**meta, "filename": name, "md5": md5})


@pytest.mark.parametrize("cls", [CIFAR10, CIFAR100])
def test_cifar_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cls: type[CIFAR10]) -> None:
    """From the folder above and from the one of the batches; red, green, blue planes of rows."""

    write_cifar(tmp_path / cls.folder, cls, monkeypatch)

    for root in (tmp_path, tmp_path / cls.folder):
        splits = cls(root=str(root), valid=4).load()

        assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [8, 4, 6]
        assert splits.inputs == (3, 32, 32)
        assert splits.outputs == cls.classes
        rng = np.random.default_rng(2)
        planes = rng.integers(256, size=(6, 3072)).reshape(6, 3, 32, 32)
        np.testing.assert_array_equal(splits.test.x, planes.astype(np.float32) / 255)
        np.testing.assert_array_equal(splits.test.y, rng.integers(10, size=6))


@pytest.mark.parametrize("cls", [CIFAR10, CIFAR100])
def test_cifar_is_read_as_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cls: type[CIFAR10]
) -> None:
    """The archive itself, unzipped or not, has the identity of the folder; nothing stays behind."""

    write_cifar(tmp_path / "a" / cls.folder, cls, monkeypatch)
    whole = cls(root=str(tmp_path / "a"), valid=4)
    (tmp_path / "b").mkdir()
    archive = tmp_path / "b" / cls.archive
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "a" / cls.folder, cls.folder)
        tar.addfile(tarfile.TarInfo("../../escaped"))
    packed = cls(root=str(tmp_path / "b"), valid=4)

    for path, raw in (
        (archive, archive.read_bytes()),
        (archive.with_suffix(""), gzip.decompress(archive.read_bytes())),
    ):
        archive.unlink()
        archive = path
        archive.write_bytes(raw)
        assert packed.fingerprint() == whole.fingerprint()
        np.testing.assert_array_equal(packed.load().train.x, whole.load().train.x)
        assert [p.name for p in (tmp_path / "b").iterdir()] == [archive.name]

    for broken in (b"<html>no such file</html>", gzip.compress(raw)[:500]):
        archive.write_bytes(broken)
        assert f"cannot read {archive}" in refusal(packed.load)
    archive.unlink()
    message = refusal(packed.load)
    assert f"looked for {cls.folder}/ and {cls.archive}, there and in {cls.__name__}/" in message


@pytest.mark.parametrize("nested", ["{0}/{0}", "{1}/{0}"])
def test_cifar_is_found_in_a_folder_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nested: str
) -> None:
    write_cifar(tmp_path / nested.format(CIFAR10.folder, "CIFAR10"), CIFAR10, monkeypatch)
    source = CIFAR10(root=str(tmp_path), valid=4)
    before = source.fingerprint()
    (source.files(tmp_path)[0].parent / "._data_batch_1").write_bytes(b"what a Mac adds")

    assert source.fingerprint() == before
    assert len(source.load().train.x) == 8


@pytest.mark.parametrize("damage", ["altered", "gone"])
def test_cifar_that_was_altered_is_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    write_cifar(tmp_path / CIFAR10.folder, CIFAR10, monkeypatch)
    path = tmp_path / CIFAR10.folder / "data_batch_2"
    before = CIFAR10(root=str(tmp_path)).fingerprint()
    if damage == "altered":
        path.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    else:
        path.unlink()

    message = refusal(CIFAR10(root=str(tmp_path), valid=4).load)
    assert "incomplete or altered" in message
    assert "fetch them again" in message
    assert not (tmp_path / "exploded").exists()
    assert CIFAR10(root=str(tmp_path)).fingerprint() != before


class Bomb:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
