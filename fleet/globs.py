"""Patterns in which `*` stands for any run of characters, `/` included; everything else means itself."""


def matches(pattern: str, text: str) -> bool:
    """Takes time in proportion to the lengths, whatever the pattern: clients write them."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *inner, last = others
    if not text.startswith(first):
        return False
    position = len(first)
    for part in inner:
        found = text.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return len(text) - len(last) >= position and text.endswith(last)
