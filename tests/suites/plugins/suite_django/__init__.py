"""Settings for Django's own suite, tests that are added to it, and what tells how it went.

Django's runtests.py is told which settings to take: `published` changes nothing, `engine` puts our engine
under Django's own middleware, `middleware` our engine under our middleware. Those that begin with
`revoking` and `storing` add a list of revocations, and a store.
"""
