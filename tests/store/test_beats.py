"""Beats are read as they come, each once; what is torn waits; a stop is heard and taken back."""

import pytest

from tracefactory.store import beats
from tracefactory.store.beats import Beats, DrainFile
from tracefactory.store.home import Home


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(beats, "LOOK_EVERY_S", 0.0)


def test_the_last_beat_of_each_attempt_counts_once_and_news_are_read_once(tmp_path):
    home = Home(tmp_path)
    dead, live, other = (home.journal(stem) for stem in ("a.c.r0", "a.c.r0", "a.c-2.r0"))
    reader = Beats(tmp_path / "journal")
    assert list(reader.read()) == []
    dead.note({"done": 1, "of": 4, "in_flight": 2, "completion_tokens": 10, "news": ["one"]})
    dead.note({"done": 2, "of": 4, "in_flight": 2, "completion_tokens": 30, "news": []})
    assert list(reader.read()) == ["one"]
    live.note({"done": 3, "of": 4, "in_flight": 1, "completion_tokens": 5, "nano_usd": None})
    other.note({"done": 1, "of": 1, "in_flight": 0, "completion_tokens": 7, "news": ["two"]})
    assert list(reader.read()) == ["two"]
    assert list(reader.read()) == []
    assert reader.spent()["completion_tokens"] == 30 + 5 + 7
    assert reader.generated == 30 + 5 + 7
    assert reader.of(["a.c-2.r0", "never"])["done"] == 1
    reader.forget("a.c.r0")
    assert reader.spent()["completion_tokens"] == 7
    live.remove()
    assert {path.name.rpartition(".")[2] for path in (tmp_path / "journal").iterdir()} == {"beat"}
    assert len(list((tmp_path / "journal").iterdir())) == 1  # of the longer stem
    reader.sweep()
    assert not list((tmp_path / "journal").iterdir())


def test_a_torn_or_foreign_line_is_left_out(tmp_path):
    journal, reader = Home(tmp_path).journal("a.c.r0"), Beats(tmp_path / "journal")
    journal.note({"completion_tokens": 3, "news": ["whole"]})
    (path,) = (tmp_path / "journal").glob("*.beat")
    whole = path.read_bytes()
    path.write_bytes(whole + b"no beat\n" + whole[:-5])
    assert list(reader.read()) == ["whole"]
    path.write_bytes(whole + b"no beat\n" + whole)
    assert list(reader.read()) == ["whole"]
    assert reader.spent()["completion_tokens"] == 3


def test_a_stop_is_heard_and_taken_back(tmp_path):
    journal, drain = Home(tmp_path).journal("a.c.r0"), DrainFile(tmp_path / "journal")
    assert not journal.draining()
    drain.ask()
    assert journal.draining()
    drain.clear()
    drain.clear()
    assert not journal.draining()


def test_a_beat_on_a_disk_that_takes_nothing_fails_nothing(tmp_path):
    (tmp_path / "journal").write_text("a file")
    journal = Home(tmp_path).journal("a.c.r0")
    journal.note({"done": 1})
    journal.close()
