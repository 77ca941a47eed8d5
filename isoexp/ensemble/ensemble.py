"""Many networks of one shape, trained as one.

The weights of K networks are stacked along a first axis and their forward passes batched by
torch.func.vmap; the networks know nothing of it. What happens to one never touches another: the
loss of the ensemble is the sum of theirs, and an elementwise optimizer on stacked tensors is K
optimizers. Where their modules differ in real settings, R0 or keep, these are stacked as well, and
each network computes with its own. One network alone takes the plain path, without vmap.
"""

__all__ = ["Ensemble"]

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer
from torch.utils._pytree import tree_map

from ..activations import activations_of
from ..noise import KEY, Noisy, salt
from ..optimizers import norms
from .differences import Difference, differences
from .memories import BuildOptimizer, built, remembered, restore

Tensors = dict[str, Any]

Stacked = tuple[Tensors, ...]
"""Parameters, buffers and settings, of K networks each."""

Passed = tuple[Tensor, list[Tensor]]
"""What a network says, and what was observed on the way."""


class Ensemble:
    """K networks of one shape.

    Raises ValueError if modules differ in more than real settings.

    Arguments:
        members: The networks; their weights are taken over.
        compile: Whether the batched forward pass goes through torch.compile.
        autocast: The dtype of mixed precision, or None for plain arithmetic.
        observe: Whether to keep what the activations give in a forward pass.
    """

    activations: Sequence[Tensor] = ()
    """What they gave in the last one, (K, batch, …, n) each, if it was to be kept."""

    def __init__(
        self,
        members: Sequence[nn.Module],
        compile: bool = False,
        autocast: torch.dtype | None = None,
        observe: bool = False,
    ) -> None:
        self.size = len(members)
        self.autocast = autocast

        if self.size == 1:
            # The one member is its own template, and its parameters are trained where they are.
            self.template = members[0]
            self.parameters = dict(members[0].named_parameters())
            self.buffers = dict(members[0].named_buffers())
        else:
            self.template = deepcopy(members[0])
            self.parameters, self.buffers = stack_module_state(list(members))
        self._differences: dict[str, Difference] = {}
        self.settings = self._lift(members[1:])

        self._seen: dict[str, list[Tensor]] = {}
        self._hooks = _keep_outputs(self.template, self._seen) if observe else []
        self._compiled = torch.compile(self._pure) if compile else None
        self._noisy = [
            (f"{path}.key".removeprefix("."), salt(path))
            for path, module in self.template.named_modules()
            if isinstance(module, Noisy)
        ]

    @property
    def device(self) -> torch.device:
        return next(iter(self.parameters.values())).device

    @property
    def dtype(self) -> torch.dtype:
        """That of the weights."""

        return next(p.dtype for p in self.parameters.values() if p.is_floating_point())

    def _lift(self, others: Sequence[nn.Module]) -> Tensors:
        """Makes buffers of the settings in which networks differ, and returns their values, (K,).

        They are tensors in the forward pass, and numbers in what `member` gives away.
        """

        paths = {module: path for path, module in self.template.named_modules()}
        found = differences([self.template, *others]) if others else []

        lifted = {}
        for difference in found:
            module = difference.owner
            if not (isinstance(module, nn.Module) and module in paths):
                raise ValueError(
                    f"{difference.path} must be the same in all: only settings that are attributes "
                    "of modules may differ between networks trained as one"
                )
            path = f"{paths[module]}.{difference.key}".removeprefix(".")
            self._differences[path] = difference
            lifted[path] = torch.tensor(difference.values, dtype=self.dtype, device=self.device)
            delattr(module, difference.key)
            module.register_buffer(difference.key, lifted[path][0], persistent=False)

        return lifted

    def __call__(self, x: Shaped[Tensor, "K batch *inputs"]) -> Shaped[Tensor, "K batch *outputs"]:
        """Returns the outputs of network k on the inputs x[k]."""

        enabled = self.autocast is not None
        with torch.autocast(x.device.type, dtype=self.autocast, enabled=enabled):
            if self._compiled is not None:
                outputs, self.activations, buffers = self._compiled(
                    self.parameters, self.buffers, self.settings, x
                )
                self._replace_buffers(buffers)
            elif self.size == 1:
                outputs, seen = self._call(self.template, x[0])
                outputs, self.activations = outputs[None], [h[None] for h in seen]
            else:
                outputs, self.activations = self._all(
                    self.parameters, self.buffers, self.settings, x
                )

        return outputs.float() if enabled else outputs

    def map(self, function: Callable[[Callable[[Tensor], Tensor], Tensor], Any], x: Tensor) -> Any:
        """Returns function(network, x) of all networks as one, the K along a first axis.

        Arguments:
            function: What is asked of a network, as a function of samples; its modules, which
                may have hooks, are those of the template.
            x: The samples, the same for each.
        """

        if self.size == 1:
            return tree_map(lambda t: t[None], function(self.template, x))

        def call(tensors: tuple[Tensors, ...]) -> Any:
            return function(partial(functional_call, self.template, tensors), x)

        return vmap(call, randomness="error")((self.parameters, self.buffers, self.settings))

    def _all(
        self, parameters: Tensors, buffers: Tensors, settings: Tensors, x: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        # torch.compile cannot evaluate tuple[…] in a function that is made here.
        def call(tensors: Stacked, x: Tensor) -> Passed:
            return self._call(partial(functional_call, self.template, tensors), x)

        # Noise that knows no keys would not be that of the solo run: better an error.
        return vmap(call, randomness="error")((parameters, buffers, settings), x)

    def _pure(
        self, parameters: Tensors, buffers: Tensors, settings: Tensors, x: Tensor
    ) -> tuple[Tensor, list[Tensor], Tensors]:
        """Returns the buffers that come after instead of writing to those that are.

        A compiled backward pass computes again what it needs of the forward pass, and would do so
        from buffers that have been written to: from the next key, with another mask.
        """

        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        if self.size > 1:
            return *self._all(parameters, buffers, settings, x), buffers

        call = partial(functional_call, self.template, (parameters, buffers))
        outputs, seen = self._call(call, x[0])

        return outputs[None], [h[None] for h in seen], buffers

    def _replace_buffers(self, buffers: Tensors) -> None:
        self.buffers = buffers
        if self.size == 1:
            for path, buffer in buffers.items():
                module, _, name = path.rpartition(".")
                self.template.get_submodule(module)._buffers[name] = buffer

    def _call(self, network: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Returns outputs, and what each activation gave: of several calls, along a second axis."""

        for calls in self._seen.values():
            calls.clear()
        outputs = network(x)
        seen = [
            calls[0] if len(calls) == 1 else torch.stack(calls, dim=1)
            for calls in self._seen.values()
            if calls
        ]
        for calls in self._seen.values():
            calls.clear()

        return outputs, seen

    @torch.no_grad()
    def seed_noise(self, seeds: Sequence[int]) -> None:
        """Seeds what the forward pass of each network draws from.

        That is the key of each noisy module, and for modules that know no keys, such as
        torch.nn.Dropout in a network alone, the global generator.
        """

        for name, salted in self._noisy:
            keys = torch.tensor([(seed & KEY) ^ salted for seed in seeds])
            self.buffers[name].copy_(keys[0] if self.size == 1 else keys)

        torch.default_generator.manual_seed(seeds[0])
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seeds[0])

    def train(self, mode: bool = True) -> None:
        """Sets training or evaluation mode."""

        if self.template.training != mode:
            self.template.train(mode)

    def weights(self) -> list[Tensor]:
        """Returns the trained matrices and kernels, (K, …) each.

        They are what a model calls weights: no biases, gains, learnt positions or centres.
        """

        return [
            p[None] if self.size == 1 else p
            for path, p in self.parameters.items()
            if p.requires_grad
            and "weight" in path.rpartition(".")[2]
            and p.dim() > (1 if self.size == 1 else 2)
        ]

    def gradients(self) -> list[Tensor]:
        """Returns the gradients, the networks along the first axis."""

        found = [p.grad for p in self.parameters.values() if p.grad is not None]

        return [g[None] for g in found] if self.size == 1 else found

    def grad_norm(self) -> Shaped[Tensor, " K"]:
        """Returns the norm of each network's gradient, over all its parameters."""

        return norms(self.gradients())

    def optimizers(
        self, build: BuildOptimizer | Sequence[BuildOptimizer], own_rates: bool = False
    ) -> list[Optimizer]:
        """Returns one optimizer of the stacked weights, or K of the members' if it must be so.

        Arguments:
            build: Builds the optimizer of given weights; one for each network where they differ.
            own_rates: Whether each network's rate will be set by itself.
        """

        builds = [build] * self.size if callable(build) else list(build)
        trained = [p for p in self.parameters.values() if p.requires_grad]

        return [builds[0](trained)] if self.size == 1 else built(trained, builds, own_rates)

    def optimizer_state(self, optimizers: Sequence[Optimizer], k: int) -> list[dict[str, Any]]:
        """Returns a copy of what the optimizer remembers of network k, a dict a parameter."""

        return remembered(optimizers, self.size, k)

    def load_optimizer(
        self, optimizers: Sequence[Optimizer], states: Sequence[list[dict[str, Any]]]
    ) -> None:
        """Restores what the optimizer remembers, from the K networks' optimizer_state."""

        restore(optimizers, states)

    def zero_grad(self) -> None:
        """Zeroes the gradients, in place: an optimizer may hold views of them."""

        for p in self.parameters.values():
            if p.grad is not None:
                p.grad.zero_()

    def member(self, k: int) -> nn.Module:
        """Returns a copy of network k, in evaluation mode."""

        network = deepcopy(self.template)
        for module in network.modules():
            for hook in self._hooks:
                module._forward_hooks.pop(hook, None)
        for path, difference in self._differences.items():
            module = network.get_submodule(path.rpartition(".")[0])
            delattr(module, difference.key)
            setattr(module, difference.key, difference.values[k])
        Ensemble([network]).load(0, self.state(k))

        return network.eval()

    def state(self, k: int) -> dict[str, Tensor]:
        """Returns a copy of the weights and buffers of network k."""

        tensors = {**self.parameters, **self.buffers}

        return {n: (t if self.size == 1 else t[k]).detach().clone() for n, t in tensors.items()}

    @torch.no_grad()
    def load(self, k: int, state: dict[str, Tensor]) -> None:
        """Sets the weights and buffers of network k."""

        for name, tensor in {**self.parameters, **self.buffers}.items():
            (tensor if self.size == 1 else tensor[k]).copy_(state[name])


def _keep_outputs(network: nn.Module, seen: dict[str, list[Tensor]]) -> list[int]:
    """Has each activation put what it gives into a list of its own; returns the hooks' names."""

    def keep(calls: list[Tensor], module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        calls.append(out)

    hooks = []
    for path, module in activations_of(network).items():
        seen[path] = []
        hooks.append(module.register_forward_hook(partial(keep, seen[path])).id)

    return hooks
