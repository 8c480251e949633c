"""Tests against the JavaScript implementations themselves, which run in Node beside this process."""
