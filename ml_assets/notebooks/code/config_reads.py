"""Which keys of its model's `config` a notebook reads, found in its code without running it. Light.

A notebook gets its configuration from its step alone, and its step from its context. While these are used only in ways
that can be told, such as `step.config["features"]`, it is known what is read; where one is handed on, as in
`train(step.config)` or `helper(step)`, all may be. Whatever gets by is refused when it reads: see `SeenConfig`.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Any

from ml_assets.notebooks.code.source import python_of

#: The name that the cell tagged `parameters` sets.
_CONTEXT_NAME = "context"
#: By these, names are reached without being named.
_HIDING = {"exec", "eval", "globals", "locals", "vars", "get_ipython"}
_HIDING_MAGIC = re.compile(r"%(run|load)\b")


class UnseenConfigError(Exception):
    """A notebook read what it was not known to read."""


class SeenConfig(Mapping[str, Any]):
    """A configuration of which a notebook reads some keys by name, and can read no others."""

    def __init__(self, asset: str, seen: Mapping[str, Any], unseen: Iterable[str]) -> None:
        self._asset, self._seen, self._unseen = asset, dict(seen), sorted(unseen)

    def __getitem__(self, key: str) -> Any:
        if key in self._unseen:
            raise self._refusal(f"the key {key!r}")
        return self._seen[key]

    def __iter__(self) -> Iterator[str]:
        raise self._refusal("its keys")

    def __len__(self) -> int:
        raise self._refusal("its keys")

    def __repr__(self) -> str:
        return f"{self._seen!r}, without {', '.join(self._unseen)}"

    def _refusal(self, what: str) -> UnseenConfigError:
        known = ", ".join(map(repr, self._seen)) or "no key"
        return UnseenConfigError(
            f"{self._asset} does not see {what} of `config`: by its notebook's cells it reads {known}, and its code "
            'version covers nothing else. Read it in a cell as `step.config["key"]`, or hand on the whole `step.config`'
        )


def keys_read(cells: Iterable[str]) -> frozenset[str] | None:
    """The keys of `config` that the cells of a notebook read, without the one tagged `parameters`; None: all of them.

    Args: `cells`: their code, as IPython takes it.
    """
    found, trees, other_lines = _Reads(), [], []
    for cell in cells:
        tree, others = python_of(cell)
        trees += [tree] if tree else []
        other_lines += others
    # A function may use a name that a later cell sets.
    while any(found.learn(node) for tree in trees for node in ast.walk(tree)):
        pass
    words = {word for line in other_lines for word in re.findall(r"\w+", line)}
    if words & found.kinds.keys() or any(map(_HIDING_MAGIC.search, other_lines)):
        return None
    return frozenset(found.keys) if all(map(found.look, trees)) else None


class _Kind(Enum):
    """What a name or an expression stands for."""

    CONTEXT = auto()
    STEP = auto()
    CONFIG = auto()


class _Reads:
    """What names stand for, wherever they are set, and which keys are read so far."""

    def __init__(self) -> None:
        self.kinds = {_CONTEXT_NAME: {_Kind.CONTEXT}}
        self.keys: set[str] = set()

    def learn(self, node: ast.AST) -> bool:
        """Note the name that a statement sets. Returns: whether it was news."""
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value)
                | ast.NamedExpr(target=ast.Name(name), value=value)
            ):
                kinds = self.kinds.setdefault(name, set()) if (new := self._of(value)) else new
                news = new - kinds
                kinds |= news
                return bool(news)
        return False

    def look(self, tree: ast.Module) -> bool:
        """Note the keys that are read. Returns: whether all uses can be told."""
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        return all(self._is_told(node, parents) for node in parents)

    def _of(self, node: ast.AST) -> set[_Kind]:
        match node:
            case ast.Name(name):
                return self.kinds.get(name, set())
            case ast.NamedExpr(value=value):
                return self._of(value)
            # `Step.of(context)`, whatever the class is called here.
            case ast.Call(func=ast.Attribute(attr="of"), args=[given], keywords=[]) if _Kind.CONTEXT in self._of(given):
                return {_Kind.STEP}
            case ast.Attribute(value=value, attr="config") if _Kind.STEP in self._of(value):
                return {_Kind.CONFIG}
        return set()

    def _is_told(self, node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
        if isinstance(node, ast.Name):
            if node.id in _HIDING:
                return False
            if not isinstance(node.ctx, ast.Load):
                return True
        return all(self._use_is_told(kind, node, parents) for kind in self._of(node))

    def _use_is_told(self, kind: _Kind, node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
        parent = parents[node]
        match parent:
            case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign(target=ast.Name()):
                return True
            case ast.NamedExpr():
                return parent.value is node
            case ast.Call() if kind is _Kind.CONTEXT:
                return self._of(parent) == {_Kind.STEP}
            case ast.Attribute(attr=attr) if kind is not _Kind.CONFIG:
                return not attr.startswith("_")
        return kind is _Kind.CONFIG and self._reads_a_key(node, parents)

    def _reads_a_key(self, config: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
        parent = parents[config]
        match parent:
            case ast.Subscript(value=value, slice=ast.Constant(str(key)), ctx=ast.Load()) if value is config:
                pass
            case ast.Compare(left=ast.Constant(str(key)), ops=[ast.In() | ast.NotIn()]):
                pass
            case ast.Attribute(attr="get"):
                match parents[parent]:
                    case ast.Call(func=func, args=[ast.Constant(str(key)), *_]) if func is parent:
                        pass
                    case _:
                        return False
            case _:
                return False
        self.keys.add(key)
        return True
