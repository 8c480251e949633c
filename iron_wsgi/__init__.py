"""Sessions in signed and encrypted cookies, which iron-session reads and writes too."""

from __future__ import annotations

from .cookies import Cookie as Cookie
from .cookies import CookieJar as CookieJar
from .cookies import CookieOptions as CookieOptions
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
from .events import Event as Event
from .jars import EnvironJar as EnvironJar
from .jars import WerkzeugJar as WerkzeugJar
from .middleware import IronSessionMiddleware as IronSessionMiddleware
from .middleware import apply_session as apply_session
from .middleware import get_iron_session as get_iron_session
from .middleware import session_from as session_from
from .middleware import with_iron_session as with_iron_session
from .options import SessionOptions as SessionOptions
from .outcome import Outcome as Outcome
from .passwords import Passwords as Passwords
from .passwords import generate_password as generate_password
from .sealer import Sealer as Sealer
from .sealer import seal_data as seal_data
from .sealer import unseal_data as unseal_data
from .session import Session as Session
