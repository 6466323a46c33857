"""Python of the pages compiles, and what it imports is there."""

import ast
from importlib import import_module

import pytest

from tests.support.pages import BLOCKS, Block

PYTHON = [block for block in BLOCKS if block.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_each_block_compiles_and_finds_what_it_imports(block: Block) -> None:
    tree = ast.parse(block.text, filename=str(block))
    compile(tree, str(block), "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                import_module(name.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            for name in node.names:
                assert hasattr(import_module(node.module), name.name), f"{block}: {node.module} has no {name.name}"


def test_there_are_blocks_to_look_at() -> None:
    assert len(PYTHON) > 5
