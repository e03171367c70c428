"""nbval compares what cells print, numbers as numbers (tests/figures.py). Pictures are proven
elsewhere: by the asserts beside them and by the browser tests."""

from figures import Printed


def pytest_collectstart(collector):
    if getattr(collector, "skip_compare", None):
        collector.skip_compare += ("application/vnd.vegalite.v5+json", "text/html", "stderr")


def pytest_itemcollected(item):
    if hasattr(item, "sanitize"):  # a notebook's cell; what it sanitizes is what it compares
        sanitize = item.sanitize
        item.sanitize = lambda text: (
            Printed(sanitize(text)) if isinstance(text, str) else sanitize(text)
        )
