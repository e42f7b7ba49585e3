from .film import check_film as check_film
from .machine import (
    Finding as Finding,
    check_fitreel as check_fitreel,
    check_package as check_package,
    check_packages as check_packages,
    check_python as check_python,
    check_spool as check_spool,
    check_waiting as check_waiting,
    check_window as check_window,
)
