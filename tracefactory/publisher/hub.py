"""The Hub as a target: shards ahead, then one commit onto the head that was looked at, then a tag.

The commit names its parent, so it either follows what was seen or is refused; readers have the old
release before it and the whole new one after. What was sent ahead is found by its sha256, so a kill
costs no transfer. `huggingface_hub` is imported late: HF_ENDPOINT and HF_HUB_DISABLE_XET are read
at its import.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tracefactory.errors import FactoryError, RecipeError, ResourceError
from tracefactory.publisher.head import Head, head_of
from tracefactory.publisher.hub_place import HubPlace
from tracefactory.publisher.retry import CONFLICT, PASSING, causes, retried
from tracefactory.publisher.settle import Settled
from tracefactory.publisher.target import Moved, Outgoing, Show
from tracefactory.publisher.watchdog import watched
from tracefactory.store.commit import MANIFEST
from tracefactory.store.files import sha256_of

T = TypeVar("T")

BARE = frozenset({"README.md", ".gitattributes", "LICENSE"})
"""Files of a repository in which nothing was published yet."""


def hub_api(xet: bool) -> Any:  # noqa: ANN401  (the library's class, imported late)
    """The Hub's client."""
    if not xet:
        os.environ["HF_HUB_DISABLE_XET"] = "1"
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not xet:
        constants.HF_HUB_DISABLE_XET = True  # imported before, by somebody else
    disable_progress_bars()
    return HfApi(library_name="tracefactory")


class Hub:
    """One dataset repository."""

    def __init__(
        self,
        name: str,
        show: Show,
        private: bool | None = None,
        tag: str | None = None,
        xet: bool = True,
        stalled_after_s: float = 120.0,
    ) -> None:
        """Args: `org/name`; whether to make it private (None: yes, but take it as it is)."""
        self.name = name
        self.repository: str | None = name
        self._api = hub_api(xet)
        self._show, self._private, self._tag = show, private, tag
        self._xet, self._stalled_after_s = xet, stalled_after_s
        self._parent: str | None = None
        self._sent: dict[str, Any] = {}

    def _call(
        self,
        what: str,
        do: Callable[[], T],
        statuses: frozenset[int] = PASSING,
        settled: Callable[[], T | None] | None = None,
    ) -> T:
        """A call to the Hub, watched and tried again.

        Raises:
            ResourceError: it hangs, or was refused, or the repository cannot be had.
        """
        self._show.at(what)
        try:
            return retried(
                lambda: watched(do, what, self._stalled_after_s),
                what,
                self._show.say,
                statuses,
                settled,
                " Or try --no-xet, which sends by plain HTTP." if self._xet else "",
            )
        except FactoryError:
            raise
        except Exception as error:
            if (reason := refusal(error)) is None:
                raise
            raise ResourceError(f"{self.name}: {what}: {reason}") from error

    # --- looking ----------------------------------------------------------------------------

    def head(self, work: Path) -> Head | None:
        """The release on `main`; None: there is none, and no repository perhaps.

        Raises:
            RecipeError: the repository holds something else, or is public against the user's word.
        """
        found = self._call("look at the repository", self._info)
        if found is None:
            return None
        if self._private and not found.private:
            raise RecipeError(
                f"{self.name} is public, and --private was asked; change it in its settings on the "
                "Hub, or leave --private out"
            )
        self._parent = found.sha
        self._check_tag()
        place = HubPlace(
            f"{self.name}@{found.sha[:12]}",
            lambda: self.tree(found.sha),
            lambda path: self.fetch(path, found.sha, work),
        )
        head = head_of(place)
        if head is None and (others := sorted(place.files.keys() - BARE)):
            raise RecipeError(
                f"{self.name} holds files that tracefactory did not publish ({others[0]}, "
                f"{len(others):,} in all); publish to a new repository, or empty this one"
            )
        return head

    def _info(self) -> Any:  # noqa: ANN401
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return self._api.repo_info(self.name, repo_type="dataset", revision="main")
        except RepositoryNotFoundError:
            return None

    def _check_tag(self, *, moving: bool = False) -> None:
        """A tag of one's own choice must not stand elsewhere, nor on what the head is no more.

        Raises:
            RecipeError: it does.
        """
        at = self._tags().get(self._tag) if self._tag is not None else None
        if at is not None and (moving or at != self._parent):
            raise RecipeError(
                f"{self.name} has the tag {self._tag} already, on commit {at[:12]}, and a tag is "
                "never moved; choose another"
            )

    def _tags(self) -> dict[str, str]:
        refs = self._call(
            "read the tags", lambda: self._api.list_repo_refs(self.name, repo_type="dataset")
        )
        return {tag.name: tag.target_commit for tag in refs.tags}

    def tree(self, revision: str) -> dict[str, str | None]:
        """Files of a revision, with the sha256 of those that are large."""

        def read() -> dict[str, str | None]:
            listed = self._api.list_repo_tree(
                self.name, recursive=True, revision=revision, repo_type="dataset"
            )
            return {
                one.path: one.lfs.sha256 if one.lfs else None
                for one in listed
                if hasattr(one, "blob_id")
            }

        return self._call("list the files", read)

    def fetch(self, path: str, revision: str, work: Path) -> Path | None:
        """Load a file; None when the revision has none of that name."""
        from huggingface_hub.errors import RemoteEntryNotFoundError

        def load() -> Path | None:
            try:
                return Path(
                    self._api.hf_hub_download(
                        self.name, path, revision=revision, repo_type="dataset", local_dir=work
                    )
                )
            except RemoteEntryNotFoundError:
                return None

        return self._call(f"load {path}", load)

    # --- sending ----------------------------------------------------------------------------

    def upload(self, shard: Settled) -> None:
        """Send a shard and what goes with it ahead."""
        shards = [(shard.stats.path, shard.source, shard.stats.file_sha256)]
        beside = [(name, file.source, file.sha256) for name, file in shard.beside.items()]
        new = {n: (path, sha256) for n, path, sha256 in shards + beside if path is not None}
        if new:
            self._create()
            self._ahead(new)

    def _create(self) -> None:
        if self._parent is not None:
            return
        private = self._private is not False
        self._call(
            "create the repository",
            lambda: self._api.create_repo(
                self.name, repo_type="dataset", private=private, exist_ok=True
            ),
        )
        found = self._call("look at the repository", self._info)
        if found is None:
            raise ResourceError(f"{self.name} was created but cannot be read; try again in a while")
        if found.private != private and private:
            raise RecipeError(f"{self.name} was created public by somebody else meanwhile")
        self._parent = found.sha

    def _ahead(self, files: Mapping[str, tuple[Path, str]]) -> None:
        from huggingface_hub import CommitOperationAdd

        new: list[Any] = []
        for path, (source, sha256) in files.items():
            operation = CommitOperationAdd(path, source)
            operation.upload_info.sha256 = bytes.fromhex(sha256)  # known: not computed again
            new.append(operation)
        self._preupload(new)
        self._sent |= {one.path_in_repo: one for one in new}

    def _preupload(self, new: Sequence[Any]) -> None:
        size = sum(one.upload_info.size for one in new)
        self._call(
            f"send {new[0].path_in_repo} ({size:,} bytes)",
            lambda: self._api.preupload_lfs_files(
                self.name, new, repo_type="dataset", free_memory=False
            ),
        )

    def commit(self, outgoing: Outgoing) -> str:
        """One commit with everything; the commit's id.

        Raises:
            Moved: the head is another release by now.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        self._create()
        self._check_tag(moving=True)
        texts = [CommitOperationAdd(path, data) for path, data in outgoing.texts.items()]
        self._preupload(texts)
        operations = [
            *self._sent.values(),
            *texts,
            *(CommitOperationDelete(path, is_folder=False) for path in outgoing.gone),
        ]

        def send() -> str:
            done = self._api.create_commit(
                self.name,
                operations,
                commit_message=outgoing.message,
                repo_type="dataset",
                revision="main",
                parent_commit=self._parent,
            )
            return str(done.oid)

        self._parent = self._call(
            "commit", send, PASSING | CONFLICT, lambda: self._ours(outgoing.sha256)
        )
        return self._parent

    def _ours(self, sha256: str) -> str | None:
        """The head, if it is this very release: the answer to our commit may have been lost.

        Raises:
            Moved: it is another one.
        """
        found = self._call("look at the repository", self._info)
        if found is None or found.sha == self._parent:
            return None
        with tempfile.TemporaryDirectory(prefix="tracefactory-look-") as work:
            manifest = self.fetch(MANIFEST, found.sha, Path(work))
            if manifest is not None and sha256_of(manifest) == sha256:
                return str(found.sha)
        raise Moved(
            f"{self.name} moved from commit {str(self._parent)[:12]} to {found.sha[:12]} while "
            "this was on its way. Nothing was changed there. Look at that commit, then give the "
            "same command again: it goes on from there, and what was sent is not sent twice."
        )

    def mark(self, release: str) -> str | None:
        """Tag the commit that is the head for us."""
        tag = self._tag or f"r-{release[:12]}"
        if tag in self._tags():
            self._check_tag()
            return tag

        def there() -> bool | None:
            return True if tag in self._tags() else None

        def create() -> bool:
            self._api.create_tag(
                self.name, tag=tag, revision=self._parent, repo_type="dataset", exist_ok=True
            )
            return True

        self._call(f"tag {tag}", create, PASSING | CONFLICT, there)
        return tag


def refusal(error: Exception) -> str | None:
    """What the Hub, or Xet, said no with; None: the fault is ours."""
    from huggingface_hub.errors import HfHubHTTPError

    line = " ".join(str(error).split())[:300]
    for one in causes(error):
        if isinstance(one, HfHubHTTPError):
            line = " ".join(str(one).split())[:300]
            if one.response.status_code in (401, 403, 404):
                line += " Does the token (HF_TOKEN, or `hf auth login`) have the right to write?"
            return line
        if type(one) is ConnectionError or type(one).__module__.partition(".")[0] == "hf_xet":
            return f"{line} This came from Xet; --no-xet sends by plain HTTP."
    return None
