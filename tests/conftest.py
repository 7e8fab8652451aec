import signal


def pytest_configure() -> None:
    """A shell that runs the tests in the background makes them ignore SIGINT, and thereby whatever
    they start: nothing could be interrupted.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
