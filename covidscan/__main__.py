"""The ``covidscan`` command, and ``python -m covidscan``."""

import sys


def main() -> None:
    """Run a command. A container's health check skips the imports that the others need."""
    if sys.argv[1:2] == ["health"]:
        from covidscan.health.gateway_check import quick_check  # noqa: PLC0415

        code = quick_check(sys.argv[2:])
        if code is not None:
            sys.exit(code)
    from covidscan.main import app  # noqa: PLC0415

    app()


if __name__ == "__main__":
    main()
