"""``python -m stalkflag``."""

from stalkflag.cli import main

main()
