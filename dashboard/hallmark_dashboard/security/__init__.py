"""What stands between the network and the pages: cookies, forms, headers, limits."""
