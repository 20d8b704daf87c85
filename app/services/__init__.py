"""What the API can do, without HTTP: services know no Flask."""
