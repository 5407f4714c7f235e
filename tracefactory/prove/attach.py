"""A new release of the same rows, which says what they taught."""

from pathlib import Path

from tracefactory.publish.proven import with_results
from tracefactory.publish.release import texts
from tracefactory.publisher.local import open_local
from tracefactory.store.commit import commit_dataset
from tracefactory.store.home import RunFolder


def attach(run: Path) -> str:
    """Put the stored results of a run folder into its release; the new manifest's sha256.

    The bytes that the recipe makes when it is run again: they are made by the same functions.

    Raises:
        LockedError: a live run holds the folder.
        IntegrityError: the release is not what its checksums say.
    """
    with RunFolder(run):
        local = open_local(run)
        shards = {shard.path: local.checked(shard) for shard in local.shards}
        manifest = with_results(local.manifest, run, local.shards)
        lying = [(shard, shards[shard.path]) for shard in local.shards]
        return commit_dataset(run, shards, texts(manifest, local.shards, lying))
