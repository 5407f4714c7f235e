"""The nearest item by a model of words: a real model2vec model, made and saved here."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stages"))
from stage_parts import driven, dropped_by
from test_decontaminate import ITEM, TWIN, after, chunk, config, rows_of

from tracefactory.errors import SourceError
from tracefactory.stages.decontaminate import STAGE
from tracefactory.store.home import Home

model2vec = pytest.importorskip("model2vec", reason="the extra `semantic` is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Words that mean the same have the same vector: farmer and peasant, hens and chickens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    same = [["farmer", "peasant"], ["hens", "chickens"], ["lays", "gives"], ["week", "seven days"]]
    rest = [w for w in ITEM.lower().replace(",", "").replace(".", "").split()]
    words = ["[UNK]", *dict.fromkeys([w for pair in same for w in pair] + rest)]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(1).normal(size=(len(words), 16)).astype(np.float32)
    vectors[0] = 0
    for one, other in same:
        vectors[words.index(other)] = vectors[words.index(one)]
    folder = tmp_path_factory.mktemp("model")
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(str(folder))
    return str(folder)


@pytest.fixture
def bench(tmp_path):
    import json

    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps({"q": ITEM}) + "\n" + json.dumps({"q": "Other geese."}) + "\n")
    return {"name": "ours", "path": str(path), "text": "q"}


def test_paraphrases_are_noted_and_nothing_is_dropped(tmp_path, bench, model):
    home = Home(tmp_path / "run")
    said = "Each week a peasant gives 12 red chickens and 7 grey geese 3 eggs of May."
    far = "Quite another matter."
    settings = config(bench, semantic={"model": model, "min": 0.8})
    plan, chunks, _ = after(home, settings, [chunk(home, "c", [said, far], ["1", "2"])])
    (row,) = rows_of(home, chunks.values()).values()
    assert (row["problem_id"], row["level"], row["rule"]) == ("c-0", "near", "semantic")
    assert (row["benchmark"], row["item"], row["coverage"]) == ("ours", "1", None)
    assert 0.8 <= row["similarity"] <= 1
    assert dropped_by(STAGE, settings, home, plan) == {}


def test_it_does_not_see_numbers(tmp_path, bench, model):
    """Why it is a figure and no rule."""
    home = Home(tmp_path / "run")
    settings = config(bench, semantic={"model": model})
    plan, chunks, _ = after(home, settings, [chunk(home, "c", [TWIN], ["1"])])
    levels = {
        row["level"]
        for c in chunks.values()
        for o in c.files["overlaps"]
        for row in home.read(o).to_pylist()
    }
    assert levels == {"suspect", "near"}
    assert dropped_by(STAGE, settings, home, plan) == {}


def test_a_model_that_is_not_there_is_said_so(tmp_path, bench):
    home = Home(tmp_path / "run")
    empty = tmp_path / "empty"
    empty.mkdir()
    settings = config(bench, semantic={"model": str(empty)})
    with pytest.raises(SourceError, match="cannot be loaded"):
        driven(STAGE, settings, home, [chunk(home, "c", [TWIN], ["1"])])
