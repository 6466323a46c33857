"""What all declarations of a project say together: its event logs, its models, and whether they can be built."""

from weakref import WeakKeyDictionary, WeakSet

import dagster as dg

from ml_assets.declarations.event_log import LogDeclaration
from ml_assets.declarations.files import refuse_wrong_files
from ml_assets.declarations.loop import LoopDeclaration
from ml_assets.declarations.model import ModelDeclaration
from ml_assets.declarations.reading import DefsFileError, file_of, find_cause
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model

#: The trees whose logs and models have sensors and resources.
_DRIVEN: WeakSet[object] = WeakSet()
_LOGS: WeakKeyDictionary[object, dict[str, EventLog]] = WeakKeyDictionary()


def event_logs(tree: dg.ComponentTree) -> dict[str, EventLog]:
    """Every event log that the project declares, by key.

    Raises: DefsFileError for a file that is wrong.
    """
    # Each model asks for all; finding them again costs as much as loading a model. The tracker lives as its tree does.
    if tree.state_tracker not in _LOGS:
        refuse_wrong_files(tree)
        specs = [component.to_spec() for component in tree.get_all_components(LogDeclaration)]
        _LOGS[tree.state_tracker] = {log.key: log for log in specs}
    return dict(_LOGS[tree.state_tracker])


def declared_models(tree: dg.ComponentTree) -> list[Model]:
    """Every model that the project declares.

    Raises: as `event_logs`.
    """
    logs, models = event_logs(tree), []
    for component in tree.get_all_components(ModelDeclaration):
        with component.refusing():
            models.append(component.to_spec(logs))
    return models


def check_driven(context: dg.ComponentLoadContext) -> None:
    """Refuse what nothing would drive: a project declares its loop, or its definitions.py adds that.

    Raises: DefsFileError.
    """
    tree = context.component_tree
    if tree.state_tracker not in _DRIVEN:
        if not tree.get_all_components(LoopDeclaration):
            right = "its project declares no loop yet; add that by: dg scaffold defs ml_assets.EvaluationLoop loop"
            raise DefsFileError(f"{file_of(context)}: nothing drives it: {right}")
        _DRIVEN.add(tree.state_tracker)


def build_declared(tree: dg.ComponentTree) -> dg.Definitions:
    """What the components of a project define. `tree.build_defs()` would make the catalog of all components anew.

    Raises: DefsFileError for a file that is wrong.
    """
    event_logs(tree)
    # Who builds declarations by this adds the rest.
    _DRIVEN.add(tree.state_tracker)
    children = tree.find_root_decl().iterate_child_component_decls()
    try:
        return dg.Definitions.merge(*(tree.build_defs(child.loc) for child in children))
    except Exception as error:
        if refused := find_cause(error, DefsFileError):
            # Dagster shows the whole chain, in which the one line that says what is wrong is hard to find.
            raise DefsFileError(str(refused)) from None
        raise
