"""The page of a release: what it says, what it does not know, and what it is made of."""

import hashlib
import html
import re
import shlex
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_releases import HARM, harmful, manifest, problems, sample, shard, shards, spread, traces

from tracefactory.report import Sample, report
from tracefactory.report.checks import Release, checks
from tracefactory.report.evidence import commands
from tracefactory.report.shards import LISTED, listing
from tracefactory.report.texts import cut, page_bytes, share, shown
from tracefactory.report.yields import yields

VOID = {"meta", "link", "br", "input", "img", "hr"}


def text_of(page):
    """What a reader reads: no tags, spaces as one."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def ended(name, parts, **changes):
    """(state, found) of the check of this name."""
    found = {c.name: c for c in checks(Release.of(manifest(parts, **changes), parts))}
    return found[name].state, found[name].found


class Tags(HTMLParser):
    """Every tag closed by its own, and what there is of attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.ids, self.handlers, self.links = [], set(), [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        for name, value in attributes:
            self.ids += [value] if name == "id" else []
            self.handlers += [name] if name.startswith("on") or name == "style" else []
            self.links += [value] if name in ("href", "src", "action") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page):
    tags = Tags()
    tags.feed(page.decode())
    tags.close()
    assert tags.open == []
    return tags


def test_the_same_release_gives_the_same_bytes():
    parts = shards()
    assert report(manifest(parts), parts, sample()) == report(manifest(parts), parts, sample())


def test_the_page_loads_nothing_and_is_well_formed():
    parts = shards()
    tags = parsed(report(manifest(parts), parts, sample()))
    assert all(link.startswith("#") for link in tags.links)
    assert {link[1:] for link in tags.links} <= set(tags.ids)
    assert len(tags.ids) == len(set(tags.ids))
    assert tags.handlers == []  # the policy would stop them


def test_the_policy_names_the_one_style_and_the_one_script():
    parts = shards()
    page = report(manifest(parts), parts, sample()).decode()
    policy = html.unescape(re.search(r'Policy" content="([^"]*)"', page)[1])
    assert policy.startswith("default-src 'none';")
    for tag in ("style", "script"):
        (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_a_sound_release_has_nothing_that_fails():
    parts = shards()
    states = {c.name: c.state for c in checks(Release.of(manifest(parts), parts))}
    assert "fail" not in states.values()
    assert states["Every attempt is in sft or in rejected"] == "pass"
    assert states["Overlap with benchmarks"] == "not measured"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"stats": traces(80, "rejected", truncated=1)},
         "Release figures are the sum of the shards' figures"),
        ({"file_sha256": "f" * 64}, "Every file has one record, with its hash, bytes and rows"),
        ({"rows": 79}, "Every file has one record, with its hash, bytes and rows"),
        ({"schema_sha256": "other"},
         "All shards have one recipe, one schema of their view and one writer"),
    ],
)  # fmt: skip
def test_figures_that_disagree_fail(change, name):
    parts = shards()
    whole = manifest(parts)
    parts[0] = replace(parts[0], **change)
    found = {c.name: c.state for c in checks(Release.of(whole, parts))}
    assert found[name] == "fail"


def test_a_lost_attempt_fails():
    parts = shards()
    funnel = {**manifest(parts).funnel, "attempts.attempts": 5000}
    name = "Every attempt is in sft or in rejected"
    assert ended(name, parts, funnel=funnel)[0] == "fail"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("truncated", "Nothing kept is cut off"),
        ("limited_by_clock", "No verdict hangs on a clock"),
        ("rows_with_false_steps", "No false step in what is kept"),
        ("without_reasoning", "What is kept holds reasoning apart from the answer"),
        ("programs", "Attempts were written by models"),
    ],
)
def test_none_is_not_measured_and_zero_is_measured(field, name):
    for value, state in ((None, "not measured"), (0, "pass"), (3, "note")):
        parts = [
            shard(config, 0, traces(100, config, **{field: value}))
            for config in ("sft", "rejected")
        ]
        assert ended(name, parts)[0] == state


def test_what_nobody_measured_is_said_in_words_on_the_page():
    parts = [shard("sft", 0, traces(100, "sft", limited_by_clock=None, truncated=None))]
    page = text_of(report(manifest(parts), parts, Sample("")))
    assert "Decided only by a clock not measured" in page
    assert "Ended at the token limit not measured" in page
    assert "Reasoning, tokens; Answer, tokens; Prompt, tokens: not measured" not in page  # order
    assert re.search(r"Reasoning, tokens;.*?: not measured", page)
    assert "None" not in page.replace("None stands out", "")


def test_a_release_of_problems_alone_has_a_page():
    parts = [shard("rl", 0, problems(60))]
    page = text_of(report(manifest(parts), parts, Sample("")))
    assert "none in this release" in page
    assert "rows kept (sft)" in page


def test_the_funnel_says_where_every_attempt_went():
    parts = shards()
    found = yields(Release.of(manifest(parts), parts)).attempts
    assert [(s.name, s.rows, s.lost, s.reasons) for s in found] == [
        ("attempts", 1095, 0, ()),
        ("judged correct", 855, 240, (("incorrect: different", 240),)),
        ("passed the filter", 855, 240, (("fails status = 'correct'", 240),)),
        ("without duplicates", 615, 240, (("duplicate", 240),)),
        ("published in sft", 615, 0, ()),
    ]


def test_problems_that_were_refused_and_held_out_are_in_the_funnel():
    parts = shards()
    whole = manifest(parts, rejected_rows={"not_json": 7, "no_reference": 3})
    found = yields(Release.of(whole, parts)).problems
    assert [(s.name, s.rows, s.lost, s.reasons) for s in found] == [
        ("rows of the sources", 410, 0, ()),
        ("problems", 400, 10, (("not_json", 7), ("no_reference", 3))),
        ("open to teachers", 360, 40, (("test", 40),)),
    ]


def test_the_shard_that_stands_out_is_marked_with_its_figures():
    found = listing(shards())
    marked = {
        row.shard.path: [mark.text() for mark in row.marks] for row in found.rows if row.marks
    }
    assert marked == {"sft/train-00004.parquet": ["mean length 920, above the median 120"]}
    assert found.judged == ("rejected/train", "rl/train", "sft/train")


def test_tokens_of_some_rows_do_not_pass_for_those_of_all():
    half = traces(100, "sft", reasoning_tokens=spread(*[7] * 50), answer_tokens=spread(*[1] * 50))
    all_ = traces(100, "sft", reasoning_tokens=spread(*[7] * 100), answer_tokens=spread(*[1] * 100))
    rows = listing([shard("sft", 0, half), shard("sft", 1, all_)]).rows
    assert [(row.length, row.unit) for row in rows] == [(120, "characters")] * 2
    assert [(row.length, row.unit) for row in listing([shard("sft", 1, all_)]).rows] == [
        (8, "tokens")
    ]


def test_few_shards_and_small_shards_are_not_judged():
    assert listing([shard("sft", i, traces(100, "sft", length=9**i)) for i in range(4)]).marked == 0
    assert listing([shard("sft", i, traces(40, "sft", length=9**i)) for i in range(6)]).marked == 0


def test_a_page_lists_what_stands_out_first_when_it_cannot_list_all():
    parts = [shard("sft", i, traces(60, "sft")) for i in range(LISTED + 50)]
    parts.append(shard("sft", len(parts), traces(60, "sft", length=5000)))
    found = listing(parts)
    assert (len(found.rows), found.left_out, found.marked) == (LISTED, 51, 1)
    assert found.rows[-1].shard.path == parts[-1].path
    assert "51 more are in manifest/shards.parquet" in text_of(
        report(manifest(parts), parts, Sample(""))
    )


def test_the_page_stays_under_two_megabytes_whatever_it_holds():
    many = {f"kind {i} " + "&" * 200: 1 for i in range(3000)}
    parts = [shard("sft", i, traces(3000, "sft", task_types=many)) for i in range(3)]
    parts += [shard("sft", i, traces(60, "sft")) for i in range(3, 1500)]
    texts = ["<&\"'" * 500_000, "\u202e" * 1_000_000]
    drawn = sample(texts)
    whole = manifest(parts, recipe={**manifest(parts[:1]).recipe, "notes": "&" * 1_000_000})
    page = report(whole, parts, replace(drawn, accepted=drawn.accepted * 3))
    assert len(page) < 2_000_000
    assert "characters are left out here" in text_of(page)


def test_texts_that_mean_harm_stay_texts():
    page = report(*harmful())
    tags = parsed(page)
    assert not tags.seen & {"img", "a:", "iframe", "link", "base", "form", "template", "object"}
    assert tags.handlers == []
    assert "escaped" not in tags.ids
    assert all(link.startswith("#") for link in tags.links)
    assert page.count(b"<script>") == page.count(b"<style>") == 1
    read = text_of(page)
    assert "{{ 7 * 7 }}{% raise %}{# #}" in read
    assert HARM[1] in read
    for unseen in "\u202e\u2066\u200b\x00\x1b\r":
        assert unseen.encode() not in page
    assert "U+202E" in read


def test_commands_to_paste_hold_nothing_that_a_release_made_up():
    whole, parts, _ = harmful()
    name = "x'; rm -rf / #"
    stages = {**whole.recipe["stages"], name: {"use": "import", "path": None}}
    whole = replace(whole, recipe={"stages": stages}, tracefactory="0.1; rm -rf /")
    lines = dict(commands(Release.of(whole, parts)))
    assert lines["The tools that made it"] == "pip install tracefactory"
    run = shlex.split(lines["The release, made again"])
    assert run[-2:] == ["--set", f"stages.{name}.path=FILE"]
    parts = shards()
    lines = dict(commands(Release.of(manifest(parts), parts)))
    assert lines["The tools that made it"] == "pip install tracefactory==0.1.0 pyarrow==26.0.1"


@given(st.text(), st.integers(30, 400))
def test_a_cut_text_fits_and_keeps_its_ends(text, limit):
    piece = cut(text, limit)
    assert text.startswith(piece.head)
    assert text.endswith(piece.tail)
    assert len(piece.head) + piece.left_out + len(piece.tail) == len(text)
    assert page_bytes(piece.head) + page_bytes(piece.tail) <= limit or not piece.left_out
    if page_bytes(text) <= limit:
        assert piece == (text, "", 0)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_shown_text_reads_back_as_it_was(text):
    plain = text.replace("\r\n", "\n")
    back = re.sub(
        r'<span class="unseen" title="[^"]*">U\+([0-9A-F]+)</span>',
        lambda found: chr(int(found[1], 16)).replace("&", "&amp;"),
        shown(text),
    )
    for mark, entity in (("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        back = back.replace(entity, mark)
    assert back.replace("&amp;", "&") == plain


def test_a_share_that_is_not_all_or_none_does_not_read_so():
    assert share(99_999, 100_000) == "99.9 %"
    assert share(1, 100_000) == "0.1 %"
    assert (share(0, 5), share(5, 5), share(None, 5), share(1, 0)) == (
        "0.0 %", "100.0 %", "not measured", "–",
    )  # fmt: skip
