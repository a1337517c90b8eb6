"""Networks of other libraries with random weights, and what these libraries compute with them."""
