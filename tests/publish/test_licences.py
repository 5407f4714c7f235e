"""Which licences go together; and that no order, case or number of rows matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.publish.licences import _ONWARD, conflict

TOGETHER = [
    ["MIT"],
    ["MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0", "BSD-3-Clause", "ODC-BY"],
    ["CC-BY-SA-4.0", "CC-BY-4.0", "MIT"],
    ["CC-BY-SA-3.0", "CC-BY-SA-4.0"],
    ["CC-BY-SA-4.0", "GPL-3.0-or-later"],
    ["CC-BY-NC-4.0", "CC-BY-4.0"],
    ["CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"],
    ["GPL-2.0-or-later", "Apache-2.0"],
    ["GPL-3.0-only", "Apache-2.0", "AGPL-3.0-only"],
    ["LGPL-2.1-or-later", "GPL-2.0-only"],
    ["apache-2.0", "mit"],  # as the Hub writes them
    ["gpl-3.0", "GPL-3.0-only"],
    ["MIT OR GPL-2.0-only", "Apache-2.0"],
    ["LicenseRef-ours"],  # one licence for all, whatever it is
]
APART = [
    (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0 and CC-BY-SA-4.0"),
    (["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"], "leave no licence"),
    (["MIT", "CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0 and CC-BY-SA-4.0"),
    (["CC-BY-NC-4.0", "GPL-3.0-only"], "CC-BY-NC-4.0 and GPL-3.0-only"),
    (["GPL-2.0-only", "Apache-2.0"], "Apache-2.0 and GPL-2.0-only"),
    (["GPL-2.0-only", "GPL-3.0-only"], "leave no licence"),
    (["CC-BY-SA-4.0", "GPL-2.0-only"], "leave no licence"),
    (["ODbL-1.0", "CC-BY-SA-4.0"], "leave no licence"),
    (["MIT AND GPL-2.0-only", "Apache-2.0"], "leave no licence"),
    (["CC-BY-ND-4.0"], "does not let anyone hand on"),
    (["CC-BY-NC-ND-4.0", "MIT"], "does not let anyone hand on"),
    (["unknown"], "without a known licence"),
    (["MIT", "unknown"], "without a known licence"),
    (["MIT", None], "without a known licence"),
    (["MIT", ""], "without a known licence"),
    (["MIT", "LicenseRef-ours"], "nobody here knows whether LicenseRef-ours goes with MIT"),
    # Each two go together, and not all three.
    (["GPL-2.0-only OR ODbL-1.0", "Apache-2.0", "LGPL-2.1-only"], "for all of them together"),
]


@pytest.mark.parametrize("licences", TOGETHER, ids=" ".join)
def test_these_go_together(licences):
    assert conflict(licences) is None


@pytest.mark.parametrize(("licences", "said"), APART, ids=str)
def test_these_do_not_and_it_is_said_why(licences, said):
    found = conflict(licences)
    assert found is not None
    assert said in found


def test_no_rows_have_no_conflict():
    assert conflict([]) is None


@given(st.lists(st.sampled_from([*_ONWARD, "unknown", "x-1"]), max_size=5), st.randoms())
def test_neither_order_nor_case_nor_number_matters(licences, random):
    again = [random.choice([str.upper, str.lower])(licence) for licence in licences * 2]
    random.shuffle(again)
    assert (conflict(licences) is None) == (conflict({i.casefold() for i in again}) is None)


@given(st.lists(st.sampled_from(sorted(_ONWARD)), max_size=4), st.sampled_from(sorted(_ONWARD)))
def test_more_licences_mend_no_conflict(licences, more):
    if conflict(licences) is not None:
        assert conflict([*licences, more]) is not None


def test_the_table_names_only_licences_that_stand_in_it():
    named = frozenset[str]().union(*_ONWARD.values())
    assert {name for name in named if " " not in name and name != "*"} <= set(_ONWARD)
    assert all(name == name.casefold() for name in _ONWARD)
