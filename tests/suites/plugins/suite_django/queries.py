"""Django's tests that count the queries of a request, with one query fewer: the one that fetches the session.

They cannot pass as they are, and what they say after they have counted would go unsaid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from unittest import TestSuite

from django.apps import apps
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from unittest import TestLoader

COUNTING: Final = (
    ("admin_views.tests.AdminCustomQuerysetTest", "test_changelist_view_count_queries"),
    ("admin_views.tests.AdminSearchTest", "test_no_total_count"),
    ("admin_views.tests.AdminSearchTest", "test_reset_link"),
    ("admin_views.tests.GroupAdminTest", "test_group_permission_performance"),
    ("admin_views.tests.UserAdminTest", "test_user_permission_performance"),
    ("auth_tests.test_middleware.TestLoginRequiredMiddleware", "test_protected_view_logged_in_performance"),
)


class OneFewer:
    """Goes before a test case."""

    def assertNumQueries(self, num: int, *arguments: Any, **options: Any) -> Any:  # noqa: N802 - Django's name
        """Expect one query fewer than *num*."""
        return super().assertNumQueries(num - 1, *arguments, **options)


def load_tests(_loader: TestLoader, _found: TestSuite, _pattern: str | None) -> TestSuite:
    """Return those of the applications that are tested, as far as this version of Django has them."""
    found = (
        (import_string(case), test) for case, test in COUNTING if apps.is_installed(case.partition(".")[0])
    )
    return TestSuite(
        type(case.__name__, (OneFewer, case), {"__module__": __name__})(test)
        for case, test in found
        if hasattr(case, test)
    )
