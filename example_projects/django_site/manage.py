"""Django's commands for this site: ``check``, ``migrate``, ``iron_keygen``, ``iron_inspect`` and others."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    execute_from_command_line(sys.argv)
