"""`python -m workers.cli`, the same as `tongqu`."""

from workers.cli import main

if __name__ == "__main__":
    main()
