"""For all tests: interrupts reach the processes they start."""

import signal

# A shell that runs the tests in the background has SIGINT ignored, and so would all they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
