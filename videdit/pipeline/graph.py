"""What runs after what: stages as named nodes of a graph, laid out in the one order that this allows.

A layout says of every node that there may be after which others it comes. A graph is made of those that a run needs;
what is not there is passed over, but what comes after it still comes after what it comes after::

    layout = Layout([Node("decode", decode), Node("mark", mark, after=("decode",)), Node("encode", encode, ("mark",))])
    graph = Graph(layout, {"decode", "encode"}, context)
    Pipeline(graph.stages()).run()

Stages are made when somebody first asks for them, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Generic, TypeVar

from videdit.pipeline.executor import Stage

C = TypeVar("C")
S = TypeVar("S")


@dataclass(frozen=True)
class Node(Generic[C]):
    """One stage of a graph, and its place in it.

    Args:
        name: unique in a layout.
        make: makes the stage, of what the graph is for.
        after: names of nodes that come before it, where they are there.
        thread: the name of a node in whose thread it runs; None: in its own.
    """

    name: str
    make: Callable[[C], Stage]
    after: tuple[str, ...] = ()
    thread: str | None = None


class Layout(Generic[C]):
    """All nodes that there may be."""

    def __init__(self, nodes: Iterable[Node[C]]) -> None:
        """Raises ValueError: two nodes of one name, a place after one that is none, or a circle."""
        self.nodes: dict[str, Node[C]] = {}
        for node in nodes:
            if node.name in self.nodes:
                raise ValueError(f"two nodes are named {node.name}")
            self.nodes[node.name] = node
        for node in self.nodes.values():
            if unknown := {*node.after, node.thread or node.name} - self.nodes.keys():
                raise ValueError(f"{node.name} comes after {min(unknown)}, which is no node")
        self.before: dict[str, frozenset[str]] = {}  # all that comes before a node
        for name in self.nodes:
            self._close(name, ())

    def _close(self, name: str, way: tuple[str, ...]) -> frozenset[str]:
        if name in way:
            raise ValueError(f"a circle: {' after '.join((*way, name))}")
        if name not in self.before:
            direct = self.nodes[name].after
            further = (self._close(other, (*way, name)) for other in direct)
            self.before[name] = frozenset(direct).union(*further)
        return self.before[name]

    def order(self, names: Collection[str]) -> list[str]:
        """Nodes in the order that they run in. Raises ValueError: an unknown one, or their order is not laid out."""
        if unknown := set(names) - self.nodes.keys():
            raise ValueError(f"{min(unknown)} is no node")
        found = sorted(set(names), key=lambda name: (len(self.before[name] & set(names)), name))
        for one, other in pairwise(found):
            if one not in self.before[other]:
                raise ValueError(f"nothing says whether {one} comes before {other}")
        return found

    def between(self, name: str, first: str | None, last: str | None) -> bool:
        """Whether a node's place is from one to another, these included; None: from or to the end."""
        begun = first is None or name == first or first in self.before[name]
        return begun and (last is None or name == last or name in self.before[last])


class Graph(Generic[C]):
    """The stages of one run."""

    def __init__(
        self,
        layout: Layout[C],
        names: Collection[str],
        context: C,
        join: Callable[[str, Sequence[Stage], C], Stage] | None = None,
    ) -> None:
        """names: of the nodes that there are. context: what the stages are made of.

        join: (a thread, its stages, the context) -> one stage; by default they follow each other. Raises what
        :meth:`Layout.order` raises.
        """
        self.layout, self.context = layout, context
        self.names = layout.order(names)
        self._join = join or (lambda thread, stages, context: Compose(*stages))
        self._made: dict[str, Stage] = {}

    def stage(self, name: str) -> Stage:
        """The stage of a node. Raises KeyError: it is not there."""
        if name not in self.names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self.layout.nodes[name].make(self.context)
        return self._made[name]

    def part(self, first: str | None = None, last: str | None = None) -> list[Stage]:
        """The stages from one node to another, as far as they are there, each by itself."""
        return [self.stage(name) for name in self._within(first, last)]

    def stages(self, first: str | None = None, last: str | None = None) -> list[Stage]:
        """The same, those that share a thread joined to one."""
        threads = groupby(self._within(first, last), key=lambda name: self.layout.nodes[name].thread or name)
        return [self._join(thread, [self.stage(name) for name in names], self.context) for thread, names in threads]

    def find(self, kind: type[S]) -> S | None:
        """The stage of a class, where there is one that somebody has asked for."""
        return next((stage for stage in self._made.values() if isinstance(stage, kind)), None)

    def _within(self, first: str | None, last: str | None) -> list[str]:
        return [name for name in self.names if self.layout.between(name, first, last)]


class Compose:
    """Several stages as one, under the first one's name."""

    def __init__(self, *stages: Stage) -> None:
        """stages: at least one, in the order in which a packet meets them."""
        self.stages, self.name = stages, stages[0].name

    def __call__(self, packets: Iterator[Any]) -> Iterator[Any]:
        """What the last stage gives, all in the thread that pulls."""
        for stage in self.stages:
            packets = stage(packets)
        return packets
