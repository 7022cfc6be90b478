"""The report of a whole run in a real browser."""

import pytest

from tests.browser import LARGEST, browsing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]


def test_a_finished_runs_page_is_whole(pipeline_run, tmp_path):
    page = pipeline_run.root / "data/report/index.html"
    assert page.stat().st_size < LARGEST
    with browsing(tmp_path / "profile") as browser:
        for width in (1280, 390):
            for dark in (False, True):
                browser.open(page, width=width, dark=dark)
                assert (browser.errors, browser.requests) == ([], [page.as_uri()])
                assert browser.ask("document.documentElement.scrollWidth") == width
                assert browser.sticking_out() == browser.overflowing() == []
        widths = browser.picture_widths()
        assert len(widths) > 4
        assert min(widths) > 0
        for table in range(browser.ask("document.querySelectorAll('table.sortable').length")):
            button = f"document.querySelectorAll('table.sortable')[{table}].querySelector('thead button')"
            browser.ask(f"{button}.click()")
            assert browser.ask(f"{button}.closest('th').ariaSort") == "ascending"
