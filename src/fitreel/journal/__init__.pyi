from .journal import Journal as Journal
from .spool import Unavailable as Unavailable, Undelivered as Undelivered
