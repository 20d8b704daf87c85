"""Where artifact bytes lie. Records of them are the store's, not this package's."""
