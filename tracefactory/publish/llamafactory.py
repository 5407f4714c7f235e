"""dataset_info.json: how LLaMA-Factory is to read the dataset, so that its user writes nothing.

    dataset_dir: path/to/dataset            dataset: sft     # a copy on disk
    dataset_dir: REMOTE:org/name            dataset: sft     # the Hub; needs the repository's name

LLaMA-Factory looks rows up by file when an entry has `file_name`, on the Hub when it has
`hf_hub_url`; the second wins where both are. So a release on disk is written without a repository's
name, and the one that goes to the Hub with it.

Entries: `sft` (supervised) and `pretrain`. Not here: `sft_reasoning` (its reader takes role and
content only), `preference` (it wants one message where TRL wants a list), `rl`.
"""

from collections.abc import Collection, Mapping
from typing import Any

_READ_AS: Mapping[str, Mapping[str, Any]] = {
    "sft": {
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    },
    "pretrain": {"columns": {"prompt": "text"}},
}


def dataset_info(configs: Collection[str], repository: str | None = None) -> dict[str, Any]:
    """The content of dataset_info.json for those of the configs that LLaMA-Factory can read.

    Args:
        configs: names of the release's configs.
        repository: `org/name` on the Hub; None for a release on disk.
    """
    return {
        name: {**_place(name, repository), **settings}
        for name, settings in _READ_AS.items()
        if name in configs
    }


def _place(name: str, repository: str | None) -> dict[str, str]:
    if repository is None:
        return {"file_name": name}  # a folder of shards, all of one split
    return {"hf_hub_url": repository, "subset": name, "split": "train"}
