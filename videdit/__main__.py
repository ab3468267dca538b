"""`python -m videdit`, and what `videdit` and `run_video.py` call: the command."""

import sys


def main() -> int:
    """Run the command and return its exit code; Ctrl-C while it is loaded is answered as later."""
    try:
        from videdit.cli.main import main as command
    except KeyboardInterrupt:
        from videdit import shutdown

        print(f"videdit: {shutdown.WORDS}", file=sys.stderr)
        return shutdown.EXIT_CODE
    return command()


if __name__ == "__main__":
    sys.exit(main())
