"""What vLLM is told, what of it counts, and what its figures mean; no vLLM is needed."""

import pytest
from pydantic import ValidationError

from tracefactory.errors import ResourceError
from tracefactory.teachers.engine import gpus
from tracefactory.teachers.engine.command import EngineArgs, Installed, command, installed
from tracefactory.teachers.engine.watch import Stall, Vitals, next_cap, read_vitals
from tracefactory.teachers.vllm import VllmConfig, files_digest, info_of, revision_of

GPU = Installed("0.32.0", "/x", entry=True)
CPU = Installed("0.32.0+cpu", "/x", entry=True)


def words(found=GPU, gpus_=1, model="org/name", **args):
    return command("py", found, model, "n", "abc", gpus_, EngineArgs(**args))


def test_known_and_unknown_arguments_go_to_vllm_as_its_own_words():
    said = words(
        max_model_len=4096, enable_prefix_caching=False, enforce_eager=True,
        some_new_option=["a", "b"], other={"x": 1}, nothing=None,
    )  # fmt: skip
    joined = " ".join(said)
    assert "--max-model-len 4096" in joined
    assert "--no-enable-prefix-caching" in said
    assert "--enforce-eager" in said
    assert "--some-new-option a b" in joined
    assert said[said.index("--other") + 1] == '{"x":1}'
    assert "--nothing" not in said
    assert "--revision abc" in joined
    assert "--generation-config vllm" in joined


def test_the_old_entry_is_asked_where_there_is_no_new_one():
    assert "vllm.entrypoints.openai.api_server" in words(Installed("0.11", "/x", entry=False))


def test_gpus_are_a_tensor_parallel_group_unless_said_otherwise():
    assert "--tensor-parallel-size 4" in " ".join(words(gpus_=4))
    assert "--tensor-parallel-size" not in words(gpus_=4, data_parallel_size=4)
    assert "--tensor-parallel-size" not in words()


def test_a_build_for_processors_has_defaults_that_the_recipe_overrides(tmp_path):
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 40000}')
    said = " ".join(words(CPU, model=str(tmp_path)))
    assert "--enforce-eager" in said
    assert "--no-enable-chunked-prefill --max-num-batched-tokens 40000" in said
    assert "--revision" not in said  # a folder has none
    assert "--no-enforce-eager" in words(CPU, enforce_eager=False)
    assert "--enforce-eager" not in words(CPU, enforce_eager=False)


@pytest.mark.parametrize("name", ["uds", "host", "served-model-name", "api_key"])
def test_what_the_factory_sets_cannot_be_said(name):
    with pytest.raises(ValidationError, match="set by the factory"):
        EngineArgs(**{name: "x"})


def test_a_python_without_vllm_is_said_so():
    with pytest.raises(ResourceError, match="cannot ask /nowhere/python"):
        installed("/nowhere/python")


def config(**said):
    return VllmConfig(**{"model": "m", "revision": "r", **said})


@pytest.mark.parametrize(
    "said",
    [
        {"model": "other"}, {"revision": "s"}, {"engine": {"dtype": "float32"}},
        {"engine": {"quantization": "fp8"}}, {"engine": {"something_new": 1}},
        {"engine": {"max_model_len": 64}}, {"sampling": {"temperature": 0.1}},
        {"sampling": {"top_k": 5}}, {"sampling": {"send_seed": False}},
        {"extra": {"structured_outputs": {"regex": "a"}}}, {"opens_thinking": True},
    ],
    ids=str,
)  # fmt: skip
def test_what_changes_answers_is_part_of_the_key(said):
    assert revision_of(config(**said)) != revision_of(config())


@pytest.mark.parametrize(
    "said",
    [
        {"engine": {"max_num_seqs": 8}}, {"engine": {"gpu_memory_utilization": 0.5}},
        {"sampling": {"max_tokens": 9}}, {"python": "/elsewhere"}, {"gpus": 4}, {"replicas": 2},
        {"concurrency": 4}, {"env": {"A": "b"}}, {"stall_s": 5.0}, {"name": "shown"},
    ],
    ids=str,
)  # fmt: skip
def test_what_changes_only_speed_is_not(said):
    assert revision_of(config(**said)) == revision_of(config())


def test_a_model_that_lies_here_is_known_by_its_bytes_and_not_by_its_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"w" * 100)
    one, two = (VllmConfig(model="m", path=tmp_path / name) for name in ("one", "two"))
    assert revision_of(one) == revision_of(two)
    assert revision_of(one).startswith("files:")
    (tmp_path / "two" / "model.safetensors").write_bytes(b"v" * 100)
    assert revision_of(one) != revision_of(two)


def test_pieces_of_a_large_file_tell_it_from_another(tmp_path, monkeypatch):
    monkeypatch.setattr("tracefactory.teachers.vllm._WHOLE_BYTES", 1000)
    monkeypatch.setattr("tracefactory.teachers.vllm._PIECE_BYTES", 10)
    found = set()
    for at in (0, 4_999):
        data = bytearray(5_000)
        data[at] = 1
        (tmp_path / "weights").write_bytes(data)
        found.add(files_digest(tmp_path))
    assert len(found) == 2


def test_a_template_s_text_counts_and_not_its_place(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)
    a, b, c = (info_of(config(chat_template={"path": str(tmp_path / name)})).asks for name in "abc")
    assert a == b != c


PAGE = """\
# HELP vllm:num_requests_running Number of requests.
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 10.0
vllm:generation_tokens_total{engine="0",model_name="m"} 1.5e+03
"""


def test_figures_of_all_engines_are_added():
    assert read_vitals(PAGE) == Vitals(running=7, queued=1, moved=1510.0)
    assert read_vitals("nothing of the kind 3") is None
    assert read_vitals(PAGE.replace("1.5e+03", "oops")) is not None


def test_a_server_that_owes_answers_and_gives_no_token_stalls():
    stall = Stall(now=0.0)
    assert stall.still_s(Vitals(4, 0, 5.0), 4, 1.0) < 10
    assert stall.still_s(Vitals(4, 0, 5.0), 4, 10.9) < 10
    assert stall.still_s(Vitals(4, 0, 5.0), 4, 11.0) >= 10


def test_an_idle_server_and_a_slow_one_do_not():
    stall = Stall(now=0.0)
    for now in range(0, 100, 5):
        assert stall.still_s(Vitals(0, 0, 5.0), 0, float(now)) < 10
    for now in range(100, 200, 5):
        assert stall.still_s(Vitals(1, 0, float(now)), 1, float(now)) < 10


def test_one_that_does_not_even_say_stalls():
    stall = Stall(now=0.0)
    assert stall.still_s(None, 4, 9.0) < 10
    assert stall.still_s(None, 4, 10.0) >= 10


def test_the_cap_finds_what_the_server_computes_at_a_time():
    for room in (8, 64, 700):
        cap = 256
        for _ in range(40):
            running = min(room, cap)
            cap = next_cap(cap, cap, Vitals(running, cap - running, 0.0))
        assert room <= cap <= max(16, room * 1.4 + 4)


def test_gpus_are_shared_out_among_replicas(monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "2,3,5,7")
    assert gpus.shares(2, None) == [{gpus.VISIBLE: "2,3"}, {gpus.VISIBLE: "5,7"}]
    assert gpus.shares(1, 2) == [{gpus.VISIBLE: "2"}, {gpus.VISIBLE: "3"}]
    with pytest.raises(ResourceError, match="more than the 4"):
        gpus.shares(3, 2)
    monkeypatch.setenv(gpus.VISIBLE, "")
    assert gpus.shares(4, None) == [{}]
