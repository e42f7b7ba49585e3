from .film import check_film as check_film
from .finding import Finding as Finding
from .packages import (
    check_fitreel as check_fitreel,
    check_package as check_package,
    check_packages as check_packages,
    check_python as check_python,
)
from .spool import check_spool as check_spool, check_waiting as check_waiting
from .terminal import check_terminal as check_terminal
from .window import check_window as check_window
