"""Sessions in signed and encrypted cookies, which iron-session reads and writes too."""

from __future__ import annotations

from .cookies.cookie import Cookie as Cookie
from .cookies.jar import CookieJar as CookieJar
from .cookies.options import CookieOptions as CookieOptions
from .cookies.outcome import Outcome as Outcome
from .engine.session import Session as Session
from .errors import ConfigError as ConfigError
from .errors import CookieTooLarge as CookieTooLarge
from .errors import Ended as Ended
from .errors import ExpiredSeal as ExpiredSeal
from .errors import HeadersAlreadySent as HeadersAlreadySent
from .errors import InvalidSeal as InvalidSeal
from .errors import IronError as IronError
from .errors import PayloadError as PayloadError
from .errors import Refused as Refused
from .errors import SealError as SealError
from .errors import SessionConflict as SessionConflict
from .errors import SessionDestroyed as SessionDestroyed
from .errors import Unavailable as Unavailable
from .errors import UnknownPassword as UnknownPassword
from .errors import UsedSeal as UsedSeal
from .errors import WeakPasswordWarning as WeakPasswordWarning
from .seals.passwords import Passwords as Passwords
from .seals.passwords import generate_password as generate_password
from .seals.sealer import Sealer as Sealer
from .seals.sealer import seal_data as seal_data
from .seals.sealer import unseal_data as unseal_data
from .sessions.events import Event as Event
from .sessions.options import SessionOptions as SessionOptions
from .vaults.id_vault import IdVault as IdVault
from .wsgi.jars import EnvironJar as EnvironJar
from .wsgi.jars import WerkzeugJar as WerkzeugJar
from .wsgi.middleware import IronSessionMiddleware as IronSessionMiddleware
from .wsgi.middleware import apply_session as apply_session
from .wsgi.middleware import get_iron_session as get_iron_session
from .wsgi.middleware import session_from as session_from
from .wsgi.middleware import with_iron_session as with_iron_session
