"""A release tells where a public endpoint is, and nothing of one's own network."""

import pytest

from tracefactory.publish.asked import public_asks


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://api.example.com/v1", True),
        ("https://8.8.8.8/v1", True),
        ("http://localhost:8000/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://10.1.2.3/v1", False),
        ("http://node-17:8000/v1", False),
        ("http://gpu3.cluster.internal/v1", False),
        ("http://gpu3.LOCAL./v1", False),
        ("", False),
    ],
)
def test_where_an_endpoint_is(url, told):
    asks = {"model": "m", "base_url": url, "sampling": {"top_p": 0.9}}
    found = public_asks(asks)
    assert ("base_url" in found) is told
    assert found["model"] == "m"
    assert asks["base_url"] == url
    assert "base_url" not in public_asks({"model": "m"})


def test_no_folder_of_this_machine():
    asks = {
        "path": "/home/me/model",
        "temperature": 0.8,
        "more": [{"path": "/tmp/x"}],
        "none": None,
    }
    assert public_asks(asks) == {"temperature": 0.8, "more": [{"path": None}], "none": None}
    assert public_asks({"path": "hf://me/model"}) == {"path": "hf://me/model"}
