"""`python -m workers.supply`"""

from workers.supply.worker import main

if __name__ == "__main__":
    main()
