"""Many networks of one shape, trained as one.

The weights of K networks are stacked along a first axis and their forward passes batched by
torch.func.vmap; the networks know nothing of it. None of them ever touches another: the loss of
the ensemble is the sum of their losses, and an elementwise optimizer on stacked tensors is K
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

from ..noise import KEY, Noisy, salt
from ..optimizers import norms
from .differences import module_differences
from .observer import Observer
from .states import BuildOptimizer, build_optimizers, load_states, state_of

Named = dict[str, Any]
"""Tensors of K networks by their path."""

Passed = tuple[Tensor, list[Tensor]]
"""The outputs of networks, and those of their activations if they are observed."""


class Ensemble:
    """K networks of one shape.

    Raises ValueError if modules differ in more than real settings.

    Arguments:
        members: The networks, whose weights the ensemble takes over.
        compile: Whether to compile the batched forward pass.
        autocast: The dtype of mixed precision, or None for plain arithmetic.
        observe: Whether to keep the outputs of the activations in a forward pass.
    """

    activations: Sequence[Tensor] = ()
    """Their outputs in the last forward pass, (K, batch, …, n) each; none unless observed."""

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
        self._differences = module_differences([self.template, *members[1:]])
        self.settings = {
            path: torch.tensor(difference.values, dtype=self.dtype, device=self.device)
            for path, difference in self._differences.items()
        }
        # Tensors in the forward pass, numbers in a `member`.
        for path, difference in self._differences.items():
            delattr(difference.owner, difference.key)
            value = self.settings[path][0]
            difference.owner.register_buffer(difference.key, value, persistent=False)

        self._observer = Observer(self.template if observe else None)
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
        """The dtype of the weights."""

        return next(p.dtype for p in self.parameters.values() if p.is_floating_point())

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
                outputs, self.activations = self._one(self.template, x)
            else:
                outputs, self.activations = self._all(
                    self.parameters, self.buffers, self.settings, x
                )

        return outputs.float() if enabled else outputs

    def map(self, function: Callable[[Callable[[Tensor], Tensor], Tensor], Any], x: Tensor) -> Any:
        """Returns function(network, x) for every network, the K along a first axis.

        It calls the modules of the template, which may have hooks, with the same samples for each.
        """

        if self.size == 1:
            return tree_map(lambda t: t[None], function(self.template, x))

        def call(tensors: tuple[Named, ...]) -> Any:
            return function(partial(functional_call, self.template, tensors), x)

        return vmap(call, randomness="error")((self.parameters, self.buffers, self.settings))

    def _one(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Passed:
        outputs, seen = self._observer(network, x[0])

        return outputs[None], [h[None] for h in seen]

    def _all(self, parameters: Named, buffers: Named, settings: Named, x: Tensor) -> Passed:
        # torch.compile cannot evaluate tuple[…] in a function that is made here.
        def call(tensors: Any, x: Tensor) -> Passed:
            return self._observer(partial(functional_call, self.template, tensors), x)

        # Noise that knows no keys would differ from the solo run: better an error.
        return vmap(call, randomness="error")((parameters, buffers, settings), x)

    def _pure(
        self, parameters: Named, buffers: Named, settings: Named, x: Tensor
    ) -> tuple[Tensor, list[Tensor], Named]:
        """Returns the new buffers instead of writing them over the old ones.

        A compiled backward pass computes again what it needs of the forward pass, and would do so
        from buffers that have been written to: from the next key, with another mask.
        """

        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        if self.size > 1:
            return *self._all(parameters, buffers, settings, x), buffers

        network = partial(functional_call, self.template, (parameters, buffers))

        return *self._one(network, x), buffers

    def _replace_buffers(self, buffers: Named) -> None:
        self.buffers = buffers
        if self.size == 1:
            for path, buffer in buffers.items():
                module, _, name = path.rpartition(".")
                self.template.get_submodule(module)._buffers[name] = buffer

    @torch.no_grad()
    def seed_noise(self, seeds: Sequence[int]) -> None:
        """Seeds the noise of each network's forward pass.

        It sets the key of each noisy module and, for modules that know no keys, such as
        torch.nn.Dropout in a network alone, the global generator.
        """

        for name, salted in self._noisy:
            keys = torch.tensor([(seed & KEY) ^ salted for seed in seeds])
            self.buffers[name].copy_(keys[0] if self.size == 1 else keys)

        torch.default_generator.manual_seed(seeds[0])
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seeds[0])

    def train(self, mode: bool = True) -> None:
        if self.template.training != mode:
            self.template.train(mode)

    def weights(self) -> list[Tensor]:
        """Returns the trained matrices and kernels, (K, …) each.

        They are called weights in their model: no biases, gains, learnt positions or centres.
        """

        named = [
            self._stacked(p)
            for path, p in self.parameters.items()
            if p.requires_grad and "weight" in path.rpartition(".")[2]
        ]

        return [w for w in named if w.dim() > 2]

    def gradients(self) -> list[Tensor]:
        """Returns the gradients, the networks along the first axis."""

        return [self._stacked(p.grad) for p in self.parameters.values() if p.grad is not None]

    def grad_norm(self) -> Shaped[Tensor, " K"]:
        """Returns the norm of each network's gradient, over all its parameters."""

        return norms(self.gradients())

    def optimizers(
        self, build: BuildOptimizer | Sequence[BuildOptimizer], own_rates: bool = False
    ) -> list[Optimizer]:
        """Builds one optimizer of the stacked weights, or one for each network if it must be so.

        Arguments:
            build: Builds the optimizer of given weights; one for each network where they differ.
            own_rates: Whether each network has a rate of its own.
        """

        builds = [build] * self.size if callable(build) else list(build)
        trained = [p for p in self.parameters.values() if p.requires_grad]

        if self.size == 1:
            return [builds[0](trained)]

        return build_optimizers(trained, builds, own_rates)

    def optimizer_state(self, optimizers: Sequence[Optimizer], k: int) -> list[dict[str, Any]]:
        """Returns a copy of the optimizer's state of network k, a dict a parameter."""

        return state_of(optimizers, self.size, k)

    load_optimizer = staticmethod(load_states)
    """Sets the optimizers' state from the `optimizer_state` of each of the K networks."""

    def zero_grad(self) -> None:
        """Zeroes the gradients, in place: an optimizer may hold views of them."""

        for p in self.parameters.values():
            if p.grad is not None:
                p.grad.zero_()

    def member(self, k: int) -> nn.Module:
        """Returns a copy of network k, in evaluation mode."""

        network = deepcopy(self.template)
        self._observer.leave(network)
        for path, difference in self._differences.items():
            module = network.get_submodule(path.rpartition(".")[0])
            delattr(module, difference.key)
            setattr(module, difference.key, difference.values[k])
        Ensemble([network]).load(0, self.state(k))

        return network.eval()

    def state(self, k: int) -> dict[str, Tensor]:
        """Returns a copy of the weights and buffers of network k."""

        return {name: t.detach().clone() for name, t in self._tensors(k).items()}

    @torch.no_grad()
    def load(self, k: int, state: dict[str, Tensor]) -> None:
        """Sets the weights and buffers of network k."""

        for name, tensor in self._tensors(k).items():
            tensor.copy_(state[name])

    def _tensors(self, k: int) -> dict[str, Tensor]:
        tensors = {**self.parameters, **self.buffers}

        return tensors if self.size == 1 else {name: t[k] for name, t in tensors.items()}

    def _stacked(self, t: Tensor) -> Tensor:
        return t[None] if self.size == 1 else t
