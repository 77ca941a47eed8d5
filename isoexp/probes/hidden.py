"""The hidden spaces of a network, found by following what is computed of what.

The graph that autograd records is cut at every map between spaces. What a map reads then depends,
without a map between, on what others wrote, on the network's inputs, and on tensors with a number
per feature: all that lies in one space. Those of the inputs and of the outputs are what they are.
The others are hidden, and may be turned by the groups that a trial on samples finds to keep the
function.
"""

__all__ = ["Map", "find_spaces", "maps_of"]

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, combinations, islice, product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..activations import RadialBasis
from ..models.attention import Attention
from ..models.blocks import Convolution
from ..norms import AffineLike
from ..symmetry import MatrixGroup
from .copies import PERMUTATIONS, preserves
from .layers import Call, hooked, tensor_of
from .spaces import Slot, Space
from .subject import Subject

TRIES = 256
"""The most ways, in which tensors with a number per feature may turn along, that are tried."""

PARTS = 16
"""The most maps that write to a space, in somebody's module, for pairs of them to be tried."""


class Map(NamedTuple):
    """A module as a map from one space to another, by its weight.

    Arguments:
        weight: Its name in the module.
        out, into: The axes of it along which lie the features that are written and read.
        features: The axis of features in the tensors that the module takes and gives.
    """

    weight: str
    out: int
    into: int
    features: int = -1


def _map_of(module: nn.Module) -> Map | None:
    """Returns how a module maps one space to another; None if it does not."""

    if isinstance(module, RadialBasis):
        return Map("centres", 0, 1)
    if isinstance(module, nn.Embedding):
        return Map("weight", 1, 0)
    if isinstance(module, nn.Linear | AffineLike):
        return Map("weight", 0, 1)
    if isinstance(module, _ConvNd) and module.groups == 1:
        transposed = isinstance(module, _ConvTransposeNd)
        features = -1 if isinstance(module, Convolution) else 1 - module.weight.dim()
        return Map("weight", int(transposed), int(not transposed), features)

    return None


Maps = dict[nn.Module, tuple[str, Map]]
"""The maps of a network, with the names of their weights."""

HOUSES = "isoexp.", "torch.nn.modules."
"""Whose modules are known to compute nothing that could hide a space within another."""

Node = tuple[str, int]
"""An axis of a map's weight, by its name; any other tensor as a WHOLE."""

WHOLE = -1

FIXED: Node = "", WHOLE
"""The inputs and the outputs of the network."""

Parts = list[tuple[Slot, ...]]
"""What turns with a space, the tensors of one map together."""


def find_spaces(
    subject: Subject, groups: Sequence[MatrixGroup]
) -> tuple[dict[str, dict[str, Space]], bool]:
    """Returns the hidden spaces by name, each for the groups, by name, that may turn it.

    Second comes whether nothing else is hidden that permutations may turn. That is not so if they
    may not turn a space; nor is it known where modules of other hands have weights of their own, or
    parts of a space that may be turned alone.
    """

    model = subject.model
    maps = maps_of(model)
    try:
        linked, whole = _linked(model, maps, subject.x[:2])
    except RuntimeError:  # a module that gradients cannot pass
        return {}, False

    heads = dict(_heads(maps, model))
    foreign = not all(_is_of(module, *HOUSES) for module in model.modules())
    spaces: dict[str, dict[str, Space]] = {}
    for nodes in linked:
        writers = [path for path, axis in _writers(maps) if (path, axis) in nodes]
        if FIXED in nodes or not writers:
            whole &= not (foreign and _loose(subject, maps, nodes, 0))
            continue

        found = spaces.setdefault(writers[0].rpartition(".")[0], {})
        for group in groups:
            if nodes in heads:
                fits = preserves(subject, heads[nodes], group)
                found |= {group.name: heads[nodes]} if fits else {}
                continue
            parts, n = _fitted(subject, maps, nodes, group)
            if parts:
                found[group.name] = Space(tuple(chain(*parts)), n)
            if parts and foreign and group is PERMUTATIONS:
                whole &= not _loose(subject, maps, nodes, n)
        whole &= PERMUTATIONS.name in found

    return {name: found for name, found in spaces.items() if found}, whole


def maps_of(model: nn.Module) -> Maps:
    """Returns the maps of a network; of weights that are tied, by the first name."""

    names = {id(p): name for name, p in model.named_parameters()}
    kinds = ((module, _map_of(module)) for module in model.modules())

    return {
        module: (names[id(W)], kind)
        for module, kind in kinds
        if kind and (W := module._parameters.get(kind.weight)) is not None
    }


@torch.enable_grad()
def _linked(model: nn.Module, maps: Maps, x: Tensor) -> tuple[list[frozenset[Node]], bool]:
    """Returns the nodes that lie in one space with each other, and whether no module of other hands
    has weights that are not those of maps."""

    weights = dict(model.named_parameters())
    state = {k: t.detach().clone().requires_grad_() for k, t in weights.items()}
    start = x.detach().clone().requires_grad_(x.is_floating_point())
    origins = {id(t): (k, WHOLE) for k, t in state.items() if t.numel() > 1} | {id(start): FIXED}
    kept, groups = [start], []

    def read(call: Call) -> None:
        path, kind = maps[call.module]
        groups.append({(path, kind.into), *_reached(call.x, origins)})

    def leaf(t: Tensor, node: Node) -> Tensor:
        kept.append(t.detach().requires_grad_())  # so that its address is not used again
        origins[id(kept[-1])] = node

        return kept[-1].clone()

    def write(call: Call) -> Tensor:
        path, kind = maps[call.module]

        return leaf(call.y, (path, kind.out))

    def see(call: Call) -> Tensor:
        """Has what comes out depend on buffers, of which some have no derivative."""

        return sum((leaf(torch.zeros_like(call.y), node) for node in own[call.module]), call.y)

    own = {
        module: [
            (f"{path}.{name}" if path else name, WHOLE)
            for name, t in module.named_buffers(recurse=False)
            if t.is_floating_point() and t.numel() > 1
        ]
        for path, module in model.named_modules()
    }
    buffered = [module for module, nodes in own.items() if nodes]
    with hooked(maps, read, write), hooked(buffered, after=see):
        y = tensor_of(functional_call(model, state, (start.clone(),)))
    groups.append({FIXED, *(() if y is None else _reached(y, origins))})

    linked: list[set[Node]] = []
    for group in groups:
        joined = [other for other in linked if other & group]
        linked = [other for other in linked if not other & group]
        linked.append(group.union(*joined))

    strange = [
        path
        for path, axis in set().union(*linked) - {FIXED}
        if axis == WHOLE and path in weights and weights[path].dim() > 1
        and not isinstance(owner := _owner(model, path), _ConvNd) and not _is_of(owner, HOUSES[0])
    ]  # fmt: skip

    return [frozenset(group) for group in linked], not strange


def _reached(t: Tensor, origins: dict[int, Node]) -> set[Node]:
    """Returns the nodes that a tensor was computed of."""

    found, seen = set(), set()
    ahead = [t.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        found.add(origins.get(id(getattr(node, "variable", None))))
        ahead += [before for before, _ in node.next_functions]

    return found - {None}


def _heads(maps: Maps, model: nn.Module) -> Iterator[tuple[frozenset[Node], Space]]:
    """Yields the spaces of heads, by the nodes that lie there."""

    for attention in model.modules():
        if not isinstance(attention, Attention):
            continue
        *read, out = attention.query, attention.key, attention.value, attention.out
        if not maps.keys() >= {*read, out}:
            continue

        n, path = out.in_features, maps[out][0]
        nodes, slots = [(path, 1)], [Slot(path, 1, n, start=n)]
        for module, start in zip(read, (0, 0, n), strict=True):
            path = maps[module][0]
            nodes.append((path, 0))
            slots += [Slot(name, 0, n, start) for name in (path, _bias(path))]
        yield frozenset(nodes), Space(tuple(slots), 2 * n, attention.heads)


def _fitted(
    subject: Subject, maps: Maps, nodes: frozenset[Node], group: MatrixGroup
) -> tuple[Parts, int]:
    """Returns the parts that a group may turn together, and the number n of features; no parts if
    it may not.

    Where a tensor may turn along in several ways these are tried, the same for alike modules.
    """

    model = subject.model
    shapes = {k: t.shape for k, t in (*model.named_parameters(), *model.named_buffers())}
    kinds = dict(maps.values())
    sizes = [shapes[path][axis] for path, axis in nodes if axis != WHOLE]
    n = min(sizes)
    if any(size % n for size in sizes):
        return [], n

    choices: dict[Hashable, int] = {}
    parts: list[tuple[Hashable, list[tuple[Slot, ...]]]] = []
    for path, axis in sorted(nodes):
        if axis != WHOLE:
            key: Hashable = path, axis
            own = [(path, axis)] + ([(_bias(path), 0)] if axis == kinds[path].out else [])
            ways = [
                tuple(Slot(k, a, n, slow=slow) for k, a in own if k in shapes)
                for slow in ((False, True) if shapes[path][axis] > n else (False,))
            ]
        else:
            key = type(_owner(model, path)), path.rpartition(".")[2]
            axes = [a for a, size in enumerate(shapes[path]) if size == n]
            each = [Slot(path, a, n) for a in axes]
            ways = [(slot,) for slot in each] if len(axes) > 1 else []
            ways += [tuple(each)]
            if group is not PERMUTATIONS:
                ways += [(slot._replace(squared=True),) for slot in each]
        choices[key] = len(ways)
        parts.append((key, ways))

    for picked in islice(product(*map(range, choices.values())), TRIES):
        chosen = dict(zip(choices, picked, strict=True))
        found = [ways[chosen[key]] for key, ways in parts]
        if preserves(subject, Space(tuple(chain(*found)), n), group):
            return found, n

    return [], n


def _loose(subject: Subject, maps: Maps, nodes: frozenset[Node], n: int) -> bool:
    """Whether permutations may turn some of what lies in a space of n features, and leave the rest:
    weights of another number of features, one alone, or two that write.

    Of what is fixed, n = 0, nothing may be turned.
    """

    few = replace(subject, x=subject.x[:8], y=None)
    shapes = {name: p.shape for name, p in few.model.named_parameters()}
    sizes = {node: shapes[node[0]][node[1]] for node in nodes if node[1] != WHOLE}
    outs = [node for node in _writers(maps) if node in nodes]
    if len(outs) > PARTS:
        return True

    some = [{node} for node in sizes] + [set(pair) for pair in combinations(outs, 2)]
    some = [each for each in some if len({sizes[node] for node in each}) == 1]
    some += [
        {node for node in nodes - {FIXED} if sizes.get(node, s) == s}
        for s in {*sizes.values()} - {n}
    ]
    proper = [frozenset(each) for each in some if not n or sizes.keys() - each]
    tried = (_fitted(few, maps, each, PERMUTATIONS) for each in proper)

    return any(parts and m > 1 for parts, m in tried)


def _writers(maps: Maps) -> list[Node]:
    return [(path, kind.out) for path, kind in dict.fromkeys(maps.values())]


def _bias(weight: str) -> str:
    return f"{weight.rpartition('.')[0]}.bias"


def _owner(model: nn.Module, path: str) -> nn.Module:
    return model.get_submodule(path.rpartition(".")[0])


def _is_of(module: nn.Module, *houses: str) -> bool:
    return type(module).__module__.startswith(houses)
