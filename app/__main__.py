"""``python -m app`` is ``kentongan``."""

from app.cli import main

if __name__ == "__main__":
    main()
