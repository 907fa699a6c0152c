"""Pure words of c3fs: no input or output, no trio, nothing that waits."""
