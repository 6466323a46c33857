"""Values without quotes that versions of YAML read differently: a person means one of them, and would get another.

Dagster reads YAML 1.1, in which `on` is true, `012` is 10, `1:30` is 90 and `1e5` is a text. YAML 1.2, and most people,
read the text `on`, the number 12, the text `1:30` and the number 100000.
"""

import math
import re

import yaml

from ml_assets.domain.errors import SpecError

_TAGS = {
    "tag:yaml.org,2002:null": re.compile(r"|~|null|Null|NULL"),
    "tag:yaml.org,2002:bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    # In 1.1, a number that begins with 0 is octal.
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}
#: What is no text in 1.2: the core schema's numbers, of which 1.1 reads some as text.
_NUMBER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TEXT = "tag:yaml.org,2002:str"
_RIGHT = (
    "what every version of YAML reads alike: a text in quotes, true or false, or a number such as 12, 1000 or 1.0e-3"
)


class PlainDumper(yaml.SafeDumper):
    """Writes text in quotes that a version of YAML would read as something else."""


PlainDumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(_TEXT, text, style='"' if _NUMBER.fullmatch(text) else None),
)


def check_plain(node: yaml.ScalarNode, place: str) -> None:
    """Refuse a value that is not read alike, and a number too large for a double.

    Args: `place`: where it stands, for the error.
    Raises: SpecError.
    """
    if node.style:
        return
    expected = _TAGS.get(node.tag)
    if (node.tag == _TEXT and _NUMBER.fullmatch(node.value)) or (expected and not expected.fullmatch(node.value)):
        raise SpecError(place, node.value, _RIGHT)
    if node.tag.endswith(":float") and node.value[-1] in "0123456789." and math.isinf(float(node.value)):
        raise SpecError(place, node.value, "a number of at most 1.7e+308, or .inf")
