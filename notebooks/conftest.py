"""nbval compares what cells print. Pictures are proven elsewhere: by the asserts beside them and by the browser tests."""


def pytest_collectstart(collector):
    if getattr(collector, "skip_compare", None):
        collector.skip_compare += ("application/vnd.vegalite.v5+json", "text/html", "stderr")
