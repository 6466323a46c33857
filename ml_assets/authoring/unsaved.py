"""What `step.save_model` will refuse, as far as a notebook's code tells before it is run.

Which cells are added to a notebook, and which read files, is the matter of `adapt`.
"""

import ast
import re
from collections.abc import Iterable, Iterator

#: Models of other libraries than scikit-learn, which cannot be loaded without running code of theirs.
_OTHER_MODEL = re.compile(r"(XGB\w*|LGBM|CatBoost)Classifier")
#: What makes a class that of a part of a pipeline.
_PART = re.compile(r"BaseEstimator|\w+Mixin")


def find_unsaved(trees: Iterable[ast.Module]) -> Iterator[tuple[str, int]]:
    """What would have to run code of its own when it is loaded, each with the number of its cell, from 1."""
    own: set[str] = set()
    for number, tree in enumerate(trees, 1):
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef(name=name):
                    own.add(name)
                case ast.ClassDef(name=name, bases=bases) if any(_PART.fullmatch(last_name(base)) for base in bases):
                    yield f"class {name} of its own", number
                case ast.Call(func=func) if _OTHER_MODEL.fullmatch(last_name(func)):
                    yield last_name(func), number
                case ast.Call(func=func, args=args, keywords=keywords) if last_name(func) == "FunctionTransformer":
                    given = [*args[:1], *(one.value for one in keywords if one.arg == "func")]
                    if any(isinstance(one, ast.Lambda) or last_name(one) in own for one in given):
                        yield "FunctionTransformer of a function of its own", number


def last_name(node: ast.expr) -> str:
    """`c` of `a.b.c`; nothing of what is no name."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
