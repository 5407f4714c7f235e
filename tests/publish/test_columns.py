"""Every published column says what it is."""

import pytest

from tracefactory.publish.columns import columns_of
from tracefactory.schemas.traces import VIEW_SCHEMAS


@pytest.mark.parametrize("config", VIEW_SCHEMAS)
def test_every_column_has_words(config):
    words = dict(columns_of(config))
    assert list(words) == VIEW_SCHEMAS[config].names
    assert all(len(each) > 5 for each in words.values())
