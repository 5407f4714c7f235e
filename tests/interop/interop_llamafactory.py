"""LLaMA-Factory's loader over the release's own dataset_info.json: python ... FOLDER.

It imports torchaudio for sounds, whose wheels on PyPI load with CUDA only; there are none here.
"""

import sys
from types import ModuleType, SimpleNamespace

import transformers  # before the stand-in: it looks whether torchaudio is there
from interop_parts import tell


def loaded(folder):
    sys.modules["torchaudio"] = ModuleType("torchaudio")
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments

    found = {}
    for attributes in get_dataset_list(["sft", "pretrain"], folder):
        rows = _load_single_dataset(
            attributes,
            ModelArguments(model_name_or_path=f"none for {transformers.__version__}"),
            DataArguments(dataset_dir=folder, preprocessing_num_workers=1),
            SimpleNamespace(local_process_index=0),
        )
        found[str(attributes)] = {"rows": len(rows), "first": rows[0]}
    return found


tell(loaded(sys.argv[1]))
