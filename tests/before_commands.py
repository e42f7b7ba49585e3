"""What every process of `tests.processes` has before it reaches the first line of `fitreel`."""

import signal

from tests.warm import warm

warm()
# Python would turn an early Ctrl-C into a KeyboardInterrupt inside multiprocessing, whose exit code
# 1 looks like an error of the command. So it ends the process, as an early SIGTERM does.
signal.signal(signal.SIGINT, signal.SIG_DFL)
