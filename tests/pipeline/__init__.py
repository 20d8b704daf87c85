"""A pipeline that goes on while parts of the fleet die: a batch over many sites, and single captures beside it.

Like `tests.chaos`, it speaks HTTP only, and its parts are those of `tests.chaos.fleet`.
"""
