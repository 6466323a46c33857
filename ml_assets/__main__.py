"""`python -m ml_assets`, for where the installed command is not on the path."""

from ml_assets.cli.main import main

if __name__ == "__main__":
    main(prog_name="ml-assets")
