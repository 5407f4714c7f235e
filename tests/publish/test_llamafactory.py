"""dataset_info.json says of each config it names where it lies and what its columns are."""

from tracefactory.publish.llamafactory import dataset_info
from tracefactory.schemas.traces import PRETRAIN_SCHEMA, SFT_SCHEMA, VIEW_SCHEMAS


def test_only_configs_of_the_release_that_it_can_read_are_named():
    assert dataset_info(["rl", "rejected"]) == {}
    assert list(dataset_info(["pretrain", "sft", "rl"])) == ["sft", "pretrain"]
    assert list(dataset_info(VIEW_SCHEMAS)) == ["sft", "pretrain"]


def test_on_disk_it_names_folders_and_on_the_hub_the_repository():
    disk, hub = dataset_info(["sft"])["sft"], dataset_info(["sft"], "org/name")["sft"]
    assert disk["file_name"] == "sft"
    place = {"hf_hub_url": "org/name", "subset": "sft", "split": "train"}
    assert hub == {**{k: v for k, v in disk.items() if k != "file_name"}, **place}


def test_the_columns_are_there():
    found = dataset_info(["sft", "pretrain"])
    assert set(found["sft"]["columns"].values()) <= set(SFT_SCHEMA.names)
    assert set(found["pretrain"]["columns"].values()) <= set(PRETRAIN_SCHEMA.names)
