"""`make soak`: thousands of captures, good and bad, while what every process takes is measured.

Over HTTP and /proc only: nothing here imports the product.
"""
