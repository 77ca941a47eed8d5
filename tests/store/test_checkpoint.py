"""Tests for isoexp.store.checkpoint."""

import os
from pathlib import Path

import pytest
import torch

from isoexp.store import checkpoint


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        checkpoint.save(tmp_path, step, {"model": {"w": torch.full((2,), float(step))}})

    assert {p.name for p in tmp_path.iterdir()} == {checkpoint.CURRENT, checkpoint.PREVIOUS}
    assert checkpoint.common_step([tmp_path]) == 30
    assert checkpoint.load(tmp_path, 20)["model"]["w"].tolist() == [20.0, 20.0]


def test_networks_saved_one_after_the_other_share_an_update(tmp_path: Path) -> None:
    """A kill between two of them leaves one ahead: the one before is common."""

    a, b = tmp_path / "a", tmp_path / "b"
    for folder, steps in ((a, (10, 20, 30)), (b, (10, 20))):
        folder.mkdir()
        for step in steps:
            checkpoint.save(folder, step, {})

    assert checkpoint.common_step([a, b]) == 20
    assert checkpoint.common_step([a, tmp_path / "none"]) == 0


@pytest.mark.parametrize("survives", [0, 1])
def test_a_kill_between_the_moves_leaves_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    checkpoint.save(tmp_path, 10, {})
    moves, replace = [], os.replace

    def move(*paths: Path) -> None:
        if len(moves) == survives:
            raise KeyboardInterrupt
        moves.append(paths)
        replace(*paths)

    monkeypatch.setattr(os, "replace", move)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, 20, {})

    assert checkpoint.common_step([tmp_path]) == 10


def test_an_unreadable_checkpoint_is_none(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 10, {})
    checkpoint.save(tmp_path, 20, {})
    (tmp_path / checkpoint.CURRENT).write_bytes(b"not a checkpoint")

    assert checkpoint.common_step([tmp_path]) == 10


class Malice:
    """Runs a command when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def test_a_checkpoint_is_data_not_code(tmp_path: Path) -> None:
    torch.save({"step": 10, "model": Malice(str(tmp_path / "owned"))}, tmp_path / "checkpoint.pt")

    assert checkpoint.common_step([tmp_path]) == 0
    assert not (tmp_path / "owned").exists()


def test_discard(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 10, {})
    checkpoint.save(tmp_path, 20, {})

    checkpoint.discard(tmp_path)
    assert checkpoint.common_step([tmp_path]) == 20

    checkpoint.discard(tmp_path, all=True)
    assert list(tmp_path.iterdir()) == []
