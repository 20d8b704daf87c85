"""Over HTTP and the command line only: nothing here imports the product."""
