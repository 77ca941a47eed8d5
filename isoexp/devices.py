"""Devices: which ones there are, how many cores, and how time is told on them."""

__all__ = [
    "bound_memory", "clock", "cuda_devices", "device_named", "memory_bytes", "set_threads", "wait",
]  # fmt: skip

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from . import processes
from .errors import UserError


def set_threads() -> None:
    """Sets the number of threads to $OMP_NUM_THREADS, or to one.

    Small networks gain nothing from more, and lose their bits.
    """

    threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    torch.set_num_threads(max(1, int(threads)) if threads.isdecimal() else 1)


def device_named(name: str) -> torch.device:
    """Returns a device that is there; auto takes an accelerator before the CPU."""

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if processes.size() > 1:
        return _own_device(name)
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")

    device = torch.device(name)
    there = {
        "cpu": True,
        "mps": mps,
        "cuda": cuda and (device.index or 0) < torch.cuda.device_count(),
    }
    if not there[device.type]:
        raise UserError(f"device={name} is not on this machine; use device=auto")

    return device


def _own_device(name: str) -> torch.device:
    """Returns the device of one of several processes, on a machine that has one for each."""

    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"device={name} is one; torchrun takes cpu, or cuda for a GPU each")

    here, devices = processes.local_size(), torch.cuda.device_count()
    if name == "cpu" or (name == "auto" and not devices):
        return torch.device("cpu")
    if devices < here:
        raise UserError(
            f"torchrun has started {here} processes on a machine with {devices} GPUs: start as "
            "many as there are, or use device=cpu"
        )

    torch.cuda.set_device(processes.local_rank())

    return torch.device("cuda", processes.local_rank())


def cuda_devices(name: str) -> tuple[str, ...]:
    """Returns the CUDA devices that device=NAME may use, as CUDA_VISIBLE_DEVICES calls them."""

    if name not in ("auto", "cuda"):
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()

    return tuple(visible.split(",")[:count]) if visible else tuple(map(str, range(count)))


def memory_bytes(device: torch.device) -> float:
    """Returns the memory of a device, in bytes."""

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def bound_memory(device: torch.device) -> None:
    """Has this process refused more memory than the machine has left, not killed unheard.

    Not beside an accelerator, whose driver counts its own memory in; and on Linux alone.
    """

    if sys.platform != "linux":
        return

    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = hard
    if device.type == "cpu":
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        left = sum(int(kb) for name, kb, *_ in lines if name in ("MemAvailable:", "SwapFree:"))
        own = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        most = own + 1024 * left
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def clock(device: torch.device) -> Callable[[], float]:
    """Returns a clock, in seconds; of this process alone, where it computes on one thread."""

    alone = device.type == "cpu" and torch.get_num_threads() == 1

    return time.process_time if alone else time.perf_counter


def wait(device: torch.device) -> None:
    """Waits for a device that works ahead of this process."""

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
