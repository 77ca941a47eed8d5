"""Tests for the lean step of isoexp.optimizers.together."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.optim import Optimizer, Rprop

from isoexp.ensemble import ELEMENTWISE, BuildOptimizer
from isoexp.optimizers import IsotropicAdam, Muon, NormalizedSGD, Shampoo, SignSGD, step

from ..properties import needs_muon

OURS = [IsotropicAdam, NormalizedSGD, Shampoo, SignSGD, Muon]
THEIRS = pytest.param(lambda p: torch.optim.Muon(p), marks=needs_muon, id="torch-Muon")


@pytest.mark.parametrize(
    "build", [*ELEMENTWISE, THEIRS, Rprop, *OURS], ids=lambda cls: cls.__name__
)
def test_a_lean_step_is_a_step(build: BuildOptimizer) -> None:
    """Bit by bit, weights and memory, without the hooks around it."""

    lean, plain = (nn.Parameter(torch.ones(4, 3)) for _ in range(2))
    optimizers: list[Optimizer] = [build([lean]), build([plain])]
    for _ in range(5):
        lean.grad = torch.randn(4, 3)
        plain.grad = lean.grad.clone()
        step(optimizers[0])
        optimizers[1].step()

    assert torch.equal(lean, plain)
    assert not torch.equal(lean, torch.ones(4, 3))
    for key, value in optimizers[1].state[plain].items():
        assert torch.equal(torch.as_tensor(optimizers[0].state[lean][key]), torch.as_tensor(value))


@pytest.mark.slow
def test_the_compiler_is_spared() -> None:
    code = """
import sys, torch
from isoexp.optimizers import *
spare_the_compiler()
for build in (torch.optim.Adam, IsotropicAdam, Muon, NormalizedSGD, SignSGD, Shampoo):
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = build([p])
    p.grad = torch.ones(3)
    step(optimizer)
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
