"""Which processes a recipe's teachers want beside the workers, and which GPUs each of them sees.

Not here: starting them (cluster.py), starting servers in them (vllm.py).
"""

from collections.abc import Iterable, Mapping

from tracefactory.recipe.model import StageConfig
from tracefactory.teachers import is_served
from tracefactory.teachers.engine.gpus import shares
from tracefactory.teachers.vllm import VllmConfig


def engines_of(stages: Iterable[StageConfig]) -> list[Mapping[str, str]]:
    """What the environment of each engine worker has beside the driver's; empty: none is needed.

    One worker talks to all endpoints. A teacher that is started here has one for each replica;
    where several teachers are, they follow each other in the same workers.

    Raises:
        ResourceError: there are fewer GPUs than the recipe asks for.
    """
    teachers = [getattr(stage, "teacher", None) for stage in stages]
    served = [teacher for teacher in teachers if teacher is not None and is_served(teacher)]
    own = [teacher for teacher in served if isinstance(teacher, VllmConfig)]
    if not own:
        return [{}] if served else []
    wanted = sorted((shares(one.gpus, one.replicas) for one in own), key=len)
    return list(wanted[-1])


def has_own_engine(stages: Iterable[StageConfig]) -> bool:
    """Is a server started for one of the teachers?"""
    return any(isinstance(getattr(stage, "teacher", None), VllmConfig) for stage in stages)
