"""Sessions in signed and encrypted cookies for Django: ``SESSION_ENGINE = "iron_wsgi_django.backend"``."""
