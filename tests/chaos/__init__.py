"""`make chaos`: a fleet under load whose parts are killed, stopped and starved, and a ledger of what became of it.

Over HTTP, signals and Redis' own commands only: nothing here imports the product.
"""
