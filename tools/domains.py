# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from the source of the domains which findings they make and which acts they plan.

Nothing is imported or run: an id that cannot be read off the source is an error, because rules, runbooks
and people rely on it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LEVELS = ("critical", "warning", "notice")
RISKS = ("reversible", "disruptive", "destructive")
# Where findings are made and acts are planned.
ROOMS = (
    "plugins/module_utils",
    "plugins/plugin_utils/evidence",
    "plugins/plugin_utils/messages",
    "plugins/plugin_utils/people",
    "plugins/plugin_utils/record",
    "plugins/plugin_utils/recovery",
)


class SourceError(Exception):
    """The source cannot be documented as it is."""


@dataclass
class Described:
    """A finding or an act: where it is made, what it may be, in what words, and what follows from it."""

    id: str
    source: str
    words: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)

    def add(self, words: Iterable[str], texts: Iterable[str], follows: Iterable[str]) -> None:
        self.words = list(dict.fromkeys([*self.words, *words]))
        self.texts = list(dict.fromkeys([*self.texts, *texts]))
        self.follows = list(dict.fromkeys([*self.follows, *follows]))


def findings(root: Path) -> list[Described]:
    """From every `Finding(id="...", level=..., ...)` in the rooms where domains decide."""

    def describe(source: Source, call: Call) -> Facts:
        found = source.literal(call.argument("id", 0), f"{call.where}: the id of a finding")
        levels = source.constants(call.argument("level", 1), LEVELS)
        if not levels:
            raise SourceError(f"{call.where}: the level of {found} cannot be told from the source")
        return (
            found,
            levels,
            source.templates(call.argument("summary", 3)),
            source.first_arguments(call.argument("remedy", 5), "Remedy"),
        )

    return _described(root, "*.py", {"Finding": describe})


def actions(root: Path) -> list[Described]:
    """From every `Act("...", ...)`, and every `Removal("...", ...)`, which becomes a reversible act.

    Acts whose name is passed on are named where they come from.
    """

    def describe(source: Source, call: Call) -> Facts | None:
        action = source.text(call.argument("action", 0))
        if action is None:
            return None
        risks = source.constants(call.argument("risk", 3), RISKS)
        return action, risks, [], source.first_arguments(call.argument("undo", 5), "Undo")

    def describe_removal(source: Source, call: Call) -> Facts | None:
        action = source.text(call.argument("action", 0))
        if action is None:
            return None
        return action, ["reversible"], [], source.first_arguments(call.argument("undo", 2), "Undo")

    return _described(root, "*.py", {"Act": describe, "Removal": describe_removal})


Facts = tuple[str, list[str], list[str], list[str]]
Describe = Callable[["Source", "Call"], Facts | None]


def _described(root: Path, pattern: str, calls: Mapping[str, Describe]) -> list[Described]:
    found: dict[str, Described] = {}
    for path in sorted(path for room in ROOMS for path in (root / room).rglob(pattern)):
        source = Source(path.relative_to(root), ast.parse(path.read_text(encoding="utf-8")), path.parent)
        for name, describe in calls.items():
            for call in source.calls(name):
                described = describe(source, call)
                if described is not None:
                    identifier, words, texts, follows = described
                    entry = found.setdefault(identifier, Described(identifier, str(source.path)))
                    entry.add(words, texts, follows)
    return [found[identifier] for identifier in sorted(found)]


@dataclass(frozen=True)
class Call:
    """A call and the function it stands in."""

    node: ast.Call
    where: str

    def argument(self, name: str, position: int) -> ast.expr | None:
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return keyword.value
        return self.node.args[position] if position < len(self.node.args) else None


class Source:
    """One file, read without running it: names are followed to what this file says about them."""

    def __init__(self, path: Path, tree: ast.Module, folder: Path | None = None) -> None:
        self.path = path
        self._tree = tree
        self._folder = folder
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        self._around: ast.AST = tree

    def calls(self, name: str) -> Iterator[Call]:
        for around in [*self._functions.values(), self._tree]:
            for node in _calls_of(name, around):
                self._around = around
                yield Call(node, f"{self.path}:{node.lineno}")

    def _callers(self, name: str) -> list[Call]:
        everywhere = [*self._functions.values(), self._tree]
        return [Call(node, "") for around in everywhere for node in _calls_of(name, around)]

    def literal(self, node: ast.expr | None, what: str) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise SourceError(f"{what} is not a literal string")

    def text(self, node: ast.expr | None) -> str | None:
        """A literal string, written here or kept in a constant; None for what is passed on."""
        values = self._constant(node.id) if isinstance(node, ast.Name) else [node]
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
        return None

    def constants(self, node: ast.AST | None, words: Sequence[str]) -> list[str]:
        """Which of the words, written as constants of these names, an expression can come to."""
        names: set[str] = set()
        for each in self._reachable(node, set()):
            if isinstance(each, ast.Name):
                names.add(each.id.lower())
            elif isinstance(each, ast.Constant) and isinstance(each.value, str):
                names.add(each.value)
        return [word for word in words if word in names]

    def first_arguments(self, node: ast.AST | None, name: str) -> list[str]:
        """The literal first arguments of the calls of `name` that an expression can come to."""
        found: list[str] = []
        for each in self._reachable(node, set()):
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name:
                first = self.text(Call(each, "").argument("playbook" if name == "Remedy" else "action", 0))
                if first is not None:
                    found.append(first)
        return found

    def templates(self, node: ast.expr | None, seen: frozenset[str] = frozenset()) -> list[str]:
        """The sentences that an expression can come to, with their figures left open."""
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        if isinstance(node, ast.JoinedStr):
            return ["".join(self._piece(value, seen) for value in node.values)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.templates(node.left, seen), self.templates(node.right, seen)
            return [a + b for a in left for b in right]
        if isinstance(node, ast.IfExp):
            return self.templates(node.body, seen) + self.templates(node.orelse, seen)
        if not isinstance(node, ast.Name) or node.id in seen:
            return ["…"]
        values = self._assigned(node.id)
        return [text for value in values for text in self.templates(value, seen | {node.id})] or ["…"]

    def _piece(self, node: ast.expr, seen: frozenset[str]) -> str:
        if not isinstance(node, ast.FormattedValue):
            return self.templates(node, seen)[0]
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and len(value.args) == 1:
            value = value.args[0]
        if isinstance(value, ast.Attribute):
            return f"<{value.attr}>"
        return f"<{value.id}>" if isinstance(value, ast.Name) else "…"

    def _reachable(self, node: ast.AST | None, seen: set[str]) -> Iterator[ast.AST]:
        for each in ast.walk(node) if node is not None else ():
            yield each
            if isinstance(each, ast.Name) and each.id not in seen:
                seen.add(each.id)
                for value in self._assigned(each.id) or self._constant(each.id):
                    yield from self._reachable(value, seen)
                for inner in ast.walk(self._function(each.id)):
                    if isinstance(inner, ast.Return):
                        yield from self._reachable(inner.value, seen)

    def _assigned(self, name: str) -> list[ast.expr]:
        """What a name is set to in the function at hand, or given to it by callers in this file."""
        values: list[ast.expr] = []
        if isinstance(self._around, ast.FunctionDef):
            parameters = [parameter.arg for parameter in self._around.args.args]
            if name in parameters:
                position = parameters.index(name)
                given = (call.argument(name, position) for call in self._callers(self._around.name))
                values += [value for value in given if value is not None]
        return values + _set_in(ast.walk(self._around), name)

    def _function(self, name: str) -> ast.AST:
        """A function of this file, or of the one that it is imported from."""
        if name in self._functions:
            return self._functions[name]
        imported = (node for node in self._imported(name) if isinstance(node, ast.FunctionDef))
        return next((node for node in imported if node.name == name), ast.Module([], []))

    def _constant(self, name: str) -> list[ast.expr]:
        """What a constant of this file, or of the one that it is imported from, is set to."""
        return _set_in(self._tree.body, name) or _set_in(self._imported(name), name)

    def _imported(self, name: str) -> list[ast.stmt]:
        """The file that a name is imported from."""
        for node in self._tree.body:
            if isinstance(node, ast.ImportFrom) and node.level and node.module and self._folder:
                folder = self._folder if node.level == 1 else self._folder.parents[node.level - 2]
                path = folder.joinpath(*node.module.split(".")).with_suffix(".py")
                if path.is_file() and any((each.asname or each.name) == name for each in node.names):
                    return ast.parse(path.read_text(encoding="utf-8")).body
        return []


def _set_in(nodes: Iterable[ast.AST], name: str) -> list[ast.expr]:
    values: list[ast.expr] = []
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values += [value for target in targets for value in _matched(target, node.value, name)]
    return values


def _matched(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
        for inner, each in zip(target.elts, values, strict=False):
            yield from _matched(inner, each, name)


def _calls_of(name: str, around: ast.AST) -> Iterator[ast.Call]:
    for node in _own_nodes(around):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or a file but for those of functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own_nodes(child)
