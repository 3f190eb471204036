"""``python -m fairfer``: the same as the ``fairfer`` command."""

from fairfer.cli.main import main

if __name__ == "__main__":
    main()
